// The body of a whole, or a part of it, out of its slices: one is read, the next is fetched meanwhile where it is not there; where
// the route accelerates and its reader has to wait, the next few are, up to as many as the answer may have connections. A slice
// that is no longer of the same whole breaks the body; where nothing of it has been sent, its reader asks again from the start.

using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Reads slices. One exchange's, which holds it; one loop's.</summary>
internal sealed class SlicedReader : BodySource, IPartReader, IDisposable
{
    private readonly CacheStage stage;
    private readonly Signal never = new();
    private readonly PartsSource parts;
    private Exchange exchange = null!;
    private CachePlan plan = null!;
    private CacheKey key;
    private ByteRange room; // Where a slice's key is written.
    private StoredReader? fields; // Of the head, whose fields the response has; null: nothing is read.
    private StoredResponse head = null!;
    private StoredReader? slice;
    private FillWait? wait;
    private CacheControl directives;
    private bool isFromKeptAlone; // only-if-cached: nobody is asked.
    private bool isAlone; // A slice was not for all: the others are this client's own as well.
    private FaultCause broken;
    private long at;
    private long end;
    private int ahead; // Slices.
    private bool isWidened;

    public SlicedReader(CacheStage stage)
    {
        this.stage = stage;
        parts = new PartsSource(this, this);
    }

    public long Total { get; private set; }

    public StoredResponse Head => head;

    PartsSource IPartReader.Parts => parts;

    public override Signal Ready => slice?.Ready ?? wait?.Told.Ready ?? never;

    public override long Length => end - at;

    public override FaultCause Failure => broken;

    public override bool IsAtEnd => at == end;

    /// <summary>Begins to read.</summary>
    /// <param name="of">Whose response it is.</param>
    /// <param name="by">The route's cache.</param>
    /// <param name="asked">The key of the head.</param>
    /// <param name="reader">Has begun to read the head; handed over.</param>
    /// <param name="whole">The head, which it holds.</param>
    /// <returns>False where there is no room; nothing has begun then.</returns>
    public bool TryBegin(Exchange of, CachePlan by, CacheKey asked, StoredReader reader, StoredResponse whole)
    {
        if (!of.Scratch.TryTake(Slices.KeyBytes(asked.Url.Length), out _, out room)) return false;
        (exchange, plan, key, fields, head, broken) = (of, by, asked, reader, whole, FaultCause.None);
        (at, end, ahead) = (0, Total = Slices.LengthOf(whole), 1);
        directives = RequestDirectives.Read(of.Request.Fields, by.Rules);
        (isFromKeptAlone, isAlone) = (directives.Has(CacheDirectives.OnlyIfCached), false);
        return true;
    }

    public void Take(long first, long count)
    {
        Close();
        (at, end) = (first, first + count);
    }

