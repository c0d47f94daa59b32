// What a route says about forwarding, compiled: names resolved, defaults filled in. Immutable.

using Weir.Engine.Upstreams;

namespace Weir.Engine.Forwarding;

/// <summary>Which Host the origin is sent.</summary>
public enum HostMode : byte
{
    /// <summary>The client's, but for endpoints that want their own.</summary>
    Usual,

    /// <summary>The client's.</summary>
    Keep,

    /// <summary>The endpoint's own authority.</summary>
    Endpoint,

    /// <summary>A fixed one: <see cref="ForwardPlan.FixedHost"/>.</summary>
    Fixed,
}

/// <summary>How a route forwards.</summary>
public sealed record ForwardPlan
{
    public required Upstream Upstream { get; init; }

    public HostMode Host { get; init; }

    public byte[] FixedHost { get; init; } = [];

    /// <summary>When it goes to another endpoint.</summary>
    public RetryPlan Retry { get; init; } = new();

    /// <summary>Who waits first where the upstream is at its limit.</summary>
    public Priority Priority { get; init; } = Priority.Normal;

    /// <summary>When a second endpoint is asked beside the first; null: never.</summary>
    public HedgePlan? Hedge { get; init; }

    /// <summary>Non-idempotent requests go on fresh connections only.</summary>
    public bool SafeReuse { get; init; }

    /// <summary>Whether a change of protocol (WebSocket and others) is passed on.</summary>
    public bool AllowsUpgrade { get; init; } = true;

    /// <summary>Whether CONNECT is forwarded.</summary>
    public bool AllowsConnect { get; init; }
}
