// What is counted, for whoever shows it. Plain fields, added to atomically; a reading is good to within what is under way.

namespace Weir.Engine.Caching.Disk;

/// <summary>Why a read brought nothing.</summary>
public enum DiskMiss : byte
{
    /// <summary>It brought something.</summary>
    None,

    /// <summary>Nothing is stored under the hash.</summary>
    Absent,

    /// <summary>What is stored is of no use any more.</summary>
    Expired,

    /// <summary>Removed, or swept away, while it was read.</summary>
    Removed,

    /// <summary>Too much waits for the disk, or memory is short.</summary>
    Busy,

    /// <summary>The store is being closed.</summary>
    Closed,

    /// <summary>The file is gone. This and all that follow are broken entries; they are removed.</summary>
    Missing,

    /// <summary>Not all of the file is there, or its header is none.</summary>
    Torn,

    /// <summary>It is the file of another writing than the index knows.</summary>
    Outdated,

    /// <summary>It has another key.</summary>
    OtherKey,

    /// <summary>Key, head or body are not what was written.</summary>
    Checksum,

    /// <summary>It cannot be read.</summary>
    Unreadable,
}

/// <summary>Why something was not stored.</summary>
public enum DiskRefusal : byte
{
    /// <summary>The disk fails or is full: for a while nothing is stored.</summary>
    Paused,

    /// <summary>The disk is slower than what is to be written, or too much waits for it.</summary>
    Slow,

    /// <summary>Memory is short.</summary>
    Memory,

    /// <summary>Key, head or body are longer than may be.</summary>
    TooLarge,

    /// <summary>The disk failed while it was written.</summary>
    Failed,

    /// <summary>Removed, or swept away, before it was stored.</summary>
    Removed,
}

/// <summary>Counters of one store since its start. Any thread.</summary>
public sealed class DiskCounts
{
    /// <summary>The misses' names, in their order; the first is none.</summary>
    public static readonly string[] MissWords = ["", "absent", "expired", "removed", "busy", "closed", "missing", "torn", "outdated", "other_key", "checksum", "unreadable"];

    /// <summary>The refusals' names, in their order.</summary>
    public static readonly string[] RefusalWords = ["paused", "slow", "memory", "too_large", "failed", "removed"];

    public long Hits;
    public long BytesRead;
    public long Writes;
    public long BytesWritten;
    public long Evictions;
    public long EvictedBytes;

    /// <summary>Entries removed by name or by a sweep.</summary>
    public long Removals;

    /// <summary>Files that no entry belongs to, deleted.</summary>
    public long Orphans;

    /// <summary>Operations that the disk failed.</summary>
    public long Errors;

    /// <summary>Reads that brought nothing, by <see cref="DiskMiss"/>.</summary>
    public readonly long[] Misses = new long[(int)DiskMiss.Unreadable + 1];

    /// <summary>What was not stored, by <see cref="DiskRefusal"/>.</summary>
    public readonly long[] Refusals = new long[(int)DiskRefusal.Removed + 1];

    /// <summary>Entries that were found broken.</summary>
    public long Broken => Misses.AsSpan((int)DiskMiss.Missing).ToArray().Sum();

    /// <summary>Writes that did not become entries.</summary>
    public long Refused => Refusals.Sum();

    internal void Count(DiskMiss reason) => Interlocked.Increment(ref Misses[(int)reason]);

    internal void Count(DiskRefusal reason) => Interlocked.Increment(ref Refusals[(int)reason]);
}
