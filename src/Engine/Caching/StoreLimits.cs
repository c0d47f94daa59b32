// What is not kept though the rules of HTTP allow it: what is too large, and what looks as if a client were to be deceived.

using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>The route's own reasons not to keep a response.</summary>
internal static class StoreLimits
{
    /// <param name="exchange">The fetch, with the head that came.</param>
    /// <param name="plan">The route's cache.</param>
    /// <param name="source">Who says how long it is fresh.</param>
    public static StoreReason Judge(Exchange exchange, CachePlan plan, LifetimeSource source)
    {
        var response = exchange.Response;
        if (response.BodyLength > plan.LargestBody) return StoreReason.TooLarge;
        var isOrigins = source is LifetimeSource.SharedMaxAge or LifetimeSource.MaxAge or LifetimeSource.Expires;
        if (plan.WatchesTypes && !isOrigins && Deception.IsLikely(exchange.Request.Path.Span, response.Fields.First(KnownField.ContentType))) return StoreReason.Deceptive;
        return StoreReason.Stored;
    }
}
