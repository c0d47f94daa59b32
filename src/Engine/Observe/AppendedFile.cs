// A file opened with O_APPEND: the kernel puts every write at its end, wherever another writer or a rotation has left that.

using System.Runtime.InteropServices;
using Weir.Engine.Loops;

namespace Weir.Engine.Observe;

/// <summary>A file whose end is written to. One thread at a time. A pipe that nobody empties loses lines, it never waits.</summary>
internal sealed unsafe partial class AppendedFile : IDisposable
{
    private const int WriteOnly = 1;
    private const int Create = 0x40;
    private const int NoControllingTerminal = 0x100;
    private const int AtTheEnd = 0x400;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    private const uint OwnerWritesGroupReads = 0x1A0; // 0640: clients' addresses stand in it.

    private int descriptor;

    /// <exception cref="IOException">It cannot be opened.</exception>
    public AppendedFile(string path)
    {
        descriptor = open(path, WriteOnly | Create | AtTheEnd | NoControllingTerminal | NonBlocking | CloseOnExec, OwnerWritesGroupReads);
        if (descriptor < 0) throw new IOException(Errno.Describe(Marshal.GetLastPInvokeError()));
    }

    /// <exception cref="IOException">Not all of it was written.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint written;
            fixed (byte* from = bytes) written = write(descriptor, from, bytes.Length);
            if (written < 0 && Marshal.GetLastPInvokeError() == Errno.Interrupted) continue;
            if (written <= 0) throw new IOException(Errno.Describe(Marshal.GetLastPInvokeError()));
            bytes = bytes[(int)written..];
        }
    }

    public void Dispose()
    {
        if (descriptor >= 0) _ = close(descriptor);
        descriptor = -1;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, byte* bytes, nint count);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}
