// `discover: { srv: … }` (RFC 2782): an endpoint for each address of each server of a service. Targets are watched by
// themselves, each by its own time. Called by Names, one call at a time.

namespace Weir.Control.Discovery;

/// <summary>Feeds a source from a service's servers.</summary>
public sealed class SrvSource : IDisposable
{
    private const int MostTier = 9;

    private readonly Dictionary<string, NameSubscription> targets = [];
    private readonly Source source;
    private readonly Names names;
    private readonly ResolveSettings settings;
    private readonly bool isTls;
    private readonly NameSubscription service;
    private NameWatch? self;
    private Member[] taken = [];
    private volatile bool isDisposed;

    private SrvSource(Source source, Names names, string name, bool isTls, ResolveSettings settings)
    {
        (this.source, this.names, this.isTls, this.settings) = (source, names, isTls, settings);
        service = names.Subscribe(NameKind.Services, name, settings, watch => Take(watch, isItself: true));
    }

    /// <summary>The source that a service is, with what is known of it and its targets when the configuration is read.</summary>
    public static SourcePlan Plan(Names names, string name, ResolveSettings settings, bool isTls = false) => new($"srv {name}", $"{settings.Key}{(isTls ? " https" : "")}", source => new SrvSource(source, names, name, isTls, settings))
    {
        Initial = names.Watch(NameKind.Services, name, settings).Answer is { } answer && Members(answer.Services, target => names.Watch(NameKind.Addresses, target, settings).Answer, isTls ? name : null) is { Length: > 0 } found ? found : null,
    };

    public void Dispose()
    {
        isDisposed = true;
        service.Dispose();
        lock (targets)
        {
            foreach (var target in targets.Values) target.Dispose();
            targets.Clear();
        }
    }

    /// <summary>The endpoints of a service: those of the least priority first, those of each further one behind them.</summary>
    /// <param name="services">What it consists of.</param>
    /// <param name="addresses">What is known of a target.</param>
    /// <param name="certified">The service's name where its servers are spoken to over TLS: their certificates are for its domain, because whoever answers for the name chooses the targets (RFC 6125 §6.2.1).</param>
    internal static Member[] Members(IReadOnlyCollection<ServiceRecord> services, Func<string, NameAnswer?> addresses, string? certified = null)
    {
        var found = services.SelectMany(s => (addresses(s.Target)?.Addresses ?? []).Select(ip => (Service: s, Ip: ip))).Take(Lookup.Most).ToArray();
        // Tiers are by what the service says, whatever of it could be resolved: a backup does not become what it stands in for.
        var tiers = services.Select(static s => s.Priority).Distinct().Order().Index().ToDictionary(static p => p.Item, static p => Math.Min(p.Index, MostTier));
        var weights = services.GroupBy(static s => s.Priority).ToDictionary(static g => g.Key, static g => (Most: g.Max(static s => s.Weight), Least: g.Min(static s => s.Weight)));
        return [.. found.Select(f => DnsSource.Member(f.Ip, f.Service.Target, f.Service.Port, certified is not null) with { CertifiedName = Domain(certified), Tier = tiers[f.Service.Priority], Weight = Weight(f.Service.Weight, weights[f.Service.Priority]) })];
    }

    // Of a service without a domain its whole name, which no certificate is for.
    private static string? Domain(string? service) => service is null ? null : string.Join('.', service.Split('.', StringSplitOptions.RemoveEmptyEntries).SkipWhile(static l => l.StartsWith('_'))) is { Length: > 0 } domain ? domain : service;

    // As written where that can be. Larger ones are brought down together; beside others, a weight of 0 is as little as there is.
    private static int Weight(int weight, (int Most, int Least) of)
    {
        if (of.Most == 0) return 1;
        if (of.Most <= Member.MostWeight && of.Least > 0) return weight;
        return Math.Max(1, (int)((long)weight * Member.MostWeight / of.Most));
    }

    private void Take(NameWatch watch, bool isItself)
    {
        if (isItself) self = watch;
        if (isItself && watch.Answer is { } now) Follow(now.Services);
        if (isDisposed || self is null) return;
        Member[] members = self.Answer is { } answer ? Members(answer.Services, Known, isTls ? service.Watch.Name : null) : [];
        var trouble = self.Trouble;
        if (trouble is null && members.Length == 0)
        {
            if (!AreAllKnown()) return; // Of a target whose first lookup runs, its own call will tell.
            trouble = "none of its servers can be resolved";
        }

        // A target may move while the service itself cannot be asked.
        var isNews = members.Length > 0 && (!Same(members) || (trouble is null && source.Trouble is not null));
        if (isNews && source.Succeeded(members)) taken = members;
        if (trouble is null && source.Trouble is null) source.Confirmed();
        else if (trouble is not null && (isItself || isNews || members.Length == 0)) source.Failed(trouble);
    }

    private NameAnswer? Known(string target)
    {
        lock (targets) return targets.GetValueOrDefault(target.ToLowerInvariant())?.Watch.Answer;
    }

    private bool AreAllKnown()
    {
        lock (targets) return targets.Values.All(static t => t.Watch.First.IsCompleted);
    }

    private bool Same(Member[] members) => members.Length == taken.Length && members.Zip(taken).All(static p => (p.First.Identity, p.First.Weight, p.First.Tier, p.First.Authority) == (p.Second.Identity, p.Second.Weight, p.Second.Tier, p.Second.Authority));

    private void Follow(ServiceRecord[] services)
    {
        var wanted = services.Select(static s => s.Target.ToLowerInvariant()).ToHashSet();
        lock (targets)
        {
            if (isDisposed) return;
            foreach (var gone in targets.Keys.Except(wanted).ToArray())
            {
                targets.Remove(gone, out var target);
                target!.Dispose();
            }

            foreach (var target in wanted.Where(t => !targets.ContainsKey(t))) targets[target] = names.Subscribe(NameKind.Addresses, target, settings, w => Take(w, isItself: false));
        }
    }
}
