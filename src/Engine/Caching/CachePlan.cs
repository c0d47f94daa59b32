// What a route says about its cache, compiled. Immutable.

namespace Weir.Engine.Caching;

/// <summary>A route's cache.</summary>
public sealed record CachePlan
{
    public required Cache Cache { get; init; }

    public required KeyRecipe Key { get; init; }

    /// <summary>The largest body that is kept, in bytes.</summary>
    public long LargestBody { get; init; } = 64 << 20;
}
