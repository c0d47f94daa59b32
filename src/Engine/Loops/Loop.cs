// One thread, one poller: everything that happens to a connection happens on its loop, so nothing inside needs a lock.
// A turn is: wait for events, dispatch them, fire timers, run what was posted, run what is ready.
// Rule: only the loop's own dispatch (descriptor, timer, posted work) resumes a waiter inline. Whoever wakes another
// exchange calls Ready, so that ten thousand waiters neither deepen the stack nor hold the loop.

namespace Weir.Engine.Loops;

/// <summary>
/// An event loop. All members except <see cref="Post(Posted)"/>, <see cref="Post(Action)"/>, <see cref="Stop"/>,
/// <see cref="Turns"/> and <see cref="IsWaiting"/> belong to the loop's own thread. An exception leaves <see cref="Turn"/>
/// with the rest of the turn kept: the next goes on.
/// </summary>
public sealed class Loop
{
    // Ready work run in one turn before events are looked at again: bounds the time between two polls.
    private const int ReadyPerTurn = 256;

    private readonly Poller poller;
    private readonly TimerWheel timers;
    private readonly ReadyQueue ready = new();
    private Posted? posted; // Lock-free stack, newest first.
    private Posted? inOrder; // What was taken from it and is to run, oldest first.
    private volatile bool stopping;

    public Loop(Poller poller, int index = 0)
    {
        this.poller = poller;
        Index = index;
        Now = poller.Milliseconds();
        timers = new TimerWheel(Now);
        Random = poller.Random;
    }

    /// <summary>The loop's place among the engine's loops, from 0.</summary>
    public int Index { get; }

    /// <summary>Milliseconds of a clock that never goes back, as of the start of this turn.</summary>
    public long Now { get; private set; }

    /// <summary>Turns made so far; a loop whose turns stand still while work waits is stuck.</summary>
    public long Turns { get; private set; }

    /// <summary>The loop's own randomness: seeded in a simulation. Not for secrets.</summary>
    public Random Random { get; }

    /// <summary>True while the loop waits in its poller for something to do. Readable from any thread.</summary>
    public bool IsWaiting { get; private set; }

    /// <summary>Whether more than one event came with this turn, or work is ready besides what runs now.</summary>
    internal bool IsCrowded => poller.Batch > 1 || !ready.IsEmpty;

    /// <summary>The seam to clock, randomness and events that this loop stands on.</summary>
    public Poller Poller => poller;

    /// <summary>A clock reading of this instant, in microseconds, for measuring phases. Costs a clock read.</summary>
    public long Microseconds() => poller.Microseconds();

    /// <summary>The wall clock, as UTC. Costs a clock read.</summary>
    public DateTime UtcNow => poller.UtcNow;

    /// <summary>Runs turns on the calling thread until <see cref="Stop"/>.</summary>
    /// <param name="report">Told of a mistake that came up outside every connection; the loop goes on for all others.</param>
    public void Run(Action<Exception> report)
    {
        while (!TryRun(report))
        {
        }
    }

    private bool TryRun(Action<Exception> report)
    {
        try
        {
            while (!stopping) Turn(mayWait: true);
            RunPosted();
            return true;
        }
#pragma warning disable CA1031 // A loop carries thousands of connections: it never ends by a mistake.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            report(bug);
            return false;
        }
    }

    /// <summary>Ends <see cref="Run"/> after the current turn. From any thread.</summary>
    public void Stop()
    {
        stopping = true;
        poller.Wake();
    }

    /// <summary>Makes one turn. With <paramref name="mayWait"/> false it only does what is due now.</summary>
    /// <returns>Whether anything happened or is still ready to run.</returns>
    public bool Turn(bool mayWait)
    {
        var timeout = 0;
        if (mayWait && ready.IsEmpty && inOrder is null && Volatile.Read(ref posted) is null) timeout = timers.Timeout(Now);
        IsWaiting = timeout != 0;
        var events = poller.Wait(timeout);
        IsWaiting = false;
        Now = poller.Milliseconds();
        Turns++;
        poller.Dispatch();
        var worked = events > 0;
        worked |= timers.Advance(Now);
        worked |= RunPosted();
        worked |= ready.Run(ReadyPerTurn);
        return worked || !ready.IsEmpty;
    }

    /// <summary>The time at which the next timer may fire, or <see cref="long.MaxValue"/>: for virtual clocks.</summary>
    public long NextTimer() => timers.NextDue();

    /// <summary>Hands work in from outside; the only way to do so. From any thread; runs in a later turn, in order.</summary>
    public void Post(Posted work)
    {
        Posted? head;
        do
        {
            head = Volatile.Read(ref posted);
            work.Next = head;
        }
        while (Interlocked.CompareExchange(ref posted, work, head) != head);
        if (head is null) poller.Wake();
    }

    /// <summary>As <see cref="Post(Posted)"/>, for work that is rare enough to allocate.</summary>
    public void Post(Action work) => Post(new PostedAction(work));

    /// <summary>Puts a callback at the end of the ready queue: it runs in this or a later turn, never inline.</summary>
    public void Ready(Action work) => ready.Add(work);

    /// <summary>Arms (or moves) a timer. Costs a few stores where the entry is already in the wheel.</summary>
    /// <param name="entry">The entry; it must belong to this loop.</param>
    /// <param name="due">When to fire, on the clock of <see cref="Now"/>.</param>
    public void Arm(TimerEntry entry, long due) => timers.Arm(entry, due);

    /// <summary>Takes an entry out of the wheel for good, so that its owner can be collected.</summary>
    public void Forget(TimerEntry entry) => timers.Remove(entry);

    private bool RunPosted()
    {
        // An exception in the last turn left some of it, and what was posted since comes after that.
        if (inOrder is null)
        {
            if (Volatile.Read(ref posted) is null) return false;
            TakePosted();
        }

        while (inOrder is { } work)
        {
            inOrder = work.Next;
            work.Next = null;
            work.Run();
        }

        return true;
    }

    private void TakePosted()
    {
        var newestFirst = Interlocked.Exchange(ref posted, null);
        while (newestFirst is not null)
        {
            var next = newestFirst.Next;
            newestFirst.Next = inOrder;
            inOrder = newestFirst;
            newestFirst = next;
        }
    }

    private sealed class PostedAction(Action work) : Posted
    {
        public override void Run() => work();
    }
}

/// <summary>Work that one thread hands to a loop. A node may be posted again once it has begun to run.</summary>
public abstract class Posted
{
    internal Posted? Next;

    /// <summary>Runs on the loop's thread.</summary>
    public abstract void Run();
}
