// Binding. SO_REUSEPORT lets a second program bind silently, so a probe without it comes first: starting twice on one
// address fails with "in use" unless the operator shares the port on purpose.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>Who may use the file of a Unix socket; null: as it is made.</summary>
public sealed record SocketAccess(UnixFileMode? Mode, uint? Owner, uint? Group);

/// <summary>A listening socket of the kernel. Made on any thread, watched by loops.</summary>
public sealed unsafe class KernelListenSocket : ListenSocket
{
    // Handshakes that were begun before no more may begin: a few round trips.
    private const int HandshakesEnd = 250;

    private readonly bool isOurs;
    private int descriptor;

    private KernelListenSocket(int descriptor, NetworkAddress address, bool shared, bool isOurs)
    {
        this.descriptor = descriptor;
        this.isOurs = isOurs;
        Address = address;
        IsShared = shared;
    }

    public override NetworkAddress Address { get; }

    /// <summary>The kernel's descriptor; -1 once it is closed.</summary>
    public int Descriptor => descriptor;

    /// <summary>Watched by several loops at once, rather than one socket per loop.</summary>
    public bool IsShared { get; }

    /// <summary>Binds and listens: one socket per loop for TCP, one shared by all for a Unix socket.</summary>
    /// <param name="address">Where; port 0 lets the kernel choose one, the same for all.</param>
    /// <param name="loops">How many loops will accept.</param>
    /// <param name="reusePort">Another program may listen on the same port.</param>
    /// <param name="backlog">Connections the kernel keeps waiting.</param>
    /// <param name="error">An <see cref="Errno"/> where nothing is returned.</param>
    /// <param name="access">Who may connect to a Unix socket.</param>
    public static KernelListenSocket[]? Bind(NetworkAddress address, int loops, bool reusePort, int backlog, out int error, SocketAccess? access = null)
    {
        if (address.IsUnix)
        {
            var one = BindOne(address, shared: true, reusePort: false, backlog, out error, access);
            return one is null ? null : [one];
        }

        if (!reusePort && !Probe(address, out error)) return null;
        var sockets = new KernelListenSocket[loops];
        for (var i = 0; i < loops; i++)
        {
            var bound = BindOne(i == 0 ? address : sockets[0].Address, shared: false, reusePort: true, backlog, out error);
            if (bound is null)
            {
                for (var j = 0; j < i; j++) sockets[j].Close();
                return null;
            }

            sockets[i] = bound;
        }

        error = 0;
        return sockets;
    }

    /// <summary>Takes over a socket that listens already: handed down by the service manager or an older program.</summary>
    public static KernelListenSocket Adopt(int descriptor)
    {
        // Service managers hand sockets down that block: an accept that waits for a connection another loop took would stop the loop.
        _ = SocketCalls.fcntl(descriptor, SocketCalls.SetFlags, SocketCalls.fcntl(descriptor, SocketCalls.GetFlags, 0) | SocketCalls.NonBlocking);
        _ = SocketCalls.fcntl(descriptor, SocketCalls.SetDescriptorFlags, SocketCalls.CloseOnExecFlag);
        var socket = new KernelListenSocket(descriptor, ReadAddress(descriptor), shared: true, isOurs: false);
        if (!socket.Address.IsUnix) SetForConnections(descriptor);
        return socket;
    }

    // TCP: a filter drops first packets only, so that begun handshakes end and their connections can be taken; who is dropped
    // asks again within a second, and is refused by then or taken by whoever listens. A Unix socket that is shut down refuses.
    // What was handed down is the giver's too: it goes on listening, and nothing that waits there is lost.
    public override int Refuse()
    {
        if (!isOurs) return 0;
        if (!Address.IsUnix) return SocketCalls.DropFirstPackets(descriptor) ? HandshakesEnd : 0;
        _ = SocketCalls.shutdown(descriptor, SocketCalls.ShutRead);
        return 0;
    }

    public override void Close()
    {
        // Once: the number may be somebody else's by then.
        if (Interlocked.Exchange(ref descriptor, -1) is >= 0 and var open) _ = SocketCalls.close(open);
    }

