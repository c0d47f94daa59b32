// Goes through the index for a sweep, so many entries a step, and opens the files of those that it may concern.

using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Caching.Disk;

/// <summary>The walk of the oldest sweep of a store. Housework's, one step at a time.</summary>
internal sealed class SweepWalk(DiskStore store)
{
    private const int EntriesAStep = 1024;
    private const int FilesAStep = 32;

    private readonly IndexEntry[] entries = new IndexEntry[FilesAStep];
    private DiskSweep? sweep;
    private byte[] room = [];
    private int shard;
    private int cursor;

    public bool HasWork => sweep is not null || !store.Sweeps.IsEmpty;

    public void Step()
    {
        if (sweep is null)
        {
            if (store.Sweeps.IsEmpty) return;
            sweep = store.Sweeps[0];
            room = sweep.NeedsHead ? new byte[EntryHeader.Bytes + EntryHeader.MostKey + EntryHeader.MostHead] : [];
            (shard, cursor) = (0, 0);
        }

        for (int looked = 0, opened = 0; looked < EntriesAStep && opened < FilesAStep;)
        {
            var from = store.Index.Shards[shard];
            var count = from.Copy(ref cursor, entries);
            looked += Math.Max(count, 1);
            for (var i = 0; i < count; i++) opened += Look(entries[i]);
            if (cursor < from.Places) continue;
            cursor = 0;
            if (++shard < store.Index.Shards.Length) continue;
            (var ended, sweep, room) = (sweep, null, []);
            store.EndSweep(ended);
            return;
        }
    }

    // How many files were opened or deleted.
    private int Look(in IndexEntry entry)
    {
        if (entry.Serial >= sweep!.Start || !sweep.MayMatch(entry.Hash, entry.Facts)) return 0;
        if (sweep.NeedsHead && !Matches(entry)) return 1;
        sweep.Count();
        if (!sweep.Removes) return sweep.NeedsHead ? 1 : 0;
        if (store.TakeAway(entry.Hash, entry.Serial)) Interlocked.Increment(ref store.Counts.Removals);
        return 1;
    }

    // What cannot be judged is chosen: it must not turn up again once the disk is well.
    private bool Matches(in IndexEntry entry)
    {
        try
        {
            using var file = store.Folder.Open(store.Folder.PathOf(entry.Hash));
            if (file is null) return true;
            var got = store.Folder.Read(file, room.AsSpan(0, 4096), 0);
            if (!EntryHeader.TryRead(room.AsSpan(0, got), out var header) || header.Hash != entry.Hash || header.Serial != entry.Serial) return true;
            if (got < header.BodyAt && got + store.Folder.Read(file, room.AsSpan(got, header.BodyAt - got), got) < header.BodyAt) return true;
            var key = room.AsSpan(EntryHeader.Bytes, header.KeyLength);
            var head = room.AsSpan(header.BodyAt, header.HeadLength);
            return !ReadHead(file, header, head) || sweep!.Matches(header.Hash, header.Facts, key, head);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            store.Failed("reading from the cache failed", e);
            return true;
        }
    }

    private bool ReadHead(SafeFileHandle file, in EntryHeader header, Span<byte> head) =>
        store.Folder.Read(file, head, header.HeadAt) == head.Length && EntryHeader.SumOf(head, header.Serial) == header.HeadSum;
}
