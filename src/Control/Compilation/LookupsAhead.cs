// All names of a configuration are looked up at once, before it is compiled: one that does not answer costs its time once, and
// not once for each place it stands at.

using Weir.Control.Configuration;
using Weir.Control.Discovery;

namespace Weir.Control.Compilation;

/// <summary>Looks up what will be asked for.</summary>
internal static class LookupsAhead
{
    /// <summary>Waits until the first lookups have ended; what is known already is not asked for again.</summary>
    public static void Run(ProxyConfig config, Names names)
    {
        var services = new List<NameWatch>();
        var all = new List<NameWatch>();
        foreach (var upstream in InUse(config))
        {
            var settings = config.ResolveSettings(upstream);
            all.AddRange(upstream.Endpoints.Concat(upstream.Discover?.Found ?? []).Where(static e => AddressFollower.IsName(e.Url)).Select(e => names.Watch(NameKind.Addresses, e.Url.IdnHost, settings, isAnew: true)));
            if (upstream.Discover is not { } discover) continue;
            all.AddRange(discover.Dns.Select(d => names.Watch(NameKind.Addresses, d.Name, settings, isAnew: true)));
            services.AddRange(discover.Srv.Select(s => names.Watch(NameKind.Services, s, settings, isAnew: true)));
        }

        Names.Await([.. services]);
        foreach (var service in services)
        {
            if (service.Answer is { } answer) all.AddRange(answer.Services.Select(s => names.Watch(NameKind.Addresses, s.Target, service.Settings, isAnew: true)));
        }

        Names.Await(all);
    }

    private static IEnumerable<UpstreamConfig> InUse(ProxyConfig config)
    {
        var targets = config.Sites.SelectMany(static s => s.Routes.SelectMany(static r => new[] { r.Proxy, r.Mirror?.Proxy }).Append(s.Proxy)).SelectMany(static t => t?.Targets ?? []).ToArray();
        var named = targets.Select(static t => t.Name).ToHashSet();
        return targets.Select(static t => t.Inline).OfType<UpstreamConfig>().Concat(config.Upstreams.Where(u => named.Contains(u.Name)).Select(static u => u.Value));
    }
}
