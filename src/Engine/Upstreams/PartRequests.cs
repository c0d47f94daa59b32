// Requests for parts of answers that are under way: beside the requests of clients, and bounded by themselves.

namespace Weir.Engine.Upstreams;

/// <summary>Counts an upstream's. Any thread.</summary>
public sealed class PartRequests
{
    private int taken;

    /// <summary>Requests under way.</summary>
    public int Now => Volatile.Read(ref taken);

    /// <summary>Counts one more, unless there are that many.</summary>
    public bool TryTake(int most) => Slots.TryTake(ref taken, most);

    /// <summary>Counts one that takes the place of a client's.</summary>
    public void Take() => Interlocked.Increment(ref taken);

    public void GiveBack() => Interlocked.Decrement(ref taken);
}
