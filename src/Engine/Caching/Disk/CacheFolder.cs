// The folder of a store, and all that is done to its files: one seam, so that a test can let a disk fail. Entries lie in 256
// folders by the first byte of their hash; what is being written lies aside, under a name that says which process writes it.
// Disk threads and Control's only.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Disk;
using Weir.Engine.Loops;

namespace Weir.Engine.Caching.Disk;

/// <summary>The folder of a store.</summary>
internal class CacheFolder(string path)
{
    public const int Parts = 256;

    private const int NoSpace = 28;
    private const int OverQuota = 122;

    private readonly string aside = System.IO.Path.Combine(path, "aside");
    private long asideCount;

    public string Path => path;

    public string JournalPath { get; } = System.IO.Path.Combine(path, "journal");

    public string LockPath { get; } = System.IO.Path.Combine(path, "lock");

    public string Aside => aside;

    /// <summary>Tells this process's files aside from those of one that has died.</summary>
    public string Mine { get; } = Guid.NewGuid().ToString("N")[..8];

    /// <summary>Whether a failure means that there is no room.</summary>
    public static bool IsFull(Exception failure) => failure.HResult is NoSpace or OverQuota;

    /// <summary>Makes what is missing. Why it cannot be had; null: it can.</summary>
    public string? Make() => PrivateFile.MakeFolder(path) ?? PrivateFile.MakeFolder(aside);

    public string PathOfPart(int part) => System.IO.Path.Combine(path, part.ToString("x2"));

    public string PathOf(UInt128 hash)
    {
        var name = hash.ToString("x32");
        return $"{path}/{name[..2]}/{name[2..]}";
    }

    /// <summary>The hash of the entry that a file in a part is; null: it is none.</summary>
    public static UInt128? HashOf(int part, string name) =>
        name.Length == 30 && UInt128.TryParse(name, System.Globalization.NumberStyles.AllowHexSpecifier, null, out var rest) ? ((UInt128)part << 120) | rest : null;

    public string NextAside() => $"{aside}/{Mine}-{Interlocked.Increment(ref asideCount):x}";

    /// <summary>Makes a file that must not be there yet. Throws what files throw, as all that follow.</summary>
    public virtual SafeFileHandle Create(string file) => Descriptor.CreateNew(file) ?? throw Failure($"'{file}' cannot be made");

    /// <summary>Opens for reading; null: there is none.</summary>
    public virtual SafeFileHandle? Open(string file)
    {
        var handle = Descriptor.Open(file);
        return handle is not null || Errno.Last == Errno.NoEntry ? handle : throw Failure($"'{file}' cannot be opened");
    }

    public virtual void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long at) => RandomAccess.Write(file, bytes, at);

    /// <summary>Reads as much as there is and fits.</summary>
    public virtual int Read(SafeFileHandle file, Span<byte> into, long at)
    {
        var count = 0;
        while (count < into.Length && RandomAccess.Read(file, into[count..], at + count) is > 0 and var got) count += got;
        return count;
    }

    /// <summary>Gives a file its name; its part of the folder is made when it is the first in it.</summary>
    public virtual void Rename(string from, string to)
    {
        if (Descriptor.TryRename(from, to)) return;
        if (Errno.Last != Errno.NoEntry || PrivateFile.MakeFolder(System.IO.Path.GetDirectoryName(to)!) is not null || !Descriptor.TryRename(from, to)) throw Failure($"'{from}' cannot get its name");
    }

    /// <summary>Deletes a file; false: it was not there.</summary>
    public virtual bool Delete(string file)
    {
        if (Descriptor.TryRemove(file)) return true;
        return Errno.Last == Errno.NoEntry ? false : throw Failure($"'{file}' cannot be deleted");
    }

    private static IOException Failure(string what) => new($"{what}: {Errno.Describe(Errno.Last)}", Errno.Last);
}
