// A signal that other threads may raise: they hand it to its loop.

using Weir.Engine.Loops;

namespace Weir.Engine.Caching;

/// <summary>A signal of one loop, raised from anywhere. A wake may come late, after what it was for: whoever waits looks again.</summary>
internal sealed class LoopWake(Loop loop) : Posted
{
    private int isPosted;

    public Signal Ready { get; } = new();

    /// <summary>Raises it, on its loop. Any thread. One is in flight at most: it serves for those that follow it.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref isPosted, 1) == 0) loop.Post(this);
    }

    public override void Run()
    {
        Volatile.Write(ref isPosted, 0);
        Ready.RaiseLater();
    }
}
