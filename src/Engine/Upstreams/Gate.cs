// The door of an upstream that has limits: a request passes with a slot of the upstream, which it keeps to its end, and
// with one of the endpoint it goes to, which it gives back with each attempt. Where there is none it waits in the
// upstream's one queue: attempts of requests that are under way already first, then by priority. While somebody waits
// nobody else goes past, but for those under way, and where the queue is full of some who can use nothing that is free. An endpoint that is full is not away: no verdict, and those that stand
// in for it are not asked because of it.
//
// Slots are atomic words. A try looks for an endpoint with room first, then takes the upstream's slot and then the
// endpoint's: only where another has just taken that one is anything given back, so that two tries that fail cannot wake
// each other for ever.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Observe;

namespace Weir.Engine.Upstreams;

/// <summary>Who waits first.</summary>
public enum Priority : byte
{
    High,
    Normal,
    Low,
}

/// <summary>What came of asking for a slot: an endpoint, or why there is none.</summary>
public readonly record struct Entry(Endpoint? Endpoint, FaultCause Cause);

/// <summary>The slots and the queue of an upstream. It outlives its limits: what is held is given back to it.</summary>
public sealed class Gate(Upstream upstream, int loops) : ITicketOwner
{
    private const int Ranks = 4; // Those under way, and three priorities.

    private static readonly Entry Full = new(null, FaultCause.QueueFull);
    private static readonly Bounds Standard = new(); // For who waits while the limits are taken away.

    private readonly Line line = new(Ranks);
    private readonly Histogram?[] waits = new Histogram?[loops];
    private int taken;
    private int slots;
    private long queued;
    private long refusedFull;
    private long refusedLate;

    /// <summary>Requests that hold a slot.</summary>
    public int Taken => Volatile.Read(ref taken);

    /// <summary>Requests that wait.</summary>
    public int QueueLength => line.Length;

    /// <summary>Requests that have waited, or have begun to.</summary>
    public long Queued => Volatile.Read(ref queued);

    /// <summary>Requests refused because the queue was full, and because they had waited too long.</summary>
    public (long Full, long Late) Refused => (Volatile.Read(ref refusedFull), Volatile.Read(ref refusedLate));

    private bool HasSlot => Volatile.Read(ref slots) is var most && (most == 0 || Volatile.Read(ref taken) < most);

    // Those under way have their slot of the upstream.
    private bool IsOfUse => HasSlot || line.LengthOfFirstRank > 0;

    /// <summary>How long requests have waited: adds up what is in the buckets, and gives the sum in µs.</summary>
    public long AddWaitsTo(long[] buckets) => waits.Sum(w => Volatile.Read(ref w)?.AddTo(buckets) ?? 0);

    /// <summary>
    /// Takes a slot of an endpoint, and of the upstream where the exchange has none yet; waits where there is none.
    /// </summary>
    /// <param name="exchange">For whom.</param>
    /// <param name="chosen">The endpoint that was chosen last and is to be asked where it has room; null: one is chosen.</param>
    /// <param name="priority">Who waits first.</param>
    public LoopTask<Entry> EnterAsync(Exchange exchange, Endpoint? chosen, Priority priority)
    {
        var ticket = exchange.Ticket ??= new Ticket(exchange.Loop);
        if (chosen is not null && ReferenceEquals(ticket.Endpoint, chosen)) return new LoopTask<Entry>(new Entry(chosen, FaultCause.None));
        LeaveEndpoint(exchange);
        if (line.Length == 0 || ticket.Owner is not null)
        {
            var entry = Try(exchange, ticket, chosen);
            if (entry.Cause != FaultCause.QueueFull) return new LoopTask<Entry>(entry);
        }
        else if (chosen is not null)
        {
            exchange.Tried.RemoveLast();
        }

        return WaitAsync(exchange, ticket, ticket.Owner is not null ? 0 : 1 + (int)priority);
    }

    /// <summary>Gives the endpoint's slot back: the attempt is over and its connection given back.</summary>
    public static void LeaveEndpoint(Exchange exchange)
    {
        if (exchange.Ticket is not { Endpoint: Endpoint endpoint, Owner: Gate gate } ticket) return;
        ticket.Endpoint = null;
        endpoint.GiveSlot();
        gate.Changed(endpoint);
    }

    /// <summary>
    /// Takes the slots for asking a second endpoint beside the first, as if it were another request; never waits, and not while
    /// others do.
    /// </summary>
    public bool TryEnterBeside(Exchange exchange, Endpoint endpoint)
    {
        if (exchange.Ticket is not { Owner: not null } ticket || line.Length > 0 || !Slots.TryTake(ref taken, Volatile.Read(ref slots))) return false;
        if (endpoint.TryTakeSlot())
        {
            ticket.Beside = endpoint;
            return true;
        }

        Interlocked.Decrement(ref taken);
        Changed(null);
        return false;
    }

