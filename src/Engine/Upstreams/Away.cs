// The reasons for which an endpoint takes no requests.

namespace Weir.Engine.Upstreams;

/// <summary>Why an endpoint takes no requests; several reasons may hold at once.</summary>
[Flags]
public enum Away
{
    None = 0,

    /// <summary>A connection could not be made a moment ago.</summary>
    Unreachable = 1,

    /// <summary>Active checks failed.</summary>
    Unhealthy = 2,

    /// <summary>Its answers, or their lack, stood out.</summary>
    Ejected = 4,

    /// <summary>Its circuit breaker is open.</summary>
    Broken = 8,

    /// <summary>An operator lets it run dry.</summary>
    Drained = 16,
}
