// One end of a connection over a link.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports.Simulation.Links;

internal sealed class LinkTransport : Transport
{
    private readonly Link link;
    private readonly SimulatedEvents events;
    private LinkStream outgoing = null!;
    private LinkStream incoming = null!;
    private LinkTransport peer = null!;

    public LinkTransport(Link link, Loop loop, NetworkAddress local, NetworkAddress remote)
        : base(loop)
    {
        this.link = link;
        events = new SimulatedEvents(this);
        (Local, Remote) = (local, remote);
    }

    public override NetworkAddress Remote { get; }

    public override NetworkAddress Local { get; }

    public static void Couple(LinkTransport client, LinkTransport server, LinkWay there, LinkWay back)
    {
        (client.peer, server.peer) = (server, client);
        client.outgoing = server.incoming = new LinkStream(client.link, there, client, server);
        server.outgoing = client.incoming = new LinkStream(client.link, back, server, client);
    }

    public override IoResult TryRead(Span<byte> into)
    {
        if (IsClosed || IsBroken) return IoResult.Reset;
        var count = incoming.Read(into);
        if (count > 0)
        {
            if (count < into.Length && !incoming.HasEnded) Readable.Clear();
            return IoResult.Some(count);
        }

        if (incoming.HasEnded) return IoResult.End;
        Readable.Clear();
        return IoResult.WouldBlock;
    }

    public override IoResult TryWrite(ReadOnlySpan<byte> bytes) => TryWrite(bytes, default);

    public override IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default)
    {
        if (IsClosed || IsBroken || outgoing.IsEnding) return IoResult.Reset;
        var count = outgoing.Write(first);
        if (count == first.Length) count += outgoing.Write(second);
        if (count == first.Length + second.Length) count += outgoing.Write(third);
        if (count < first.Length + second.Length + third.Length) Writable.Clear();
        outgoing.Send();
        return count == 0 ? IoResult.WouldBlock : IoResult.Some(count);
    }

    public override int ConnectError() => 0;

    public override bool ShutdownWrite()
    {
        if (IsClosed) return true;
        outgoing.End();
        return true;
    }

    public override void Close(bool reset = false)
    {
        if (IsClosed) return;
        IsClosed = true;
        // As the kernel does: closing with bytes unread resets.
        if (reset || incoming.HasUnread) Refuse();
        else outgoing.End();
    }

    internal void Established()
    {
        if (IsBroken) return;
        outgoing.Open();
        events.Tell(readable: false, writable: true, gone: false);
    }

    /// <summary>The peer is told that nobody reads what it sends.</summary>
    internal void Refuse()
    {
        outgoing.Stop();
        link.World.After(link.Settings.RoundTrip / 2, peer.Break);
    }

    internal void ResetOnTheWay()
    {
        if ((IsClosed || IsBroken) && (peer.IsClosed || peer.IsBroken)) return;
        link.Resets++;
        Break();
        peer.Break();
    }

    internal void Arrived(bool ends) => events.Tell(readable: true, writable: false, gone: ends);

    internal void RoomMade() => events.Tell(readable: false, writable: true, gone: false);

    private void Break()
    {
        if (IsBroken) return;
        IsBroken = true;
        outgoing.Stop();
        incoming.Stop();
        events.Tell(readable: true, writable: true, gone: true);
    }
}
