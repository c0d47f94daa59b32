// Sockets of the kernel. Running out of descriptors is survived: a spare one is given up to accept and close, so that the
// peer learns of it at once instead of waiting in a backlog that nobody empties.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>The <see cref="Network"/> over Linux sockets.</summary>
public sealed class KernelNetwork(Loop loop, EpollPoller poller) : Network
{
    public override unsafe Transport? Connect(NetworkAddress to, out int error)
    {
        error = 0;
        var descriptor = SocketCalls.socket(to.Family, SocketCalls.Stream | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (descriptor < 0)
        {
            error = Errno.Last;
            return null;
        }

        if (!to.IsUnix) _ = SocketCalls.SetInt(descriptor, SocketCalls.IpTcp, SocketCalls.TcpNoDelay, 1);
        int outcome;
        fixed (byte* native = to.Native) outcome = SocketCalls.connect(descriptor, native, to.Native.Length);
        if (outcome < 0 && Errno.Last != Errno.InProgress) error = Errno.Last;
        if (error == 0)
        {
            var transport = new SocketTransport(loop, poller, descriptor, to, connecting: outcome < 0);
            if (transport.IsWatched) return transport;
            error = Errno.Last;
        }

        _ = SocketCalls.close(descriptor);
        return null;
    }

    public override Acceptor Accept(ListenSocket socket) => new KernelAcceptor(loop, poller, (KernelListenSocket)socket);
}

internal sealed unsafe class KernelAcceptor : Acceptor, IPolled
{
    private const int AddressBytes = 128;

    private readonly Loop loop;
    private readonly EpollPoller poller;
    private readonly KernelListenSocket socket;
    private int slot = -1;
    private int spare;

    public KernelAcceptor(Loop loop, EpollPoller poller, KernelListenSocket socket)
    {
        this.loop = loop;
        this.poller = poller;
        this.socket = socket;
        spare = OpenSpare();
        Pause(false);
    }

    public void OnEvents(PollEvents events) => Acceptable.Raise();

    public override Transport? TryAccept(out int error)
    {
        var bytes = stackalloc byte[AddressBytes];
        var length = AddressBytes;
        error = 0;
        var descriptor = SocketCalls.accept4(socket.Descriptor, bytes, &length, SocketCalls.NonBlocking | SocketCalls.CloseOnExec);
        if (descriptor < 0)
        {
            error = Errno.Last;
            if (error is Errno.TooManyFiles or Errno.TableFull) TurnAway();
            else if (error is Errno.Again or Errno.Invalid) error = 0; // Invalid: empty, and shut down.
            Acceptable.Clear();
            return null;
        }

        var remote = NetworkAddress.FromNative(new ReadOnlySpan<byte>(bytes, Math.Min(length, AddressBytes)));
        var transport = new SocketTransport(loop, poller, descriptor, remote, connecting: false, socket.Address.Port);
        if (transport.IsWatched) return transport;
        error = Errno.Last;
        transport.Close();
        return null;
    }

    public override bool Pause(bool paused)
    {
        if (paused && slot >= 0)
        {
            poller.Forget(slot, socket.Descriptor);
            slot = -1;
        }
        else if (!paused && slot < 0)
        {
            slot = poller.WatchListener(socket.Descriptor, this, socket.IsShared);
        }

        return paused || slot >= 0;
    }

    public override void Close()
    {
        Pause(true);
        if (spare >= 0) _ = SocketCalls.close(spare);
        spare = -1;
    }

    private static int OpenSpare() => SocketCalls.socket(1, SocketCalls.Stream | SocketCalls.CloseOnExec, 0);

    // Out of descriptors: the spare one makes room to take a connection and close it.
    private void TurnAway()
    {
        if (spare >= 0) _ = SocketCalls.close(spare);
        var descriptor = SocketCalls.accept4(socket.Descriptor, null, null, SocketCalls.NonBlocking | SocketCalls.CloseOnExec);
        if (descriptor >= 0) _ = SocketCalls.close(descriptor);
        spare = OpenSpare();
    }
}
