// A plain socket on a loop. Registered once, edge-triggered, and never touched again: a read that came back short is
// not repeated before the next event, unless an event carried the peer's end (data and FIN arrive in one event, and no
// other follows). Thread: the loop's.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>A <see cref="Transport"/> over a TCP or Unix socket.</summary>
public sealed unsafe class SocketTransport : Transport, IPolled
{
    // Longer transfers copy for so long that a collection should not wait for them.
    private const int LongTransfer = 65536;

    private readonly EpollPoller poller;
    private readonly int descriptor;
    private readonly int slot;
    private readonly int listenerPort;
    private NetworkAddress? remote;
    private NetworkAddress? local;

    // An event told that the peer ended or broke: reads go on until they say so themselves.
    private bool endAnnounced;
    private bool connecting;

    internal SocketTransport(Loop loop, EpollPoller poller, int descriptor, NetworkAddress? remote, bool connecting, int listenerPort = 0)
        : base(loop)
    {
        this.listenerPort = listenerPort;
        this.poller = poller;
        this.descriptor = descriptor;
        this.remote = remote;
        this.connecting = connecting;
        slot = poller.Watch(descriptor, this);
        if (!connecting) Writable.Latch();
    }

    /// <summary>Whether the kernel took the descriptor into the set.</summary>
    internal bool IsWatched => slot >= 0;

    public override NetworkAddress Remote => remote ?? NetworkAddress.None;

    public override int LocalPort => listenerPort != 0 ? listenerPort : Local.Port;

    public override NetworkAddress Local => local ??= IsClosed ? NetworkAddress.None : ReadLocal();

    public void OnEvents(PollEvents events)
    {
        var over = (events & (PollEvents.PeerClosed | PollEvents.HangUp | PollEvents.Error)) != 0;
        if (over)
        {
            endAnnounced = true;
            if ((events & (PollEvents.HangUp | PollEvents.Error)) != 0 && !connecting) IsBroken |= (events & PollEvents.Error) != 0;
        }

        // Latch all first: a waiter that resumes inline sees the whole event, and may close this transport.
        var readable = over || (events & PollEvents.Readable) != 0;
        var writable = (events & (PollEvents.Writable | PollEvents.HangUp | PollEvents.Error)) != 0;
        if (CrossesWakes) readable = writable = true;
        if (readable) Readable.Latch();
        if (writable) Writable.Latch();
        if (over) Gone.Latch();
        if (readable) Readable.Raise();
        if (writable && !IsClosed) Writable.Raise();
        if (over && !IsClosed) Gone.Raise();
    }

    public override IoResult TryRead(Span<byte> into)
    {
        if (IsClosed) return IoResult.Reset;
        while (true)
        {
            nint got;
            fixed (byte* at = into)
            {
                got = into.Length > LongTransfer
                    ? SocketCalls.recv_long(descriptor, at, (nuint)into.Length, 0)
                    : SocketCalls.recv(descriptor, at, (nuint)into.Length, 0);
            }

            if (got > 0)
            {
                if (got < into.Length && !endAnnounced) Readable.Clear();
                return IoResult.Some((int)got);
            }

            if (got == 0)
            {
                Gone.Latch();
                return IoResult.End;
            }

            switch (Errno.Last)
            {
                case Errno.Again:
                    Readable.Clear();
                    return IoResult.WouldBlock;
                case Errno.Interrupted:
                    continue;
                default:
                    IsBroken = true;
                    return IoResult.Reset;
            }
        }
    }

