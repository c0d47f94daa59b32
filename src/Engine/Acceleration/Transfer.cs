// An answer's body, put together: first what its own request brings, passed on as it comes; beside that segments, each fetched by
// itself, and passed on in order. What breaks is gone on with from where it broke, on the same server or another that has the same.
//
//   direct: 0 ──────────▶ boundary │ segment │ segment │ … │ frontier ─ not asked for yet ─ end
//                 at (the client's)      each with its fetch, or whole, or to be asked for (again)
//
// The direct connection is let go of where a segment begins that some server has confirmed; until then it may go on to the end, so
// a server that gives no parts costs nothing. Never a byte of other content: a part that is not of the same whole is not taken, and
// where nobody is left that has the same the body breaks.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Upstreams;

namespace Weir.Engine.Acceleration;

/// <summary>One body put together of parts. Leased; its exchange holds it; one loop.</summary>
internal sealed class Transfer : BodyFilter
{
    // Shorter segments cost more than they save.
    private const long SmallestSegment = 256 << 10;

    // A fetch that brings nothing for so long (ms), while others do, is begun anew elsewhere.
    private const long Stuck = 5_000;

    // How long (ms) it waits after a failure, doubled each time.
    private const long FirstPause = 100, LongestPause = 5_000;

    // What is left of a segment, in ms of its own pace, that is worth another connection, where its round trip is short.
    private const long WorthSplitting = 500;

    // Parts that are not what their digest says, of the only server there is.
    private const int MostWrong = 3;

    // Whatever happens, an answer is not asked for more often.
    private const int MostFetches = 100_000;

    private readonly Accelerator home;
    private readonly Wire.Fields.FieldIndex index = new();
    private readonly Clock clock;
    private readonly List<Endpoint> avoided = [];
    private Exchange exchange = null!;
    private ForwardPlan forward = null!;
    private AcceleratePlan? plan;
    private Pace pace = null!;
    private Whole whole;
    private BodySource? direct; // Null: it was let go of.
    private long directEnd;
    private long waitsSince; // Its reader, in ms; 0: it does not.
    private long directDry; // Since when (ms) it has brought nothing though it is asked; 0: it has.
    private bool directFailed; // To be let go of by the reader, who waits for it.
    private Segment? head; // In the body's order; the first one is read when the direct one is through.
    private long at;
    private long end;
    private long frontier;
    private int active;
    private int fetches;
    private int wrong;
    private bool givesUp; // No further parts.
    private bool isProven; // Some server has given a part: until then one is asked for at a time.
    private FaultCause broken;
    private TransferView? view; // Made where there is something to be seen.
    private TransferSource? source; // Of the direct one.
    private long length;
    private long received;
    private long receivedThen;
    private long held;
    private bool isHeldBack; // Something came for which there was no room.

    public Transfer(Accelerator home)
    {
        this.home = home;
        clock = new Clock(this);
    }

    /// <summary>Raised when the segment has come that is read next.</summary>
    private Signal More { get; } = new();

    public SpillFolder? Folder => plan?.Folder;

    /// <summary>How parts are verified; null: they are not.</summary>
    public IntegrityPlan? Integrity { get; private set; }

    public override Signal Ready => direct?.Ready ?? More;

    public override long Length => length;

    public override FaultCause Failure => broken;

    public override FieldBlock? Trailers => direct?.Trailers;

    public override bool IsAtEnd => at == end;

    // One that falls silent is given half of the time that it has, so that there is time for another.
    public override long AskAgainAt => direct is not null && directDry > 0 && MayGoOn ? Timeouts.After(directDry, exchange.Timeouts.Idle / 2) : long.MaxValue;

