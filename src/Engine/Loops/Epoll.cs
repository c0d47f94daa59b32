// The kernel's event interface, and nothing else. Calls that never wait skip the collector's transition; the waiting
// one must not, or it would hold up a collection.

using System.Runtime.InteropServices;

namespace Weir.Engine.Loops;

internal static unsafe partial class Epoll
{
    public const uint In = 0x1;
    public const uint Out = 0x4;
    public const uint Error = 0x8;
    public const uint HangUp = 0x10;
    public const uint PeerClosed = 0x2000;
    public const uint Exclusive = 1u << 28;
    public const uint EdgeTriggered = 1u << 31;
    public const int Add = 1;
    public const int Delete = 2;
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;

    public static int Create() => epoll_create1(CloseOnExec);

    public static int CreateEvent() => eventfd(0, CloseOnExec | NonBlocking);

    public static int Control(int epoll, int operation, int descriptor, uint events, ulong data)
    {
        if (EpollEvents.Packed)
        {
            var packed = new PackedEpollEvent { Events = events, Data = data };
            return epoll_ctl(epoll, operation, descriptor, &packed);
        }

        var aligned = new AlignedEpollEvent { Events = events, Data = data };
        return epoll_ctl(epoll, operation, descriptor, &aligned);
    }

    public static int Wait(int epoll, void* events, int most, int timeout) =>
        timeout == 0 ? epoll_poll(epoll, events, most, 0) : epoll_wait(epoll, events, most, timeout);

    [LibraryImport("libc")]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc")]
    private static partial int eventfd(uint value, int flags);

    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial int epoll_ctl(int epoll, int operation, int descriptor, void* ev);

    [LibraryImport("libc")]
    private static partial int epoll_wait(int epoll, void* events, int most, int timeout);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    [SuppressGCTransition]
    private static partial int epoll_poll(int epoll, void* events, int most, int timeout);
}

/// <summary>epoll_event is packed on x64 only.</summary>
internal static class EpollEvents
{
    public static bool Packed => RuntimeInformation.ProcessArchitecture == Architecture.X64;
}

[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct PackedEpollEvent
{
    public uint Events;
    public ulong Data;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AlignedEpollEvent
{
    public uint Events;
    public ulong Data;
}
