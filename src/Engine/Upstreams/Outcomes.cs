// How attempts ended lately: enough of them, and too many failures among them, is a verdict. Counts of the running half of
// the window and of the half before it: what is older is forgotten.

namespace Weir.Engine.Upstreams;

/// <summary>Successes and failures within a window. Any thread.</summary>
public sealed class Outcomes
{
    private readonly Lock turning = new();
    private long half; // Which half of a window runs.
    private int good;
    private int bad;
    private int goodBefore;
    private int badBefore;

    /// <summary>Counts one.</summary>
    /// <param name="isGood">Whether it succeeded.</param>
    /// <param name="now">Milliseconds.</param>
    /// <param name="within">The window, in ms.</param>
    public void Count(bool isGood, long now, long within)
    {
        if (now / Math.Max(1, within / 2) is var running && running != Volatile.Read(ref half)) Turn(running);
        Interlocked.Increment(ref isGood ? ref good : ref bad);
    }

    /// <summary>How many ended in the window, and how many percent of them badly.</summary>
    public (int Count, int BadPercent) Look()
    {
        var failures = Volatile.Read(ref bad) + Volatile.Read(ref badBefore);
        var count = failures + Volatile.Read(ref good) + Volatile.Read(ref goodBefore);
        return (count, count == 0 ? 0 : (int)(100L * failures / count));
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        lock (turning) good = bad = goodBefore = badBefore = 0;
    }

    // Loops' clocks differ by a turn: a half that is over is not begun again.
    private void Turn(long running)
    {
        lock (turning)
        {
            if (running <= half) return;
            var follows = running == half + 1;
            goodBefore = follows ? Interlocked.Exchange(ref good, 0) : 0;
            badBefore = follows ? Interlocked.Exchange(ref bad, 0) : 0;
            if (!follows) good = bad = 0;
            Volatile.Write(ref half, running);
        }
    }
}