    public void Begin(Exchange of, ForwardPlan by, AcceleratePlan? accelerated, IntegrityPlan? integrity, in Whole known, long first, long last)
    {
        (exchange, forward, plan, Integrity, whole, wrong) = (of, by, accelerated, integrity, known, 0);
        (at, end, frontier, directEnd) = (first, last, last, last);
        (direct, directFailed, head, active, fetches, givesUp, broken) = (of.ResponseSource, false, null, 1, 0, accelerated is null, FaultCause.None);
        (length, received, receivedThen, held, isHeldBack, directDry, waitsSince) = (last - first, 0, 0, 0, false, 0, 0);
        isProven = of.Response.Status == 206;
        of.ResponseSource = this;
        of.Hold(this);
        if (plan is null) return;
        pace = new Pace(home.Loop.Now, plan.Segments, plan.SegmentSize, SmallestSegment);
        pace.Answered((of.Moments.Answered - Math.Max(of.Moments.Connected, of.SentAt * 1000)) / 1000);
        Show();
        home.Loop.Arm(clock, home.Loop.Now + Pace.Every);
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (waitsSince != 0) CountWaiting();
        while (true)
        {
            if (broken != FaultCause.None) return BodyStatus.Broken;
            if (at == end) return BodyStatus.End;
            if (direct is not null)
            {
                if (at == directEnd) EndDirect();
                else if (directFailed) LoseDirect("it brought nothing while others did");
                else if (ReadDirect(out piece) is { } status) return status;
                continue;
            }

            if (head is null) Append(at, plan is null ? end : Math.Min(end, at + pace.SegmentSize(plan.Ahead, end - at))); // All that was asked for has come.
            var segment = head!;
            var here = segment.Buffer.TryRead(out piece);
            if (here == BodyStatus.Piece) return here;
            if (here == BodyStatus.Broken) Refetch(segment);
            else if (at == segment.End) TakeOut(segment);
            else if (Await(segment)) return BodyStatus.Wait;
        }
    }

    public override void Advance(int count)
    {
        at += count;
        view?.Send(count);
        if (direct is not null)
        {
            direct.Advance(count);
            received += count;
            view?.Receive(count, source!);
            return;
        }

        head!.Buffer.Advance(count);
    }

    /// <summary>Ends all that was begun for it.</summary>
    public override void End()
    {
        clock.Disarm();
        while (head is { } segment) TakeOut(segment);
        if (view is not null) home.Transfers.End(view);
        avoided.Clear();
        (exchange, forward, plan, pace, direct, whole, view, source, Integrity) = (null!, null!, null, null!, null, default, null, null, null);
        home.Return(this);
    }

    /// <summary>Whether so much more may be held in memory.</summary>
    public bool MayHold(int bytes, bool isAwaited) => isAwaited || !(isHeldBack |= plan is null || held + bytes > plan.Memory || !home.Buffers.HasPlenty);

    public void Hold(int bytes) => view?.Hold(held += bytes);

    public void LetGo(int bytes)
    {
        view?.Hold(held -= bytes);
        GoOn();
    }

    /// <summary>Whether its client waits for a segment, and for nothing before it.</summary>
    public bool Awaits(Segment segment) => direct is null && head == segment;

    /// <summary>A segment's server has answered with the part that was asked for.</summary>
    public void Answered(Segment segment, SegmentFetch fetch, long roundTrip)
    {
        var isFirst = !isProven;
        segment.IsConfirmed = isProven = true;
        pace?.Answered(roundTrip);
        fetch.Source = Show().SourceOf(fetch.Endpoint!);
        if (isFirst) Fill();
    }

    /// <summary>Bytes of a segment have come.</summary>
    public void Came(Segment segment, int count)
    {
        segment.At += count;
        segment.Failures = 0;
        received += count;
        Show().ReceivePart(count, segment.Fetch!.Source!);
        if (Awaits(segment)) More.RaiseLater();
    }

    /// <summary>What a segment has on disk is at hand, or is lost.</summary>
    public void Came(SegmentBuffer buffer)
    {
        if (direct is null && head?.Buffer == buffer) More.RaiseLater();
    }

    /// <summary>A fetch has ended.</summary>
    public void Ended(Segment segment, SegmentFetch fetch, Endpoint? by, Fault fault, SegmentAnswer answer, long retryAfter)
    {
        segment.Fetch = null;
        active--;
        GiveBack();
        if (fault.Cause == FaultCause.WrongDigest)
        {
            Lied(segment, fetch.From, by);
        }
        else if (segment.IsWhole && (fault.IsNone || answer == SegmentAnswer.Part))
        {
            // All of it is here, even where the connection broke behind it.
        }
        else if (answer == SegmentAnswer.TooMuch)
        {
            segment.RetryAt = home.Loop.Now + retryAfter;
            home.Transfers.Throttled();
            pace?.Throttle(home.Loop.Now, active + 1, segment.RetryAt);
        }
        else if (answer == SegmentAnswer.Other)
        {
            Avoid(by);
        }
        else
        {
            Failed(segment);
        }

        if (Awaits(segment)) More.RaiseLater();
        Fill();
    }

