// A copy of a request, from the first look at it to the end of an exchange of its own. Nobody is at its client's end: what is
// answered is read and dropped, so that the connection can be kept, up to limits.
//
//   leased → watches the request being sent → copies its head → an exchange of its own → given back
//
// Not retried, and without a record; its upstream's counters and health are told of it as of any exchange.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Wire.Fields;

namespace Weir.Engine.Mirroring;

/// <summary>One mirrored request. Leased; reused; one loop.</summary>
internal sealed class Shadow : RequestTap
{
    /// <summary>Tells an origin that this is a copy.</summary>
    public static readonly ByteRange MarkName = ByteRange.Of("X-Mirrored"u8.ToArray());

    private static readonly ByteRange MarkValue = ByteRange.Of("1"u8.ToArray());

    // What the relay says where its client takes no more.
    private static readonly Fault HadEnough = new(FaultCause.Closed, Side.Client, Stage.Relay);

    // How long (ms) an answer is read for the sake of its connection, once its head has come.
    private const long MostReading = 10_000;

    private readonly Mirrors mirrors;
    private readonly Exchange exchange;
    private readonly FieldIndex index = new();
    private readonly Nobody client = new();
    private readonly Action run;
    private MirrorPlan plan = null!;
    private MirrorBlock counts = null!;
    private Chunk? body;
    private bool isOnItsOwn;

    public Shadow(Mirrors mirrors)
    {
        this.mirrors = mirrors;
        exchange = new Exchange(mirrors.Loop, mirrors.Buffers);
        run = () => RunAsync().Detach();
    }

    public void Begin(MirrorPlan by, MirrorBlock countedIn)
    {
        (plan, counts) = (by, countedIn);
        counts.Active++;
    }

    public override void Passed(Exchange of, ReadOnlySpan<byte> piece)
    {
        if (piece.IsEmpty) return;
        var outcome = Keep(of.Request, piece);
        if (outcome is null) return;
        of.Tap = null;
        End(outcome.Value);
    }

    public override void Sent(Exchange of)
    {
        if (!TryCopy(of))
        {
            End(MirrorOutcome.Exhausted);
            return;
        }

        isOnItsOwn = true;
        mirrors.Loop.Ready(run); // Never inline: what is watched goes on first.
    }

    public override void Lost() => End(MirrorOutcome.Incomplete);

    /// <summary>Ends its exchange, where it has come so far. What is still watched ends with whoever it watches.</summary>
    public void Stop()
    {
        if (isOnItsOwn) exchange.InterruptAll(new Fault(FaultCause.Stopping, Side.Proxy, Stage.Relay));
    }

    private async LoopTask RunAsync()
    {
        try
        {
            Open();
            var fault = exchange.Interruption;
            if (fault.IsNone) fault = await mirrors.Forwarder.FetchAsync(exchange, plan.Forward);
            if (fault.IsNone) fault = await ReadAwayAsync();
            await Forwarder.FinishAsync(exchange, fault);
            if (fault != HadEnough) exchange.Fault = fault;
            exchange.Moments.Ended = mirrors.Loop.Microseconds();
            mirrors.Record(exchange);
            End(exchange.Fault.IsNone ? MirrorOutcome.Answered : MirrorOutcome.Failed);
        }
#pragma warning disable CA1031 // A background task's root: a bug ends this copy, is told, and harms no exchange.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            if (exchange.HasUpload) exchange.UploadFlow.Cancel();
            exchange.Origin?.Abort();
            GiveBack();
            counts.Active--;
            mirrors.Abandon(this, bug);
        }
    }

    private void Open()
    {
        var loop = mirrors.Loop;
        exchange.Begin(client, loop.Microseconds());
        exchange.Moments.HeadRead = exchange.Moments.Begun;
        exchange.Timeouts = plan.Timeouts;
        exchange.TotalDeadline = Timeouts.After(loop.Now, plan.Timeouts.Total);
        exchange.Place.Upstream = plan.Forward.Upstream.Name;
        exchange.Place.UpstreamState = plan.Forward.Upstream;
        client.Open(body is null ? default : body.Bytes.AsMemory(0, body.End));
    }

    // An answer that is long, or never ends, costs its connection and is nobody's fault.
    private async LoopTask<Fault> ReadAwayAsync()
    {
        client.StartResponse(exchange.Response, exchange.Request);
        var until = mirrors.Loop.Now + MostReading;
        var isOurs = until < exchange.TotalDeadline;
        if (isOurs) exchange.TotalDeadline = until;
        var fault = await Relay.SendResponseAsync(exchange, exchange.ResponseSource!, client.ResponseBody);
        return isOurs && fault.Cause == FaultCause.Timeout && mirrors.Loop.Now >= until ? HadEnough : fault;
    }

    private bool TryCopy(Exchange of)
    {
        var request = exchange.Request;
        if (!request.TryCopy(of.Request, index, exchange.Scratch)) return false;
        request.Fields.Set(KnownField.Other, MarkName, MarkValue);
        (request.HasBody, request.BodyLength) = (of.Request.HasBody, of.Request.BodyLength); // Framed as it came.
        (exchange.ClientAddress, exchange.Ends) = (of.ClientAddress, of.Ends);
        return true;
    }

    // In one block, of the body's size where that is known.
    private MirrorOutcome? Keep(Request request, ReadOnlySpan<byte> piece)
    {
        var length = (body?.Length ?? 0) + piece.Length;
        if (length > plan.MostBody) return MirrorOutcome.TooLarge;
        if (body is null || body.Free.Length < piece.Length)
        {
            if (mirrors.Buffers.TryLease((int)Math.Max(length, request.BodyLength)) is not { } larger) return MirrorOutcome.Exhausted;
            if (body is not null)
            {
                body.Filled.CopyTo(larger.Bytes);
                larger.End = body.Length;
                mirrors.Buffers.Return(body);
            }

            body = larger;
        }

        piece.CopyTo(body.Free);
        body.End += piece.Length;
        return null;
    }

    private void End(MirrorOutcome outcome)
    {
        counts.Count(outcome);
        counts.Active--;
        GiveBack();
        mirrors.Return(this);
    }

    private void GiveBack()
    {
        isOnItsOwn = false;
        client.Close();
        exchange.End();
        if (body is not null) mirrors.Buffers.Return(body);
        body = null;
    }
}
