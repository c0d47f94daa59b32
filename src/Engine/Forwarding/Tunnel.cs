// After a change of protocol, or a CONNECT: bytes both ways, as they are. Each direction ends on its own (half-close is
// carried); the tunnel ends when both have, when one breaks, or when both have been silent for too long.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Forwarding;

/// <summary>A tunnel between the two streams of an exchange. No state of its own.</summary>
public static class Tunnel
{
    private const long BytesPerTurn = 1 << 18;

    /// <summary>Runs until both directions have ended.</summary>
    public static async LoopTask<Fault> RunAsync(Exchange exchange)
    {
        var origin = exchange.Origin!;
        var client = exchange.Client;
        var activity = new Activity { Last = exchange.Loop.Now };
        var up = PumpAsync(exchange, exchange.UploadFlow, client.RequestBody, origin.RequestBody, activity, toOrigin: true);
        var down = await PumpAsync(exchange, exchange.Flow, origin.ResponseBody, client.ResponseBody, activity, toOrigin: false);
        if (!down.IsNone || !exchange.Interruption.IsNone) Stop(exchange, activity);
        var upward = await up;
        return down.IsNone ? upward : down;
    }

    private static void Stop(Exchange exchange, Activity activity)
    {
        activity.IsOver = true;
        exchange.UploadFlow.Cancel();
    }

    private static async LoopTask<Fault> PumpAsync(Exchange exchange, Waiter flow, BodySource from, BodySink to, Activity activity, bool toOrigin)
    {
        var turn = 0L;
        while (!activity.IsOver)
        {
            var status = from.TryRead(out var piece);
            SinkStatus sent;
            if (status == BodyStatus.Piece)
            {
                sent = to.TryWrite(piece, out var taken);
                from.Advance(taken);
                if (toOrigin) exchange.BytesIn += taken;
                else exchange.BytesOut += taken;
                activity.Last = exchange.Loop.Now;
                if (sent == SinkStatus.Done)
                {
                    turn += taken;
                    if (turn < BytesPerTurn) continue;
                    turn = 0;
                    if (await flow.Yield() == Wake.Cancelled) return Fault.None;
                    continue;
                }
            }
            else if (status == BodyStatus.End)
            {
                sent = to.TryFinish(null);
                if (sent == SinkStatus.Done) return Fault.None;
            }
            else if (status == BodyStatus.Broken)
            {
                return Broken(exchange, flow, activity, new Fault(from.Failure, toOrigin ? Side.Client : Side.Origin, Stage.Tunnel));
            }
            else
            {
                sent = to.TryFlush();
            }

            if (sent == SinkStatus.Broken) return Broken(exchange, flow, activity, new Fault(FaultCause.Closed, toOrigin ? Side.Origin : Side.Client, Stage.Tunnel));
            turn = 0;
            var waitFor = sent == SinkStatus.Wait ? to.Ready : from.Ready;
            while (true)
            {
                var quietUntil = Exchanges.Timeouts.After(activity.Last, exchange.Timeouts.Tunnel);
                var wake = await flow.FirstOf(waitFor, Math.Min(quietUntil, exchange.TotalDeadline));
                if (wake == Wake.First) break;
                if (wake == Wake.Cancelled) return exchange.Interruption;
                // The other direction may have been busy meanwhile.
                if (exchange.Loop.Now >= Exchanges.Timeouts.After(activity.Last, exchange.Timeouts.Tunnel) || exchange.Loop.Now >= exchange.TotalDeadline)
                    return Broken(exchange, flow, activity, new Fault(FaultCause.Timeout, toOrigin ? Side.Client : Side.Origin, Stage.Tunnel));
            }
        }

        return Fault.None;
    }

    // One direction broke: the other has nothing to wait for.
    private static Fault Broken(Exchange exchange, Waiter flow, Activity activity, Fault fault)
    {
        activity.IsOver = true;
        var other = ReferenceEquals(flow, exchange.Flow) ? exchange.UploadFlow : exchange.Flow;
        other.Cancel();
        return fault;
    }

    /// <summary>What the two directions know of each other: when either last moved a byte, and whether one broke.</summary>
    private sealed class Activity
    {
        public long Last;
        public bool IsOver;
    }
}