    private void CountWaiting()
    {
        pace?.Dry(home.Loop.Now - waitsSince);
        waitsSince = 0;
    }

    // The client's request itself. Null: look again.
    private BodyStatus? ReadDirect(out ReadOnlySpan<byte> piece)
    {
        var status = direct!.TryRead(out piece);
        switch (status)
        {
            case BodyStatus.Piece:
                directDry = 0;
                if (piece.Length > directEnd - at) piece = piece[..(int)(directEnd - at)];
                return status;
            case BodyStatus.Wait:
                if (directDry == 0) directDry = home.Loop.Now;
                if (home.Loop.Now >= AskAgainAt && MayGoOn) break;
                waitsSince = home.Loop.Now;
                return status;
            case BodyStatus.Broken when direct.Failure == FaultCause.Exhausted || !MayGoOn:
                broken = direct.Failure;
                return status;
            default:
                break;
        }

        LoseDirect(status == BodyStatus.Wait ? "it fell silent within the answer" : "it broke within the answer");
        return null;
    }

    private bool MayGoOn => forward.Retry.Resume > 0 && exchange.Interruption.IsNone;

    // The rest of what it was to bring is fetched: at once, and from another server where there is one.
    private void LoseDirect(string why)
    {
        var by = exchange.Place.EndpointState as Endpoint;
        var rest = directEnd;
        if (!LetDirectGo(why)) return;
        Show().Resume();
        home.Transfers.Resumed();
        home.Say(exchange, $"{by?.Name}: {why}: it is gone on with from byte {at}");
        var segment = home.LeaseSegment();
        segment.Begin(this, at, rest);
        segment.Next = head;
        head = segment;
        Failed(segment);
        if (segment.RetryAt <= home.Loop.Now) Ask(segment, except: by);
    }

    // What follows was fetched; or, where nobody has confirmed that, it goes on itself.
    private void EndDirect()
    {
        var next = head!;
        if (next.IsConfirmed)
        {
            LetDirectGo(null);
            Fill();
            return;
        }

        directEnd = next.End;
        TakeOut(next);
        if (head is null) directEnd = frontier = end;
    }

    private bool LetDirectGo(string? failure)
    {
        direct = null;
        directFailed = false;
        active--;
        // What was received with the head is the connection's.
        if (!exchange.Response.TryDetach(index, exchange.Scratch))
        {
            broken = FaultCause.Exhausted;
            return false;
        }

        Forwarder.LetGo(exchange, failure);
        return true;
    }

    private bool Await(Segment segment)
    {
        More.Clear();
        waitsSince = home.Loop.Now;
        if (segment.Fetch is null && !segment.IsWhole && segment.RetryAt <= home.Loop.Now) Ask(segment, null);
        else if (segment.Fetch is null && !segment.IsWhole && plan is null) home.Loop.Arm(clock, segment.RetryAt);
        segment.Buffer.Room.RaiseLater(); // It was held back while others were awaited.
        return broken == FaultCause.None;
    }

    // Counted is it already where others might have had it.
    private void Ask(Segment segment, Endpoint? except, bool isCounted = false)
    {
        if (!isCounted) home.Transfers.Take(forward.Upstream);
        if (++fetches > MostFetches)
        {
            GiveBack();
            broken = FaultCause.Closed;
            return;
        }

        active++;
        home.Transfers.Asked();
        if (except is not null && !HasOther(except)) except = null;
        if (except is not null) avoided.Add(except);
        home.LeaseFetch().Begin(this, segment, exchange, forward, whole, avoided, exchange.Preferred ?? Best());
        if (except is not null) avoided.Remove(except);
    }

    // The first time it is asked for again at once. Where much fails, it is waited for its turn: the client's patience is the bound.
    private void Failed(Segment segment)
    {
        var now = home.Loop.Now;
        segment.Failures++;
        home.Transfers.Failed();
        if (segment.Failures > Math.Max(1, forward.Retry.Resume)) GiveUp();
        else if (!forward.Upstream.Retries.TryTake(now, forward.Retry.BudgetPercent)) segment.RetryAt = now + LongestPause;
        else segment.RetryAt = segment.Failures == 1 ? now : now + Math.Min(LongestPause, FirstPause << Math.Min(segment.Failures, 10));
    }

