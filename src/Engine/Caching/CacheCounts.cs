// What a cache did. Each loop counts into a block of its own; whoever reads adds them up.

namespace Weir.Engine.Caching;

/// <summary>What became of a request at a cache.</summary>
public enum CacheOutcome : byte
{
    /// <summary>The route has no cache, or the request never came so far.</summary>
    None,

    /// <summary>Answered from the cache.</summary>
    Hit,

    /// <summary>Answered from the cache though stale: it is renewed behind, or cannot be.</summary>
    Stale,

    /// <summary>Fetched, and kept.</summary>
    Miss,

    /// <summary>Somebody else's fetch answered it.</summary>
    Collapsed,

    /// <summary>The origin said that what is kept still holds.</summary>
    Revalidated,

    /// <summary>What is kept had expired, and was fetched anew.</summary>
    Expired,

    /// <summary>Passed on: its answer may not be kept.</summary>
    Pass,

    /// <summary>Passed on: the operator or the client wants that.</summary>
    Bypass,
}

/// <summary>Counts of one loop. Written by that loop only.</summary>
public sealed class CacheBlock
{
    internal readonly long[] Outcomes = new long[CacheCounts.Outcomes.Length];
    internal long BytesSaved;
    internal long Fills;

    public void Count(CacheOutcome outcome) => Outcomes[(int)outcome]++;

    public void Saved(long bytes) => BytesSaved += bytes;

    public void CountFill() => Fills++;
}

/// <summary>Counts of one cache, over all loops.</summary>
public sealed class CacheCounts(int loops)
{
    /// <summary>The outcomes as metrics and logs tell them.</summary>
    public static readonly string[] Outcomes = ["none", "hit", "stale", "miss", "collapsed", "revalidated", "expired", "pass", "bypass"];

    private readonly CacheBlock?[] blocks = new CacheBlock?[loops];
    private long evictions;
    private long purged;

    /// <summary>The block of a loop; made on its first use, by that loop.</summary>
    public CacheBlock Of(int loop)
    {
        if (blocks[loop] is { } block) return block;
        block = new CacheBlock();
        Volatile.Write(ref blocks[loop], block);
        return block;
    }

    public long Evictions => Volatile.Read(ref evictions);

    /// <summary>Responses that purges took out, or made stale.</summary>
    public long Purged => Volatile.Read(ref purged);

    public long Total(CacheOutcome outcome) => blocks.Sum(b => b is null ? 0 : Volatile.Read(ref b.Outcomes[(int)outcome]));

    public long BytesSaved => blocks.Sum(static b => b is null ? 0 : Volatile.Read(ref b.BytesSaved));

    public long Fills => blocks.Sum(static b => b is null ? 0 : Volatile.Read(ref b.Fills));

    internal void CountPurged(long responses) => Interlocked.Add(ref purged, responses);

    internal void CountEviction() => Interlocked.Increment(ref evictions);
}
