// Fetches what a cache misses, in an exchange of its own: a client that is slow or leaves harms nobody who waits for the same.
// All clients, the first too, read from what is kept.
//
//   leased → a copy of the first client's request → fetched → kept: told, then the body is written as it comes
//                                                           → not to be kept: handed over to the first client, the others told
//
// Nobody's record: its first client's access record names who served it, and what it cost the upstream is counted as any exchange.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Runs one fill. Leased; reused; one loop.</summary>
internal sealed class Filler
{
    // Bytes kept before the others on the loop have their turn.
    private const long BytesPerTurn = 1 << 18;

    private static readonly KnownField[] OfOneClient = [KnownField.Range, KnownField.IfRange, KnownField.IfNoneMatch, KnownField.IfModifiedSince];

    private readonly CacheStage stage;
    private readonly Exchange exchange;
    private readonly FieldIndex index = new();
    private readonly FillClient client;
    private Fill fill = null!;
    private CachePlan plan = null!;
    private FillWait? leader;

    public Filler(CacheStage stage)
    {
        this.stage = stage;
        exchange = new Exchange(stage.Loop, stage.Buffers);
        client = new FillClient();
    }

    public Loop Loop => stage.Loop;

    /// <summary>Fetches for a request. Begins at once; what it brings is told by the fill.</summary>
    /// <returns>False where there is no room for the request's copy.</returns>
    public bool TryBegin(Fill begun, CachePlan by, ForwardPlan forward, FillWait first)
    {
        (fill, plan, leader) = (begun, by, first);
        var of = first.Exchange!;
        exchange.Begin(client, Loop.Microseconds());
        client.Of = of.Client;
        if (!exchange.Request.TryCopy(of.Request, index, exchange.Scratch))
        {
            GiveBack();
            return false;
        }

        (exchange.ClientAddress, exchange.Ends, exchange.IsFromTrustedProxy) = (of.ClientAddress, of.Ends, of.IsFromTrustedProxy);

        // What is fetched is for all: the whole, unconditionally, of the host as the key has it, and of nothing that the key does not tell.
        foreach (var field in OfOneClient) exchange.Request.Fields.Drop(field);
        if (!FillRequest.TryMake(exchange, by.Key, begun.Place.Url))
        {
            GiveBack();
            return false;
        }

        exchange.Moments.HeadRead = exchange.Moments.Begun;
        exchange.Timeouts = of.Timeouts;
        exchange.TotalDeadline = Timeouts.After(Loop.Now, of.Timeouts.Total);
        exchange.ResponsePolicies = of.ResponsePolicies; // For interim answers, which go to the first client.
        exchange.Place = of.Place;
        begun.Runner = this;
        first.Leads = this;
        RunAsync(forward).Detach();
        return true;
    }

    /// <summary>Its first client waits no longer.</summary>
    public void Forget(FillWait first)
    {
        if (leader != first) return;
        leader = null;
        client.Of = null;
    }

    /// <summary>Nobody waits for it any more. Any thread.</summary>
    public void Abandon(Fill abandoned) => Loop.Post(() =>
    {
        if (fill == abandoned && fill.State == FillState.Pending && !fill.IsWaitedFor) exchange.InterruptAll(new Fault(FaultCause.Closed, Side.Client, Stage.Wait));
    });

    /// <summary>Ends it.</summary>
    public void Stop() => exchange.InterruptAll(new Fault(FaultCause.Stopping, Side.Proxy, Stage.Relay));

    private async LoopTask RunAsync(ForwardPlan forward)
    {
        StoredResponse? response = null;
        try
        {
            var fault = await stage.FetchAsync(exchange, forward);
            var isHanded = false;
            if (!fault.IsNone)
            {
                fill.Tell(FillState.Failed, null, fault);
            }
            else
            {
                response = stage.TryKeep(exchange, fill, plan);
                if (response is null)
                {
                    isHanded = HandOver();
                    fill.Tell(FillState.Passed, null, default);
                    if (!isHanded) fault = new Fault(FaultCause.Closed, Side.Client, Stage.Relay);
                }
                else
                {
                    TellLeader();
                    fill.Tell(FillState.Kept, response, default);
                    fault = await FillBodyAsync(response.Body);
                    if (fault.IsNone) plan.Cache.Settle(response);
                    else plan.Cache.Remove(response);
                }
            }

            exchange.Fault = fault;
            if (!isHanded)
            {
                await Forwarder.FinishAsync(exchange, fault);
                exchange.Moments.Ended = Loop.Microseconds();
                stage.Record(exchange);
            }
        }
#pragma warning disable CA1031 // A background task's root: a bug ends this fill, is told, and harms no other exchange.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            fill.Tell(FillState.Failed, null, new Fault(FaultCause.Internal, Side.Proxy, Stage.Relay));
            if (response is not null)
            {
                response.Body.End(FaultCause.Internal);
                plan.Cache.Remove(response);
            }

            exchange.Origin?.Abort();
            exchange.Origin = null;
            stage.Report(bug);
        }

        response?.LetGo();
        plan.Cache.End(fill);
        GiveBack();
        stage.Return(this);
    }

    private async LoopTask<Fault> FillBodyAsync(StoredBody body)
    {
        if (!exchange.Response.HasBody)
        {
            body.End(FaultCause.None);
            return default;
        }

        var source = exchange.ResponseSource!;
        var turn = 0L;
        while (true)
        {
            var fault = exchange.Interruption;
            if (fault.IsNone)
            {
                var status = source.TryRead(out var piece);
                if (status == BodyStatus.Piece)
                {
                    body.Append(piece);
                    exchange.BytesOut += piece.Length;
                    turn += piece.Length;
                    source.Advance(piece.Length);
                    if (turn < BytesPerTurn) continue;
                    turn = 0;
                    await exchange.Flow.Yield();
                    continue;
                }

                if (status == BodyStatus.End)
                {
                    body.End(FaultCause.None);
                    return default;
                }

                if (status == BodyStatus.Broken)
                {
                    fault = Fault.Of(source.Failure, Side.Origin, Stage.Relay);
                }
                else
                {
                    var wake = await exchange.Flow.FirstOf(source.Ready, exchange.Deadline(exchange.Timeouts.Idle));
                    if (wake == Wake.First) continue;
                    fault = wake == Wake.Cancelled ? exchange.Interruption : new Fault(FaultCause.Timeout, Side.Origin, Stage.Relay);
                }
            }

            body.End(fault.Cause);
            return fault;
        }
    }

    // The origin's side becomes the first client's, with all that it was asked for.
    private bool HandOver()
    {
        if (leader is not { Exchange: { } to, Fill: not null }) return false;
        if (!to.Response.TryCopy(exchange.Response, leader.Index, to.Scratch)) return false;
        (to.Origin, exchange.Origin) = (exchange.Origin, null);
        to.ResponseSource = exchange.ResponseSource;
        to.Request.PathPrefix = exchange.Request.PathPrefix;
        (to.Ticket, exchange.Ticket) = (exchange.Ticket, to.Ticket);
        TellLeader();
        return true;
    }

    // Its record tells who served it.
    private void TellLeader()
    {
        if (leader is not { Exchange: { } to, Fill: not null }) return;
        to.Place = exchange.Place;
        to.Retries = exchange.Retries;
        (to.Moments.Queued, to.Moments.Connected, to.Moments.Answered) = (exchange.Moments.Queued, exchange.Moments.Connected, exchange.Moments.Answered);
    }

    private void GiveBack()
    {
        leader = null;
        client.Of = null;
        exchange.End();
    }
}
