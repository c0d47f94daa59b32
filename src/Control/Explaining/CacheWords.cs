// What a route's cache would do with a request: by which key, under which rules. What is kept is a running proxy's to tell.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Wire.Http1;

namespace Weir.Control.Explaining;

internal static class CacheWords
{
    public static void Tell(CachePlan plan, CacheConfig from, Exchange exchange, Action<string> say)
    {
        var where = $"cache {plan.Cache.Name} ({Words.Place(from)})";
        if (exchange.Request.KnownMethod is not (KnownMethod.Get or KnownMethod.Head)) say($"{where} not: the method is {exchange.Request.Method}; what it changes is forgotten where the answer is good");
        else if (exchange.Request.HasBody) say($"{where} not: the request has a body");
        else if (exchange.Request.WantsUpgrade) say($"{where} not: it may become a tunnel");
        else if (plan.Passes?.Of(exchange) == CachePasses.Way.Bypass) say($"{where} not: bypass holds");
        else TellKey(plan, from, exchange, where, say);
    }

    private static void TellKey(CachePlan plan, CacheConfig from, Exchange exchange, string where, Action<string> say)
    {
        if (!plan.Key.TryMake(exchange, out var key))
        {
            say($"{where} not: the key would be too long");
            return;
        }

        say($"{where}, memory {Words.Size(plan.Cache.MemoryLimit)}{(plan.Passes?.Of(exchange) == CachePasses.Way.NoStore ? ", no_store holds" : "")}");
        say($"  key {key.Url}");
        var parts = new List<string>();
        foreach (var name in from.Key?.Headers ?? []) parts.Add($"{name} {Values(exchange, name)}");
        foreach (var name in from.Key?.Cookies ?? []) parts.Add($"cookie {name} {Cookie(exchange, name)}");
        if (plan.Key.Parts.ByDevice) parts.Add($"device {KeyParts.DeviceOf(exchange)}");
        if (parts.Count > 0) say($"    with {string.Join(", ", parts)}");
        var unsent = UnkeyedFields.Of(exchange, plan.Key.Parts).ToArray();
        if (unsent.Length > 0) say($"    not sent by what fetches for it: {string.Join(", ", unsent)}");
        if (Rules(from) is { Length: > 0 } rules) say($"  {rules}");
    }

    private static string Rules(CacheConfig from)
    {
        (string Name, long? Value)[] times = [("ttl", from.Ttl), ("default_ttl", from.DefaultTtl), ("min_ttl", from.MinTtl), ("max_ttl", from.MaxTtl), ("stale_while_revalidate", from.StaleWhileRevalidate), ("stale_if_error", from.StaleIfError)];
        var rules = times.Where(static t => t.Value is not null).Select(static t => $"{t.Name} {Words.Duration(t.Value!.Value)}").ToList();
        if (from.StatusTtl is { Count: > 0 } statuses) rules.Add($"status_ttl {string.Join(" ", statuses.Select(static s => $"{s.Name}: {Words.Duration(s.Value)}"))}");
        if (from.Heuristic is > 0 and var percent) rules.Add($"heuristic {percent}%");
        if (from.SetCookie == true) rules.Add("set_cookie");
        if (from.RequestDirectives == false) rules.Add("request directives do not count");
        return string.Join(", ", rules);
    }

    private static string Values(Exchange exchange, string name)
    {
        var fields = exchange.Request.Fields;
        var values = Enumerable.Range(0, fields.Index.Count).Where(i => !fields.IsDropped(i) && Encoding.Latin1.GetString(fields.Name(i)).Equals(name, StringComparison.OrdinalIgnoreCase)).Select(i => Encoding.Latin1.GetString(fields.Value(i))).ToList();
        foreach (ref readonly var added in fields.Added)
        {
            if (added.Name.ToString().Equals(name, StringComparison.OrdinalIgnoreCase)) values.Add(added.Value.ToString());
        }

        return values.Count == 0 ? "(none)" : string.Join(", ", values);
    }

    private static string Cookie(Exchange exchange, string name)
    {
        var pairs = Values(exchange, "cookie").Split(';', StringSplitOptions.TrimEntries);
        return Array.Find(pairs, p => p.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..] ?? "(none)";
    }
}
