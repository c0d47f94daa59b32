// Moving a body from a source to a sink at the pace of the slower side. Nothing is held while waiting. The peer that
// owes bytes (a client that does not read, a client that does not send its body) is held to the minimum rate; an origin
// that thinks is not. A turn is bounded, so that one fast download does not hold the loop.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Forwarding;

/// <summary>Relays bodies. No state of its own.</summary>
public static class Relay
{
    // Bytes moved before the others on the loop have their turn.
    private const long BytesPerTurn = 1 << 17;

    /// <summary>Passes the response's body on to the client, and ends it.</summary>
    public static async LoopTask<Fault> SendResponseAsync(Exchange exchange, BodySource from, BodySink to)
    {
        var client = exchange.Client;
        var guard = new RateGuard(exchange.MinRate, exchange.MinRateGrace);
        var turn = 0L;
        var file = from is FileBody { IsWorthSending: true } body && to.TakesFiles ? body : null;
        while (true)
        {
            if (!exchange.Interruption.IsNone) return exchange.Interruption;
            ReadOnlySpan<byte> piece = default;
            FileRange range = default;
            var status = file is null ? from.TryRead(out piece) : file.TryReadRange(out range);
            SinkStatus sent;
            if (status == BodyStatus.Piece)
            {
                sent = file is null ? to.TryWrite(piece, out var taken) : to.TryWrite(range, out taken);
                if (sent == SinkStatus.Refused)
                {
                    file = null; // Read from here on: where it is shorter than it was, that shows.
                    continue;
                }

                from.Advance(taken);
                exchange.BytesOut += taken;
                guard.Moved(taken);
                if (sent == SinkStatus.Done)
                {
                    turn += taken;
                    if (turn < BytesPerTurn) continue;
                    turn = 0;
                    await exchange.Flow.Yield();
                    continue;
                }
            }
            else if (status == BodyStatus.End)
            {
                sent = to.TryFinish(Trailers.Filter(from.Trailers, exchange.Response.Fields));
                if (sent == SinkStatus.Done) return Fault.None;
            }
            else if (status == BodyStatus.Broken)
            {
                return Fault.Of(from.Failure, exchange.Origin is null ? Side.Proxy : Side.Origin, Stage.Relay);
            }
            else
            {
                sent = to.TryFlush();
                if (sent == SinkStatus.Done)
                {
                    var silent = Math.Min(exchange.Deadline(exchange.Timeouts.Idle), from.AskAgainAt);
                    var wake = await exchange.Flow.FirstOf(from.Ready, client.Gone, silent);
                    if (wake == Wake.First) continue;
                    if (wake == Wake.Second && exchange.KeepsServing(client))
                    {
                        wake = await exchange.Flow.FirstOf(from.Ready, silent);
                        if (wake == Wake.First) continue;
                    }

                    if (wake == Wake.Deadline && exchange.Loop.Now >= from.AskAgainAt) continue;
                    if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Relay);
                    return wake == Wake.Cancelled ? exchange.Interruption : new Fault(FaultCause.Closed, Side.Client, Stage.Relay);
                }
            }

            if (sent == SinkStatus.Broken) return new Fault(FaultCause.Closed, Side.Client, Stage.Relay);

            // The client does not take what we have: it owes us the reading.
            turn = 0;
            var slow = guard.BeginWait(exchange.Loop.Now);
            var stalled = exchange.Deadline(exchange.Timeouts.Write);
            var writable = await exchange.Flow.FirstOf(to.Ready, Math.Min(slow, stalled));
            guard.EndWait(exchange.Loop.Now);
            if (writable == Wake.Deadline) return new Fault(slow < stalled ? FaultCause.TooSlow : FaultCause.Timeout, Side.Client, Stage.Relay);
            if (writable == Wake.Cancelled) return exchange.Interruption;
        }
    }

    /// <summary>Sends an answer whose bytes are all in memory, without regard to what interrupted the exchange.</summary>
    public static async LoopTask<Fault> SendAnswerAsync(Exchange exchange, BodySource from, BodySink to)
    {
        var deadline = Exchanges.Timeouts.After(exchange.Loop.Now, exchange.Timeouts.Write);
        while (true)
        {
            var status = from.TryRead(out var piece);
            SinkStatus sent;
            if (status == BodyStatus.Piece)
            {
                sent = to.TryWrite(piece, out var taken);
                from.Advance(taken);
                exchange.BytesOut += taken;
            }
            else if (status == BodyStatus.End)
            {
                sent = to.TryFinish(null);
                if (sent == SinkStatus.Done) return Fault.None;
            }
            else if (status == BodyStatus.Wait && await exchange.Flow.FirstOf(from.Ready, deadline) == Wake.First)
            {
                continue;
            }
            else
            {
                return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Relay);
            }

            if (sent == SinkStatus.Done) continue;
            if (sent == SinkStatus.Broken || await exchange.Flow.FirstOf(to.Ready, deadline) != Wake.First) return new Fault(FaultCause.Closed, Side.Client, Stage.Relay);
        }
    }

    /// <summary>Passes the request's body on to the origin, and ends it. Runs beside the wait for the response.</summary>
    /// <remarks>What is sent again was counted when it was taken from the client, and shows nothing of the client's pace.</remarks>
    /// <returns>None also where the origin stopped taking it: its answer, or its silence, decides then.</returns>
    public static async LoopTask<Fault> SendRequestBodyAsync(Exchange exchange, BodySource from, BodySink to)
    {
        var guard = new RateGuard(exchange.MinRate, exchange.MinRateGrace);
        var replay = from as ReplayBody;
        var turn = 0L;
        while (true)
        {
            var status = from.TryRead(out var piece);
            SinkStatus sent;
            if (status == BodyStatus.Piece)
            {
                exchange.AwaitsContinue = false;
                var isNew = replay is not { IsRepeated: true };
                if (isNew && exchange.BytesIn + piece.Length > exchange.BodyLimit) return new Fault(FaultCause.BodyTooLarge, Side.Client, Stage.Send);
                sent = to.TryWrite(piece, out var taken);
                if (isNew) exchange.Tap?.Passed(exchange, piece[..taken]);
                from.Advance(taken);
                if (isNew)
                {
                    exchange.BytesIn += taken;
                    guard.Moved(taken);
                }

                if (sent == SinkStatus.Done)
                {
                    turn += taken;
                    if (turn < BytesPerTurn) continue;
                    turn = 0;
                    if (await exchange.UploadFlow.Yield() == Wake.Cancelled) return Fault.None;
                    continue;
                }
            }
            else if (status == BodyStatus.End)
            {
                sent = to.TryFinish(Trailers.Filter(from.Trailers, exchange.Request.Fields));
                if (sent == SinkStatus.Done)
                {
                    exchange.RequestSent();
                    return Fault.None;
                }
            }
            else if (status == BodyStatus.Broken)
            {
                return Fault.Of(from.Failure, Side.Client, Stage.Send);
            }
            else
            {
                sent = to.TryFlush();
                if (sent == SinkStatus.Done)
                {
                    // The client owes its body; while it waits for a 100 it owes nothing yet, and the origin's time runs. A disk's
                    // time is ours.
                    var isOurs = replay is { AwaitsDisk: true };
                    var isOwed = !exchange.AwaitsContinue && !isOurs;
                    var slow = isOwed ? guard.BeginWait(exchange.Loop.Now) : Exchanges.Timeouts.None;
                    var silent = Math.Min(exchange.Deadline(exchange.Timeouts.Body), from.AskAgainAt);
                    var wake = await exchange.UploadFlow.FirstOf(from.Ready, Math.Min(slow, silent));
                    if (isOwed) guard.EndWait(exchange.Loop.Now);
                    if (wake == Wake.First || (wake == Wake.Deadline && !isOwed && exchange.Loop.Now < exchange.TotalDeadline)) continue;
                    if (wake == Wake.Deadline && exchange.Loop.Now >= from.AskAgainAt) continue;
                    if (wake == Wake.Cancelled) return Fault.None;
                    if (isOurs) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Send);
                    return new Fault(slow < silent ? FaultCause.TooSlow : FaultCause.Timeout, Side.Client, Stage.Send);
                }
            }

            if (sent == SinkStatus.Broken) return Fault.None;
            turn = 0;
            var writable = await exchange.UploadFlow.FirstOf(to.Ready, exchange.Deadline(exchange.Timeouts.Idle));
            if (writable == Wake.Cancelled) return Fault.None;
            if (writable == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Send);
        }
    }
}
