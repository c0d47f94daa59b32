// What an exchange holds of things of which there are few, and its place in the line for one: made when it first asks for
// such a thing, and kept with it. What is waited for is a turn: the right to try, which whoever cannot use it passes on.

using Weir.Engine.Loops;

namespace Weir.Engine.Exchanges;

/// <summary>Takes back what a ticket holds.</summary>
public interface ITicketOwner
{
    /// <summary>The exchange has ended, in whatever way.</summary>
    void Return(Ticket ticket);
}

/// <summary>One exchange's slots, and its place in a line. Its loop's, but for what a line changes under its own lock.</summary>
public sealed class Ticket(Loop loop) : Posted
{
    internal const int Out = 0;
    internal const int Queued = 1;
    internal const int Called = 2;

    // The line's, under its lock; State is read by the loop too.
    internal Ticket? Before;
    internal Ticket? Behind;
    internal int Rank;
    internal int State;
    internal long TriedAt;

    private int posted;

    /// <summary>Raised when it is this one's turn.</summary>
    public Signal Turn { get; } = new();

    /// <summary>Who counts its slots; null: it holds none.</summary>
    public ITicketOwner? Owner { get; set; }

    /// <summary>The endpoint of which it holds a slot.</summary>
    public object? Endpoint { get; set; }

    /// <summary>The endpoint that is asked beside that one, and of which it holds a slot as well.</summary>
    public object? Beside { get; set; }

    /// <summary>It is this one's turn. Any thread, outside the line's lock.</summary>
    internal void Call()
    {
        // Still on its way to the loop from an earlier turn: it looks at the state when it arrives.
        if (Interlocked.Exchange(ref posted, 1) == 0) loop.Post(this);
    }

    public override void Run()
    {
        Interlocked.Exchange(ref posted, 0);
        if (Volatile.Read(ref State) == Called) Turn.RaiseLater();
    }
}
