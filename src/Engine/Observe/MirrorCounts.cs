// What became of the requests that were to be mirrored to an upstream. Each loop counts into a block of its own; whoever reads
// adds them up.

namespace Weir.Engine.Observe;

/// <summary>What became of a mirrored request.</summary>
public enum MirrorOutcome : byte
{
    /// <summary>It was answered, whatever the answer.</summary>
    Answered,

    /// <summary>It was not, or its answer broke off.</summary>
    Failed,

    /// <summary>It was not sent: too many were under way.</summary>
    Dropped,

    /// <summary>It was not sent: its body is too long.</summary>
    TooLarge,

    /// <summary>It was not sent: memory is short.</summary>
    Exhausted,

    /// <summary>It was not sent: neither was the request itself, or not all of it.</summary>
    Incomplete,
}

/// <summary>Counts of one loop. Written by that loop only; counts are read from any thread.</summary>
public sealed class MirrorBlock
{
    internal readonly long[] Ended = new long[MirrorCounts.Outcomes.Length];

    /// <summary>Under way on this loop, those included whose request is still being sent.</summary>
    public int Active { get; set; }

    public void Count(MirrorOutcome outcome) => Ended[(int)outcome]++;
}

/// <summary>Counts of what is mirrored to one upstream, over all loops.</summary>
public sealed class MirrorCounts(int loops)
{
    /// <summary>The outcomes as the metric's label tells them.</summary>
    public static readonly string[] Outcomes = ["answered", "failed", "dropped", "too_large", "exhausted", "incomplete"];

    private readonly MirrorBlock?[] blocks = new MirrorBlock?[loops];

    /// <summary>Whether a plan ever mirrored anything to it: its counts are told from then on.</summary>
    public bool IsUsed { get; set; }

    /// <summary>The block of a loop; made on its first use, by that loop.</summary>
    public MirrorBlock Of(int loop)
    {
        if (blocks[loop] is { } block) return block;
        block = new MirrorBlock();
        Volatile.Write(ref blocks[loop], block);
        return block;
    }

    /// <summary>Over all loops. Any thread.</summary>
    public long Total(MirrorOutcome outcome) => blocks.Sum(b => b is null ? 0 : Volatile.Read(ref b.Ended[(int)outcome]));
}
