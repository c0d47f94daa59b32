// Who waits for something of which there is not enough: by rank, and in the order they came within a rank. Whoever gives
// something back calls the first that has not tried since; who is called tries, on its own loop, and where it cannot use
// what there is (it has been asked there already, somebody was faster) the next is called. So nothing is handed over that
// could get lost with the one it was meant for.
//
// No wake-up is lost: who waits stands in the line before it looks a last time, and who gives back does so before it looks
// at the line, with a full fence between on both sides. A call that is not used up is passed on by whoever had it.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Upstreams;

/// <summary>A line of waiting exchanges of all loops. Its lock is held for a few steps, never while anything is tried.</summary>
internal sealed class Line(int ranks)
{
    private readonly Lock door = new();
    private readonly (Ticket? First, Ticket? Last)[] places = new (Ticket?, Ticket?)[ranks];
    private readonly Ticket?[] next = new Ticket?[ranks]; // Before it nobody is to be called: a long line is not searched anew for each.
    private int length;
    private int ofFirstRank;
    private int called;
    private long changes;

    /// <summary>How many wait, those included whose turn it is.</summary>
    public int Length => Volatile.Read(ref length);

    /// <summary>How many of them are of rank 0.</summary>
    public int LengthOfFirstRank => Volatile.Read(ref ofFirstRank);

    /// <summary>How often something was given back while somebody waited: read before a try, told when it failed.</summary>
    public long Changes => Volatile.Read(ref changes);

    /// <summary>Stands in the line. Afterwards whoever joins looks once more whether there is something, and says so by <see cref="Pass"/>.</summary>
    /// <param name="ticket">Who waits.</param>
    /// <param name="rank">0 is first.</param>
    /// <param name="most">How many may wait.</param>
    public bool TryJoin(Ticket ticket, int rank, int most)
    {
        ticket.Turn.Clear();
        lock (door)
        {
            if (length >= most) return false;
            (ticket.Rank, ticket.TriedAt) = (rank, -1);
            Volatile.Write(ref ticket.State, Ticket.Queued);
            ref var place = ref places[rank];
            (ticket.Before, ticket.Behind) = (place.Last, null);
            if (place.Last is null) place.First = ticket;
            else place.Last.Behind = ticket;
            place.Last = ticket;
            next[rank] ??= ticket;
            Volatile.Write(ref length, length + 1);
            if (rank == 0) Volatile.Write(ref ofFirstRank, ofFirstRank + 1);
        }

        Interlocked.MemoryBarrier();
        return true;
    }

    /// <summary>Something has come, for all or for those of the first rank: the first that has not tried since is called.</summary>
    public void Changed(bool forAll)
    {
        Ticket? first;
        lock (door)
        {
            changes++;
            for (var rank = 0; rank < places.Length; rank++) next[rank] = places[rank].First;
            first = Next(forAll);
        }

        first?.Call();
    }

    /// <summary>There may be something for somebody who has not tried: called where nobody's turn it is; else it is passed on then.</summary>
    public void Pass(bool forAll)
    {
        Ticket? first;
        lock (door) first = called == 0 ? Next(forAll) : null;
        first?.Call();
    }

    /// <summary>Whether it is somebody's turn, or may be: else all have tried what there is.</summary>
    public bool HasAnyoneToCall
    {
        get
        {
            lock (door) return called > 0 || Find(forAll: true) is not null;
        }
    }

    /// <summary>It was this one's turn and it could not use it: it keeps its place. To be followed by <see cref="Pass"/> where there is something.</summary>
    /// <param name="ticket">Who tried.</param>
    /// <param name="seen">The changes as they were before it tried.</param>
    public void Failed(Ticket ticket, long seen)
    {
        ticket.Turn.Clear();
        lock (door)
        {
            called--;
            ticket.TriedAt = seen;
            if (seen < changes) next[ticket.Rank] = places[ticket.Rank].First;
            Volatile.Write(ref ticket.State, Ticket.Queued);
        }
    }

    /// <summary>Leaves the line: it has what it wanted, or waits no longer.</summary>
    /// <returns>Whether it was its turn: then it is to be followed by <see cref="Pass"/> where there is something.</returns>
    public bool Leave(Ticket ticket)
    {
        lock (door)
        {
            var wasCalled = ticket.State == Ticket.Called;
            if (wasCalled) called--;
            Volatile.Write(ref ticket.State, Ticket.Out);
            if (next[ticket.Rank] == ticket) next[ticket.Rank] = ticket.Behind;
            ref var place = ref places[ticket.Rank];
            if (ticket.Before is null) place.First = ticket.Behind;
            else ticket.Before.Behind = ticket.Behind;
            if (ticket.Behind is null) place.Last = ticket.Before;
            else ticket.Behind.Before = ticket.Before;
            ticket.Before = ticket.Behind = null;
            Volatile.Write(ref length, length - 1);
            if (ticket.Rank == 0) Volatile.Write(ref ofFirstRank, ofFirstRank - 1);
            return wasCalled;
        }
    }

    private Ticket? Next(bool forAll)
    {
        if (Find(forAll) is not { } ticket) return null;
        called++;
        Volatile.Write(ref ticket.State, Ticket.Called);
        return ticket;
    }

    private Ticket? Find(bool forAll)
    {
        for (var rank = 0; rank < (forAll ? places.Length : 1); rank++)
        {
            ref var ticket = ref next[rank];
            while (ticket is not null && (ticket.State != Ticket.Queued || ticket.TriedAt >= changes)) ticket = ticket.Behind;
            if (ticket is not null) return ticket;
        }

        return null;
    }
}
