// What a simulated connection's end tells its loop: as with the kernel's, several things that happen before the loop looks
// come as one event, and all of it is known before anybody is woken.

namespace Weir.Engine.Transports.Simulation;

/// <summary>The events of one end.</summary>
internal sealed class SimulatedEvents(Transport of)
{
    private bool isReadable;
    private bool isWritable;
    private bool isGone;
    private bool isQueued;

    public void Tell(bool readable, bool writable, bool gone)
    {
        if (of.IsClosed) return;
        isReadable |= readable;
        isWritable |= writable;
        isGone |= gone;
        if (isQueued) return;
        isQueued = true;
        ((SimulatedPoller)of.Loop.Poller).Enqueue(this);
    }

    /// <summary>In the loop's dispatch.</summary>
    public void Dispatch()
    {
        isQueued = false;
        if (of.IsClosed) return;
        var (readable, writable, gone) = (isReadable, isWritable, isGone);
        isReadable = isWritable = isGone = false;
        if (of.CrossesWakes) readable = writable = true;
        if (readable) of.Readable.Latch();
        if (writable) of.Writable.Latch();
        if (gone) of.Gone.Latch();
        if (readable) of.Readable.Raise();
        if (writable && !of.IsClosed) of.Writable.Raise();
        if (gone && !of.IsClosed) of.Gone.Raise();
    }
}
