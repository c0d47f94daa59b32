// A removal of all that somebody chooses, as by prefix or tag. From the moment it is handed in it is in force: what it would
// remove is not read any more, though its files go in small steps, beside all else. What is being written meanwhile and was begun
// before it is judged too; what is begun afterwards is not.

namespace Weir.Engine.Caching.Disk;

/// <summary>
/// Chooses what is to be removed. Its methods are called on disk threads, on several at once, and change nothing; also for a while
/// after its end, for what was begun before it.
/// </summary>
public abstract class DiskSweep
{
    private long matched;

    /// <summary>Whether what is chosen is removed; false: it is only counted.</summary>
    public virtual bool Removes => true;

    /// <summary>Whether key and head are needed to choose. Where not, no file is opened, and <see cref="MayMatch"/> decides.</summary>
    public virtual bool NeedsHead => true;

    /// <summary>How many were chosen so far.</summary>
    public long Matched => Volatile.Read(ref matched);

    /// <summary>Whether all that was there has been looked at.</summary>
    public bool IsThrough { get; private set; }

    /// <summary>Serial after which entries are not its concern.</summary>
    internal ulong Start { get; set; }

    /// <summary>Whether it could be this one, by what the index knows.</summary>
    public virtual bool MayMatch(UInt128 hash, in DiskFacts facts) => true;

    /// <summary>Whether it is this one.</summary>
    public virtual bool Matches(UInt128 hash, in DiskFacts facts, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head) => true;

    /// <summary>All that was there has been looked at, and what was chosen is gone from the disk; or the store was closed. On a disk thread.</summary>
    protected virtual void End()
    {
    }

    internal bool Chooses(in EntryHeader header, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head) =>
        MayMatch(header.Hash, header.Facts) && (!NeedsHead || Matches(header.Hash, header.Facts, key, head));

    internal void Count() => Interlocked.Increment(ref matched);

    internal void Finish(bool isThrough)
    {
        IsThrough = isThrough;
        End();
    }
}
