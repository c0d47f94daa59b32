// The kernel's calls that the origin and the generator need, and nothing else. What never waits skips the collector's
// transition. In bounds: every pointer comes from a span or a local of the length that is passed beside it.

using System.Net;
using System.Runtime.InteropServices;

namespace Weir.Bench.Load;

internal static unsafe partial class Kernel
{
    public const uint In = 0x1;
    public const uint Out = 0x4;
    public const uint Error = 0x8;
    public const uint HangUp = 0x10;
    public const uint PeerClosed = 0x2000;
    public const uint EdgeTriggered = 1u << 31;
    public const int Again = 11;
    public const int Interrupted = 4;
    public const int NotConnected = 107;
    public const int InProgress = 115;
    public const int NoSignal = 0x4000;
    public const int More = 0x8000;

    /// <summary>On a TCP socket: takes bytes off the queue without copying them.</summary>
    public const int Discard = 0x20;

    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int TimerSlack = 29;

    private static readonly bool Packed = RuntimeInformation.ProcessArchitecture == Architecture.X64;

    public static int Errno => Marshal.GetLastSystemError();

    public static int EventSize => Packed ? 12 : 16;

    public static int CreateEpoll() => epoll_create1(CloseOnExec);

    /// <summary>Lets timed waits end on the microsecond instead of 50 µs late.</summary>
    public static void WaitPrecisely() => _ = prctl(TimerSlack, 1, 0, 0, 0);

    public static void Watch(int epoll, int descriptor, uint events, ulong tag)
    {
        var ev = stackalloc byte[16];
        *(uint*)ev = events;
        *(ulong*)(ev + (Packed ? 4 : 8)) = tag;
        if (epoll_ctl(epoll, 1, descriptor, ev) != 0) throw new InvalidOperationException($"epoll_ctl: errno {Errno}");
    }

    /// <summary>Waits for events, at most so many nanoseconds; negative: for ever.</summary>
    public static int Wait(int epoll, byte* events, int most, long nanoseconds)
    {
        var time = stackalloc long[2] { nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 };
        var n = nanoseconds == 0 ? epoll_poll(epoll, events, most, 0) : epoll_pwait2(epoll, events, most, nanoseconds < 0 ? null : time, null);
        return n < 0 && Errno == Interrupted ? 0 : n;
    }

    public static uint EventsOf(byte* events, int i) => *(uint*)(events + (i * EventSize));

    public static ulong TagOf(byte* events, int i) => *(ulong*)(events + (i * EventSize) + (Packed ? 4 : 8));

    /// <summary>A non-blocking listening socket on 127.0.0.1; port 0: of the system's choosing.</summary>
    public static int Listen(ref int port)
    {
        var descriptor = NewSocket();
        Set(descriptor, 1, 2, 1);
        var address = stackalloc byte[16];
        Address(address, 0x7F000001, port);
        if (bind(descriptor, address, 16) != 0 || listen(descriptor, 16384) != 0) throw new InvalidOperationException($"cannot listen on port {port}: errno {Errno}");
        var length = 16;
        _ = getsockname(descriptor, address, &length);
        port = (address[2] << 8) | address[3];
        return descriptor;
    }

    public static int Accept(int listener)
    {
        var descriptor = accept4(listener, null, null, NonBlocking | CloseOnExec);
        if (descriptor >= 0) Set(descriptor, 6, 1, 1);
        return descriptor;
    }

    /// <summary>Begins to connect to 127.0.0.1, from 127.0.0.(1 + source): each source has ports of its own.</summary>
    public static int Connect(int port, int source)
    {
        var descriptor = NewSocket();
        Set(descriptor, 6, 1, 1);
        var address = stackalloc byte[16];
        if (source > 0)
        {
            Set(descriptor, 0, 24, 1); // IP_BIND_ADDRESS_NO_PORT: the port is chosen with the whole four-tuple in view.
            Address(address, 0x7F000001u + (uint)source, 0);
            if (bind(descriptor, address, 16) != 0) throw new InvalidOperationException($"bind: errno {Errno}");
        }

        Address(address, 0x7F000001, port);
        if (connect(descriptor, address, 16) == 0 || Errno == InProgress) return descriptor;
        _ = close(descriptor);
        return -1;
    }

