// A request that is slow to be answered is sent to a second endpoint too; the first head that comes wins, and the other
// attempt is dropped. Only for requests that may be sent twice and have no body: the flow that would send one connects to
// the second endpoint here.
//
//   wait for the first until its time → choose a second, connect and send beside the wait → wait for either

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;

namespace Weir.Engine.Forwarding;

/// <summary>Who answered first; or, without a winner, why nobody did; and whether a second one was asked at all.</summary>
internal readonly record struct HedgeOutcome(OriginStream? Winner, Endpoint? Endpoint, Fault Fault, bool WasTwice);

/// <summary>The race of two attempts of one exchange, used again for the next. One loop.</summary>
internal sealed class Hedge(Connector connector)
{
    // What is waited for where there is nothing to wait for.
    private readonly Signal nothing = new();
    private readonly Signal nobody = new();
    private readonly Signal sent = new();
    private Exchange exchange = null!;
    private ForwardPlan plan = null!;
    private Attempted first;
    private Attempted second;
    private bool isSending;
    private Fault failed;

    /// <summary>Whether an exchange may be asked twice.</summary>
    public static bool May(Exchange exchange) => exchange.MayBeSentAgain && !exchange.Request.HasBody && !exchange.Request.WantsUpgrade;

    /// <summary>
    /// Waits for the head of a final or an interim response; the exchange's response is filled then. The loser is dropped, and
    /// told of where it failed; so is everybody where there is no winner.
    /// </summary>
    /// <param name="of">The exchange; its request has been sent to its origin.</param>
    /// <param name="by">How.</param>
    /// <param name="asked">Who was asked.</param>
    public async LoopTask<HedgeOutcome> RaceAsync(Exchange of, ForwardPlan by, Endpoint asked)
    {
        (exchange, plan) = (of, by);
        first = new Attempted { Endpoint = asked, Stream = of.Origin, SentAt = of.SentAt };
        second = default;
        failed = Fault.None;
        sent.Clear();
        var (hedgeAt, watchesClient) = (HedgeAt(), true);
        LoopTask sending = default;
        OriginStream? winner;
        while ((winner = Look(ref first) ?? (isSending ? null : Look(ref second))) is null)
        {
            if (!exchange.Interruption.IsNone || (first.Stream is null && second.Stream is null && !isSending)) break;
            if (first.Stream is not null && exchange.Loop.Now >= hedgeAt)
            {
                hedgeAt = Timeouts.None;
                if (TryChoose()) sending = SendAsync();
                continue;
            }

            var wake = await exchange.Flow.FirstOf(
                first.Stream?.Readable ?? nothing, isSending || second.Stream is null ? sent : second.Stream.Readable, watchesClient ? exchange.Client.Gone : nobody, Math.Min(hedgeAt, Deadline()));
            if (wake == Wake.Second) sent.Clear();
            else if (wake == Wake.Third && exchange.KeepsServing(exchange.Client)) watchesClient = false;
            else if (wake is Wake.Third or Wake.Cancelled) failed = exchange.Interruption.IsNone ? new Fault(FaultCause.Closed, Side.Client, Stage.Wait) : exchange.Interruption;
            if (failed.Side != Side.Origin && !failed.IsNone) break;
        }

        if (isSending) exchange.UploadFlow.Cancel();
        if (second.Endpoint is not null) await sending;
        return End(winner);
    }

    private HedgeOutcome End(OriginStream? winner)
    {
        var by = winner == first.Stream ? first : second;
        if (winner is not null && winner != first.Stream)
        {
            plan.Upstream.HedgeWon();
            exchange.SentAt = by.SentAt;
            // How long it would have taken is not known; but no less than this.
            if (first.Stream is not null && plan.Upstream.MeasuresLatency) first.Endpoint!.Answered((exchange.Loop.Now - first.SentAt) * 1000, exchange.Loop.Now);
        }

        if (first.Stream != winner) first.Stream?.Abort();
        if (second.Stream != winner) second.Stream?.Abort();
        Gate.LeaveBeside(exchange, secondStays: winner is not null && winner != first.Stream);
        if (winner is not null) Forwarder.Address(exchange, plan, by.Endpoint!);
        exchange.Origin = winner;
        var outcome = new HedgeOutcome(winner, winner is null ? null : by.Endpoint, winner is not null ? Fault.None : !exchange.Interruption.IsNone ? exchange.Interruption : failed, second.Endpoint is not null);
        (first, second) = (default, default);
        (exchange, plan) = (null!, null!);
        return outcome;
    }