    public override IoResult TryWrite(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed) return IoResult.Reset;
        fixed (byte* at = bytes)
        {
            var sent = bytes.Length > LongTransfer
                ? SocketCalls.send_long(descriptor, at, (nuint)bytes.Length, SocketCalls.NoSignal)
                : SocketCalls.send(descriptor, at, (nuint)bytes.Length, SocketCalls.NoSignal);
            return Sent(sent, bytes.Length);
        }
    }

    public override IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default)
    {
        if (third.IsEmpty && second.IsEmpty) return TryWrite(first);
        if (third.IsEmpty && first.IsEmpty) return TryWrite(second);
        if (IsClosed) return IoResult.Reset;
        fixed (byte* a = first)
        fixed (byte* b = second)
        fixed (byte* c = third)
        {
            var vectors = stackalloc SocketCalls.Vector[3];
            vectors[0] = new SocketCalls.Vector { Start = a, Length = (nuint)first.Length };
            vectors[1] = new SocketCalls.Vector { Start = b, Length = (nuint)second.Length };
            vectors[2] = new SocketCalls.Vector { Start = c, Length = (nuint)third.Length };
            var message = new SocketCalls.MessageHeader { Vectors = vectors, VectorCount = 3 };
            return Sent(SocketCalls.sendmsg(descriptor, &message, SocketCalls.NoSignal), first.Length + second.Length + third.Length);
        }
    }

    public override bool SendsFiles => true;

    public override IoResult TrySendFile(ReadOnlySpan<byte> first, SafeFileHandle file, long offset, int count)
    {
        if (IsClosed) return IoResult.Reset;
        var before = 0;
        if (!first.IsEmpty)
        {
            IoResult led;
            fixed (byte* at = first) led = Sent(SocketCalls.send(descriptor, at, (nuint)first.Length, SocketCalls.NoSignal | SocketCalls.More), first.Length);
            if (led.Count < first.Length) return led;
            before = first.Length;
        }

        while (true)
        {
            var sent = SocketCalls.sendfile(descriptor, (int)file.DangerousGetHandle(), &offset, (nuint)count);
            if (sent > 0) return IoResult.Some(before + (int)sent);
            var error = sent == 0 ? Errno.Invalid : Errno.Last;
            if (error == Errno.Interrupted) continue;
            if (error == Errno.Again) Writable.Clear();
            else if (error is Errno.BrokenPipe or Errno.ConnectionReset or Errno.TimedOut or Errno.HostUnreachable or Errno.NetworkUnreachable) IsBroken = true;
            if (before > 0) return IoResult.Some(before); // What else there is to say is said the next time.
            return error == Errno.Again ? IoResult.WouldBlock : IsBroken ? IoResult.Reset : IoResult.Refused;
        }
    }

    public override int ConnectError()
    {
        var error = SocketCalls.GetInt(descriptor, SocketCalls.SolSocket, SocketCalls.SoError);
        connecting = false;
        return error;
    }

    public override bool ShutdownWrite()
    {
        if (!IsClosed) _ = SocketCalls.shutdown(descriptor, SocketCalls.ShutWrite);
        return true;
    }

    public override void Close(bool reset = false)
    {
        if (IsClosed) return;
        IsClosed = true;
        if (slot >= 0) poller.Forget(slot);
        if (reset)
        {
            var linger = stackalloc int[2];
            linger[0] = 1;
            linger[1] = 0;
            _ = SocketCalls.setsockopt(descriptor, SocketCalls.SolSocket, SocketCalls.SoLinger, linger, 2 * sizeof(int));
        }

        _ = SocketCalls.close(descriptor);
    }

    private IoResult Sent(nint sent, int offered)
    {
        if (sent > 0)
        {
            if (sent < offered) Writable.Clear();
            return IoResult.Some((int)sent);
        }

        if (Errno.Last is Errno.Again or Errno.Interrupted)
        {
            Writable.Clear();
            return IoResult.WouldBlock;
        }

        IsBroken = true;
        return IoResult.Reset;
    }

    private NetworkAddress ReadLocal()
    {
        var bytes = stackalloc byte[128];
        var length = 128;
        return SocketCalls.getsockname(descriptor, bytes, &length) == 0 ? NetworkAddress.FromNative(new ReadOnlySpan<byte>(bytes, length)) : NetworkAddress.None;
    }
}
