// One benchmark and the bytes it may allocate. The gate is exact on allocations, which every machine counts alike; time is
// shown and never judged.

using System.Diagnostics;

namespace Weir.Bench.Micro;

/// <summary>A benchmark.</summary>
/// <param name="Name">What it does.</param>
/// <param name="MayAllocate">Bytes on the managed heap that one operation may cost.</param>
/// <param name="Once">One operation; its result keeps it from being optimised away.</param>
internal sealed record Gate(string Name, double MayAllocate, Func<int> Once)
{
    private const int Rounds = 7;
    private const double RoundMilliseconds = 30;

    /// <summary>Runs it and says how it went.</summary>
    /// <returns>Whether it kept to what it may allocate.</returns>
    public bool Run()
    {
        var count = Calibrate();
        var best = double.MaxValue;
        var bytes = double.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var started = Stopwatch.GetTimestamp();
            Repeat(count);
            var elapsed = Stopwatch.GetElapsedTime(started);
            // The leanest round counts: what the runtime itself allocates now and then is not the operation's.
            bytes = Math.Min(bytes, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)count);
            best = Math.Min(best, elapsed.TotalNanoseconds / count);
        }

        var isKept = bytes <= MayAllocate;
        Console.WriteLine(FormattableString.Invariant($"{Name,-52}{best,10:F1} ns{bytes,10:F1} B{(isKept ? "" : $"   ABOVE {MayAllocate} B")}"));
        return isKept;
    }

    private int Calibrate()
    {
        for (var count = 64; ; count *= 2)
        {
            var started = Stopwatch.GetTimestamp();
            Repeat(count);
            if (Stopwatch.GetElapsedTime(started).TotalMilliseconds >= RoundMilliseconds) return count;
        }
    }

    private void Repeat(int count)
    {
        var sum = 0;
        for (var i = 0; i < count; i++) sum += Once();
        GC.KeepAlive(sum);
    }
}