    // Looks for a head; who has failed, or is out of time, is dropped.
    private OriginStream? Look(ref Attempted at)
    {
        if (at.Stream is null) return null;
        var status = at.Stream.TryReceiveHead(exchange.Request, exchange.Response);
        if (status == HeadStatus.Done) return at.Stream;
        if (status == HeadStatus.Wait && exchange.Loop.Now < Deadline(at)) return null;
        failed = status == HeadStatus.Wait ? new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait) : Forwarder.HeadFault(at.Stream, status);
        if (failed.Side == Side.Origin && failed.Cause != FaultCause.StaleConnection) plan.Upstream.Tell(at.Endpoint!, failed.Told, exchange.Loop.Now);
        at.Stream.Abort();
        at.Stream = null;
        return null;
    }

    private long HedgeAt()
    {
        var hedge = plan.Hedge!;
        if (hedge.Percentile == 0) return Timeouts.After(exchange.SentAt, hedge.After);
        var usual = plan.Upstream.Latencies?.Now ?? 0;
        return usual == 0 ? Timeouts.None : Timeouts.After(exchange.SentAt, (long)Math.Ceiling(usual / 1000));
    }

    private long Deadline() => Math.Min(first.Stream is null ? Timeouts.None : Deadline(first), isSending || second.Stream is null ? Timeouts.None : Deadline(second));

    private long Deadline(in Attempted at) => Math.Min(Timeouts.After(at.SentAt, Math.Min(exchange.Timeouts.FirstByte, plan.Retry.PerTry)), exchange.TotalDeadline);

    private bool TryChoose()
    {
        var upstream = plan.Upstream;
        if (upstream.Choose(exchange) is not { } endpoint) return false;
        if (!endpoint.IsAvailable || !MayAsk(upstream, endpoint))
        {
            exchange.Tried.RemoveLast(); // It is still there to be asked when the first fails.
            return false;
        }

        upstream.Hedged();
        second = new Attempted { Endpoint = endpoint };
        isSending = true;
        return true;
    }

    private bool MayAsk(Upstream upstream, Endpoint endpoint)
    {
        if (upstream.Gate is { } gate && !gate.TryEnterBeside(exchange, endpoint)) return false;
        if (upstream.Hedges.TryTake(exchange.Loop.Now, plan.Hedge!.MostPercent)) return true;
        Gate.LeaveBeside(exchange, secondStays: false);
        return false;
    }

    private async LoopTask SendAsync()
    {
        var endpoint = second.Endpoint!;
        var stream = connector.TryTakeIdle(endpoint) ?? (await connector.ConnectAsync(endpoint, exchange, exchange.UploadFlow, null, Math.Min(exchange.Timeouts.Connect, plan.Retry.PerTry))).Stream;
        if (stream is not null)
        {
            Forwarder.Address(exchange, plan, endpoint);
            var isWell = stream.StartRequest(exchange.Request) == FaultCause.None;
            while (isWell && stream.RequestBody.TryFinish(null) == SinkStatus.Wait)
            {
                isWell = await exchange.UploadFlow.FirstOf(stream.RequestBody.Ready, exchange.Deadline(exchange.Timeouts.FirstByte)) == Wake.First;
            }

            if (!isWell)
            {
                stream.Abort();
                stream = null;
            }
        }

        (second.Stream, second.SentAt) = (stream, exchange.Loop.Now);
        isSending = false;
        sent.RaiseLater();
    }

    /// <summary>One endpoint's part in the race.</summary>
    private struct Attempted
    {
        public Endpoint? Endpoint;
        public OriginStream? Stream;
        public long SentAt;
    }
}
