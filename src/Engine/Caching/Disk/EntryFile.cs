// A stored body that stays in its file, open: whoever has it open reads on, whatever becomes of the entry.

using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Caching.Disk;

/// <summary>An entry's open file, shared by those who read from it. Any thread.</summary>
internal sealed class EntryFile(DiskStore store, SafeFileHandle handle, EntryHeader header)
{
    private int users = 1;

    public DiskStore Store => store;

    public SafeFileHandle Handle => handle;

    public EntryHeader Header => header;

    public void Take() => Interlocked.Increment(ref users);

    public void Leave()
    {
        // Closing a file that has lost its name frees what it had, which may wait for the disk.
        if (Interlocked.Decrement(ref users) == 0) store.Housework.Leave(handle);
    }

    /// <summary>Bytes of a block: the last one is shorter.</summary>
    public int LengthOf(long block) => (int)Math.Min(EntryHeader.Block, header.BodyLength - (block * EntryHeader.Block));

    /// <summary>Reads and judges a block; what is wrong with it. Disk threads.</summary>
    public DiskMiss Read(long block, Span<byte> into)
    {
        Span<byte> sum = stackalloc byte[EntryHeader.SumBytes];
        try
        {
            if (store.Folder.Read(handle, into, header.BodyAt + (block * EntryHeader.Block)) < into.Length) return DiskMiss.Torn;
            if (store.Folder.Read(handle, sum, header.SumsAt + (block * EntryHeader.SumBytes)) < sum.Length) return DiskMiss.Torn;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            store.Failed("reading from the cache failed", e);
            return DiskMiss.Unreadable;
        }

        return BitConverter.ToUInt64(sum) == EntryHeader.SumOfBlock(into, header.Serial, block) ? DiskMiss.None : DiskMiss.Checksum;
    }
}
