// Getting a response from an origin: choose, connect, send, wait for the head; go again where that is safe. The request's
// body is sent by a second flow beside the wait. Delivering the response is the pipeline's next step.
//
// When an attempt fails:
//   no connection            → the next endpoint, any method, nothing was sent
//   reused connection dead before a byte was written → replaced silently, any method
//   reused connection dead after that, no byte of an answer → idempotent requests without a consumed body go again,
//                              not counted as retries; others get 502 (RFC 9110 §9.2.2)
//   anything later           → the fault is the answer

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;

namespace Weir.Engine.Forwarding;

/// <summary>Forwards on one loop.</summary>
public sealed class Forwarder(Connector connector)
{
    /// <summary>Brings a final response: afterwards the exchange has a response, a source and an origin.</summary>
    public async LoopTask<Fault> FetchAsync(Exchange exchange, ForwardPlan plan)
    {
        var tried = 0UL;
        var connects = 0;
        Endpoint? endpoint = null;
        while (true)
        {
            endpoint ??= plan.Upstream.Choose(ref tried, exchange);
            if (endpoint is null) return exchange.Fault.IsNone ? new Fault(FaultCause.NoEndpoint, Side.Proxy, Stage.Connect) : exchange.Fault;
            exchange.Place.Endpoint = endpoint.Name;
            exchange.Place.EndpointState = endpoint;
            SetHost(exchange, plan, endpoint);

            var mayReuse = !plan.SafeReuse || exchange.Request.IsIdempotent;
            var origin = mayReuse ? connector.TryTakeIdle(endpoint) : null;
            if (origin is null)
            {
                var lent = await connector.ConnectAsync(endpoint, exchange, !exchange.AnswersHalfClosed, exchange.Timeouts.Connect);
                if (lent.Stream is null)
                {
                    var fault = new Fault(lent.Cause, SideOf(lent.Cause), Stage.Connect);
                    if (!exchange.Interruption.IsNone) return exchange.Interruption;
                    if (!fault.MayRetry || connects++ >= plan.ConnectRetries) return fault;
                    exchange.Fault = fault; // Remembered in case nobody is left to ask.
                    exchange.Retries++;
                    endpoint = null;
                    continue;
                }

                origin = lent.Stream;
            }

            exchange.Fault = Fault.None;
            exchange.Origin = origin;
            exchange.Moments.Connected = exchange.Loop.Microseconds();
            var outcome = await AskAsync(exchange, origin);
            if (outcome.IsNone) return outcome;
            if (exchange.HasUpload) await StopUploadAsync(exchange);
            exchange.Origin = null;
            origin.Abort();
            if (outcome.Cause != FaultCause.StaleConnection) return outcome;
            var unwritten = outcome.Stage == Stage.Connect;
            if (!unwritten && (!exchange.Request.IsIdempotent || exchange.BytesIn > 0)) return outcome;
        }
    }

    /// <summary>Ends the origin's side of an exchange: the upload is stopped and the slot is given back.</summary>
    public static async LoopTask FinishAsync(Exchange exchange)
    {
        if (exchange.HasUpload) await StopUploadAsync(exchange);
        exchange.Origin?.Release();
        exchange.Origin = null;
    }

    // A flow that is not running waits, so cancelling it always ends it.
    private static async LoopTask StopUploadAsync(Exchange exchange)
    {
        exchange.HasUpload = false;
        exchange.UploadFlow.Cancel();
        await exchange.Upload;
    }

