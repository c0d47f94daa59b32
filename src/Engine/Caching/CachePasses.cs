// Requests that the operator keeps out of the cache, and those whose answers are not kept.

using Weir.Engine.Exchanges;
using Weir.Engine.Routing;

namespace Weir.Engine.Caching;

/// <summary>Conditions of a route's cache (`bypass`, `no_store`). Immutable.</summary>
public sealed class CachePasses(RouteTable<CachePasses.Way> conditions)
{
    /// <summary>What holds where a condition does.</summary>
    public sealed class Way
    {
        private Way()
        {
        }

        /// <summary>Neither answered from the cache nor kept.</summary>
        public static Way Bypass { get; } = new();

        /// <summary>Answered from the cache, but not kept.</summary>
        public static Way NoStore { get; } = new();
    }

    /// <summary>What holds for a request; null: it is the cache's as any other.</summary>
    public Way? Of(Exchange exchange) => conditions.Find(exchange);
}
