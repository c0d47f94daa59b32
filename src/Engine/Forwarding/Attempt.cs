// Who is asked, and who next: whether what failed may go again, whether the plan and the budget allow it, where to, and when.

using Weir.Engine.Exchanges;
using Weir.Engine.Upstreams;

namespace Weir.Engine.Forwarding;

/// <summary>What has been tried so far in an exchange. Part of its flow.</summary>
internal struct Attempt
{
    private int retries;
    private bool onFresh;
    private bool isLater;
    private bool wasHedged;

    public Endpoint? Endpoint { get; set; }

    // A stale connection's endpoint is asked again; a failed one's successor is.
    public bool Choose(Exchange exchange, ForwardPlan plan)
    {
        Endpoint ??= plan.Upstream.Choose(exchange);
        if (Endpoint is null) return false;
        exchange.Retries = retries;
        Forwarder.Address(exchange, plan, Endpoint);
        return true;
    }

    /// <summary>Goes over to another endpoint, where one may and there is one: after a fault, or after an answer that is no use.</summary>
    public bool Next(Exchange exchange, ForwardPlan plan, Fault fault = default)
    {
        var nothingSent = fault is { Stage: Stage.Connect };
        if (retries >= plan.Retry.Attempts || !exchange.Interruption.IsNone) return false;
        if (!fault.IsNone && (CauseOf(fault) & plan.Retry.On) == 0) return false;
        if (!nothingSent && !exchange.MayBeSentAgain) return false;
        if (exchange.Loop.Now >= exchange.TotalDeadline) return false;
        // Where those that are left have no room one waits for them; not where there is an answer, such as it is.
        var next = plan.Upstream.Choose(exchange, out var isFull);
        if (next is null && (!isFull || fault.IsNone)) return false;
        if (!nothingSent && !plan.Upstream.Retries.TryTake(exchange.Loop.Now, plan.Retry.BudgetPercent)) return false;
        isLater = retries++ > 0 && !nothingSent;
        (Endpoint, onFresh) = (next, false);
        return true;
    }

    public readonly bool MayHedge(Exchange exchange) => !wasHedged && Hedge.May(exchange);

    /// <summary>An exchange is asked twice once, though an interim response may have ended a race of one; by whom it was answered goes on.</summary>
    public void Hedged(Endpoint? winner, bool wasTwice)
    {
        wasHedged |= wasTwice;
        Endpoint = winner ?? Endpoint;
    }

    /// <summary>The moment before which it does not go on; 0: at once.</summary>
    public long BackOff(Exchange exchange, ForwardPlan plan)
    {
        if (!isLater) return 0;
        isLater = false;
        var most = Math.Min(plan.Retry.MostBackOff, plan.Retry.BackOff << Math.Min(retries - 2, 20));
        return most == 0 ? 0 : exchange.Loop.Now + exchange.Loop.Random.NextInt64(most / 2, most + 1);
    }

    public readonly bool MayReuse(Exchange exchange, ForwardPlan plan) => !onFresh && (!plan.SafeReuse || exchange.Request.IsIdempotent);

    // A stale connection is not the endpoint's fault. Before anything was written, any request goes again; after that only
    // an idempotent one whose body can be sent again (RFC 9110 §9.2.2).
    public static bool MayGoAgain(Exchange exchange, Fault outcome) =>
        outcome.Cause == FaultCause.StaleConnection && (outcome.Stage == Stage.Connect || exchange.MayBeSentAgain);

    // A request that was sent and lost goes again once: one that ends whoever reads it must not be told to everybody.
    // It goes to the same endpoint, unless that has been found away meanwhile.
    public void WasStale(Exchange exchange, ForwardPlan plan, Fault outcome)
    {
        onFresh |= outcome.Stage != Stage.Connect;
        if (!Endpoint!.IsAvailable) Endpoint = plan.Upstream.Choose(exchange) ?? Endpoint;
    }

    private static RetryOn CauseOf(Fault fault) => fault switch
    {
        { Stage: Stage.Connect, Cause: FaultCause.Refused or FaultCause.ConnectTimeout or FaultCause.Untrusted or FaultCause.TlsFailed or FaultCause.Exhausted } => RetryOn.Connect,
        { Side: Side.Origin, Cause: FaultCause.Closed } => RetryOn.Reset,
        { Side: Side.Origin, Cause: FaultCause.Timeout } => RetryOn.Timeout,
        { Side: Side.Origin, Cause: FaultCause.Malformed } => RetryOn.Malformed,
        _ => RetryOn.None,
    };
}
