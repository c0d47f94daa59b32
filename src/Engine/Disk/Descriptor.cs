// Opening by name and asking the descriptor afterwards: what was looked at before could be another file by now. And making
// files that nobody else can open.

using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Disk;

/// <summary>What an open descriptor is. Disk threads only: these calls may wait.</summary>
internal static unsafe partial class Descriptor
{
    private const int ReadAndWrite = 0x2;
    private const int Create = 0x40;
    private const int OnlyNew = 0x80;
    private const int NoControllingTerminal = 0x100;
    private const int NonBlocking = 0x800;
    private const int NotFound = 2;
    private const int CloseOnExec = 0x80000;

    // O_NOFOLLOW is one of the few that differ.
    private static readonly int NoFollow = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    private const int EmptyPath = 0x1000;
    private const uint BasicStats = 0x7ff;

    private const uint OwnerOnly = 0x180; // rw-------

    private const int TypeMask = 0xf000;
    private const int RegularFile = 0x8000;
    private const int AnyRead = 0x124;

    // struct statx of the kernel's interface, the same on every architecture.
    private const int StatBytes = 256;
    private const int OwnerAt = 20;
    private const int GroupAt = 24;
    private const int ModeAt = 28;
    private const int InodeAt = 32;
    private const int SizeAt = 40;
    private const int ChangedAt = 96;
    private const int ModifiedAt = 112;
    private const int DeviceAt = 136;

    private const int FromHere = -100; // AT_FDCWD.

    /// <summary>Opens for reading, never waiting for whoever writes a pipe; null: it is not there or may not be read.</summary>
    public static SafeFileHandle? Open(string path)
    {
        // O_RDONLY is 0 everywhere; the other flags have these values on x64 and arm64.
        var descriptor = OpenFile(path, NoControllingTerminal | NonBlocking | CloseOnExec, 0);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>
    /// Makes a file for reading and writing that is its owner's alone and has no name any more; null: that is not possible there.
    /// Made anew: whatever somebody put under the name, as a link, is not opened.
    /// </summary>
    public static SafeFileHandle? CreateNameless(string folder)
    {
        var name = Path.Combine(folder, $".weir-{Guid.NewGuid():N}");
        var descriptor = OpenFile(name, ReadAndWrite | Create | OnlyNew | CloseOnExec, OwnerOnly);
        if (descriptor < 0) return null;
        var file = new SafeFileHandle(descriptor, ownsHandle: true);
        if (Unlink(name) == 0) return file;
        file.Dispose();
        return null;
    }

    /// <summary>Makes a file for reading and writing that is its owner's alone and must not be there yet; null: that is not possible, <see cref="Loops.Errno.Last"/> says why.</summary>
    public static SafeFileHandle? CreateNew(string path)
    {
        var descriptor = OpenFile(path, ReadAndWrite | Create | OnlyNew | CloseOnExec, OwnerOnly);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Gives a file another name, in place of whatever had that name; false: that is not possible, <see cref="Loops.Errno.Last"/> says why.</summary>
    public static bool TryRename(string from, string to) => Rename(from, to) == 0;

    /// <summary>Takes a file's name away; who has it open may go on. False: that is not possible, <see cref="Loops.Errno.Last"/> says why.</summary>
    public static bool TryRemove(string path) => Unlink(path) == 0;

    /// <summary>Length and time of a regular file that somebody may read; false for anything else.</summary>
    public static bool IsFile(SafeFileHandle file, out long length, out DateTime modified)
    {
        (length, modified) = (0, default);
        var stat = stackalloc byte[StatBytes];
        if (Statx((int)file.DangerousGetHandle(), "", EmptyPath, BasicStats, stat) != 0) return false;
        var mode = *(ushort*)(stat + ModeAt);
        if ((mode & TypeMask) != RegularFile || (mode & AnyRead) == 0) return false;
        length = *(long*)(stat + SizeAt);
        modified = DateTime.UnixEpoch.AddSeconds(*(long*)(stat + ModifiedAt)).AddTicks(*(uint*)(stat + ModifiedAt + 8) / 100);
        return true;
    }

    /// <summary>What tells one file or state of it from another, whoever may read it, all links followed; null: it cannot be looked at.</summary>
    public static (ulong Device, ulong Inode, long Length, long Seconds, uint Nanoseconds, ulong Owners, int Mode)? StateOf(string path)
    {
        var stat = stackalloc byte[StatBytes];
        if (Statx(FromHere, path, 0, BasicStats, stat) != 0) return null;
        return (*(ulong*)(stat + DeviceAt), *(ulong*)(stat + InodeAt), *(long*)(stat + SizeAt), *(long*)(stat + ModifiedAt), *(uint*)(stat + ModifiedAt + 8), *(uint*)(stat + OwnerAt) | ((ulong)*(uint*)(stat + GroupAt) << 32), *(ushort*)(stat + ModeAt));
    }

    /// <summary>The name by which the kernel knows what was opened, all links followed; null: it does not tell.</summary>
    public static string? NameOf(SafeFileHandle file)
    {
        const int Longest = 4096;
        var name = stackalloc byte[Longest];
        var length = ReadLink($"/proc/self/fd/{(int)file.DangerousGetHandle()}", name, Longest);
        return length is <= 0 or >= Longest ? null : Encoding.UTF8.GetString(name, (int)length);
    }

    /// <summary>Whose the program's deeds are.</summary>
    public static uint EffectiveUser => GetEffectiveUser();

    /// <summary>Opens for reading what has this name itself; null: that is a link, or it cannot be opened.</summary>
    public static SafeFileHandle? OpenItself(string path, out bool isThere)
    {
        var descriptor = OpenFile(path, NoControllingTerminal | NonBlocking | CloseOnExec | NoFollow, 0);
        isThere = descriptor >= 0 || Marshal.GetLastPInvokeError() != NotFound;
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Owner and mode of a regular file; null for anything else.</summary>
    public static (uint Owner, int Mode)? AccessOf(SafeFileHandle file)
    {
        var stat = stackalloc byte[StatBytes];
        if (Statx((int)file.DangerousGetHandle(), "", EmptyPath, BasicStats, stat) != 0) return null;
        var mode = *(ushort*)(stat + ModeAt);
        return (mode & TypeMask) == RegularFile ? (*(uint*)(stat + OwnerAt), mode & 0xfff) : null;
    }

    /// <summary>What stands under a name, links followed; null: nothing that could be found.</summary>
    public static FileStamp? StampOf(string path)
    {
        var stat = stackalloc byte[StatBytes];
        if (Statx(FromHere, path, 0, BasicStats, stat) != 0) return null;
        var mode = *(ushort*)(stat + ModeAt);
        return new FileStamp(*(ulong*)(stat + DeviceAt), *(ulong*)(stat + InodeAt), *(long*)(stat + SizeAt), Nanoseconds(stat + ModifiedAt), Nanoseconds(stat + ChangedAt), mode & 0xfff, *(uint*)(stat + OwnerAt), *(uint*)(stat + GroupAt), (mode & TypeMask) == RegularFile);
    }

    private static long Nanoseconds(byte* at) => unchecked((*(long*)at * 1_000_000_000) + *(uint*)(at + 8));

    /// <summary>Gives a file a second name, unless something has that name.</summary>
    public static bool TryLink(string file, string name) => Link(file, name) == 0;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "unlink", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unlink(string path);

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, byte* into);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string file, string name);

    [LibraryImport("libc", EntryPoint = "readlink", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint ReadLink(string path, byte* into, nint size);
}
