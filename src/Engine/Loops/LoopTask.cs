// Async methods on a loop. The runtime's builders allocate from a few concurrent connections on; these keep the boxes of
// suspended methods in a free list of the thread that runs the loop, so that steady state allocates nothing.
// Rules: a LoopTask starts running when called; it is awaited exactly once, or detached, on the same loop; no execution
// context flows; an awaited thing must resume on the same loop (Waiter, LoopTask), never on the thread pool.

using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Weir.Engine.Loops;

/// <summary>An async method on a loop without a result. Await it once, or <see cref="Detach"/> it.</summary>
[AsyncMethodBuilder(typeof(LoopTaskBuilder))]
public readonly struct LoopTask
{
    private readonly LoopBox<Nothing>? box;

    internal LoopTask(LoopBox<Nothing> box) => this.box = box;

    /// <summary>Whether it has ended.</summary>
    public bool IsCompleted => box is null || box.IsCompleted;

    public Awaiter GetAwaiter() => new(box);

    /// <summary>Lets the method run on its own. It must not throw: there is nobody to tell.</summary>
    public void Detach() => box?.Detach();

    public readonly struct Awaiter : ICriticalNotifyCompletion
    {
        private readonly LoopBox<Nothing>? box;

        internal Awaiter(LoopBox<Nothing>? box) => this.box = box;

        public bool IsCompleted => box is null || box.IsCompleted;

        public void GetResult() => box?.TakeResult();

        public void OnCompleted(Action continuation) => box!.OnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => box!.OnCompleted(continuation);
    }
}

/// <summary>An async method on a loop with a result. Await it exactly once.</summary>
[AsyncMethodBuilder(typeof(LoopTaskBuilder<>))]
public readonly struct LoopTask<T>
{
    private readonly LoopBox<T>? box;
    private readonly T result;

    /// <summary>A task that has ended already.</summary>
    public LoopTask(T result)
    {
        box = null;
        this.result = result;
    }

    internal LoopTask(LoopBox<T> box)
    {
        this.box = box;
        result = default!;
    }

    /// <summary>Whether it has ended.</summary>
    public bool IsCompleted => box is null || box.IsCompleted;

    public Awaiter GetAwaiter() => new(box, result);

    public readonly struct Awaiter : ICriticalNotifyCompletion
    {
        private readonly LoopBox<T>? box;
        private readonly T result;

        internal Awaiter(LoopBox<T>? box, T result)
        {
            this.box = box;
            this.result = result;
        }

        public bool IsCompleted => box is null || box.IsCompleted;

        public T GetResult() => box is null ? result : box.TakeResult();

        public void OnCompleted(Action continuation) => box!.OnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => box!.OnCompleted(continuation);
    }
}

/// <summary>The result of what has none.</summary>
internal readonly struct Nothing;

/// <summary>A suspended async method: its state machine, its result, and who goes on when it ends.</summary>
internal abstract class LoopBox<T>
{
    private Action? continuation;
    private ExceptionDispatchInfo? error;
    private T result = default!;
    private bool detached;

    protected LoopBox() => MoveNextAction = MoveNext;

    public Action MoveNextAction { get; }

    public bool IsCompleted { get; private set; }

    public abstract void MoveNext();

    public void Complete(T value)
    {
        result = value;
        End();
    }

    public void Fail(Exception exception)
    {
        error = ExceptionDispatchInfo.Capture(exception);
        End();
    }

    public void OnCompleted(Action resume)
    {
        Debug.Assert(continuation is null, "a LoopTask is awaited once");
        continuation = resume;
    }

    public void Detach()
    {
        if (IsCompleted) TakeResult();
        else detached = true;
    }

    public T TakeResult()
    {
        Debug.Assert(IsCompleted, "result taken before the end");
        var value = result;
        var thrown = error;
        result = default!;
        error = null;
        detached = false;
        IsCompleted = false;
        Return();
        thrown?.Throw();
        return value;
    }

    protected abstract void Return();

    private void End()
    {
        IsCompleted = true;
        if (detached)
        {
            TakeResult();
            return;
        }

        var resume = continuation;
        continuation = null;
        resume?.Invoke();
    }
}

