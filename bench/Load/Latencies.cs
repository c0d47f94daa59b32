// How long things took, in buckets of at most 1/64 of their value. No bound on the count, no allocation while counting.

using System.Numerics;

namespace Weir.Bench.Load;

internal sealed class Latencies
{
    private const int Fine = 64;

    private readonly long[] buckets = new long[Fine * 48];
    private long count;

    public long Most { get; private set; }

    public void Add(long nanoseconds)
    {
        var value = Math.Max(nanoseconds, 0);
        buckets[IndexOf(value)]++;
        count++;
        if (value > Most) Most = value;
    }

    /// <summary>The value, in nanoseconds, that this share of all stayed at or below.</summary>
    public long At(double share)
    {
        var wanted = (long)Math.Ceiling(share * count);
        var seen = 0L;
        for (var i = 0; i < buckets.Length; i++)
        {
            seen += buckets[i];
            if (seen >= wanted && seen > 0) return Math.Min(UpperOf(i), Most);
        }

        return Most;
    }

    // Below 64: one bucket a value. Above: 64 buckets for each doubling.
    private static int IndexOf(long value)
    {
        if (value < Fine) return (int)value;
        var shift = BitOperations.Log2((ulong)value) - 6;
        return Math.Min((Fine * (shift + 1)) + (int)((value >> shift) - Fine), (Fine * 48) - 1);
    }

    private static long UpperOf(int index)
    {
        if (index < Fine) return index;
        var shift = (index / Fine) - 1;
        return ((long)(index % Fine) + Fine + 1 << shift) - 1;
    }
}
