// One fetch that may fill a cache, as those see it who wait for it: on any loop, while it runs on one. What it brings is told
// once: a response that is kept, or that everybody has to go by himself, or why there is none.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>How far a fill has come.</summary>
internal enum FillState : byte
{
    /// <summary>No head has come.</summary>
    Pending,

    /// <summary>Its response is kept; the body may still be on its way.</summary>
    Kept,

    /// <summary>Its response may not be kept: it is its first client's alone.</summary>
    Passed,

    /// <summary>There is none.</summary>
    Failed,
}

/// <summary>A fill. Shared between loops.</summary>
internal sealed class Fill(CachedObject place, byte[] extra, bool isJoinable)
{
    private readonly Lock door = new();
    private FillWait? waiting;
    private Fill? other;

    public CachedObject Place => place;

    public byte[] Extra => extra;

    /// <summary>The next fill of the same URL; under its shard's lock.</summary>
    public Fill? Other
    {
        get => other;
        set => other = value;
    }

    public ref Fill? OtherPlace => ref other;

    public FillState State { get; private set; }

    /// <summary>Whether it ended because nobody waited: who came since goes by himself.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>Why it failed.</summary>
    public Fault Fault { get; private set; }

    /// <summary>Runs it; null: not begun. Set before anybody else can leave.</summary>
    public Filler? Runner { get; set; }

    /// <summary>Whether who asks for the same waits for it.</summary>
    public bool IsJoinable => isJoinable && !IsDoomed && State == FillState.Pending;

    /// <summary>What it brings is not to be kept: it was asked for before somebody said that it changed. Under its shard's lock.</summary>
    public bool IsDoomed { get; set; }

    /// <summary>Whether it failed though an answer came: an error, for which what is kept stands in. Whom it does not stand in for asks himself.</summary>
    public bool WasRefused { get; set; }

    /// <summary>Whether it was on disk, and no origin was asked.</summary>
    public bool WasOnDisk { get; set; }

    /// <summary>The last purge by a tag before it: <see cref="TagIndex.Purges"/>.</summary>
    public long Since { get; set; }

    /// <summary>Whether the origin said that what was kept still holds.</summary>
    public bool WasConfirmed { get; set; }

    /// <summary>Waits for its outcome, unless that is told already.</summary>
    public bool TryWait(FillWait wait)
    {
        lock (door)
        {
            if (State != FillState.Pending) return false;
            wait.Next = waiting;
            wait.Fill = this;
            waiting = wait;
            return true;
        }
    }

    /// <summary>Waits no longer. Where nobody does, nobody wants it.</summary>
    public void StopWaiting(FillWait wait)
    {
        lock (door)
        {
            if (wait.Fill != this) return;
            wait.Fill = null;
            if (!TakeOut(wait) || waiting is not null || State != FillState.Pending) return;
        }

        Runner?.Abandon(this);
    }

    /// <summary>Tells the outcome. Each who waits is given a reference to the response.</summary>
    public void Tell(FillState state, StoredResponse? response, Fault fault)
    {
        lock (door)
        {
            if (State != FillState.Pending) return;
            Fault = fault;
            State = state;
            while (waiting is { } wait)
            {
                waiting = wait.Next;
                wait.Next = null;
                Tell(wait, state, response);
            }
        }
    }

    /// <summary>Tells one of those who wait what is for nobody else; the others go by themselves.</summary>
    public void TellOne(FillWait? one, StoredResponse response)
    {
        if (one is not null)
        {
            lock (door)
            {
                if (one.Fill == this && State == FillState.Pending)
                {
                    TakeOut(one);
                    Tell(one, FillState.Kept, response);
                }
            }
        }

        Tell(FillState.Passed, null, default);
    }

    public bool IsWaitedFor
    {
        get
        {
            lock (door) return waiting is not null;
        }
    }

    private static void Tell(FillWait wait, FillState state, StoredResponse? response)
    {
        response?.Hold();
        wait.Response = response;
        wait.State = state;
        wait.Fill = null; // The last but the wake: from here on it may be somebody else's.
        wait.Told.Wake();
    }

    private bool TakeOut(FillWait wait)
    {
        ref var at = ref waiting;
        while (at is not null && at != wait) at = ref at.Next;
        if (at is null) return false;
        at = wait.Next;
        wait.Next = null;
        return true;
    }
}

/// <summary>One exchange's wait for a fill. Leased; one loop's but for what the fill sets before it wakes it.</summary>
internal sealed class FillWait(Loop loop, Stack<FillWait> home) : IDisposable
{
    internal FillWait? Next; // Next and Fill: under the fill's lock, while it waits.
    internal volatile Fill? Fill;

    private volatile FillState state;

    public LoopWake Told { get; } = new(loop);

    public FillState State
    {
        get => state;
        set => state = value;
    }

    /// <summary>What was brought, with a reference.</summary>
    public StoredResponse? Response { get; set; }

    /// <summary>What its request says to caches.</summary>
    public CacheControl Asked;

    /// <summary>What is kept already and may stand in, with a reference; null: nothing.</summary>
    public StoredResponse? Candidate { get; set; }

    /// <summary>Fields of the response that are for this exchange alone.</summary>
    public List<AddedField> OwnFields { get; } = [];

    /// <summary>The exchange that waits; for the fill's first client, on the same loop.</summary>
    public Exchange? Exchange { get; set; }

    /// <summary>The fill that was begun for it.</summary>
    public Filler? Leads { get; set; }

    /// <summary>The fields of a response that was handed over.</summary>
    public FieldIndex Index { get; } = new();

    /// <summary>Begins to wait.</summary>
    public void Begin(Exchange of)
    {
        Exchange = of;
        State = FillState.Pending;
        Told.Ready.Clear();
    }

    /// <summary>Waits no longer.</summary>
    public void Stop()
    {
        Leads?.Forget(this);
        Leads = null;
        Fill?.StopWaiting(this);
    }

    /// <summary>Takes over the reference to what was brought.</summary>
    public StoredResponse Take()
    {
        var taken = Response!;
        Response = null;
        return taken;
    }

    public void Dispose()
    {
        if (Exchange is null) return;
        Stop();
        Response?.LetGo();
        Response = null;
        Candidate?.LetGo();
        Candidate = null;
        OwnFields.Clear();
        Exchange = null;
        home.Push(this);
    }
}
