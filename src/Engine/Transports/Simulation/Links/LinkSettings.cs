// What a link is like. The same in both directions; what it leaves out is said in docs/operations/lab.md.

namespace Weir.Engine.Transports.Simulation.Links;

/// <summary>How a sender answers loss.</summary>
public enum CongestionControl
{
    /// <summary>CUBIC, what Linux does unless told otherwise: RFC 9438.</summary>
    Cubic,

    /// <summary>Reno with selective acknowledgements: RFC 5681, RFC 6675.</summary>
    Reno,
}

/// <summary>A link.</summary>
public sealed record LinkSettings
{
    /// <summary>Microseconds there and back.</summary>
    public long RoundTrip { get; init; } = 1_000;

    /// <summary>Packets that are lost, from 0 to less than 1.</summary>
    public double Loss { get; init; }

    /// <summary>Packets in a row that are lost together, on average; 1: each by itself.</summary>
    public double Burst { get; init; } = 1;

    /// <summary>Bytes in a second that one connection's sender may send; 0: as many as there is room for.</summary>
    public double Rate { get; init; }

    /// <summary>Bytes in a second that all connections of one direction share; 0: no limit.</summary>
    public double Bandwidth { get; init; }

    /// <summary>Seconds after which a connection is reset, on average; 0: never.</summary>
    public double ResetAfter { get; init; }

    /// <summary>Bytes a receiver takes before they are read.</summary>
    public int Window { get; init; } = 6 << 20;

    /// <summary>Bytes a sender keeps until they are acknowledged, at most.</summary>
    public int SendBuffer { get; init; } = 4 << 20;

    /// <summary>How senders answer loss.</summary>
    public CongestionControl Control { get; init; }
}
