// What a loop stands on: clock, randomness and the source of events. The kernel's is EpollPoller;
// a simulated world brings its own with virtual time.

namespace Weir.Engine.Loops;

/// <summary>The seam behind a <see cref="Loop"/>. All but <see cref="Wake"/> is called on the loop's thread.</summary>
public abstract class Poller : IDisposable
{
    /// <summary>Randomness of this loop; seeded in a simulation.</summary>
    public abstract Random Random { get; }

    /// <summary>The wall clock.</summary>
    public abstract DateTime UtcNow { get; }

    /// <summary>Milliseconds of a clock that never goes back.</summary>
    public abstract long Milliseconds();

    /// <summary>Microseconds of the same clock, read exactly.</summary>
    public abstract long Microseconds();

    /// <summary>Waits up to <paramref name="timeout"/> ms (-1: for ever) for events, without dispatching them.</summary>
    /// <returns>How many events there are.</returns>
    public abstract int Wait(int timeout);

    /// <summary>How many events the last <see cref="Wait"/> brought.</summary>
    public abstract int Batch { get; }

    /// <summary>Dispatches the events of the last <see cref="Wait"/>.</summary>
    public abstract void Dispatch();

    /// <summary>Makes a waiting loop turn. From any thread.</summary>
    public abstract void Wake();

    public abstract void Dispose();
}
