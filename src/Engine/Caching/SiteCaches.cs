// The caches that the routes of one site use. What an unsafe request changes is forgotten in all of them, whichever route it came by:
// the one that changes a thing is seldom the one that shows it. RFC 9111 §4.4.

using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Where a site's URLs may be kept, and as what. Filled while its plan is compiled; immutable after that.</summary>
public sealed class SiteCaches
{
    private readonly List<(Cache Cache, KeyRecipe Key, string Rule)> all = [];

    /// <summary>Adds a route's cache.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="key">How its keys are made.</param>
    /// <param name="rule">What of queries counts there, as text: where two say the same, one look is enough.</param>
    public void Add(Cache cache, KeyRecipe key, string rule)
    {
        if (!all.Exists(one => one.Cache == cache && one.Rule == rule)) all.Add((cache, key, rule));
    }

    /// <summary>Whether what is kept may be another once this request was answered.</summary>
    public static bool MayChange(Request request) => !request.Path.IsEmpty && !Invalidation.IsSafe(request.KnownMethod, request.Method.Span);

    /// <summary>Waits for the answer of a route that keeps nothing, and forgets what that makes out of date.</summary>
    public async LoopTask<Fault> ForgetAsync(LoopTask<Fault> answer, Exchange exchange)
    {
        var fault = await answer;
        if (fault.IsNone) await ForgetAsync(exchange);
        return fault;
    }

    /// <summary>Forgets what an answer makes out of date: what is kept of its URL, and of those that it names.</summary>
    internal async LoopTask ForgetAsync(Exchange exchange)
    {
        if (!Invalidation.Applies(exchange.Request.KnownMethod, exchange.Request.Method.Span, exchange.Response.Status)) return;
        foreach (var (cache, key, _) in all) await ForgetAsync(exchange, cache, key);
    }

    /// <summary>The same in one cache. Whoever is told that something was changed is not given the old one by a process that was killed and began again.</summary>
    internal static async LoopTask ForgetAsync(Exchange exchange, Cache cache, KeyRecipe key)
    {
        var request = exchange.Request;
        if (key.TryMakeUrl(exchange, request.Path.Span, request.Query.Span, request.HasQuery, out var url)) cache.Invalidate(KeyRecipe.HashOf(url.Span), url.Span);
        if (TryResolve(exchange, key, KnownField.Location, out url)) cache.Invalidate(KeyRecipe.HashOf(url.Span), url.Span);
        if (TryResolve(exchange, key, KnownField.ContentLocation, out url)) cache.Invalidate(KeyRecipe.HashOf(url.Span), url.Span);
        if (cache.Disk is { } disk) await disk.RecordedAsync(exchange);
    }

    /// <summary>The URL that a field of the response names, where it is the request's own origin's.</summary>
    internal static bool TryResolve(Exchange exchange, KeyRecipe key, KnownField field, out ByteRange url)
    {
        url = default;
        var request = exchange.Request;
        var reference = exchange.Response.Fields.First(field);
        if (reference.IsEmpty || !exchange.Scratch.TryTake(request.Path.Length + reference.Length + 1, out var room, out _)) return false;
        if (!Invalidation.TryResolve(new TargetBase(request.IsSecure, request.Host.Span, request.Port, request.Path.Span), reference, room, out var pathLength, out var length)) return false;
        var hasQuery = length > pathLength;
        return key.TryMakeUrl(exchange, room[..pathLength], hasQuery ? room[(pathLength + 1)..length] : default, hasQuery, out url);
    }
}
