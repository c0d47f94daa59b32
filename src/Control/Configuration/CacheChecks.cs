// What can be wrong with caches although every value is right: keys that contradict each other, and what makes one client's
// answer everybody's. What an answer depends on must be in the key, in the answer's Vary, or not be sent on.

using System.Text;
using Weir.Engine.Exchanges;

namespace Weir.Control.Configuration;

internal static class CacheChecks
{
    // Placeholders that the URL of a key does not decide.
    private static readonly Placeholder[] OfClient = [Placeholder.ClientIp, Placeholder.ClientPort, Placeholder.RequestId, Placeholder.Header, Placeholder.Tls, Placeholder.Method];

    // Errors that a request by itself can bring about, whatever it asks for.
    private static readonly int[] OfRequests = [400, 403, 405, 406, 408, 411, 412, 413, 414, 415, 416, 417, 421, 426, 428, 429, 431, 501, 505];

    public static void Check(ProxyConfig config, Diagnostics diagnostics)
    {
        foreach (var site in config.Sites)
        {
            if (site.Cache is { } outer) CheckOne(config, outer, diagnostics);
            foreach (var route in site.Routes)
            {
                if (route.Cache is { } own) CheckOne(config, own, diagnostics);
                if (route.Cache is { On: not false } written && route.Proxy is null && !diagnostics.IsTold(route, "proxy")) diagnostics.Error(written.At, "only answers of a route with proxy are kept");
                else if (route.Proxy is not null && CacheConfig.Of(route.Cache, site.Cache) is { } cache && !diagnostics.IsFlawed(cache)) CheckRoute(config, route, cache, diagnostics);
            }
        }

        foreach (var cache in config.Caches.Where(c => !IsUsed(config, c.Name))) diagnostics.Warn(cache.At, $"no route keeps answers in '{cache.Name}'");
    }

    private static bool IsUsed(ProxyConfig config, string name) => config.Sites.Exists(s => Uses(s.Cache, name) || s.Routes.Exists(r => Uses(r.Cache, name) || (r.Cache is not null && Uses(CacheConfig.Of(r.Cache, s.Cache), name))));

    private static bool Uses(CacheConfig? cache, string name) => cache is { On: not false } && (cache.Store ?? CacheStoreConfig.Usual) == name;

    private static void CheckOne(ProxyConfig config, CacheConfig cache, Diagnostics diagnostics)
    {
        var store = cache.Store ?? CacheStoreConfig.Usual;
        var known = config.Caches.Find(c => c.Name == store);
        if (cache.Store is not null && known is null && store != CacheStoreConfig.Usual && !diagnostics.IsTold(config, "caches")) diagnostics.Error(diagnostics.Where(cache, "store"), $"there is no cache '{store}'{NearestWord.Suggest(store, config.Caches.Select(static c => c.Name).Append(CacheStoreConfig.Usual))}");
        if (cache.MaxObject > (known?.Value.Memory ?? CacheStoreConfig.UsualMemory)) diagnostics.Error(diagnostics.Where(cache, "max_object"), $"a body of this size is never kept: '{store}' has less memory");
        CheckTimes(cache, diagnostics);
        foreach (var match in (cache.Bypass ?? []).Concat(cache.NoStore ?? []))
        {
            if (match.Path?.Regex is not null) diagnostics.Error(match.Path.At, "an expression cannot stand here: its groups would take the place of the route's");
            if (match is { Path: null, HasConditions: false } && !diagnostics.IsFlawed(match)) diagnostics.Error(match.At, "this holds for every request: write cache: false");
        }

        if (cache.SetCookie == true) diagnostics.Warn(diagnostics.Where(cache, "set_cookie"), "with set_cookie the cookie that one client was given goes to all who ask for the same: remove Set-Cookie in response_headers where it is a session's");
        if (cache.Key?.Query is { } query) CheckQuery(query, diagnostics);
        if (cache.Key is { } key && key.Headers.Find(static h => h.Equals("cookie", StringComparison.OrdinalIgnoreCase)) is { } cookie) diagnostics.Error(diagnostics.Where(key, "headers", cookie), "the whole Cookie field would make a variant for each client: name what counts in cookies");
    }