    /// <summary>One of two that were asked beside each other is not needed any more: gives its slots back.</summary>
    public static void LeaveBeside(Exchange exchange, bool secondStays)
    {
        if (exchange.Ticket is not { Beside: Endpoint second, Owner: Gate gate } ticket) return;
        var over = secondStays ? ticket.Endpoint as Endpoint : second;
        if (secondStays) ticket.Endpoint = second;
        ticket.Beside = null;
        over?.GiveSlot();
        Interlocked.Decrement(ref gate.taken);
        gate.Changed(over);
    }

    /// <summary>Gives back all that is held: the exchange is over.</summary>
    public void Return(Ticket ticket)
    {
        if (ticket.Beside is Endpoint beside)
        {
            ticket.Beside = null;
            beside.GiveSlot();
            Interlocked.Decrement(ref taken);
        }

        var endpoint = (Endpoint?)ticket.Endpoint;
        (ticket.Owner, ticket.Endpoint) = (null, null);
        endpoint?.GiveSlot();
        Interlocked.Decrement(ref taken);
        Changed(endpoint);
    }

    /// <summary>There is more room, or the endpoints or the limits are others. Any thread.</summary>
    /// <param name="freed">The endpoint that has room now, where it is known.</param>
    internal void Changed(Endpoint? freed)
    {
        if (line.Length == 0 || !IsOfUse) return;
        if (freed is { HasRoom: true } || MayTake()) line.Changed(HasSlot);
    }

    /// <summary>Takes other limits; control's thread.</summary>
    internal void Take(Bounds? bounds) => Volatile.Write(ref slots, bounds?.UpstreamSlots ?? 0);

    private Entry Try(Exchange exchange, Ticket ticket, Endpoint? endpoint)
    {
        while (true)
        {
            if (ticket.Owner is null && !HasSlot)
            {
                if (endpoint is not null) exchange.Tried.RemoveLast();
                return Full;
            }

            var isFull = false;
            endpoint ??= upstream.Choose(exchange, out isFull);
            if (endpoint is null) return isFull ? Full : new Entry(null, FaultCause.NoEndpoint);
            var isNew = ticket.Owner is null;
            if (isNew && !Slots.TryTake(ref taken, Volatile.Read(ref slots)))
            {
                exchange.Tried.RemoveLast();
                return Full;
            }

            if (endpoint.TryTakeSlot())
            {
                (ticket.Owner, ticket.Endpoint) = (this, endpoint);
                return new Entry(endpoint, FaultCause.None);
            }

            // Another was faster there: it is as if it had not been chosen.
            exchange.Tried.RemoveLast();
            endpoint = null;
            if (!isNew) continue;
            Interlocked.Decrement(ref taken);
            Changed(null);
        }
    }

    private async LoopTask<Entry> WaitAsync(Exchange exchange, Ticket ticket, int rank)
    {
        var bounds = upstream.Settings.Bounds ?? Standard;
        if (!line.TryJoin(ticket, rank, bounds.Queue))
        {
            // Those who fill the queue may all wait for one endpoint: what none of them can use is for whoever comes.
            var free = rank != 0 && HasSlot && MayTake() && !line.HasAnyoneToCall ? Try(exchange, ticket, null) : Full;
            if (free.Cause == FaultCause.QueueFull) Interlocked.Increment(ref refusedFull);
            return free;
        }

        Interlocked.Increment(ref queued);
        Pass(); // What was given back before this one stood in the line.
        var since = exchange.Loop.Microseconds();
        var deadline = exchange.Deadline(bounds.QueueTimeout);
        var watchClient = true;
        var entry = Full;
        while (entry.Cause == FaultCause.QueueFull)
        {
            var wake = !exchange.Interruption.IsNone ? Wake.Cancelled
                : watchClient ? await exchange.Flow.FirstOf(ticket.Turn, exchange.Client.Gone, deadline)
                : await exchange.Flow.FirstOf(ticket.Turn, deadline);
            if (wake == Wake.First)
            {
                var seen = line.Changes;
                entry = upstream.Breaker.Admits(exchange.Loop.Now) ? Try(exchange, ticket, null) : new Entry(null, FaultCause.BreakerOpen);
                if (entry.Cause != FaultCause.QueueFull) break;
                line.Failed(ticket, seen);
                Pass();
            }
            else if (wake == Wake.Second && exchange.KeepsServing(exchange.Client))
            {
                watchClient = false;
            }
            else
            {
                entry = new Entry(null, wake == Wake.Deadline ? FaultCause.QueueTimeout : FaultCause.Closed);
            }
        }

        if (line.Leave(ticket)) Pass();
        if (entry.Cause == FaultCause.QueueTimeout) Interlocked.Increment(ref refusedLate);
        var waited = exchange.Loop.Microseconds() - since;
        exchange.Moments.Queued += waited;
        (waits[exchange.Loop.Index] ?? MakeWaits(exchange.Loop.Index)).Record(waited);
        return entry;
    }

    // Somebody who has not tried yet may find something.
    private void Pass()
    {
        if (line.Length > 0 && IsOfUse && MayTake()) line.Pass(HasSlot);
    }

    private bool MayTake() => upstream.MayTake(withOthers: line.LengthOfFirstRank > 0);

    private Histogram MakeWaits(int loop)
    {
        var made = new Histogram();
        Volatile.Write(ref waits[loop], made);
        return made;
    }
}
