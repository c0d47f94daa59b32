// A part of the index: a slab of entries, a hash table of places in it, and S3-FIFO, which decides who goes. What is new stands
// in a small queue, a tenth of the bytes: asked for once more, it moves to the main queue; otherwise it goes, and only its
// fingerprint is kept for a while: who comes back soon enters the main queue at once. There, whoever was asked for goes round
// again. A scan passes through the small queue and leaves the main one alone. Two bits an entry, no work on a hit but one store.
// Any thread; the lock is held for a few steps, never across I/O.

using System.Runtime.InteropServices;

namespace Weir.Engine.Caching.Disk;

/// <summary>An entry as the index knows it.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct IndexEntry
{
    public UInt128 Hash;
    public ulong Serial;
    public long Size;
    public long Mark;
    public uint Stored;
    public uint Expiry;
    public byte Uses;
    public IndexQueue Queue;

    // Places in the slab; -1: none. The first is the next of those with the same bucket, or of those free.
    internal int Next;
    internal int Newer;
    internal int Older;

    public readonly DiskFacts Facts => new(Expiry, Stored, Mark);
}

internal enum IndexQueue : byte
{
    None,
    Small,
    Main,
}

/// <summary>A part of the index.</summary>
internal sealed class IndexShard(int hashBits)
{
    private const int MostUses = 3;

    // Entries passed over in one search for a victim: bounds the time the lock is held.
    private const int MostPassedOver = 128;

    // Removals seen by one hash are seen by its neighbours too: a write that is under way is then lost for nothing, rarely.
    private const int Stamps = 64; // As many as the top six bits have values.

    private readonly Lock door = new();
    private readonly uint[] stamps = new uint[Stamps];
    private IndexEntry[] entries = new IndexEntry[16];
    private int[] buckets = NewBuckets(32);
    private uint[] ghosts = new uint[32];
    private int used;
    private int free = -1;
    private Line small = Line.Empty;
    private Line main = Line.Empty;
    private HashSet<UInt128>? gone;

    public int Count => small.Count + main.Count;

    /// <summary>How many places of the slab were ever used: where a cursor ends.</summary>
    public int Places => Volatile.Read(ref used);

    /// <summary>From now on what is removed is remembered, so that a journal that is read later does not bring it back.</summary>
    public void BeginLoading()
    {
        lock (door) gone = [];
    }

    public void EndLoading()
    {
        lock (door) gone = null;
    }

    /// <summary>Whether a journal still to be read may know of it.</summary>
    public bool MayComeYet(UInt128 hash)
    {
        lock (door) return gone is not null && !gone.Contains(hash);
    }

    public bool TryGet(UInt128 hash, bool touch, out IndexEntry entry)
    {
        lock (door)
        {
            var at = Find(hash);
            if (at < 0)
            {
                entry = default;
                return false;
            }

            if (touch && entries[at].Uses < MostUses) entries[at].Uses++;
            entry = entries[at];
            return true;
        }
    }

    /// <summary>What changes whenever something with this hash is removed on purpose.</summary>
    public uint StampOf(UInt128 hash)
    {
        lock (door) return Stamp(hash);
    }

    /// <summary>Puts an entry in, in place of one with its hash, unless something was removed since the stamp was taken.</summary>
    public bool TryPut(in IndexEntry entry, uint stamp, out long sizeBefore)
    {
        lock (door)
        {
            sizeBefore = -1;
            if (Stamp(entry.Hash) != stamp) return false;
            Put(entry, out sizeBefore);
            return true;
        }
    }

    /// <summary>Puts in what a journal tells of, unless something newer is there, or it was removed since the start.</summary>
    public bool TryLoad(in IndexEntry entry, out long sizeBefore)
    {
        lock (door)
        {
            sizeBefore = -1;
            if (gone is null || gone.Contains(entry.Hash)) return false;
            var at = Find(entry.Hash);
            if (at >= 0 && entries[at].Serial > entry.Serial) return false;
            Put(entry, out sizeBefore);
            return true;
        }
    }

    /// <summary>Takes an entry out, where it is still the one of that serial (0: whichever): it was found broken, say.</summary>
    public bool TryTakeOut(UInt128 hash, ulong serial, out IndexEntry entry)
    {
        lock (door)
        {
            gone?.Add(hash);
            return TakeOut(hash, serial, out entry);
        }
    }

    /// <summary>Takes an entry out that is gone by the journal: of that serial, or an older one.</summary>
    public bool TryUnload(UInt128 hash, ulong serial, out IndexEntry entry)
    {
        lock (door)
        {
            entry = default;
            var at = Find(hash);
            return at >= 0 && entries[at].Serial <= serial && TakeOut(hash, 0, out entry);
        }
    }

    /// <summary>Takes an entry out on purpose: what is being written for the hash does not become an entry either.</summary>
    public bool TryRemove(UInt128 hash, out IndexEntry entry)
    {
        lock (door)
        {
            Stamp(hash)++;
            gone?.Add(hash);
            return TakeOut(hash, 0, out entry);
        }
    }

