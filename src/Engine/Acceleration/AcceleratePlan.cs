// How a route's large answers are fetched, compiled. Immutable.

using Weir.Engine.Disk;

namespace Weir.Engine.Acceleration;

/// <summary>Limits of one accelerated answer, and of all of a route's upstream.</summary>
public sealed record AcceleratePlan
{
    /// <summary>Connections at once for one answer, the first included.</summary>
    public int Segments { get; init; } = 8;

    /// <summary>Bytes of a segment, at most; slow connections are given shorter ones.</summary>
    public long SegmentSize { get; init; } = 16 << 20;

    /// <summary>Bytes of an answer; a shorter one is not accelerated.</summary>
    public long Smallest { get; init; } = 4 << 20;

    /// <summary>Bytes of one answer that wait in memory for its client.</summary>
    public long Memory { get; init; } = 64 << 20;

    /// <summary>How far ahead of its client one answer is fetched beyond that, kept on disk.</summary>
    public long Disk { get; init; } = 256 << 20;

    /// <summary>Where to; null: nothing is kept on disk.</summary>
    public SpillFolder? Folder { get; init; }

    /// <summary>Connections at once, beside those of the first requests, for all answers of one upstream together.</summary>
    public int MostAtUpstream { get; init; } = 64;

    /// <summary>Whether other servers' bytes are known as the same by a Repr-Digest, whatever their validators are.</summary>
    public bool MirrorsByDigest { get; init; }

    /// <summary>Bytes that all segments under way may hold together: what memory has no room for goes to the disk where there is one.</summary>
    public long Ahead => Memory + (Folder is null ? 0 : Math.Min(Disk, Memory));

    /// <summary>How far ahead of the client it is fetched.</summary>
    public long Window => Memory + (Folder is null ? 0 : Disk);
}
