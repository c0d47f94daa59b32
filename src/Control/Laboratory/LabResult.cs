// What was measured.

namespace Weir.Control.Laboratory;

/// <summary>One run of a measurement.</summary>
internal sealed record Run
{
    /// <summary>Why there is nothing to tell; null: there is.</summary>
    public string? Trouble { get; init; }

    public double Seconds { get; init; }

    /// <summary>Seconds until the first byte of an answer.</summary>
    public double FirstByte { get; init; }

    /// <summary>Connections to the origin.</summary>
    public int Connections { get; init; }

    /// <summary>Bytes that came from the origin and were not needed.</summary>
    public long Twice { get; init; }

    /// <summary>Connections that were reset on their way to the origin.</summary>
    public int Resets { get; init; }

    /// <summary>Times that the client had to ask for the rest.</summary>
    public int Breaks { get; init; }

    /// <summary>The share of the origin's packets that was lost.</summary>
    public double LostShare { get; init; }

    /// <summary>After how many seconds the client had how many bytes.</summary>
    public (double Seconds, long Bytes)[] Progress { get; init; } = [];
}

/// <summary>All runs of one measurement, by time.</summary>
internal sealed record Measurement(Journey Journey, Run[] Runs)
{
    /// <summary>Why there is nothing to tell; null: there is.</summary>
    public string? Trouble => Runs.Select(static r => r.Trouble).FirstOrDefault(static t => t is not null);

    /// <summary>The run in the middle.</summary>
    public Run Middle => Runs[Runs.Length / 2];
}

/// <summary>What a plan has come to.</summary>
public sealed class LabResult
{
    internal LabResult(LabPlan plan, Measurement[] measurements) => (Plan, Measurements) = (plan, measurements);

    public LabPlan Plan { get; }

    /// <summary>Whether everything could be measured.</summary>
    public bool IsWhole => Measurements.All(static m => m.Trouble is null);

    internal Measurement[] Measurements { get; }

    /// <summary>Measures. Takes as long as it takes to count what there is to count; the time it tells of is the world's.</summary>
    public static LabResult Of(LabPlan plan) => new(plan, [.. Journey.Of(plan).Select(journey => new Measurement(journey, [.. Enumerable.Range(plan.Seed, plan.Repeat).Select(seed => Experiment.Measure(journey, plan.Size, seed)).OrderBy(static run => run.Seconds)]))]);

    /// <summary>How many times as fast as without a hop.</summary>
    internal double Gain(Measurement of) => of.Middle.Seconds > 0 ? Measurements[0].Middle.Seconds / of.Middle.Seconds : 0;
}
