// An entry that is read: opened, its key compared, its sums checked. A small one comes whole, in one piece of work; of a larger
// one the head comes, and the body is read from its open file as it is wanted. What is broken is a miss, and removed.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching.Disk;

/// <summary>A read under way. One loop; let go of with <see cref="Dispose"/>, at any time.</summary>
public sealed class DiskRead : DiskJob, IDisposable
{
    /// <summary>A file of up to so many bytes comes whole.</summary>
    public const int MostWhole = 262144;

    private const int FirstPage = 4096;
    private const int RoomForHead = EntryHeader.Bytes + EntryHeader.MostKey + EntryHeader.MostHead;

    private readonly DiskStore store;
    private readonly Loop loop;
    private readonly BufferPool buffers;
    private readonly UInt128 hash;
    private readonly byte[] key;

    // What the index said; 0 and -1: it did not know it yet.
    private readonly ulong serial;
    private readonly long occupied;
    private Chunk? room;
    private EntryFile? file;
    private EntryHeader header;
    private int headAt;

    internal DiskRead(DiskStore store, Loop loop, BufferPool buffers, Chunk room, UInt128 hash, byte[] key, ulong serial, long occupied)
        : base(loop) => (this.store, this.loop, this.buffers, this.room, this.hash, this.key, this.serial, this.occupied) = (store, loop, buffers, room, hash, key, serial, occupied);

    /// <summary>Why there is nothing; none: there is. Once it is <see cref="DiskJob.Done"/>, as all that follows.</summary>
    public DiskMiss Miss { get; private set; } = DiskMiss.Closed;

    public bool IsHit => Miss == DiskMiss.None;

    public DiskFacts Facts => header.Facts;

    public long BodyLength => header.BodyLength;

    /// <summary>The head, until the read is let go of.</summary>
    public ReadOnlySpan<byte> Head => room!.Bytes.AsSpan(headAt, header.HeadLength);

    /// <summary>Whether the whole body came along.</summary>
    public bool IsWhole => IsHit && file is null;

    /// <summary>The body where it <see cref="IsWhole"/>, until the read is let go of.</summary>
    public ReadOnlyMemory<byte> Body => room!.Bytes.AsMemory(header.BodyAt, (int)header.BodyLength);

    /// <summary>The open file where the body did not come along, until the read is let go of.</summary>
    internal EntryFile? File => file;

    /// <summary>A part of a body that did not come along, each block of it checked before it is given. Outlives the read; let go of by itself.</summary>
    public DiskSource Source(long offset, long count) => new(loop, buffers, file!, offset, count);

    public void Dispose()
    {
        if (Done.IsSet) LetGo();
        else Abandon();
    }

    internal static int RoomFor(long occupied) => occupied is >= 0 and <= MostWhole ? (int)occupied : RoomForHead;