    private static void CheckTimes(CacheConfig cache, Diagnostics diagnostics)
    {
        if (cache.MinTtl > cache.MaxTtl) diagnostics.Error(diagnostics.Where(cache, "min_ttl"), "min_ttl is longer than max_ttl");
        if (cache.Ttl is not null)
        {
            foreach (var (name, value) in new[] { ("default_ttl", cache.DefaultTtl), ("min_ttl", cache.MinTtl), ("max_ttl", cache.MaxTtl) })
            {
                if (value is not null) diagnostics.Error(diagnostics.Where(cache, name), $"ttl says how long in any case: '{name}' means nothing beside it");
            }
        }

        if (cache.DefaultTtl > cache.MaxTtl) diagnostics.Warn(diagnostics.Where(cache, "default_ttl"), "default_ttl is never reached: max_ttl is shorter");
        foreach (var status in cache.StatusTtl ?? [])
        {
            var range = Shapes.StatusesOf(status.Name);
            if (status.Value > 0 && Array.Find(OfRequests, s => s >= range.First && s <= range.Last) is > 0 and var odd) diagnostics.Warn(status.At, $"a {odd} may be the answer to one odd request, and would be kept for all: leave it out, or let the origin say how long it is fresh");
        }
    }

    private static void CheckQuery(CacheQueryConfig query, Diagnostics diagnostics)
    {
        if (query.Keep is { } keep && keep.Find(query.Drop.Contains) is { } both) diagnostics.Error(diagnostics.Where(query, "drop", both), $"'{both}' is kept and dropped");
        if (query.Keep is { Count: 0 }) diagnostics.Error(diagnostics.Where(query, "keep"), "nothing is kept: write query: none");
    }

    private static void CheckRoute(ProxyConfig config, RouteConfig route, CacheConfig cache, Diagnostics diagnostics)
    {
        var key = cache.Key ?? new CacheKeyConfig();
        foreach (var edit in (route.RequestHeaders?.Set ?? []).Concat(route.RequestHeaders?.Add ?? []))
        {
            if (IsKeyed(key, edit.Name)) continue;
            if (!edit.Value.Parts.Any(p => OfClient.Contains(p.Kind) && !(p.Kind == Placeholder.Header && IsKeyed(key, Encoding.ASCII.GetString(p.Text))))) continue;
            diagnostics.Warn(edit.At, $"'{edit.Name}' tells the origin of one client, and the answer is kept for all: name it in cache.key.headers, unless the origin names it in Vary or does not look at it");
        }

        foreach (var header in route.Match.Headers.Where(h => !IsKeyed(key, h.Name) && h.Value.Present != false)) diagnostics.Warn(header.At, $"the route is for requests with '{header.Name}', but its answers are kept without it: name it in cache.key.headers, unless the origin names it in Vary or does not look at it");
        foreach (var cookie in route.Match.Cookies.Where(c => !(key.Cookies ?? []).Contains(c.Name))) diagnostics.Warn(cookie.At, $"the route is for requests with the cookie '{cookie.Name}', but its answers are kept without it: name it in cache.key.cookies, or write cache: false");
        if (route.Match.ClientIp.Count > 0) diagnostics.Warn(diagnostics.Where(route.Match, "client_ip"), "the route is for some clients only; where another route serves the same URL from the same servers, its clients get what these were answered");
        if (route.Match.Methods.Count > 0 && !route.Match.Methods.Contains("GET")) diagnostics.Warn(cache.At, "only answers to GET are kept, and this route takes none");
        foreach (var target in route.Proxy!.Targets)
        {
            if ((target.Inline ?? config.Upstreams.Find(u => u.Name == target.Name)?.Value)?.Sticky is { } sticky) diagnostics.Warn(cache.At, $"clients stay with their server by the cookie '{sticky.Cookie}', and what one of them was answered is kept for all: answers that depend on the server must not be kept");
        }
    }

    private static bool IsKeyed(CacheKeyConfig key, string field) => key.Headers.Exists(h => h.Replace('_', '-').Equals(field.Replace('_', '-'), StringComparison.OrdinalIgnoreCase));
}
