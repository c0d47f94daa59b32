// Getting a response from an origin: choose, connect, send, wait for the head; go again where that is safe. The request's
// body is sent by a second flow beside the wait. Delivering the response is the pipeline's next step.
//
// When an attempt fails:
//   no connection            → the next endpoint, any method, nothing was sent
//   reused connection dead before a byte was written → replaced silently, any method
//   reused connection dead after that, no byte of an answer → requests that may be sent again go again, once and on a fresh
//                              connection, not counted as retries; others get 502 (RFC 9110 §9.2.2)
//   reset, silence, a status of the plan's → the next endpoint, where the request may be sent again and the budget allows it
//   anything later           → the fault is the answer
//
// Where no answer comes in its time, a second endpoint may be asked beside the first (Hedge).
// Where the upstream has limits each attempt begins with a slot of its endpoint, for which it may have to wait.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;

namespace Weir.Engine.Forwarding;

/// <summary>Forwards on one loop.</summary>
public sealed class Forwarder(Connector connector, ReplayBodies replays)
{
    // Of an answer that is no use; more is cut off.
    private const int MostDiscarded = 1 << 16;

    private readonly Stack<Hedge> hedges = new();

    /// <summary>Brings a final response: afterwards the exchange has a response, a source and an origin.</summary>
    public async LoopTask<Fault> FetchAsync(Exchange exchange, ForwardPlan plan)
    {
        var attempt = new Attempt();
        if (!plan.Upstream.Breaker.Admits(exchange.Loop.Now)) return Refused(exchange, plan, FaultCause.BreakerOpen);
        plan.Upstream.Retries.Begin(exchange.Loop.Index);
        if (plan.Hedge is not null) plan.Upstream.Hedges.Begin(exchange.Loop.Index);
        if (exchange.Request.HasBody && exchange.Request.IsIdempotent && plan.Retry is { Attempts: > 0, Buffer: > 0 } retry) exchange.Replay = replays.Lease(exchange.LiveBody, retry.Buffer, retry.BufferDisk, retry.Folder);
        await exchange.Flow.AfterOthers();
        while (true)
        {
            // Choose, and take or make a connection.
            if (plan.Upstream.Gate is { } gate)
            {
                var entry = await gate.EnterAsync(exchange, attempt.Endpoint, plan.Priority);
                if (entry.Endpoint is null) return Refused(exchange, plan, entry.Cause);
                attempt.Endpoint = entry.Endpoint;
            }

            if (!attempt.Choose(exchange, plan)) return Refused(exchange, plan, FaultCause.NoEndpoint);
            var origin = attempt.MayReuse(exchange, plan) ? connector.TryTakeIdle(attempt.Endpoint!) : null;
            if (origin is null)
            {
                var lent = await connector.ConnectAsync(attempt.Endpoint!, exchange, exchange.Flow, exchange.AnswersHalfClosed ? null : exchange.Client.Gone, Math.Min(exchange.Timeouts.Connect, plan.Retry.PerTry));
                exchange.Moments.Connected = exchange.Loop.Microseconds();
                if (lent.Stream is null)
                {
                    Gate.LeaveEndpoint(exchange);
                    var refused = ConnectFault(exchange, lent.Cause);
                    if (refused.Side == Side.Origin) plan.Upstream.Tell(attempt.Endpoint!, refused.Told, exchange.Loop.Now);
                    if (!attempt.Next(exchange, plan, refused)) return refused;
                    continue;
                }

                origin = lent.Stream;
            }

            // Send, and wait for the head of a final response.
            exchange.Origin = origin;
            if (exchange.Moments.Connected == 0) exchange.Moments.Connected = exchange.Moments.HeadRead + exchange.Moments.Queued;
            var outcome = Send(exchange, origin, out var isSent);
            if (outcome.IsNone && !isSent) outcome = await FinishSendingAsync(exchange, origin);
            if (!exchange.HasUpload) exchange.SentAt = exchange.Loop.Now;
            if (!exchange.HasUpload && outcome.IsNone) exchange.RequestSent();
            var watchClient = true;
            while (outcome.IsNone)
            {
                outcome = exchange.Interruption.IsNone ? exchange.Stalled : exchange.Interruption;
                if (!outcome.IsNone) break;
                var status = origin.TryReceiveHead(exchange.Request, exchange.Response);
                if (status == HeadStatus.Wait && plan.Hedge is not null && attempt.MayHedge(exchange))
                {
                    var hedge = hedges.TryPop(out var used) ? used : new Hedge(connector);
                    (var winner, var by, outcome, var wasTwice) = await hedge.RaceAsync(exchange, plan, attempt.Endpoint!);
                    hedges.Push(hedge);
                    attempt.Hedged(by, wasTwice);
                    if (winner is null) break;
                    (origin, status) = (winner, HeadStatus.Done);
                }

                if (status == HeadStatus.Done)
                {
                    if (!exchange.Response.IsInterim)
                    {
                        exchange.Moments.Answered = exchange.Loop.Microseconds();
                        if (plan.Upstream.MeasuresLatency) TellLatency(exchange, plan.Upstream, attempt.Endpoint!);
                        exchange.ResponseSource = origin.ResponseBody;
                        if (plan.Retry.Statuses.Contains(exchange.Response.Status) && attempt.Next(exchange, plan)) break;
                        exchange.Replay?.StopRecording();
                        await exchange.Flow.AfterOthers();
                        return Fault.None;
                    }

                    outcome = await PassInterimAsync(exchange);
                }
                else if (status == HeadStatus.Wait)
                {
                    var deadline = ResponseDeadline(exchange, plan);
                    var wake = watchClient
                        ? await exchange.Flow.FirstOf(origin.Readable, exchange.Client.Gone, deadline)
                        : await exchange.Flow.FirstOf(origin.Readable, deadline);
                    if (wake == Wake.First) continue;
                    if (wake == Wake.Second && exchange.KeepsServing(exchange.Client)) watchClient = false;
                    else if (wake != Wake.Deadline) outcome = Left(exchange, Stage.Wait);
                    else if (exchange.Loop.Now >= ResponseDeadline(exchange, plan)) outcome = new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait);
                }
                else
                {
                    outcome = HeadFault(origin, status);
                }
            }

            // This attempt failed: give the slot back, and go again only where that is safe.
            if (exchange.HasUpload) await StopUploadAsync(exchange);
            var isTold = exchange.Origin is null; // Of an attempt that lost its race.
            GiveBack(exchange, origin, isWhole: outcome.IsNone);
            if (outcome.IsNone) TellStatus(exchange);
            else if (!isTold && outcome.Side == Side.Origin && outcome.Cause != FaultCause.StaleConnection && !WasCutShort(exchange, outcome)) TellFailure(exchange, Told(exchange, origin, outcome));
            if (Attempt.MayGoAgain(exchange, outcome))
            {
                attempt.WasStale(exchange, plan, outcome);
            }
            else
            {
                Gate.LeaveEndpoint(exchange);
                if (!outcome.IsNone && !attempt.Next(exchange, plan, outcome)) return outcome;
            }
            exchange.Rewind();
            if (attempt.BackOff(exchange, plan) is var until and > 0 && await WaitAsync(exchange, until) is { IsNone: false } left) return left;
        }
    }

    /// <summary>
    /// Ends the origin's side of an exchange. After a whole response that came early, a body still under way goes on to an
    /// origin that still reads it; one that waits for a 100 will never come, and any other is stopped. Then the slot is given back.
    /// </summary>
    public static LoopTask FinishAsync(Exchange exchange, Fault fault)
    {
        if (exchange.Origin is not null) TellOutcome(exchange, fault);
        if (exchange.HasUpload) return EndUploadAsync(exchange, fault.IsNone);
        Release(exchange);
        return default;
    }

    /// <summary>Lets go of the origin within its answer: the rest is fetched otherwise. The response must not lie in its buffer any more.</summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="failure">What the origin did, in words; null: nothing.</param>
    public static void LetGo(Exchange exchange, string? failure)
    {
        if (failure is not null) TellFailure(exchange, failure);
        else TellOutcome(exchange, Fault.None);
        exchange.Origin!.Abort();
        exchange.Origin = null;
        Gate.LeaveEndpoint(exchange);
    }

    // Only an exchange that has come to its end says that its endpoint is well: a head is soon sent.
    private static void TellOutcome(Exchange exchange, Fault fault)
    {
        if (WasCutShort(exchange, fault)) return;
        if (!fault.IsNone && fault.Side == Side.Origin) TellFailure(exchange, fault.Told);
        else if (!TellStatus(exchange) && fault.IsNone) ((Upstream)exchange.Place.UpstreamState!).Tell((Endpoint)exchange.Place.EndpointState!, null, exchange.Loop.Now);
    }

    // Those before it used up the time of the exchange: of who was asked last that says nothing, and must not speak for them.
    private static bool WasCutShort(Exchange exchange, Fault fault) => fault.Cause == FaultCause.Timeout && exchange.Retries > 0 && exchange.Loop.Now >= exchange.TotalDeadline;

    // Where the status is a failure; one after which another is asked need not be.
    private static bool TellStatus(Exchange exchange)
    {
        if (!(((Endpoint)exchange.Place.EndpointState!).Settings.Passive?.Statuses ?? StatusSet.Unavailable).Contains(exchange.Response.Status)) return false;
        TellFailure(exchange, $"it answered {exchange.Response.Status}");
        return true;
    }

    private static void TellFailure(Exchange exchange, string failure) => ((Upstream)exchange.Place.UpstreamState!).Tell((Endpoint)exchange.Place.EndpointState!, failure, exchange.Loop.Now);

    // Where the origin says why, as one does that misses a certificate of ours, it is told.
    private static string Told(Exchange exchange, OriginStream origin, Fault fault)
    {
        if (origin.Trouble is not { Length: > 0 } why) return fault.Told;
        ((Upstream)exchange.Place.UpstreamState!).Errors?.Warn("upstream", $"{exchange.Place.Endpoint}: {fault.Told}: {why}");
        return $"{fault.Told}: {why}";
    }

    // What is left of an answer that nobody wants is read where it is there already, so that the connection can be kept.
    private static void GiveBack(Exchange exchange, OriginStream origin, bool isWhole)
    {
        exchange.Origin = null;
        if (isWhole)
        {
            for (var read = 0; read < MostDiscarded && origin.ResponseBody.TryRead(out var piece) == BodyStatus.Piece; read += piece.Length) origin.ResponseBody.Advance(piece.Length);
            origin.Release();
        }
        else
        {
            origin.Abort();
        }
    }

    private static async LoopTask<Fault> WaitAsync(Exchange exchange, long until)
    {
        while (exchange.Interruption.IsNone)
        {
            var wake = exchange.AnswersHalfClosed
                ? await exchange.Flow.Until(Math.Min(until, exchange.TotalDeadline))
                : await exchange.Flow.FirstOf(exchange.Client.Gone, Math.Min(until, exchange.TotalDeadline));
            if (wake == Wake.Deadline) return exchange.Loop.Now < exchange.TotalDeadline ? Fault.None : new Fault(FaultCause.Timeout, Side.Origin, Stage.Connect);
            if (wake == Wake.First) break;
        }

        return Left(exchange, Stage.Connect);
    }

    private static async LoopTask EndUploadAsync(Exchange exchange, bool whole)
    {
        if (whole && !exchange.AwaitsContinue && exchange.Origin is { EndsAfterThis: false })
        {
            exchange.HasUpload = false;
            await exchange.Upload;
        }
        else
        {
            await StopUploadAsync(exchange);
        }

        Release(exchange);
    }

    private static void Release(Exchange exchange)
    {
        exchange.Origin?.Release();
        exchange.Origin = null;
        if (exchange.Ticket is { Owner: { } gate } ticket) gate.Return(ticket);
    }

    // A flow that is not running waits, so cancelling it always ends it.
    private static async LoopTask StopUploadAsync(Exchange exchange)
    {
        exchange.HasUpload = false;
        exchange.UploadFlow.Cancel();
        await exchange.Upload;
    }

    /// <summary>Makes the request one for an endpoint.</summary>
    internal static void Address(Exchange exchange, ForwardPlan plan, Endpoint endpoint)
    {
        exchange.Place.Endpoint = endpoint.Name;
        exchange.Place.EndpointState = endpoint;
        var request = exchange.Request;
        request.PathPrefix = endpoint.PathPrefix;
        request.ForwardedHost = plan.Host switch
        {
            HostMode.Endpoint => ByteRange.Of(endpoint.Authority),
            HostMode.Usual when endpoint.WantsOwnHost => ByteRange.Of(endpoint.Authority),
            HostMode.Fixed => ByteRange.Of(plan.FixedHost),
            // A client of HTTP/1.0 need not name a host; an origin refuses a request without one.
            _ => request.Authority.IsEmpty ? ByteRange.Of(endpoint.Authority) : request.Authority,
        };
    }

    // Puts the request on its way; not sent: the kernel has not taken all of the head yet.
    private static Fault Send(Exchange exchange, OriginStream origin, out bool isSent)
    {
        isSent = true;
        var request = exchange.Request;
        if (origin.IsReused && origin.IsDead) return new Fault(FaultCause.StaleConnection, Side.Origin, Stage.Connect);
        var refused = origin.StartRequest(request);
        if (refused != FaultCause.None) return Fault.Of(refused, Side.Client, Stage.Send);
        exchange.SentAt = exchange.Loop.Now;
        if (request.HasBody)
        {
            exchange.HasUpload = true;
            exchange.AwaitsContinue = request.ExpectsContinue && !request.Fields.First(KnownField.Expect).IsEmpty; // Not where it was taken out.
            exchange.Upload = UploadAsync(exchange, origin);
            return Fault.None;
        }

        var sent = origin.RequestBody.TryFinish(null);
        isSent = sent != SinkStatus.Wait;
        // A broken write is no verdict yet: an early answer may be there to be read.
        return sent == SinkStatus.Broken && origin.IsReused && !origin.Readable.IsSet ? new Fault(FaultCause.StaleConnection, Side.Origin, Stage.Send) : Fault.None;
    }

    private static async LoopTask<Fault> FinishSendingAsync(Exchange exchange, OriginStream origin)
    {
        var deadline = exchange.Deadline(exchange.Timeouts.FirstByte);
        var watchClient = true;
        while (origin.RequestBody.TryFinish(null) == SinkStatus.Wait)
        {
            var wake = watchClient
                ? await exchange.Flow.FirstOf(origin.RequestBody.Ready, exchange.Client.Gone, deadline)
                : await exchange.Flow.FirstOf(origin.RequestBody.Ready, deadline);
            if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Send);
            if (wake == Wake.Second && exchange.KeepsServing(exchange.Client)) watchClient = false;
            else if (wake != Wake.First) return Left(exchange, Stage.Send);
        }

        return Fault.None;
    }

    private static async LoopTask<Fault> UploadAsync(Exchange exchange, OriginStream origin)
    {
        exchange.IsUploading = true;
        var fault = await Relay.SendRequestBodyAsync(exchange, exchange.RequestBody, origin.RequestBody);
        exchange.IsUploading = false;
        exchange.SentAt = exchange.Loop.Now;
        if (fault.Side == Side.Origin) exchange.Stall(fault);
        else if (!fault.IsNone) exchange.Interrupt(fault);
        return fault;
    }

    private static async LoopTask<Fault> PassInterimAsync(Exchange exchange)
    {
        if (exchange.Response.Status == 100) exchange.AwaitsContinue = false;
        exchange.SentAt = exchange.Loop.Now; // An origin that says it is at work has its time anew.
        foreach (var policy in exchange.ResponsePolicies) policy.ApplyInterim(exchange);
        var refused = exchange.Client.SendInterim(exchange.Response);
        if (refused != FaultCause.None) return Fault.Of(refused, Side.Origin, Stage.Wait);
        while (exchange.Client.ResponseBody.TryFlush() is var sent && sent != SinkStatus.Done)
        {
            if (sent == SinkStatus.Broken) return new Fault(FaultCause.Closed, Side.Client, Stage.Wait);
            var wake = await exchange.Flow.FirstOf(exchange.Client.ResponseBody.Ready, exchange.Deadline(exchange.Timeouts.Write));
            if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Client, Stage.Wait);
            if (wake == Wake.Cancelled) return exchange.Interruption;
        }

        return Fault.None;
    }

    private static Fault Left(Exchange exchange, Stage stage) =>
        !exchange.Interruption.IsNone ? exchange.Interruption : !exchange.Stalled.IsNone ? exchange.Stalled : new Fault(FaultCause.Closed, Side.Client, stage);

    // Nothing was attempted: a time that ran out is nobody's but the queue's.
    private static Fault Refused(Exchange exchange, ForwardPlan plan, FaultCause cause)
    {
        switch (cause)
        {
            case FaultCause.Closed:
                return Left(exchange, Stage.Queue);
            case FaultCause.QueueFull or FaultCause.QueueTimeout:
                exchange.RetryAfter = plan.Upstream.Settings.Bounds?.QueueTimeout ?? 0;
                return new Fault(cause, Side.Proxy, Stage.Queue);
            default:
                if (cause == FaultCause.BreakerOpen) exchange.RetryAfter = plan.Upstream.Breaker.OpenFor(exchange.Loop.Now);
                return new Fault(cause, Side.Proxy, Stage.Connect);
        }
    }

    private static Side SideOf(FaultCause cause) => cause switch
    {
        FaultCause.Closed => Side.Client,
        FaultCause.Exhausted or FaultCause.NoEndpoint or FaultCause.QueueTimeout or FaultCause.Stopping => Side.Proxy,
        _ => Side.Origin,
    };

    private static Fault ConnectFault(Exchange exchange, FaultCause cause) =>
        exchange.Interruption.IsNone ? new Fault(cause, SideOf(cause), Stage.Connect) : exchange.Interruption;

    // When the head must have come: counted from the request's end, so that neither an upload nor a head that drips in uses up
    // or stretches the origin's time. While a body is under way the origin may wait for all of it.
    private static long ResponseDeadline(Exchange exchange, ForwardPlan plan)
    {
        var since = exchange.IsUploading && !exchange.AwaitsContinue ? exchange.Loop.Now + 1 : exchange.SentAt;
        return Math.Min(Exchanges.Timeouts.After(since, Math.Min(exchange.Timeouts.FirstByte, plan.Retry.PerTry)), exchange.TotalDeadline);
    }

    // Counted from the request's end: an upload's time is the client's.
    private static void TellLatency(Exchange exchange, Upstream upstream, Endpoint endpoint)
    {
        var took = exchange.Moments.Answered - Math.Max(exchange.Moments.Connected, exchange.SentAt * 1000);
        endpoint.Answered(took, exchange.Loop.Now);
        upstream.Latencies?.Tell(took);
    }

    internal static Fault HeadFault(OriginStream origin, HeadStatus status) => status switch
    {
        HeadStatus.Exhausted => new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Wait),
        HeadStatus.Malformed => new Fault(FaultCause.Malformed, Side.Origin, Stage.Wait),
        HeadStatus.ClosedBefore when origin.IsReused => new Fault(FaultCause.StaleConnection, Side.Origin, Stage.Wait),
        _ => new Fault(FaultCause.Closed, Side.Origin, Stage.Wait),
    };
}
