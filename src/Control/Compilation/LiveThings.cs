// What outlives plans: upstreams with their members, sites' counters, logs. Keyed by identity; a new plan adopts what it
// names again, so that a reload touches no health, load or connection of what stays.

using System.Collections.Frozen;
using Weir.Control.Certificates;
using Weir.Control.Discovery;
using Weir.Engine.Balancing;
using Weir.Engine.Caching;
using Weir.Engine.Observe;
using Weir.Engine.Tls;
using Weir.Engine.Upstreams;

namespace Weir.Control.Compilation;

/// <summary>The live things. Control's thread only, where nothing else is said.</summary>
/// <param name="loops">How many loops there are.</param>
/// <param name="errors">Where live things say what becomes of them.</param>
/// <param name="forget">Makes the loops close what they keep for endpoints that have left.</param>
public sealed class LiveThings(int loops, ErrorLog? errors = null, Action<Endpoint[]>? forget = null)
{
    private static readonly TimeSpan LetGoAfter = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, Membership> memberships = [];
    private readonly Dictionary<string, SiteRecord> sites = [];
    private readonly Dictionary<string, AccessLog> logs = [];
    private readonly Dictionary<string, Cache> caches = [];
    private readonly Dictionary<string, SiteCertificates> certificates = [];
    private readonly Dictionary<string, OriginTls> origins = [];

    private TicketRotation? rotation;
    private volatile OriginTls[] originsInForce = [];
    private volatile FrozenDictionary<Upstream, Membership> inForce = FrozenDictionary<Upstream, Membership>.Empty;

    private volatile SiteCertificates[] shown = [];
    private volatile Cache[] cachesInForce = [];

    public int Loops { get; } = loops;

    /// <summary>The names that are followed. Any thread.</summary>
    public Names Names { get; } = new((isGood, text) => errors?.Write(isGood ? LogLevel.Info : LogLevel.Error, "names", text));

    /// <summary>The members of upstreams in force. Any thread.</summary>
    public IReadOnlyDictionary<Upstream, Membership> Memberships => inForce;

    /// <summary>What seals the session tickets of all listeners.</summary>
    public TicketKeys Tickets { get; } = new();

    /// <summary>Changes them.</summary>
    public TicketRotation TicketRotation => rotation ??= new TicketRotation(Tickets, errors);

    public Membership Membership(string identity, string name, Balancer balancer)
    {
        if (!memberships.TryGetValue(identity, out var membership)) memberships[identity] = membership = new Membership(new Upstream(identity, name, balancer, Loops) { Errors = errors }, Loops, errors, forget, Names);
        return membership;
    }

    public SiteRecord Site(string name)
    {
        if (!sites.TryGetValue(name, out var site)) sites[name] = site = new SiteRecord(name, Loops);
        return site;
    }

    /// <summary>The certificates of the sites in force. Any thread.</summary>
    public IReadOnlyList<SiteCertificates> Certificates => shown;

    public SiteCertificates CertificatesOf(string identity, string site)
    {
        if (!certificates.TryGetValue(identity, out var found)) certificates[identity] = found = new SiteCertificates(site, errors);
        return found;
    }

    /// <summary>How the upstreams in force speak TLS. Any thread.</summary>
    public IReadOnlyList<OriginTls> Origins => originsInForce;

    public OriginTls OriginTls(OriginTlsSettings settings)
    {
        if (!origins.TryGetValue(settings.ToString(), out var tls)) origins[settings.ToString()] = tls = new OriginTls(settings);
        return tls;
    }

    /// <summary>The caches in force. Any thread.</summary>
    public IReadOnlyList<Cache> Caches => cachesInForce;

    /// <summary>Their disks.</summary>
    internal CacheDisks CacheDisks { get; } = new(errors);

    public Cache Cache(string name)
    {
        if (!caches.TryGetValue(name, out var cache)) caches[name] = cache = new Cache(name, Loops);
        return cache;
    }

    public AccessLog Log(string identity, Func<AccessLog> make)
    {
        if (!logs.TryGetValue(identity, out var log)) logs[identity] = log = make();
        return log;
    }

    /// <summary>Forgets what a plan does not name any more.</summary>
    public void Keep(HashSet<object> named)
    {
        foreach (var (identity, membership) in memberships.Where(m => !named.Contains(m.Value)).ToArray())
        {
            memberships.Remove(identity);
            membership.Close();
        }

        inForce = memberships.Values.ToFrozenDictionary(m => m.Upstream);
        Drop(sites, named);
        Drop(logs, named);
        Drop(caches, named);
        CacheDisks.Keep(caches.Values);
        cachesInForce = [.. caches.Values.OrderBy(static c => c.Name, StringComparer.Ordinal)];
        Drop(origins, named);
        originsInForce = [.. origins.Values];
        var left = certificates.Values.Where(c => !named.Contains(c)).ToArray();
        Drop(certificates, named);
        shown = [.. certificates.Values];
        if (left.Length > 0) _ = EndAsync(left);
    }

    /// <summary>Begins what feeds the members, where that has not begun.</summary>
    public void Begin()
    {
        Names.Start();
        CacheDisks.Begin();
        TicketRotation.Start();
        foreach (var membership in memberships.Values) membership.Begin();
    }

    /// <summary>Ends what feeds the members.</summary>
    public void Close()
    {
        foreach (var membership in memberships.Values) membership.Close();
        rotation?.Dispose();
        CacheDisks.Dispose();
        Names.Dispose();
    }

    // The plan before may still be executed for a moment.
    private static async Task EndAsync(SiteCertificates[] left)
    {
        await Task.Delay(LetGoAfter).ConfigureAwait(false);
        foreach (var site in left) site.End();
    }

    private static void Drop<T>(Dictionary<string, T> things, HashSet<object> named)
        where T : class
    {
        foreach (var (key, thing) in things.Where(t => !named.Contains(t.Value)).ToArray()) things.Remove(key);
    }
}
