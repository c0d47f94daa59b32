// Durations in buckets whose bounds are fixed, so that histograms of loops and programs can be added.

namespace Weir.Engine.Observe;

/// <summary>A histogram of microseconds. Written by one thread; read from any.</summary>
public sealed class Histogram
{
    private static readonly long[] Upper =
    [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
    ];

    private readonly long[] counts = new long[Upper.Length + 1];
    private long sum;

    /// <summary>Upper bounds of the buckets, in microseconds; one more bucket lies beyond the last.</summary>
    public static ReadOnlySpan<long> Bounds => Upper;

    public void Record(long microseconds)
    {
        var i = 0;
        while (i < Upper.Length && microseconds > Upper[i]) i++;
        counts[i]++;
        sum += microseconds;
    }

    /// <summary>Adds the counts to <paramref name="totals"/>.</summary>
    /// <returns>The sum of what was recorded.</returns>
    public long AddTo(long[] totals)
    {
        for (var i = 0; i < counts.Length; i++) totals[i] += Volatile.Read(ref counts[i]);
        return Volatile.Read(ref sum);
    }
}
