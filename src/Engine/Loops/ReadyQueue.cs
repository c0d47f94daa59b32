// Callbacks that are due but must not run inline: woken waiters, connections whose turn was used up.
// A ring that grows; the loop's own thread only.

namespace Weir.Engine.Loops;

internal sealed class ReadyQueue
{
    private Action?[] ring = new Action?[64];
    private int head;
    private int count;

    public bool IsEmpty => count == 0;

    public void Add(Action work)
    {
        if (count == ring.Length) Grow();
        ring[(head + count) & (ring.Length - 1)] = work;
        count++;
    }

    /// <summary>Runs what was ready when the call began, at most <paramref name="most"/> of it.</summary>
    public bool Run(int most)
    {
        var todo = Math.Min(count, most);
        for (var i = 0; i < todo; i++)
        {
            var work = ring[head]!;
            ring[head] = null;
            head = (head + 1) & (ring.Length - 1);
            count--;
            work();
        }

        return todo > 0;
    }

    private void Grow()
    {
        var larger = new Action?[ring.Length * 2];
        for (var i = 0; i < count; i++) larger[i] = ring[(head + i) & (ring.Length - 1)];
        ring = larger;
        head = 0;
    }
}
