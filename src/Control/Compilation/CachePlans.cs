// A route's cache: where, by which key, under which rules.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Acceleration;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Mirroring;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Routing;

namespace Weir.Control.Compilation;

/// <summary>Compiles what is written about a route's cache.</summary>
internal static class CachePlans
{
    public static CachePlan Plan(CacheConfig from, Cache cache, RouteConfig route, ForwardPlan forward, AcceleratePlan? accelerate, IntegrityPlan? integrity, MirrorPlan? mirror) => new()
    {
        Cache = cache,
        Forward = forward,
        Mirror = mirror,
        Accelerate = accelerate,
        Integrity = integrity,
        Key = new KeyRecipe(Space(route, forward, from), Parts(from.Key), Query(from.Key?.Query)),
        Rules = Rules(from),
        LargestBody = from.MaxObject ?? CacheStoreConfig.UsualObject,
        SliceBytes = from.Slice ?? 0,
        StatusName = from.Status == false ? null : "Weir"u8.ToArray(),
        Passes = Passes(from),
        WatchesTypes = from.DeceptionArmor != false,
        ShowsTags = from.ShowTags == true,
    };

    /// <summary>Whether any route of a site may keep something.</summary>
    public static bool IsUsed(SiteConfig site) => CacheConfig.Of(null, site.Cache) is not null || site.Routes.Exists(route => CacheConfig.Of(route.Cache, site.Cache) is not null);

    /// <summary>What of queries counts, as text.</summary>
    public static string RuleOf(CacheConfig from) =>
        from.Key?.Query is not { } query ? "" : $"{query.None} {query.Sort} keep {(query.Keep is { } keep ? string.Join(' ', keep) : "*")} drop {string.Join(' ', query.Drop)}";

    public static PurgeMethod? Purge(CacheConfig from, CachePlan plan) => from.Purge is { Count: > 0 } networks ? new PurgeMethod(plan.Cache, plan.Key, [.. networks]) : null;

    private static CacheRules Rules(CacheConfig from) => new()
    {
        HonorsRequestDirectives = from.RequestDirectives != false,
        StoresSetCookie = from.SetCookie == true,
        StoresPartial = from.Slice is not null,
        HeuristicPercent = from.Heuristic ?? 0,
        DefaultLifetime = Seconds(from.DefaultTtl),
        StatusLifetimes = [.. (from.StatusTtl ?? []).Select(static s => new StatusLifetime(new StatusSet([(Shapes.StatusesOf(s.Name).First, Shapes.StatusesOf(s.Name).Last)]), s.Value / 1000))],
        LeastLifetime = Seconds(from.MinTtl) ?? 0,
        MostLifetime = Seconds(from.MaxTtl),
        OverrideLifetime = Seconds(from.Ttl),
        StaleWhileRevalidate = Seconds(from.StaleWhileRevalidate) ?? 0,
        StaleIfError = Seconds(from.StaleIfError) ?? 0,
    };

    // Two routes that send one URL on in different ways must not meet: whatever they do to the request belongs to the key.
    private static byte[] Space(RouteConfig route, ForwardPlan forward, CacheConfig from)
    {
        var text = new StringBuilder($"{forward.Upstream.Identity} {forward.Host} {Encoding.ASCII.GetString(forward.FixedHost)}");
        if (route.Forwarded is { } forwarded) text.Append($"\nforwarded {forwarded}");
        if (route.RequestHeaders is { } edits)
        {
            foreach (var name in edits.Remove) text.Append($"\nremove {name}");
            foreach (var set in edits.Set) text.Append($"\nset {set.Name}: {set.Value.Text}");
            foreach (var add in edits.Add) text.Append($"\nadd {add.Name}: {add.Value.Text}");
        }

        if (from.Key is { } key)
        {
            text.Append($"\nkey {string.Join(' ', key.Headers)} device {key.Device} cookies {(key.Cookies is { } cookies ? string.Join(' ', cookies) : "*")}");
        }

        // Its length counts for every variant that is kept.
        return text.Length <= 256 ? Encoding.UTF8.GetBytes(text.ToString()) : System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private static KeyParts? Parts(CacheKeyConfig? from) =>
        from is null || (from.Headers.Count == 0 && from.Cookies is null && !from.Device) ? null
        : new KeyParts([.. from.Headers.Select(Encoding.ASCII.GetBytes)], from.Cookies is { } cookies ? [.. cookies.Select(Encoding.ASCII.GetBytes)] : null, from.Device);

    private static QueryRule? Query(CacheQueryConfig? from)
    {
        if (from is null || (!from.None && !from.Sort && from.Keep is null && from.Drop.Count == 0)) return null;
        byte[][]? kept = from.None ? [] : from.Keep is { } keep ? [.. keep.Select(Encoding.ASCII.GetBytes)] : null;
        return new QueryRule(from.Sort, kept, [.. from.Drop.Select(Encoding.ASCII.GetBytes)]);
    }

    private static CachePasses? Passes(CacheConfig from)
    {
        if ((from.Bypass?.Count ?? 0) + (from.NoStore?.Count ?? 0) == 0) return null;
        var table = new RouteTable<CachePasses.Way>();
        foreach (var match in from.Bypass ?? []) PlanCompiler.Add(table, CachePasses.Way.Bypass, match);
        foreach (var match in from.NoStore ?? []) PlanCompiler.Add(table, CachePasses.Way.NoStore, match);
        return new CachePasses(table);
    }

    private static long? Seconds(long? duration) => duration / 1000;
}