    /// <summary>Waits for the first of it.</summary>
    /// <returns>Why there is none.</returns>
    public async LoopTask<Fault> StartAsync()
    {
        if (isFromKeptAlone && !HasAll()) return CacheStage.NotCached;
        while (true)
        {
            var status = TryRead(out _);
            if (status == BodyStatus.Broken && broken == FaultCause.NotCached) return CacheStage.NotCached;
            if (status == BodyStatus.Broken) return Fault.Of(broken, Side.Origin, Stage.Wait);
            if (status != BodyStatus.Wait) return default;
            var wake = exchange.AnswersHalfClosed
                ? await exchange.Flow.FirstOf(Ready, exchange.TotalDeadline)
                : await exchange.Flow.FirstOf(Ready, exchange.Client.Gone, exchange.TotalDeadline);
            if (wake == Wake.First) continue;
            if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait);
            return wake == Wake.Cancelled && !exchange.Interruption.IsNone ? exchange.Interruption : new Fault(FaultCause.Closed, Side.Client, Stage.Wait);
        }
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        while (true)
        {
            if (broken != FaultCause.None) return BodyStatus.Broken;
            if (at == end) return BodyStatus.End;
            if (slice is null && !TryOpen())
            {
                if (broken != FaultCause.None) continue;
                return BodyStatus.Wait;
            }

            var status = slice!.TryRead(out piece);
            if (status == BodyStatus.Wait) Widen();
            if (status is BodyStatus.Piece or BodyStatus.Wait) return status;
            if (status == BodyStatus.Broken) broken = slice.Failure == FaultCause.None ? FaultCause.Closed : slice.Failure;
            Close();
        }
    }

    public override void Advance(int count)
    {
        slice!.Advance(count);
        at += count;
    }

    public void Dispose()
    {
        if (fields is not { } held) return;
        fields = null;
        Close();
        held.Dispose();
        stage.Return(this);
    }

    // Nothing of an answer may have been sent when it shows that some of it is not there.
    private bool HasAll()
    {
        if (exchange.ResponseSource != parts) return Has(at, end);
        foreach (ref readonly var range in parts.Chosen)
        {
            if (!Has(range.First, range.First + range.Count)) return false;
        }

        return true;
    }

    private bool Has(long from, long to)
    {
        for (var index = from / plan.SliceBytes; index * plan.SliceBytes < to; index++)
        {
            var own = KeyOf(index);
            if (plan.Cache.Find(own, exchange.Request.Fields) is { } kept) kept.LetGo();
            else if (plan.Cache.Disk?.MayHave(own.Url.Span, own.Extra.Span) != true) return false;
        }

        return true;
    }

    private void Close()
    {
        slice?.Dispose();
        slice = null;
        wait?.Dispose();
        wait = null;
    }

    private bool TryOpen()
    {
        var index = at / plan.SliceBytes;
        while (wait is null)
        {
            if (Find(index) is { } kept) return Open(kept, index);
            Fetch(index);
        }

        wait.Told.Ready.Clear();
        if (wait.State == FillState.Pending) return false;
        var (state, brought) = (wait.State, wait.State == FillState.Kept ? wait.Take() : null);
        wait.Dispose();
        wait = null;
        if (brought is not null) return Open(brought, index);
        if (state == FillState.Passed && !isAlone)
        {
            isAlone = true;
            return TryOpen();
        }

        broken = isFromKeptAlone ? FaultCause.NotCached : FaultCause.Closed;
        return false;
    }

    // Takes over the reference.
    private bool Open(StoredResponse kept, long index)
    {
        var first = index * plan.SliceBytes;
        var count = Math.Min(plan.SliceBytes, Total - first);
        if (kept.Body.Length != count)
        {
            kept.LetGo();
            broken = FaultCause.Closed;
            return false;
        }

        slice = stage.LeaseReader(kept, plan.Cache);
        slice.Take(at - first, Math.Min(end, first + count) - at);
        isWidened = false;
        FetchAhead(index);
        return true;
    }

    // Once for each slice that is slower than its reader.
    private void Widen()
    {
        if (isWidened || plan.Accelerate is not { } accelerate) return;
        isWidened = true;
        ahead = (int)Math.Clamp(Math.Min(ahead * 2, accelerate.Memory / plan.SliceBytes), 1, accelerate.Segments - 1);
        FetchAhead(at / plan.SliceBytes);
    }

    private void FetchAhead(long of)
    {
        if (isAlone || isFromKeptAlone) return;
        for (var next = 1; next <= ahead && (of + next) * plan.SliceBytes < end; next++) FetchOne(of + next);
    }

    private StoredResponse? Find(long index) => plan.Cache.Find(KeyOf(index), exchange.Request.Fields);

    private CacheKey KeyOf(long index) => Slices.WriteKey(key.Url.Span, key.Extra, head, index, room);

    // Nobody waits, where the one that was joined has just ended.
    private void Fetch(long index)
    {
        var own = KeyOf(index);
        wait = stage.LeaseWait();
        wait.Begin(exchange);
        wait.Asked = directives;
        var begun = plan.Cache.TryBegin(own, isJoinable: !isAlone && !isFromKeptAlone, out var fill);
        if (fill.TryWait(wait))
        {
            if (begun) stage.Fetch(fill, plan, exchange, wait, new SliceAsk(plan.SliceBytes, index, head));
            return;
        }

        wait.State = FillState.Failed;
        wait.Dispose();
        wait = null;
    }

    private void FetchOne(long index)
    {
        var own = KeyOf(index);
        if (plan.Cache.Find(own, exchange.Request.Fields) is { } kept)
        {
            kept.LetGo();
            return;
        }

        if (plan.Cache.TryBegin(own, isJoinable: true, out var fill)) stage.Fetch(fill, plan, exchange, null, new SliceAsk(plan.SliceBytes, index, head));
    }
}
