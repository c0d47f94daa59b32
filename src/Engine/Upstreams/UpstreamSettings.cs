// What is set for an upstream and all its endpoints, compiled: when a connection is kept, when an endpoint is away.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Upstreams;

/// <summary>What an operator sets for an upstream. Immutable.</summary>
public sealed record UpstreamSettings
{
    /// <summary>Idle connections kept per endpoint and loop.</summary>
    public int IdleConnections { get; init; } = 256;

    /// <summary>How long a connection may be idle, in ms.</summary>
    public long KeepAlive { get; init; } = 60_000;

    /// <summary>How long a connection is used at all, in ms.</summary>
    public long ConnectionAge { get; init; } = 3_600_000;

    /// <summary>How long after a failed connection the others are asked first, at most, in ms: a second at first, twice as long each time.</summary>
    public long AwayFor { get; init; } = 10_000;

    /// <summary>In how long an endpoint that has come, or come back, grows to its share, in ms; 0: at once.</summary>
    public long SlowStart { get; init; }

    /// <summary>
    /// The share of a tier's weight, in percent, that must be available; below it health is ignored. 0: only where nobody is
    /// left. <see cref="NoPanic"/>: never: whoever is away by more than its answers is not asked.
    /// </summary>
    public int Panic { get; init; }

    /// <summary>How endpoints are asked whether they are well; null: they are not.</summary>
    public ActiveCheck? Active { get; init; }

    /// <summary>What answers say about an endpoint; null: nothing.</summary>
    public PassiveHealth? Passive { get; init; } = new();

    /// <summary>Null: there is no breaker.</summary>
    public BreakerSettings? Breaker { get; init; }

    /// <summary>Null: nothing is limited.</summary>
    public Bounds? Bounds { get; init; }

    /// <summary>Whether cookies name endpoints.</summary>
    public bool IsSticky { get; init; }

    /// <summary>Whether answers' latencies are measured, whatever the balancer needs.</summary>
    public bool MeasuresLatency => Passive is { LatencyFactor: > 0 } || HedgePercentile > 0;

    /// <summary>The percentile of times to an answer's head that hedges wait for; 0: none is measured.</summary>
    public int HedgePercentile { get; init; }

    /// <summary>See <see cref="Panic"/>.</summary>
    public const int NoPanic = -1;
}

/// <summary>When an endpoint is ejected for how it answers. Immutable.</summary>
public sealed record PassiveHealth
{
    /// <summary>Failures in a row; 0: they are not counted.</summary>
    public int Failures { get; init; } = 5;

    /// <summary>Within this time, in ms: for failures in a row, and for their share.</summary>
    public long Within { get; init; } = 30_000;

    /// <summary>Failures in a hundred; 0: not counted.</summary>
    public int ErrorPercent { get; init; }

    /// <summary>Fewer attempts say nothing about the share of failures.</summary>
    public int AtLeast { get; init; } = 20;

    /// <summary>How many times the median latency of its siblings; 0: not measured.</summary>
    public int LatencyFactor { get; init; }

    /// <summary>Statuses that are failures.</summary>
    public StatusSet Statuses { get; init; } = StatusSet.Unavailable;

    /// <summary>How long the first ejection lasts, in ms; each further one twice as long as the one before.</summary>
    public long EjectFor { get; init; } = 30_000;

    /// <summary>The longest ejection, in ms.</summary>
    public long MostEjectFor { get; init; } = 300_000;

    /// <summary>The most of an upstream's endpoints that may be ejected at once, in percent.</summary>
    public int MostEjected { get; init; } = 75;
}