    // It has something else, or gives no parts.
    private void Avoid(Endpoint? by)
    {
        if (by is not null && !avoided.Contains(by))
        {
            avoided.Add(by);
            Show().SourceOf(by).IsDropped = true;
            home.Transfers.Dropped();
            home.Say(exchange, $"{by.Name} does not have the same, or gives no parts of it: it is left out");
        }

        if (!HasOther(null)) GiveUp();
    }

    private bool HasOther(Endpoint? than)
    {
        foreach (var endpoint in forward.Upstream.Endpoints)
        {
            if (endpoint != than && !avoided.Contains(endpoint)) return true;
        }

        return false;
    }

    // The direct one goes on to the first part that is there; where there is none any more, the body breaks when it comes to what is missing.
    private void GiveUp()
    {
        givesUp = true;
        while (direct is not null && head is { IsConfirmed: false } first)
        {
            directEnd = first.End;
            TakeOut(first);
        }

        if (direct is not null && head is null) directEnd = frontier = end;
        if (direct is not null || head is not { Fetch: null, IsWhole: false } missing) return;
        broken = FaultCause.Closed;
        home.Say(exchange, $"nobody is left who has the same from byte {missing.At} on: the answer breaks off");
        More.RaiseLater();
    }

    // What a server brought is not what its digest says: nothing more of it goes on, and another is asked. Where some has gone on
    // already, the body breaks.
    private void Lied(Segment segment, long from, Endpoint? by)
    {
        home.Transfers.Failed();
        var isLast = by is null || !HasOther(by);
        if (Awaits(segment) && (at > from || (isLast && wrong + 1 > MostWrong)))
        {
            broken = FaultCause.WrongDigest;
            return;
        }

        Refetch(segment);
        if (direct is null) More.RaiseLater();
        if (!isLast) Avoid(by);
        else if (++wrong > MostWrong) GiveUp();
    }

    // All of a segment that its client has not got is asked for again.
    private void Refetch(Segment segment)
    {
        var anew = home.LeaseSegment();
        anew.Begin(this, Awaits(segment) ? at : segment.First, segment.End);
        anew.Next = segment.Next;
        if (head == segment)
        {
            head = anew;
        }
        else
        {
            var before = head!;
            while (before.Next != segment) before = before.Next!;
            before.Next = anew;
        }

        segment.Next = null;
        LetGo(segment);
    }

    private Segment Append(long first, long last)
    {
        var segment = home.LeaseSegment();
        segment.Begin(this, first, last);
        frontier = last;
        if (head is null) return head = segment;
        var before = head;
        while (before.Next is { } next) before = next;
        return before.Next = segment;
    }

    // The first one.
    private void TakeOut(Segment segment)
    {
        head = segment.Next;
        segment.Next = null;
        LetGo(segment);
    }

    private void LetGo(Segment segment)
    {
        Drop(segment);
        segment.Buffer.End();
        home.Return(segment);
    }

    private void Look()
    {
        var now = home.Loop.Now;
        if (head is { Fetch: null, IsWhole: false } waiting && direct is null && waiting.RetryAt <= now) Ask(waiting, null);
        if (plan is null) return;
        if (waitsSince != 0)
        {
            CountWaiting();
            waitsSince = now;
        }

        pace.Look(now, received, active, length - received);
        Show().Pace(pace.Target, active, pace.Rate, pace.SingleRate);
        foreach (var one in view!.Sources) one.Look(AtWork(one), now);
        DropStuck(now);
        GoOn();
        Fill();
        home.Loop.Arm(clock, now + Pace.Every);
    }

    private int AtWork(TransferSource one)
    {
        var count = direct is not null && one == source ? 1 : 0;
        for (var segment = head; segment is not null; segment = segment.Next)
        {
            if (segment.Fetch is { IsHeldBack: false } fetch && fetch.Source == one) count++;
        }

        return count;
    }

    // Of those that stand beside the first one: who was not asked yet, else who brings most over one connection. Where a server's
    // own line is full each further connection brings less, so that they share as they can.
    private Endpoint? Best()
    {
        if (view is null || source is null) return null;
        TransferSource? best = null;
        foreach (var endpoint in forward.Upstream.Endpoints)
        {
            if (endpoint.Tier != source.Endpoint.Tier || endpoint.Weight == 0 || !endpoint.IsAvailable || !endpoint.HasRoom || avoided.Contains(endpoint)) continue;
            if (view.Find(endpoint) is not { } known)
            {
                view.SourceOf(endpoint);
                return endpoint;
            }

            if (best is null || known.Rate > best.Rate) best = known;
        }

        return best?.Endpoint;
    }