    protected override void Work()
    {
        if (!store.TryEnter())
        {
            store.Counts.Count(DiskMiss.Closed);
            return;
        }

        try
        {
            Miss = Read(again: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            store.Failed("reading from the cache failed", e);
            Miss = DiskMiss.Unreadable;
        }

        if (Miss == DiskMiss.None)
        {
            Interlocked.Increment(ref store.Counts.Hits);
            Interlocked.Add(ref store.Counts.BytesRead, header.HeadLength + (file is null ? header.BodyLength : 0));
        }
        else
        {
            store.Counts.Count(Miss);
            if (Miss >= DiskMiss.Missing) Remove();
        }

        store.Leave();
    }

    protected override void LetGo()
    {
        if (room is not null) buffers.Return(room);
        room = null;
        file?.Leave();
        file = null;
    }

    private DiskMiss Read(bool again)
    {
        var path = store.Folder.PathOf(hash);
        using var opened = new Opened(store.Folder.Open(path));
        if (opened.Handle is not { } handle) return serial == 0 ? DiskMiss.Absent : IsStill() ? DiskMiss.Missing : DiskMiss.Removed;
        var bytes = room!.Bytes;
        // Of a large one the first page has the key, most often.
        var got = store.Folder.Read(handle, bytes.AsSpan(0, occupied > MostWhole ? FirstPage : occupied < 0 ? room.Capacity : (int)occupied), 0);
        if (!EntryHeader.TryRead(bytes.AsSpan(0, got), out header)) return DiskMiss.Torn;
        if (header.Hash != hash || header.KeyLength != key.Length) return DiskMiss.OtherKey;
        var verdict = header.FileLength <= room.Capacity ? ReadWhole(handle, got) : ReadHead(handle, got);
        if (verdict != DiskMiss.None) return verdict;
        if (!bytes.AsSpan(EntryHeader.Bytes, key.Length).SequenceEqual(key)) return DiskMiss.OtherKey;
        if (EntryHeader.SumOf(key, header.Serial) != header.KeySum || EntryHeader.SumOf(Head, header.Serial) != header.HeadSum) return DiskMiss.Checksum;
        if (header.Facts.Expiry <= store.UtcSeconds) return DiskMiss.Expired;
        if (store.IsSwept(header, key, Head)) return DiskMiss.Removed;
        if (!IsKnown(out verdict))
        {
            if (again || verdict != DiskMiss.Outdated) return verdict;
            // Renamed and not yet in the index, or the other way round: under the lock both are there.
            lock (store.StripeOf(hash)) return Read(again: true);
        }

        if (header.FileLength > room.Capacity) file = new EntryFile(store, opened.Take(), header);
        return DiskMiss.None;
    }

    private DiskMiss ReadWhole(SafeFileHandle handle, int got)
    {
        var length = (int)header.FileLength;
        var bytes = room!.Bytes;
        if (got < length) got += store.Folder.Read(handle, bytes.AsSpan(got, length - got), got);
        if (got < length) return DiskMiss.Torn;
        headAt = (int)header.HeadAt;
        var body = bytes.AsSpan(header.BodyAt, (int)header.BodyLength);
        for (var block = 0; block * EntryHeader.Block < body.Length; block++)
        {
            var at = block * EntryHeader.Block;
            var sum = BitConverter.ToUInt64(bytes, (int)header.SumsAt + (block * EntryHeader.SumBytes));
            if (sum != EntryHeader.SumOfBlock(body.Slice(at, Math.Min(EntryHeader.Block, body.Length - at)), header.Serial, block)) return DiskMiss.Checksum;
        }

        return DiskMiss.None;
    }

    private DiskMiss ReadHead(SafeFileHandle handle, int got)
    {
        // Another, larger one than the index said has taken its place: whoever asks next finds it.
        if (header.BodyAt + header.HeadLength > room!.Capacity) return DiskMiss.Removed;
        var bytes = room.Bytes;
        if (got < header.BodyAt && got + store.Folder.Read(handle, bytes.AsSpan(got, header.BodyAt - got), got) < header.BodyAt) return DiskMiss.Torn;
        headAt = header.BodyAt;
        if (store.Folder.Read(handle, bytes.AsSpan(headAt, header.HeadLength), header.HeadAt) < header.HeadLength) return DiskMiss.Torn;
        // One that was cut off is not begun with.
        return RandomAccess.GetLength(handle) < header.FileLength ? DiskMiss.Torn : DiskMiss.None;
    }

    // Whether the file is the one the index knows. Before the index is loaded, it knows nothing of most.
    private bool IsKnown(out DiskMiss verdict)
    {
        var isThere = store.Index.TryGet(hash, touch: false, out var entry);
        verdict = isThere ? DiskMiss.Outdated : DiskMiss.Removed;
        return isThere ? entry.Serial == header.Serial : serial == 0 && store.Index.Of(hash).MayComeYet(hash);
    }

    private bool IsStill() => store.Index.TryGet(hash, touch: false, out var entry) && entry.Serial == serial;

    // What was broken is what stood there by the index, or, before that was loaded, by its name.
    private void Remove()
    {
        store.Tell("an entry of the cache was broken, and is removed", $"{store.Folder.PathOf(hash)}: {Miss}");
        if (serial != 0 && IsStill()) store.TakeAway(hash, serial);
        else if (serial == 0) store.TakeAwayAny(hash);
    }

    private readonly struct Opened(SafeFileHandle? handle) : IDisposable
    {
        private readonly Holder holder = new() { Handle = handle };

        public SafeFileHandle? Handle => holder.Handle;

        public SafeFileHandle Take()
        {
            var taken = holder.Handle!;
            holder.Handle = null;
            return taken;
        }

        public void Dispose() => holder.Handle?.Dispose();

        private sealed class Holder
        {
            public SafeFileHandle? Handle { get; set; }
        }
    }
}
