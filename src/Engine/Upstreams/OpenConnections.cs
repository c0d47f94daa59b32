// The connections of an upstream, counted over all loops, idle ones and those being made included, and kept within its
// limits. Where a limit is reached and somebody has a slot but no connection, one is idle somewhere (each request under way
// has a slot and takes one connection, and there are no more slots than connections): on this loop it is closed at once,
// on another that loop is asked to. What becomes idle while somebody waits is closed instead of kept.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Upstreams;

/// <summary>Counts connections, and gives up idle ones for those that need another. Any thread.</summary>
public sealed class OpenConnections(Upstream upstream)
{
    private readonly Line line = new(1);
    private int held;
    private int wanted;
    private Bounds? bounds;

    /// <summary>Connections now, those being made included.</summary>
    public int Count => Volatile.Read(ref held);

    /// <summary>Handshakes with the endpoints, those included that have left.</summary>
    public Handshakes Handshakes { get; } = new();

    /// <summary>Whether connections are limited.</summary>
    internal bool AreBounded => Volatile.Read(ref bounds) is { } now && (now.Connections != 0 || now.EndpointConnections != 0);

    /// <summary>Takes other limits; control's thread.</summary>
    internal void Take(Bounds? next) => Volatile.Write(ref bounds, next);

    internal void Hold() => Interlocked.Increment(ref held);

    internal void LetGo()
    {
        Interlocked.Decrement(ref held);
        Changed();
    }

    internal void Changed()
    {
        if (line.Length > 0) line.Changed(forAll: true);
    }

    /// <summary>Whether an idle connection to an endpoint is to be given up for somebody who waits.</summary>
    internal bool IsWanted(Endpoint endpoint)
    {
        if (Volatile.Read(ref wanted) == 0 || Volatile.Read(ref bounds) is not { } now) return false;
        return (now.Connections != 0 && Volatile.Read(ref held) + Volatile.Read(ref wanted) > now.Connections)
            || (now.EndpointConnections != 0 && Volatile.Read(ref endpoint.Wanted) is > 0 and var own && endpoint.Held + own > now.EndpointConnections);
    }

    /// <summary>Counts a connection that is about to be made; waits where there are too many.</summary>
    /// <returns>Why it may not be made.</returns>
    internal LoopTask<FaultCause> HoldAsync(Endpoint endpoint, Exchange exchange, Waiter flow, Signal? gone, long timeout)
    {
        if (line.Length == 0 && TryHold(endpoint)) return new LoopTask<FaultCause>(FaultCause.None);
        if (GiveUpOwn(endpoint, exchange.Loop.Index) && TryHold(endpoint)) return new LoopTask<FaultCause>(FaultCause.None);
        return WaitAsync(endpoint, exchange, flow, gone, timeout);
    }

    private bool TryHold(Endpoint endpoint)
    {
        var now = Volatile.Read(ref bounds);
        var (most, mostOfEndpoint) = (now?.Connections ?? 0, now?.EndpointConnections ?? 0);
        if (mostOfEndpoint != 0 && endpoint.Held >= mostOfEndpoint) return false;
        if (!Slots.TryTake(ref held, most)) return false;
        if (endpoint.TryHold(mostOfEndpoint)) return true;
        LetGo(); // Another was faster at this endpoint.
        return false;
    }

    private async LoopTask<FaultCause> WaitAsync(Endpoint endpoint, Exchange exchange, Waiter flow, Signal? gone, long timeout)
    {
        var ticket = exchange.Ticket ??= new Ticket(exchange.Loop);
        Interlocked.Increment(ref wanted);
        Interlocked.Increment(ref endpoint.Wanted);
        line.TryJoin(ticket, 0, int.MaxValue);
        AskOthers(endpoint);
        line.Pass(forAll: true); // What was closed before this one stood in the line.
        var deadline = exchange.Deadline(timeout);
        FaultCause? outcome = null;
        while (outcome is null)
        {
            var wake = !exchange.Interruption.IsNone ? Wake.Cancelled
                : gone is not null ? await flow.FirstOf(ticket.Turn, gone, deadline)
                : await flow.FirstOf(ticket.Turn, deadline);
            if (wake == Wake.First)
            {
                var seen = line.Changes;
                if (TryHold(endpoint))
                {
                    outcome = FaultCause.None;
                    break;
                }

                line.Failed(ticket, seen);
                line.Pass(forAll: true);
            }
            else
            {
                outcome = wake switch { Wake.Deadline => FaultCause.QueueTimeout, Wake.Cancelled => FaultCause.Stopping, _ => FaultCause.Closed };
            }
        }

        Interlocked.Decrement(ref wanted);
        Interlocked.Decrement(ref endpoint.Wanted);
        if (line.Leave(ticket)) line.Pass(forAll: true);
        return outcome.Value;
    }

    // What is idle here is closed at once, as if it became the new one.
    private bool GiveUpOwn(Endpoint endpoint, int loop)
    {
        if (endpoint.Pool(loop).GiveUpOldest()) return true;
        if (Volatile.Read(ref bounds) is { EndpointConnections: > 0 and var most } && endpoint.Held >= most) return false;
        foreach (var other in upstream.Endpoints)
        {
            if (other.Pool(loop).GiveUpOldest()) return true;
        }

        return false;
    }

    private void AskOthers(Endpoint endpoint)
    {
        if (Volatile.Read(ref bounds) is not { } now) return;
        if (now.EndpointConnections != 0 && endpoint.Held >= now.EndpointConnections)
        {
            foreach (var pool in endpoint.Pools) pool.AskToGiveUp();
            return;
        }

        foreach (var other in upstream.Endpoints)
        {
            foreach (var pool in other.Pools) pool.AskToGiveUp();
        }
    }
}
