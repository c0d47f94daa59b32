// How many checks one loop has under way at once: thousands of endpoints that hang together must use up neither its
// descriptors nor its time. Who finds no room waits in line.

using Weir.Engine.Loops;

namespace Weir.Control.Health;

/// <summary>Room for checks, on one loop.</summary>
internal sealed class CheckTurns(int most)
{
    private readonly Queue<Place> line = new();

    /// <summary>Checks under way.</summary>
    public int UnderWay { get; private set; }

    /// <summary>Waits for room; false where the waiter was cancelled before there was any.</summary>
    public async LoopTask<bool> TakeAsync(Place place, Waiter waiter)
    {
        if (UnderWay < most)
        {
            UnderWay++;
            return place.IsTaken = true;
        }

        place.Granted.Clear();
        place.IsInLine = true;
        line.Enqueue(place);
        await waiter.FirstOf(place.Granted, long.MaxValue);
        place.IsInLine = false;
        return place.IsTaken;
    }

    /// <summary>Gives room back, if there was some: to the next in line.</summary>
    public void Give(Place place)
    {
        if (!place.IsTaken) return;
        place.IsTaken = false;
        while (line.TryDequeue(out var next))
        {
            if (!next.IsInLine) continue; // It has left.
            next.IsTaken = true;
            next.Granted.RaiseLater();
            return;
        }

        UnderWay--;
    }

    /// <summary>One flow's place in line.</summary>
    internal sealed class Place
    {
        public Signal Granted { get; } = new();

        public bool IsTaken { get; set; }

        public bool IsInLine { get; set; }
    }
}
