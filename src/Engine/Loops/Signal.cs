// Readiness as a latch, and waiting for the first of several. This is the one way in which anything on a loop waits:
// no WhenAny, no CancellationToken, nothing allocated. Firing detaches every arm before the waiter resumes, so the
// losers leave nothing behind.

using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Weir.Engine.Loops;

/// <summary>
/// A latch that one waiter at a time can wait for: a descriptor's readiness, a peer that has gone, a slot granted.
/// It stays set until its owner clears it. The loop's own thread only.
/// </summary>
public sealed class Signal
{
    internal Waiter? Waiter;
    internal Wake Arm;

    /// <summary>Whether the latch is set.</summary>
    public bool IsSet { get; private set; }

    /// <summary>Sets the latch and resumes its waiter inline. For the loop's dispatch only.</summary>
    public void Raise()
    {
        IsSet = true;
        Waiter?.Fire(Arm);
    }

    /// <summary>Sets the latch and puts its waiter on the ready queue: for waking another exchange.</summary>
    public void RaiseLater()
    {
        IsSet = true;
        Waiter?.FireLater(Arm);
    }

    /// <summary>Sets the latch without waking anybody; the caller raises it in the same dispatch or nobody waits.</summary>
    public void Latch() => IsSet = true;

    /// <summary>Clears the latch: what it stood for is used up.</summary>
    public void Clear() => IsSet = false;
}

/// <summary>Which of the things waited for came first.</summary>
public enum Wake
{
    First,
    Second,
    Third,

    /// <summary>None in time.</summary>
    Deadline,

    /// <summary><see cref="Waiter.Cancel"/> was called.</summary>
    Cancelled,
}

/// <summary>
/// Waits for the first of up to three signals, a deadline, or being cancelled. One flow of control owns one waiter and
/// uses it for one wait after the other. The loop's own thread only.
/// </summary>
public sealed class Waiter(Loop loop) : TimerEntry
{
    private static readonly Action Nobody = static () => throw new UnreachableException();

    private Signal? first;
    private Signal? second;
    private Signal? third;
    private Action? continuation;
    private Action? fireLater;
    private Wake wake;
    private bool waiting;
    private bool queued; // Fired, and on the ready queue: resumes from there unless cancelled first.

    /// <summary>Whether a flow is suspended here.</summary>
    public bool IsWaiting => waiting;

    /// <summary>Waits for one signal or the deadline (ms on the loop's clock; <see cref="long.MaxValue"/>: none).</summary>
    public WakeAwaiter FirstOf(Signal a, long deadline)
    {
        Debug.Assert(!waiting, "one waiter, one wait");
        if (a.IsSet) return Already(Wake.First);
        Attach(first = a, Wake.First);
        return Suspend(deadline);
    }

    /// <inheritdoc cref="FirstOf(Signal, long)"/>
    public WakeAwaiter FirstOf(Signal a, Signal b, long deadline)
    {
        Debug.Assert(!waiting, "one waiter, one wait");
        if (a.IsSet) return Already(Wake.First);
        if (b.IsSet) return Already(Wake.Second);
        Attach(first = a, Wake.First);
        Attach(second = b, Wake.Second);
        return Suspend(deadline);
    }

    /// <inheritdoc cref="FirstOf(Signal, long)"/>
    public WakeAwaiter FirstOf(Signal a, Signal b, Signal c, long deadline)
    {
        Debug.Assert(!waiting, "one waiter, one wait");
        if (a.IsSet) return Already(Wake.First);
        if (b.IsSet) return Already(Wake.Second);
        if (c.IsSet) return Already(Wake.Third);
        Attach(first = a, Wake.First);
        Attach(second = b, Wake.Second);
        Attach(third = c, Wake.Third);
        return Suspend(deadline);
    }

    /// <summary>Waits for nothing but time.</summary>
    public WakeAwaiter Until(long deadline)
    {
        Debug.Assert(!waiting, "one waiter, one wait");
        return Suspend(deadline);
    }

    /// <summary>Gives the rest of this turn to others: resumes from the ready queue.</summary>
    public WakeAwaiter Yield()
    {
        Debug.Assert(!waiting, "one waiter, one wait");
        var awaiter = Suspend(long.MaxValue);
        FireLater(Wake.First);
        return awaiter;
    }

    /// <summary>
    /// Lets everything else that came with this turn be read first; goes on at once where nothing else did. What is sent then leaves
    /// in one go: a peer that wakes finds several messages instead of waking for each.
    /// </summary>
    public WakeAwaiter AfterOthers() => loop.IsCrowded ? Yield() : Already(Wake.First);

    /// <summary>Resumes a suspended flow at once with <see cref="Wake.Cancelled"/>; does nothing where none is.</summary>
    public void Cancel()
    {
        if (waiting) Fire(Wake.Cancelled);
    }

    /// <summary>Takes the waiter out of its loop, so that its owner can be reused or collected.</summary>
    public void Release()
    {
        Debug.Assert(!waiting, "nobody may wait on a released waiter");
        loop.Forget(this);
    }

    protected internal override void OnDue() => Fire(Wake.Deadline);

    internal void Fire(Wake by)
    {
        if (!waiting) return; // Woken from the ready queue, but something else came first.
        Detach();
        wake = by;
        waiting = queued = false;
        var resume = continuation!;
        continuation = null;
        resume();
    }

    internal void FireLater(Wake by)
    {
        if (!waiting || queued) return;
        Detach();
        wake = by;
        queued = true;
        loop.Ready(fireLater ??= ResumeFromReady);
    }

    internal Wake Result()
    {
        Debug.Assert(!waiting, "result taken while waiting");
        return wake;
    }

    internal bool IsDone => !waiting;

    internal void OnCompleted(Action resume) => continuation = resume;

    private void ResumeFromReady()
    {
        if (queued) Fire(wake);
    }

    private WakeAwaiter Already(Wake by)
    {
        wake = by;
        return new WakeAwaiter(this);
    }

    private WakeAwaiter Suspend(long deadline)
    {
        waiting = true;
        continuation = Nobody;
        if (deadline != long.MaxValue) loop.Arm(this, deadline);
        return new WakeAwaiter(this);
    }

    private void Attach(Signal signal, Wake arm)
    {
        Debug.Assert(signal.Waiter is null, "one signal, one waiter");
        signal.Waiter = this;
        signal.Arm = arm;
    }

    private void Detach()
    {
        Disarm();
        if (first is not null) { first.Waiter = null; first = null; }
        if (second is not null) { second.Waiter = null; second = null; }
        if (third is not null) { third.Waiter = null; third = null; }
    }
}

/// <summary>Makes a <see cref="Loops.Waiter"/> awaitable.</summary>
public readonly struct WakeAwaiter(Waiter waiter) : ICriticalNotifyCompletion
{
    public bool IsCompleted => waiter.IsDone;

    public WakeAwaiter GetAwaiter() => this;

    public Wake GetResult() => waiter.Result();

    public void OnCompleted(Action continuation) => waiter.OnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => waiter.OnCompleted(continuation);
}