    /// <summary>OpenSSL writes to sockets without asking to be spared the signal.</summary>
    public static void IgnoreBrokenPipes() => _ = signal(13, 1);

    /// <summary>Raises the limit on descriptors to the hard one.</summary>
    public static void RaiseDescriptors()
    {
        var limit = stackalloc ulong[2];
        if (getrlimit(7, limit) != 0) return;
        limit[0] = limit[1];
        _ = setrlimit(7, limit);
    }

    public static int CreateMemoryFile(ReadOnlySpan<byte> bytes)
    {
        int descriptor;
        fixed (byte* name = "pattern\0"u8) descriptor = memfd_create(name, 1);
        if (descriptor < 0) throw new InvalidOperationException($"memfd_create: errno {Errno}");
        fixed (byte* start = bytes)
        {
            for (var at = 0; at < bytes.Length;)
            {
                var n = write(descriptor, start + at, (nuint)(bytes.Length - at));
                if (n <= 0) throw new InvalidOperationException($"write: errno {Errno}");
                at += (int)n;
            }
        }

        return descriptor;
    }

    [LibraryImport("libc")]
    [SuppressGCTransition]
    public static partial nint recv(int descriptor, byte* into, nuint count, int flags);

    [LibraryImport("libc")]
    [SuppressGCTransition]
    public static partial nint send(int descriptor, byte* bytes, nuint count, int flags);

    [LibraryImport("libc")]
    public static partial nint sendfile(int into, int from, long* offset, nuint count);

    [LibraryImport("libc")]
    public static partial int close(int descriptor);

    private static int NewSocket()
    {
        var descriptor = socket(2, 1 | NonBlocking | CloseOnExec, 0);
        return descriptor >= 0 ? descriptor : throw new InvalidOperationException($"socket: errno {Errno}");
    }

    private static void Address(byte* address, uint ip, int port)
    {
        *(ushort*)address = 2;
        *(ushort*)(address + 2) = (ushort)IPAddress.HostToNetworkOrder((short)port);
        *(uint*)(address + 4) = (uint)IPAddress.HostToNetworkOrder((int)ip);
        *(ulong*)(address + 8) = 0;
    }

    private static void Set(int descriptor, int level, int name, int value) => _ = setsockopt(descriptor, level, name, &value, sizeof(int));

    [LibraryImport("libc")]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial int epoll_ctl(int epoll, int operation, int descriptor, void* ev);

    [LibraryImport("libc")]
    private static partial int epoll_pwait2(int epoll, void* events, int most, void* timeout, void* mask);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    [SuppressGCTransition]
    private static partial int epoll_poll(int epoll, void* events, int most, int timeout);

    [LibraryImport("libc")]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc")]
    private static partial int bind(int descriptor, byte* address, int length);

    [LibraryImport("libc")]
    private static partial int listen(int descriptor, int backlog);

    [LibraryImport("libc")]
    private static partial int getsockname(int descriptor, byte* address, int* length);

    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial int accept4(int descriptor, byte* address, int* length, int flags);

    [LibraryImport("libc")]
    private static partial int connect(int descriptor, byte* address, int length);

    [LibraryImport("libc")]
    private static partial int setsockopt(int descriptor, int level, int name, void* value, int length);

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc")]
    private static partial nint signal(int number, nint handler);

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, ulong* limit);

    [LibraryImport("libc")]
    private static partial int memfd_create(byte* name, uint flags);

    [LibraryImport("libc")]
    private static partial nint write(int descriptor, byte* bytes, nuint count);
}
