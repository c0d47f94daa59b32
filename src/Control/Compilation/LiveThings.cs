// What outlives plans: upstreams, endpoints, sites' counters, logs. Keyed by identity; a new plan adopts what it names
// again, so that a reload touches no health, load or connection of what stays.

using Weir.Engine.Balancing;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;

namespace Weir.Control.Compilation;

/// <summary>The live things. Control's thread only.</summary>
/// <param name="loops">How many loops there are.</param>
/// <param name="errors">Where live things say what becomes of them.</param>
public sealed class LiveThings(int loops, ErrorLog? errors = null)
{
    private readonly Dictionary<string, Upstream> upstreams = [];
    private readonly Dictionary<string, Endpoint> endpoints = [];
    private readonly Dictionary<string, SiteRecord> sites = [];
    private readonly Dictionary<string, AccessLog> logs = [];

    public int Loops { get; } = loops;

    public Upstream Upstream(string identity, string name, Balancer balancer)
    {
        if (!upstreams.TryGetValue(identity, out var upstream)) upstreams[identity] = upstream = new Upstream(identity, name, balancer, Loops) { Errors = errors };
        return upstream;
    }

    /// <param name="upstream">The upstream's identity: an endpoint belongs to one upstream.</param>
    /// <param name="identity">Scheme and authority.</param>
    /// <param name="place">Its place among those of the upstream that differ in their path only; from 0.</param>
    /// <param name="name">What people call it.</param>
    /// <param name="authority">The Host that belongs to it.</param>
    public Endpoint Endpoint(string upstream, string identity, int place, string name, string authority)
    {
        var key = $"{upstream}\n{identity}\n{place}";
        if (!endpoints.TryGetValue(key, out var endpoint)) endpoints[key] = endpoint = new Endpoint(identity, name, Loops, authority);
        return endpoint;
    }

    public SiteRecord Site(string name)
    {
        if (!sites.TryGetValue(name, out var site)) sites[name] = site = new SiteRecord(name, Loops);
        return site;
    }

    public AccessLog Log(string identity, Func<AccessLog> make)
    {
        if (!logs.TryGetValue(identity, out var log)) logs[identity] = log = make();
        return log;
    }

    /// <summary>Forgets what a plan does not name any more.</summary>
    public void Keep(HashSet<object> named)
    {
        Drop(upstreams, named);
        Drop(endpoints, named);
        Drop(sites, named);
        Drop(logs, named);
    }

    private static void Drop<T>(Dictionary<string, T> things, HashSet<object> named)
        where T : class
    {
        foreach (var (key, thing) in things.Where(t => !named.Contains(t.Value)).ToArray()) things.Remove(key);
    }
}
