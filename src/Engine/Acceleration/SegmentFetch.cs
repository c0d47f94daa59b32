// Fetches a segment, in an exchange of its own: the client's request with another range, and conditions under which parts may be
// put together. What it gets it hands to its segment, at the pace at which that takes it.
//
//   leased → a copy of the client's request → an answer → is it the part? → its bytes, up to the segment's end → given back
//
// Nobody's record; what it costs the upstream is counted, and its health told, as of any exchange.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Acceleration;

/// <summary>Runs one fetch. Leased; reused; one loop.</summary>
internal sealed class SegmentFetch
{
    // Bytes taken before the others on the loop have their turn.
    private const long BytesPerTurn = 1 << 17;

    private static readonly ByteRange IfRangeName = ByteRange.Of("If-Range"u8.ToArray());

    // The client's conditions were met when it was answered.
    private static readonly KnownField[] OfTheFirst = [KnownField.Range, KnownField.IfRange, KnownField.IfMatch, KnownField.IfNoneMatch, KnownField.IfModifiedSince, KnownField.IfUnmodifiedSince];

    private readonly Accelerator home;
    private readonly Exchange exchange;
    private readonly FieldIndex index = new();
    private readonly AbsentClient client = new();
    private Transfer? owner;
    private Segment segment = null!;
    private long asked; // The end that was asked for.

    public SegmentFetch(Accelerator home)
    {
        this.home = home;
        exchange = new Exchange(home.Loop, home.Buffers);
    }

    /// <summary>Whom it is asked of, once that is known.</summary>
    public Endpoint? Endpoint => exchange.Place.EndpointState as Endpoint;

    /// <summary>Its account, once it has answered with the part.</summary>
    public TransferSource? Source { get; set; }

    /// <summary>When a byte came last, or it was begun, in ms.</summary>
    public long LastAt { get; private set; }

    /// <summary>When it was begun, in ms.</summary>
    public long BegunAt { get; private set; }

    /// <summary>What it has brought, in bytes.</summary>
    public long Brought { get; private set; }

    /// <summary>The first byte that was asked for.</summary>
    public long From { get; private set; }

    /// <summary>Whether what it brings is verified, once all of it is here.</summary>
    public bool IsVerified { get; private set; }

    /// <summary>Whether it waits for room.</summary>
    public bool IsHeldBack { get; private set; }

    /// <summary>Begins, at once.</summary>
    /// <param name="of">The answer.</param>
    /// <param name="part">The segment.</param>
    /// <param name="client">The client's exchange.</param>
    /// <param name="forward">How it is forwarded.</param>
    /// <param name="whole">What it must be a part of.</param>
    /// <param name="avoided">Servers that are not to be asked.</param>
    /// <param name="preferred">Who is asked if he can be; null: the balancer says.</param>
    public void Begin(Transfer of, Segment part, Exchange client, ForwardPlan forward, in Whole whole, List<Endpoint> avoided, object? preferred)
    {
        (owner, segment, asked) = (of, part, part.End);
        (From, Brought, IsHeldBack, IsVerified, Source) = (part.At, 0, false, false, null);
        LastAt = BegunAt = home.Loop.Now;
        part.Fetch = this;
        exchange.Begin(this.client, home.Loop.Microseconds());
        exchange.Moments.HeadRead = exchange.Moments.Begun;
        exchange.Timeouts = client.Timeouts;
        exchange.TotalDeadline = client.TotalDeadline;
        exchange.Place = client.Place;
        (exchange.Place.Upstream, exchange.Place.UpstreamState, exchange.Place.Endpoint, exchange.Place.EndpointState) = (forward.Upstream.Name, forward.Upstream, null, null);
        (exchange.ClientAddress, exchange.Ends, exchange.IsFromTrustedProxy) = (client.ClientAddress, client.Ends, client.IsFromTrustedProxy);
        exchange.Preferred = preferred;
        foreach (var endpoint in avoided) exchange.Tried.Add(endpoint);
        var isMade = exchange.Request.TryCopy(client.Request, index, exchange.Scratch) && TryAsk(whole);
        RunAsync(isMade, forward, whole).Detach();
    }

    /// <summary>Ends it; its transfer hears nothing more of it.</summary>
    public void Drop()
    {
        if (owner is null) return;
        owner = null;
        segment.Fetch = null;
        segment = null!;
        exchange.InterruptAll(new Fault(FaultCause.Closed, Side.Client, Stage.Relay));
    }

