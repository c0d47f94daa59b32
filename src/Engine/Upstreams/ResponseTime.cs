// How long an endpoint's answers take: an average that jumps up to a slow answer at once and otherwise forgets with time.
// One atomic word: the average as a float, and the low half of the ms at which it was made.

namespace Weir.Engine.Upstreams;

/// <summary>A peak-sensitive moving average. Told by all loops.</summary>
public struct ResponseTime
{
    /// <summary>In this time (ms) what was known loses its weight to 1/e.</summary>
    public const double Memory = 10_000;

    /// <summary>After this time (ms) without an answer nothing is known any more.</summary>
    public const uint Forgotten = 80_000;

    private long word;

    /// <summary>An answer took so long.</summary>
    public void Tell(long microseconds, long now)
    {
        var sample = (float)Math.Max(1, microseconds);
        while (true)
        {
            var before = Volatile.Read(ref word);
            var (average, age) = Read(before, now);
            var kept = before == 0 || age >= Forgotten ? 0 : Math.Exp(-age / Memory);
            average = sample >= average * kept ? sample : (average * kept) + (sample * (1 - kept));
            var after = ((long)BitConverter.SingleToUInt32Bits((float)average) << 32) | (uint)now;
            if (Interlocked.CompareExchange(ref word, after, before) == before) return;
        }
    }

    /// <summary>The average in µs, less what has faded since; 0: not known.</summary>
    public readonly double At(long now)
    {
        var seen = Volatile.Read(in word);
        var (average, age) = Read(seen, now);
        return seen == 0 || age >= Forgotten ? 0 : average * Math.Exp(-age / Memory);
    }

    // Loops' clocks differ by a turn: a moment before the last is the last.
    private static (double Average, uint Age) Read(long word, long now)
    {
        var age = unchecked((uint)now - (uint)word);
        return (BitConverter.UInt32BitsToSingle((uint)(word >> 32)), age > int.MaxValue ? 0 : age);
    }
}
