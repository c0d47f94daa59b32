// Requests that came before their client's handshake was done (0-RTT, RFC 8470 §3): somebody may have recorded them and send them
// again. A route may take them where the method is safe; any other waits here until the handshake tells that it is no replay.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Http1;

namespace Weir.Engine.Listeners;

/// <summary>Settles what becomes of early requests.</summary>
public static class EarlyRequests
{
    /// <summary>Whether a request may be a replay and do no harm.</summary>
    public static bool IsSafe(Request request) => request.KnownMethod is KnownMethod.Get or KnownMethod.Head or KnownMethod.Options;

    /// <summary>Whether a request must wait for its client's handshake.</summary>
    public static bool MustWait(Exchange exchange, bool allowsEarly) =>
        !exchange.Client.IsConfirmed && !(allowsEarly && IsSafe(exchange.Request));

    /// <summary>Waits for it.</summary>
    public static async LoopTask<Fault> ConfirmAsync(Exchange exchange)
    {
        var deadline = exchange.Deadline(exchange.Timeouts.Header);
        while (exchange.Client.TryConfirm())
        {
            if (exchange.Client.IsConfirmed) return Fault.None;
            var wake = await exchange.Flow.FirstOf(exchange.Client.RequestBody.Ready, deadline);
            if (!exchange.Interruption.IsNone) return exchange.Interruption;
            if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Client, Stage.Head);
        }

        return new Fault(FaultCause.Closed, Side.Client, Stage.Head);
    }
}