    private static bool Probe(NetworkAddress address, out int error)
    {
        error = 0;
        if (address.Port == 0) return true;
        var probe = Open(address, reusePort: false, out error);
        if (probe < 0) return false;
        _ = SocketCalls.close(probe);
        return true;
    }

    private static KernelListenSocket? BindOne(NetworkAddress address, bool shared, bool reusePort, int backlog, out int error, SocketAccess? access = null)
    {
        var descriptor = Open(address, reusePort, out error);
        if (descriptor < 0) return null;
        // Nobody connects before the access is what it is to be.
        if (Give(address, access) && SocketCalls.listen(descriptor, backlog) == 0) return new KernelListenSocket(descriptor, ReadAddress(descriptor), shared, isOurs: true);
        error = Errno.Last;
        _ = SocketCalls.close(descriptor);
        return null;
    }

    private static bool Give(NetworkAddress address, SocketAccess? access)
    {
        if (access is null || !address.HasFile) return true;
        if (access.Mode is { } mode && SocketCalls.chmod(address.Path!, (uint)mode) != 0) return false;
        return (access.Owner is null && access.Group is null) || SocketCalls.chown(address.Path!, access.Owner ?? uint.MaxValue, access.Group ?? uint.MaxValue) == 0;
    }

    private static int Open(NetworkAddress address, bool reusePort, out int error)
    {
        error = 0;
        var descriptor = SocketCalls.socket(address.Family, SocketCalls.Stream | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (descriptor >= 0)
        {
            if (!address.IsUnix)
            {
                _ = SocketCalls.SetInt(descriptor, SocketCalls.SolSocket, SocketCalls.SoReuseAddress, 1);
                SetForConnections(descriptor);
            }

            if (reusePort) _ = SocketCalls.SetInt(descriptor, SocketCalls.SolSocket, SocketCalls.SoReusePort, 1);
            // "[::]" listens for both families, as operators expect of ":8080".
            if (address.Ip is { AddressFamily: System.Net.Sockets.AddressFamily.InterNetworkV6 }) _ = SocketCalls.SetInt(descriptor, SocketCalls.IpV6, SocketCalls.IpV6Only, 0);
            fixed (byte* native = address.Native)
            {
                if (SocketCalls.bind(descriptor, native, address.Native.Length) == 0) return descriptor;
                error = Errno.Last;
                if (error == Errno.AddressInUse && TryRemoveStale(address))
                {
                    if (SocketCalls.bind(descriptor, native, address.Native.Length) == 0) return descriptor;
                    error = Errno.Last;
                }
            }
        }
        else
        {
            error = Errno.Last;
        }

        if (descriptor >= 0) _ = SocketCalls.close(descriptor);
        return -1;
    }

    // The name of a Unix socket outlives who listened on it. One that nobody answers on makes room, so that a program can be
    // started again; what is no socket stays.
    private static bool TryRemoveStale(NetworkAddress address)
    {
        if (address.Path is not { } path || path[0] == '@') return false;
        var probe = SocketCalls.socket(address.Family, SocketCalls.Stream | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        if (probe < 0) return false;
        bool isRefused;
        fixed (byte* native = address.Native) isRefused = SocketCalls.connect(probe, native, address.Native.Length) < 0 && Errno.Last == Errno.ConnectionRefused;
        _ = SocketCalls.close(probe);
        if (!isRefused || !SocketCalls.IsSocket(path)) return false;
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // What a connection inherits from the socket it was accepted on: no system call for each of them. TCP_NOTSENT_LOWAT
    // is left alone: it would bound what the kernel takes for a client that does not read, at a fifth more for every download.
    private static void SetForConnections(int descriptor) => _ = SocketCalls.SetInt(descriptor, SocketCalls.IpTcp, SocketCalls.TcpNoDelay, 1);

    private static NetworkAddress ReadAddress(int descriptor)
    {
        var bytes = stackalloc byte[128];
        var length = 128;
        return SocketCalls.getsockname(descriptor, bytes, &length) == 0 ? NetworkAddress.FromNative(new ReadOnlySpan<byte>(bytes, length)) : NetworkAddress.None;
    }
}
