// The kernel's socket interface, and nothing else. Short non-blocking calls skip the collector's transition.
// In bounds: every pointer here comes from a span or a local of the length that is passed beside it.

using System.Runtime.InteropServices;

namespace Weir.Engine.Transports;

internal static unsafe partial class SocketCalls
{
    public const int Stream = 1;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const int SolSocket = 1;
    public const int SoReuseAddress = 2;
    public const int SoError = 4;
    public const int SoLinger = 13;
    public const int SoReusePort = 15;
    public const int SoAttachFilter = 26;
    public const int IpTcp = 6;
    public const int TcpNoDelay = 1;
    public const int IpV6 = 41;
    public const int IpV6Only = 26;
    public const int NoSignal = 0x4000;
    public const int More = 0x8000;
    public const int Peek = 2;
    public const int ShutRead = 0;
    public const int ShutWrite = 1;
    public const int SetDescriptorFlags = 2;
    public const int GetFlags = 3;
    public const int SetFlags = 4;
    public const int CloseOnExecFlag = 1;

    // libc's own recv and send are points where a thread may be cancelled, and pay for that with two atomic exchanges a call.
    private static nint ReceiveFrom => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 45 : 207;

    private static nint SendTo => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 44 : 206;

    [LibraryImport("libc")]
    public static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc")]
    public static partial int bind(int descriptor, byte* address, int length);

    [LibraryImport("libc")]
    public static partial int listen(int descriptor, int backlog);

    [LibraryImport("libc")]
    [SuppressGCTransition]
    public static partial int accept4(int descriptor, byte* address, int* length, int flags);

    [LibraryImport("libc")]
    public static partial int connect(int descriptor, byte* address, int length);

    /// <summary>Reads at most <paramref name="count"/> bytes.</summary>
    public static nint recv(int descriptor, byte* into, nuint count, int flags) => syscall(ReceiveFrom, descriptor, into, count, flags, null, 0);

    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial nint syscall(nint number, nint descriptor, byte* bytes, nuint count, nint flags, void* address, nint addressLength);

    /// <summary>For reads too long to hold up a collection.</summary>
    [LibraryImport("libc", EntryPoint = "recv")]
    public static partial nint recv_long(int descriptor, byte* into, nuint count, int flags);

    /// <summary>Writes at most <paramref name="count"/> bytes.</summary>
    public static nint send(int descriptor, byte* bytes, nuint count, int flags) => syscall(SendTo, descriptor, bytes, count, flags, null, 0);

    [LibraryImport("libc", EntryPoint = "send")]
    public static partial nint send_long(int descriptor, byte* bytes, nuint count, int flags);

    [LibraryImport("libc")]
    public static partial nint sendmsg(int descriptor, MessageHeader* message, int flags);

    // It may read a disk after all, and copies for long where the peer is on this machine: a collection does not wait for it.
    [LibraryImport("libc")]
    public static partial nint sendfile(int descriptor, int file, long* offset, nuint count);

    [LibraryImport("libc")]
    public static partial int setsockopt(int descriptor, int level, int name, void* value, int length);

    [LibraryImport("libc")]
    public static partial int getsockopt(int descriptor, int level, int name, void* value, int* length);

    [LibraryImport("libc")]
    public static partial int getsockname(int descriptor, byte* address, int* length);

    [LibraryImport("libc")]
    public static partial int fcntl(int descriptor, int command, int argument);

    [LibraryImport("libc")]
    public static partial int shutdown(int descriptor, int how);

    [LibraryImport("libc")]
    public static partial int close(int descriptor);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chmod(string path, uint mode);

    /// <summary>An id of all ones leaves what is.</summary>
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chown(string path, uint user, uint group);

    public static int SetInt(int descriptor, int level, int name, int value) => setsockopt(descriptor, level, name, &value, sizeof(int));

    public static int GetInt(int descriptor, int level, int name)
    {
        int value;
        var length = sizeof(int);
        return getsockopt(descriptor, level, name, &value, &length) == 0 ? value : -1;
    }

    /// <summary>Drops each TCP packet that would begin a connection (SYN without ACK); all others pass.</summary>
    public static bool DropFirstPackets(int descriptor)
    {
        const int FlagsAt = 13;
        var code = stackalloc FilterStep[]
        {
            new() { Code = 0x30, Value = FlagsAt }, // The flags of the header, which the filter sees first.
            new() { Code = 0x54, Value = 0x12 }, // Of them SYN and ACK.
            new() { Code = 0x15, Value = 0x02, Else = 1 },
            new() { Code = 0x06, Value = 0 },
            new() { Code = 0x06, Value = uint.MaxValue },
        };
        var filter = new Filter { Length = 5, Steps = code };
        return setsockopt(descriptor, SolSocket, SoAttachFilter, &filter, sizeof(Filter)) == 0;
    }

    /// <summary>Whether a path, links followed, is a socket.</summary>
    public static bool IsSocket(string path)
    {
        const int Here = -100; // AT_FDCWD
        const uint WantType = 1;
        const int ModeAt = 28;
        var status = stackalloc byte[256];
        return statx(Here, path, 0, WantType, status) == 0 && (*(ushort*)(status + ModeAt) & 0xf000) == 0xc000;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, byte* status);

    [StructLayout(LayoutKind.Sequential)]
    public struct Vector
    {
        public byte* Start;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FilterStep
    {
        public ushort Code;
        public byte Then;
        public byte Else;
        public uint Value;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Filter
    {
        public ushort Length;
        public FilterStep* Steps;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public Vector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
