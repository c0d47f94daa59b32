// What is on the disk, in memory: 64 bytes an entry and no object of its own. Shards, so that loops do not wait for each
// other and a table that grows holds few. Hashes are even, so that shards of about as many entries make one whole. Any thread.

using System.Numerics;

namespace Weir.Engine.Caching.Disk;

/// <summary>The index of a store.</summary>
internal sealed class EntryIndex
{
    private readonly IndexShard[] shards;
    private long count;
    private long bytes;

    /// <param name="shardCount">A power of two.</param>
    public EntryIndex(int shardCount)
    {
        shards = new IndexShard[shardCount];
        for (var i = 0; i < shardCount; i++) shards[i] = new IndexShard(BitOperations.Log2((uint)shardCount));
    }

    public ReadOnlySpan<IndexShard> Shards => shards;

    public long Count => Volatile.Read(ref count);

    public long Bytes => Volatile.Read(ref bytes);

    public IndexShard Of(UInt128 hash) => shards[(int)((ulong)hash & (ulong)(shards.Length - 1))];

    public void BeginLoading()
    {
        foreach (var shard in shards) shard.BeginLoading();
    }

    public void EndLoading()
    {
        foreach (var shard in shards) shard.EndLoading();
    }

    public bool TryGet(UInt128 hash, bool touch, out IndexEntry entry) => Of(hash).TryGet(hash, touch, out entry);

    public bool TryPut(in IndexEntry entry, uint stamp) => Of(entry.Hash).TryPut(entry, stamp, out var before) && Added(entry.Size, before);

    public bool TryLoad(in IndexEntry entry) => Of(entry.Hash).TryLoad(entry, out var before) && Added(entry.Size, before);

    public bool TryTakeOut(UInt128 hash, ulong serial) => Of(hash).TryTakeOut(hash, serial, out var entry) && Lost(entry);

    public bool TryUnload(UInt128 hash, ulong serial) => Of(hash).TryUnload(hash, serial, out var entry) && Lost(entry);

    public bool TryRemove(UInt128 hash, out IndexEntry entry) => Of(hash).TryRemove(hash, out entry) && Lost(entry);

    /// <summary>Takes out whoever is to go first, of the shard that has the most.</summary>
    public bool TryEvict(uint utcNow, out IndexEntry victim)
    {
        var fullest = shards[0];
        foreach (var shard in shards)
        {
            if (shard.Count > fullest.Count) fullest = shard;
        }

        return fullest.TryEvict(utcNow, out victim) && Lost(victim);
    }

    private bool Added(long size, long sizeBefore)
    {
        if (sizeBefore < 0) Interlocked.Increment(ref count);
        Interlocked.Add(ref bytes, size - Math.Max(sizeBefore, 0));
        return true;
    }

    private bool Lost(in IndexEntry entry)
    {
        Interlocked.Decrement(ref count);
        Interlocked.Add(ref bytes, -entry.Size);
        return true;
    }
}