    private static async LoopTask<Fault> AskAsync(Exchange exchange, OriginStream origin)
    {
        var request = exchange.Request;
        if (origin.IsDead) return new Fault(FaultCause.StaleConnection, Side.Origin, Stage.Connect);
        if (!origin.StartRequest(request)) return new Fault(FaultCause.HeadTooLarge, Side.Client, Stage.Send);

        var deadline = exchange.Deadline(exchange.Timeouts.FirstByte);
        if (request.HasBody)
        {
            exchange.HasUpload = true;
            exchange.Upload = UploadAsync(exchange, origin);
        }
        else
        {
            SinkStatus sent;
            while ((sent = origin.RequestBody.TryFinish(null)) == SinkStatus.Wait)
            {
                var wake = await exchange.Flow.FirstOf(origin.RequestBody.Ready, exchange.Client.Gone, deadline);
                if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Send);
                if (wake != Wake.First) return Left(exchange, Stage.Send);
            }

            // A broken write is no verdict yet: an early answer may be there to be read.
            if (sent == SinkStatus.Broken && origin.IsReused && !origin.Readable.IsSet) return new Fault(FaultCause.StaleConnection, Side.Origin, Stage.Send);
        }

        exchange.Moments.Sent = exchange.Loop.Microseconds();
        var watchClient = true;
        while (true)
        {
            if (!exchange.Interruption.IsNone) return exchange.Interruption;
            switch (origin.TryReceiveHead(request, exchange.Response))
            {
                case HeadStatus.Done:
                    if (!exchange.Response.IsInterim)
                    {
                        exchange.Moments.Answered = exchange.Loop.Microseconds();
                        exchange.ResponseSource = origin.ResponseBody;
                        return Fault.None;
                    }

                    var passed = await PassInterimAsync(exchange);
                    if (!passed.IsNone) return passed;
                    deadline = exchange.Deadline(exchange.Timeouts.FirstByte);
                    continue;
                case HeadStatus.ClosedBefore:
                    return new Fault(origin.IsReused ? FaultCause.StaleConnection : FaultCause.Closed, Side.Origin, Stage.Wait);
                case HeadStatus.ClosedWithin:
                    return new Fault(FaultCause.Closed, Side.Origin, Stage.Wait);
                case HeadStatus.Malformed:
                    return new Fault(FaultCause.Malformed, Side.Origin, Stage.Wait);
            }

            // While the body is on its way the origin need not answer: its time begins when the request is whole.
            if (exchange.IsUploading) deadline = exchange.Deadline(exchange.Timeouts.FirstByte);
            var woken = watchClient
                ? await exchange.Flow.FirstOf(origin.Readable, exchange.Client.Gone, deadline)
                : await exchange.Flow.FirstOf(origin.Readable, deadline);
            if (woken == Wake.First) continue;
            if (woken == Wake.Second && exchange.KeepsServing(exchange.Client))
            {
                watchClient = false;
                continue;
            }

            if (woken != Wake.Deadline) return Left(exchange, Stage.Wait);
            if (!exchange.IsUploading) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait);
        }
    }

    private static async LoopTask<Fault> UploadAsync(Exchange exchange, OriginStream origin)
    {
        exchange.IsUploading = true;
        var fault = await Relay.SendRequestBodyAsync(exchange, exchange.Client.RequestBody, origin.RequestBody);
        exchange.IsUploading = false;
        if (!fault.IsNone) exchange.Interrupt(fault);
        return fault;
    }

    private static async LoopTask<Fault> PassInterimAsync(Exchange exchange)
    {
        if (!exchange.Client.SendInterim(exchange.Response)) return new Fault(FaultCause.HeadTooLarge, Side.Origin, Stage.Wait);
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
        exchange.Interruption.IsNone ? new Fault(FaultCause.Closed, Side.Client, stage) : exchange.Interruption;

    private static Side SideOf(FaultCause cause) => cause switch
    {
        FaultCause.Closed => Side.Client,
        FaultCause.Exhausted or FaultCause.NoEndpoint or FaultCause.Stopping => Side.Proxy,
        _ => Side.Origin,
    };

    private static void SetHost(Exchange exchange, ForwardPlan plan, Endpoint endpoint)
    {
        exchange.Request.ForwardedHost = plan.Host switch
        {
            HostMode.Endpoint => ByteRange.Of(endpoint.Authority),
            HostMode.Fixed => ByteRange.Of(plan.FixedHost),
            _ => exchange.Request.Authority,
        };
        exchange.Request.PathPrefix = endpoint.PathPrefix;
    }
}
