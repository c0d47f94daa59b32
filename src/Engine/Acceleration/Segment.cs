// A part of an answer that is fetched by itself, as its transfer keeps account of it.

using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Acceleration;

/// <summary>One segment. Leased; one loop.</summary>
internal sealed class Segment(Loop loop, BufferPool buffers)
{
    /// <summary>The next one of the answer.</summary>
    public Segment? Next { get; set; }

    public SegmentBuffer Buffer { get; } = new(loop, buffers);

    /// <summary>Its first byte.</summary>
    public long First { get; private set; }

    /// <summary>Up to where it has come.</summary>
    public long At { get; set; }

    /// <summary>The byte behind its last one. Becomes less where another takes over the rest.</summary>
    public long End { get; set; }

    /// <summary>Who fetches it; null: nobody.</summary>
    public SegmentFetch? Fetch { get; set; }

    /// <summary>Whether some server has answered with it.</summary>
    public bool IsConfirmed { get; set; }

    /// <summary>How often in a row nothing of it came.</summary>
    public int Failures { get; set; }

    /// <summary>When it may be asked for again.</summary>
    public long RetryAt { get; set; }

    public bool IsWhole => At >= End;

    public long Left => Math.Max(0, End - At);

    public void Begin(Transfer of, long first, long end)
    {
        (First, At, End, Next, Fetch) = (first, first, end, null, null);
        (IsConfirmed, Failures, RetryAt) = (false, 0, 0);
        Buffer.Begin(of);
    }
}