    private void DropStuck(long now)
    {
        var isMoving = received > receivedThen;
        receivedThen = received;
        if (!isMoving) return;
        if (direct is not null && directDry > 0 && now - directDry > Stuck && MayGoOn)
        {
            directFailed = true;
            direct.Ready.RaiseLater();
        }

        for (var segment = head; segment is not null; segment = segment.Next)
        {
            if (segment.Fetch is not { IsHeldBack: false } fetch || now - fetch.LastAt < Stuck) continue;
            var by = fetch.Endpoint;
            Drop(segment);
            Failed(segment);
            if (segment.RetryAt <= now && broken == FaultCause.None && !givesUp) Ask(segment, by);
        }
    }

    private void Drop(Segment segment)
    {
        if (segment.Fetch is not { } fetch) return;
        active--;
        GiveBack();
        fetch.Drop();
    }

    // As many as there should be: what failed first, then what nobody has asked for, then the rest of what is slow.
    private void Fill()
    {
        while (plan is not null && !givesUp && broken == FaultCause.None && active < (isProven ? pace.Target : Math.Min(pace.Target, 2)) && home.Transfers.TryTake(forward.Upstream, plan.MostAtUpstream))
        {
            if ((Missing(home.Loop.Now) ?? TryAppend() ?? TrySplit()) is { } segment)
            {
                Ask(segment, null, isCounted: true);
                continue;
            }

            GiveBack();
            return;
        }
    }

    private Segment? Missing(long now)
    {
        for (var segment = head; segment is not null; segment = segment.Next)
        {
            if (segment is { Fetch: null, IsWhole: false } && segment.RetryAt <= now) return segment;
        }

        return null;
    }

    private Segment? TryAppend()
    {
        var size = pace.SegmentSize(plan!.Ahead, end - (head is null ? at : frontier));
        // The first boundary: what the direct connection brings before others are needed.
        var first = direct is not null && head is null ? Math.Min(at + size, at + ((end - at) / 2)) : frontier;
        if (first >= end || (head is null && end - first < SmallestSegment)) return null;
        var last = end - first < size + SmallestSegment ? end : first + size;
        if (last - at > plan.Window && (direct is not null || head is not null)) return null;
        if (direct is not null && head is null) directEnd = first;
        return Append(first, last);
    }

    // The one that will take the longest gives half of what it has not got to another.
    private Segment? TrySplit()
    {
        Segment? slowest = null;
        var least = Math.Max(WorthSplitting, 6 * pace.RoundTrip);
        var longest = least;
        for (var segment = head; segment is not null; segment = segment.Next)
        {
            if (segment.Fetch is not { IsHeldBack: false, IsVerified: false, Brought: > 0 } fetch || segment.Left < 2 * SmallestSegment || home.Loop.Now - fetch.BegunAt < least) continue;
            var time = segment.Left * 1000 / Math.Max(1, fetch.Brought * 1000 / (home.Loop.Now - fetch.BegunAt));
            if (time > longest) (slowest, longest) = (segment, time);
        }

        if (slowest is null) return null;
        var middle = slowest.At + (slowest.Left / 2);
        if (middle - at > plan!.Window) return null;
        var rest = home.LeaseSegment();
        rest.Begin(this, middle, slowest.End);
        (slowest.End, rest.Next, slowest.Next) = (middle, slowest.Next, rest);
        return rest;
    }

    // Those that were held back look again.
    private void GoOn()
    {
        if (!isHeldBack) return;
        isHeldBack = false;
        for (var segment = head; segment is not null; segment = segment.Next) segment.Buffer.Room.RaiseLater();
    }

    private TransferView Show()
    {
        if (view is not null) return view;
        view = new TransferView(exchange, length, received, home.Loop.Now);
        source = view.SourceOf((Endpoint)exchange.Place.EndpointState!);
        home.Transfers.Begin(view);
        return view;
    }

    private void GiveBack() => home.Transfers.GiveBack(forward.Upstream);

    private sealed class Clock(Transfer transfer) : TimerEntry
    {
        protected internal override void OnDue() => transfer.Look();
    }
}
