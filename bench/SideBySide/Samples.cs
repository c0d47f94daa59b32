// What was measured. A load sample is one peer under one load for one round; a figure is a single number (a start, a size).

using System.Text.Json.Serialization;

namespace Weir.Bench.SideBySide;

/// <summary>What the generator says at its end; times in microseconds.</summary>
internal sealed record LoadReport(long Requests, long Bytes, double Seconds, long Errors, long Reopened, double P50, double P90, double P99, double P999, double Max)
{
    /// <summary>Requests begun before the rate turned, and those of them that were answered with 200.</summary>
    public long First { get; init; }

    public long FirstGood { get; init; }

    /// <summary>Answers of other statuses, which the percentiles above leave out.</summary>
    public long Failed { get; init; }

    public double FailedP50 { get; init; }

    public double FailedP99 { get; init; }

    /// <summary>Seconds from the turn until 99 % go well again; -1: they never did.</summary>
    public double Recovery { get; init; }

    public long Handshakes { get; init; }

    /// <summary>How many of them went on with an earlier session.</summary>
    public long Resumed { get; init; }

    /// <summary>Connections that were to be followed by a resumed one and brought no new ticket.</summary>
    public long Ticketless { get; init; }
}

internal sealed record LoadSample(string Row, string Case, string Peer, int Round, LoadReport Load, double UserMicroseconds, double KernelMicroseconds, long Resident, long Private)
{
    /// <summary>What the processor time is counted by: requests, or 100 MiB moved.</summary>
    public double Units { get; init; } = 1;

    /// <summary>How much of the proxy's processor other processes used meanwhile.</summary>
    public double OthersShare { get; init; }

    [JsonIgnore]
    public double User => UserMicroseconds / Units;

    [JsonIgnore]
    public double Kernel => KernelMicroseconds / Units;

    [JsonIgnore]
    public double Total => User + Kernel;

    [JsonIgnore]
    public double UnitsPerSecond => Units / Load.Seconds;
}

internal sealed record Figure(string Row, string Case, string Peer, int Round, double Value, string Unit);

internal static class Median
{
    public static double Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