    /// <summary>Takes out whoever is to go first; false: the shard is empty.</summary>
    public bool TryEvict(uint utcNow, out IndexEntry victim)
    {
        lock (door)
        {
            for (var passed = 0; Count > 0; passed++)
            {
                var fromSmall = small.Count > 0 && (main.Count == 0 || small.Bytes * 10 > small.Bytes + main.Bytes);
                var at = fromSmall ? small.Oldest : main.Oldest;
                ref var entry = ref entries[at];
                if (entry.Uses > 0 && entry.Expiry > utcNow && passed < MostPassedOver)
                {
                    Leave(at);
                    entry.Uses = fromSmall ? (byte)0 : (byte)(entry.Uses - 1);
                    Join(ref main, IndexQueue.Main, at);
                    continue;
                }

                if (fromSmall) ghosts[Slot(entry.Hash)] = Fingerprint(entry.Hash);
                gone?.Add(entry.Hash);
                return TakeOut(entry.Hash, 0, out victim);
            }

            victim = default;
            return false;
        }
    }

    /// <summary>Copies entries from a place of the slab on.</summary>
    public int Copy(ref int cursor, Span<IndexEntry> to)
    {
        lock (door)
        {
            var count = 0;
            for (; cursor < used && count < to.Length; cursor++)
            {
                if (entries[cursor].Queue != IndexQueue.None) to[count++] = entries[cursor];
            }

            return count;
        }
    }

    /// <summary>All entries, those that go first first.</summary>
    public IndexEntry[] All()
    {
        lock (door)
        {
            var all = new IndexEntry[Count];
            var count = 0;
            for (var at = main.Oldest; at >= 0; at = entries[at].Newer) all[count++] = entries[at];
            for (var at = small.Oldest; at >= 0; at = entries[at].Newer) all[count++] = entries[at];
            return all;
        }
    }

    private static int[] NewBuckets(int size)
    {
        var all = new int[size];
        all.AsSpan().Fill(-1);
        return all;
    }

    private static uint Fingerprint(UInt128 hash) => (uint)(hash >> 96) | 1;

    private int Slot(UInt128 hash) => (int)((ulong)hash >> hashBits) & (buckets.Length - 1);

    private ref uint Stamp(UInt128 hash) => ref stamps[(int)((((ulong)(hash >> 64) ^ (ulong)hash) * 0x9E37_79B9_7F4A_7C15) >> 58)];

    private int Find(UInt128 hash)
    {
        var at = buckets[Slot(hash)];
        while (at >= 0 && entries[at].Hash != hash) at = entries[at].Next;
        return at;
    }

    private void Put(in IndexEntry entry, out long sizeBefore)
    {
        sizeBefore = -1;
        var (queue, uses) = (entry.Queue, entry.Uses);
        if (TakeOut(entry.Hash, 0, out var before))
        {
            sizeBefore = before.Size;
            (queue, uses) = (before.Queue, before.Uses); // Who writes it anew has found use for it before.
        }
        else if (queue == IndexQueue.None)
        {
            ref var ghost = ref ghosts[Slot(entry.Hash)];
            queue = ghost == Fingerprint(entry.Hash) ? IndexQueue.Main : IndexQueue.Small;
            if (queue == IndexQueue.Main) ghost = 0;
        }

        var at = TakePlace();
        entries[at] = entry;
        entries[at].Uses = uses;
        ref var bucket = ref buckets[Slot(entry.Hash)];
        entries[at].Next = bucket;
        bucket = at;
        if (queue == IndexQueue.Main) Join(ref main, queue, at);
        else Join(ref small, IndexQueue.Small, at);
    }

    private bool TakeOut(UInt128 hash, ulong serial, out IndexEntry entry)
    {
        ref var link = ref buckets[Slot(hash)];
        while (link >= 0 && entries[link].Hash != hash) link = ref entries[link].Next;
        if (link < 0 || (serial != 0 && entries[link].Serial != serial))
        {
            entry = default;
            return false;
        }

        var at = link;
        entry = entries[at];
        link = entry.Next;
        Leave(at);
        entries[at] = new IndexEntry { Next = free };
        free = at;
        return true;
    }

    private int TakePlace()
    {
        if (free >= 0)
        {
            var at = free;
            free = entries[at].Next;
            return at;
        }

        if (used == entries.Length) Grow();
        return used++;
    }

    private void Grow()
    {
        Array.Resize(ref entries, entries.Length * 2);
        buckets = NewBuckets(buckets.Length * 2);
        ghosts = new uint[buckets.Length];
        for (var at = 0; at < used; at++)
        {
            if (entries[at].Queue == IndexQueue.None) continue;
            ref var bucket = ref buckets[Slot(entries[at].Hash)];
            entries[at].Next = bucket;
            bucket = at;
        }
    }

    private void Join(ref Line line, IndexQueue queue, int at)
    {
        ref var entry = ref entries[at];
        entry.Queue = queue;
        (entry.Older, entry.Newer) = (line.Newest, -1);
        if (line.Newest >= 0) entries[line.Newest].Newer = at;
        else line.Oldest = at;
        line.Newest = at;
        line.Count++;
        line.Bytes += entry.Size;
    }

    private void Leave(int at)
    {
        ref var entry = ref entries[at];
        ref var line = ref entry.Queue == IndexQueue.Main ? ref main : ref small;
        if (entry.Older >= 0) entries[entry.Older].Newer = entry.Newer;
        else line.Oldest = entry.Newer;
        if (entry.Newer >= 0) entries[entry.Newer].Older = entry.Older;
        else line.Newest = entry.Older;
        line.Count--;
        line.Bytes -= entry.Size;
        entry.Queue = IndexQueue.None;
    }

    // Who came first stands at the old end.
    private struct Line
    {
        public int Oldest;
        public int Newest;
        public int Count;
        public long Bytes;

        public static Line Empty => new() { Oldest = -1, Newest = -1 };
    }
}