    private bool TryAsk(in Whole whole)
    {
        var fields = exchange.Request.Fields;
        foreach (var field in OfTheFirst) fields.Drop(field);
        if (!exchange.Request.TryAskFor(segment.At, asked - 1, exchange.Scratch)) return false;
        if (whole.ByDigest) return true; // Mirrors have tags of their own: the digest says what they give.
        if (!exchange.Scratch.TryCopy(whole.Tag.Span, out var tag)) return false;
        fields.Set(KnownField.IfRange, IfRangeName, tag);
        return true;
    }

    private async LoopTask RunAsync(bool isMade, ForwardPlan forward, Whole whole)
    {
        var fault = isMade ? Fault.None : new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        var answer = SegmentAnswer.Failed;
        var retryAfter = 0L;
        try
        {
            if (fault.IsNone) fault = await home.Forwarder.FetchAsync(exchange, forward);
            if (fault.IsNone && owner is not null)
            {
                answer = SegmentCheck.Judge(exchange.Response, whole, segment.At, asked);
                if (answer == SegmentAnswer.TooMuch) retryAfter = RetryAfter();
                if (answer == SegmentAnswer.Part)
                {
                    owner.Answered(segment, this, (exchange.Moments.Answered - exchange.Moments.Connected) / 1000);
                    IsVerified = owner.Integrity is { } integrity && home.Digests.Verify(exchange, integrity, asked - segment.At);
                    fault = await ReceiveAsync();
                }
            }

            await Forwarder.FinishAsync(exchange, fault);
        }
#pragma warning disable CA1031 // A background task's root: a bug ends this fetch, is told, and harms no other exchange.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            fault = new Fault(FaultCause.Internal, Side.Proxy, Stage.Relay);
            exchange.Origin?.Abort();
            exchange.Origin = null;
            home.Report(bug);
        }

        var (told, part, by) = (owner, segment, Endpoint);
        owner = null;
        segment = null!;
        exchange.Fault = fault;
        exchange.Moments.Ended = home.Loop.Microseconds();
        home.Record(exchange);
        exchange.End();
        home.Return(this);
        told?.Ended(part, this, by, fault, answer, retryAfter);
    }

    private async LoopTask<Fault> ReceiveAsync()
    {
        var source = exchange.ResponseSource!;
        var turn = 0L;
        while (true)
        {
            if (!exchange.Interruption.IsNone) return exchange.Interruption;
            if (owner is null) return new Fault(FaultCause.Closed, Side.Client, Stage.Relay);
            if (segment.Left == 0 && segment.End < asked) return Fault.None; // Another has the rest.
            var status = source.TryRead(out var piece);
            if (status == BodyStatus.Piece)
            {
                if (segment.Left == 0 || piece.Length > asked - segment.At) return new Fault(FaultCause.Malformed, Side.Origin, Stage.Relay); // More than it said.
                if (piece.Length > segment.Left) piece = piece[..(int)segment.Left];
                var taken = segment.Buffer.Append(piece, owner.Awaits(segment));
                if (taken == 0)
                {
                    IsHeldBack = true;
                    var room = await exchange.Flow.FirstOf(segment.Buffer.Room, exchange.TotalDeadline);
                    (IsHeldBack, LastAt) = (false, home.Loop.Now);
                    if (room == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Client, Stage.Relay);
                    continue;
                }

                source.Advance(taken);
                exchange.BytesOut += taken;
                Brought += taken;
                LastAt = home.Loop.Now;
                owner.Came(segment, taken);
                turn += taken;
                if (turn < BytesPerTurn || segment.Left == 0) continue;
                turn = 0;
                await exchange.Flow.Yield();
            }
            else if (status == BodyStatus.End)
            {
                return segment.Left == 0 ? Fault.None : new Fault(FaultCause.Closed, Side.Origin, Stage.Relay);
            }
            else if (status == BodyStatus.Broken)
            {
                return Fault.Of(source.Failure, Side.Origin, Stage.Relay);
            }
            else if (await exchange.Flow.FirstOf(source.Ready, exchange.Deadline(exchange.Timeouts.Idle / 2)) == Wake.Deadline)
            {
                return new Fault(FaultCause.Timeout, Side.Origin, Stage.Relay);
            }
        }
    }

    // RFC 9110 §10.2.3, in ms; a second where it does not say.
    private long RetryAfter()
    {
        var value = exchange.Response.Fields.First(KnownField.RetryAfter);
        if (Ascii.TryDecimal(value, out var seconds)) return Math.Clamp(seconds, 1, 3600) * 1000;
        return HttpDate.TryRead(value, out var date) ? (long)Math.Clamp((date - home.Loop.UtcNow).TotalMilliseconds, 1000, 3_600_000) : 1000;
    }
}
