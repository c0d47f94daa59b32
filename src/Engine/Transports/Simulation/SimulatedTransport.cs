// One end of a connection in memory. Bytes travel in pieces, each delayed and sized by the world's seed, in order.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports.Simulation;

/// <summary>One end of a simulated connection.</summary>
public sealed class SimulatedTransport : Transport
{
    private readonly SimulatedWorld world;
    private readonly Queue<byte> inbox = new();
    private readonly Queue<byte> outbox = new();
    private readonly SimulatedEvents events;
    private SimulatedTransport? peer;
    private int connectError;
    private long lastDelivery;
    private bool delivering;
    private bool sendingEnded;
    private bool endSent;
    private bool endArrived;
    private bool wantsRoom; // As the kernel knows it, whatever the signal says: an event of the other direction may have set that.

    internal SimulatedTransport(SimulatedWorld world, Loop loop, NetworkAddress local, NetworkAddress remote)
        : base(loop)
    {
        this.world = world;
        events = new SimulatedEvents(this);
        Local = local;
        Remote = remote;
    }

    public override NetworkAddress Remote { get; }

    public override NetworkAddress Local { get; }

    public override IoResult TryRead(Span<byte> into)
    {
        if (IsClosed || IsBroken) return IoResult.Reset;
        var count = Math.Min(into.Length, inbox.Count);
        for (var i = 0; i < count; i++) into[i] = inbox.Dequeue();
        if (count > 0)
        {
            if (count < into.Length && !endArrived) Readable.Clear();
            peer?.RoomMade();
            return IoResult.Some(count);
        }

        if (endArrived) return IoResult.End;
        Readable.Clear();
        return IoResult.WouldBlock;
    }

    public override IoResult TryWrite(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || IsBroken || sendingEnded) return IoResult.Reset;
        var room = world.Weather.Window - outbox.Count - (peer?.inbox.Count ?? 0);
        var count = Math.Clamp(room, 0, bytes.Length);
        if (count > 1 && world.Weather.SplitsWrites) count = world.Random.Next(1, count + 1);
        if (count < bytes.Length) wantsRoom = true; // Until it is told: a write that fits does not take it back.
        if (count == 0)
        {
            Writable.Clear();
            return IoResult.WouldBlock;
        }

        foreach (var b in bytes[..count]) outbox.Enqueue(b);
        if (count < bytes.Length)
        {
            // Taken in part: the rest is wanted as soon as there is room, which there may be already.
            Writable.Clear();
            world.After(world.Delay(), RoomMade);
        }

        Deliver();
        return IoResult.Some(count);
    }

    public override IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default)
    {
        var all = new byte[first.Length + second.Length + third.Length];
        first.CopyTo(all);
        second.CopyTo(all.AsSpan(first.Length));
        third.CopyTo(all.AsSpan(first.Length + second.Length));
        return TryWrite(all);
    }

    public override int ConnectError() => connectError;

    public override bool ShutdownWrite()
    {
        if (IsClosed || sendingEnded) return true;
        sendingEnded = true;
        Deliver();
        return true;
    }

    public override void Close(bool reset = false)
    {
        if (IsClosed) return;
        IsClosed = true;
        // As the kernel does: closing with bytes unread resets.
        if (reset || inbox.Count > 0)
        {
            outbox.Clear();
            world.After(world.Delay(), () => peer?.Break());
            return;
        }

        sendingEnded = true;
        Deliver();
    }

    internal static (SimulatedTransport Client, SimulatedTransport Server) Pair(SimulatedWorld world, Loop client, Loop server, NetworkAddress to)
    {
        var from = world.NextLocal();
        var a = new SimulatedTransport(world, client, from, to);
        var b = new SimulatedTransport(world, server, to, from);
        (a.peer, b.peer) = (b, a);
        b.Writable.Latch();
        return (a, b);
    }

    internal void Connected(int error)
    {
        connectError = error;
        IsBroken = error != 0;
        events.Tell(readable: error != 0, writable: true, gone: error != 0);
    }

    private void Deliver()
    {
        if (delivering || IsBroken || peer is null || (outbox.Count == 0 && (!sendingEnded || endSent))) return;
        delivering = true;
        // In order: never before what was sent earlier.
        var at = Math.Max(world.Now + world.Delay(), lastDelivery);
        lastDelivery = at;
        world.After(at - world.Now, () =>
        {
            delivering = false;
            if (IsBroken) return;
            if (world.Chance(world.Weather.Reset))
            {
                Break();
                peer.Break();
                return;
            }

            var count = Math.Min(outbox.Count, world.Random.Next(1, world.Weather.MostDelivered + 1));
            for (var i = 0; i < count; i++) peer.inbox.Enqueue(outbox.Dequeue());
            world.Mix((ulong)count);
            var ends = sendingEnded && outbox.Count == 0;
            if (ends)
            {
                endSent = true;
                peer.endArrived = true;
            }

            // A peer that has closed answers bytes with a reset.
            if (peer.IsClosed && count > 0) Break();
            else peer.events.Tell(readable: count > 0 || ends, writable: false, gone: ends);
            Deliver();
        });
    }

    private void RoomMade()
    {
        if (!IsClosed && !IsBroken && wantsRoom && world.Weather.Window - outbox.Count - (peer?.inbox.Count ?? 0) > 0)
        {
            wantsRoom = false;
            events.Tell(readable: false, writable: true, gone: false);
        }
    }

    private void Break()
    {
        if (IsBroken) return;
        IsBroken = true;
        inbox.Clear();
        outbox.Clear();
        events.Tell(readable: true, writable: true, gone: true);
    }
}