internal sealed class LoopBox<TMachine, T> : LoopBox<T>
    where TMachine : IAsyncStateMachine
{
    // Kept per method and thread; more than this many suspended at once and the rest is left to the collector.
    private const int MostKept = 16384;

    [ThreadStatic]
    private static LoopBox<TMachine, T>? free;

    [ThreadStatic]
    private static int kept;

    private LoopBox<TMachine, T>? next;

    public TMachine Machine = default!;

    public static LoopBox<TMachine, T> Rent()
    {
        var box = free;
        if (box is null) return new LoopBox<TMachine, T>();
        free = box.next;
        kept--;
        box.next = null;
        return box;
    }

    public override void MoveNext() => Machine.MoveNext();

    protected override void Return()
    {
        Machine = default!;
        if (kept >= MostKept) return;
        kept++;
        next = free;
        free = this;
    }
}

/// <summary>Builds <see cref="LoopTask"/> methods; named by attribute, used by the compiler.</summary>
public struct LoopTaskBuilder
{
    private LoopBox<Nothing>? box;

    public readonly LoopTask Task => box is null ? default : new LoopTask(box);

    public static LoopTaskBuilder Create() => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Start<TMachine>(ref TMachine machine)
        where TMachine : IAsyncStateMachine => machine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine machine)
    {
    }

    public readonly void SetResult() => box?.Complete(default);

    public void SetException(Exception exception)
    {
        // Ended without ever suspending: a box carries the exception to the awaiter.
        box ??= new LoopBox<FailedMachine, Nothing>();
        box.Fail(exception);
    }

    public void AwaitOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
        where TAwaiter : INotifyCompletion
        where TMachine : IAsyncStateMachine => awaiter.OnCompleted(Suspend(ref machine).MoveNextAction);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AwaitUnsafeOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
        where TAwaiter : ICriticalNotifyCompletion
        where TMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(Suspend(ref machine).MoveNextAction);

    private LoopBox<Nothing> Suspend<TMachine>(ref TMachine machine)
        where TMachine : IAsyncStateMachine
    {
        if (box is not null) return box;
        var rented = LoopBox<TMachine, Nothing>.Rent();
        box = rented; // Before the copy, so that the copied builder knows its box.
        rented.Machine = machine;
        return rented;
    }
}

/// <summary>Builds <see cref="LoopTask{T}"/> methods; named by attribute, used by the compiler.</summary>
public struct LoopTaskBuilder<T>
{
    private LoopBox<T>? box;
    private T result;

    public readonly LoopTask<T> Task => box is null ? new LoopTask<T>(result) : new LoopTask<T>(box);

    public static LoopTaskBuilder<T> Create() => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Start<TMachine>(ref TMachine machine)
        where TMachine : IAsyncStateMachine => machine.MoveNext();

    public readonly void SetStateMachine(IAsyncStateMachine machine)
    {
    }

    public void SetResult(T value)
    {
        if (box is null) result = value;
        else box.Complete(value);
    }

    public void SetException(Exception exception)
    {
        box ??= new LoopBox<FailedMachine, T>();
        box.Fail(exception);
    }

    public void AwaitOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
        where TAwaiter : INotifyCompletion
        where TMachine : IAsyncStateMachine => awaiter.OnCompleted(Suspend(ref machine).MoveNextAction);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AwaitUnsafeOnCompleted<TAwaiter, TMachine>(ref TAwaiter awaiter, ref TMachine machine)
        where TAwaiter : ICriticalNotifyCompletion
        where TMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(Suspend(ref machine).MoveNextAction);

    private LoopBox<T> Suspend<TMachine>(ref TMachine machine)
        where TMachine : IAsyncStateMachine
    {
        if (box is not null) return box;
        var rented = LoopBox<TMachine, T>.Rent();
        box = rented;
        rented.Machine = machine;
        return rented;
    }
}

/// <summary>The machine of a method that failed before it was ever suspended.</summary>
internal struct FailedMachine : IAsyncStateMachine
{
    public readonly void MoveNext() => throw new UnreachableException();

    public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
    {
    }
}
