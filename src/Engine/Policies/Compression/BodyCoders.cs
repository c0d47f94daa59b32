// What one loop has for changing the coding of bodies: coders, sources, and counts.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Policies.Compression;

/// <summary>What was counted about one coding in one direction. Written by one loop; read from any thread.</summary>
public sealed class CodingCount
{
    private long bodies;
    private long bytesIn;
    private long bytesOut;

    /// <summary>Bodies begun.</summary>
    public long Bodies => Volatile.Read(ref bodies);

    /// <summary>Bytes that went in, of bodies that have ended.</summary>
    public long BytesIn => Volatile.Read(ref bytesIn);

    /// <summary>Bytes that came out.</summary>
    public long BytesOut => Volatile.Read(ref bytesOut);

    internal void Begin() => bodies++;

    internal void Add(long wentIn, long cameOut)
    {
        bytesIn += wentIn;
        bytesOut += cameOut;
    }
}

/// <summary>Whose body it is, and what is done to it.</summary>
public enum CodedBody : byte
{
    /// <summary>A response, compressed for its client.</summary>
    ResponseCompressed,

    /// <summary>A response, decompressed for its client.</summary>
    ResponseDecompressed,

    /// <summary>A request, decompressed for its origin.</summary>
    RequestDecompressed,

    /// <summary>A request, compressed for its origin.</summary>
    RequestCompressed,
}

/// <summary>Changes the coding of bodies on one loop.</summary>
public sealed class BodyCoders(Loop loop, BufferPool buffers, MemoryBudget budget)
{
    /// <summary>How many kinds of <see cref="CodedBody"/> there are.</summary>
    public const int Bodies = 4;

    private const int MostKept = 1024;

    // How long (ms) a source may pause before what a compressor holds is sent.
    private const int Pause = 5;

    private readonly CodingCount[] counts = [.. Enumerable.Range(0, Bodies * Codings.Count).Select(static _ => new CodingCount())];
    private readonly long[] byDictionary = new long[Codings.Count];
    private readonly long[] skipped = new long[(int)Untouched.Count];
    private CodedSource? free;
    private int kept;

    public CoderPool Coders { get; } = new(budget);

    /// <summary>Counts of one coding. Any thread.</summary>
    public CodingCount Of(CodedBody body, Coding coding) => counts[((int)body * Codings.Count) + (int)coding];

    /// <summary>Responses that were not compressed for this reason. Any thread.</summary>
    public long Skipped(Untouched why) => Volatile.Read(ref skipped[(int)why]);

    /// <summary>Responses that went out compressed by a dictionary, by the coding beneath. Any thread.</summary>
    public long ByDictionary(Coding coding) => Volatile.Read(ref byDictionary[(int)coding]);

    internal void CountByDictionary(Coding coding) => byDictionary[(int)coding]++;

    internal void Skip(Untouched why) => skipped[(int)why]++;

    /// <summary>A body that is another one's, compressed; null: there are too many, or memory is short.</summary>
    internal CodedSource? TryCompress(Exchange exchange, BodySource source, CodedBody body, Coding coding, int level, bool isLive)
    {
        if (Coders.TryEncoder(coding, level, source.Length) is not { } lent) return null;
        return Begin(exchange, source, lent, body, coding, new CodedLimits(long.MaxValue, 0, isLive ? 0 : Pause));
    }

    /// <summary>A body that is another one's, decompressed; null: as above.</summary>
    internal CodedSource? TryDecompress(Exchange exchange, BodySource source, CodedBody body, Coding coding, long mostOut, int mostRatio)
    {
        if (Coders.TryDecoder(coding, source.Length) is not { } lent) return null;
        return Begin(exchange, source, lent, body, coding, new CodedLimits(mostOut, mostRatio, 0));
    }

    internal void TakeBack(CodedSource source, CoderPool.Lent lent)
    {
        Coders.Return(lent);
        if (kept == MostKept) return;
        kept++;
        source.NextFree = free;
        free = source;
    }

    private CodedSource Begin(Exchange exchange, BodySource source, CoderPool.Lent lent, CodedBody body, Coding coding, CodedLimits limits)
    {
        var coded = free;
        if (coded is null)
        {
            coded = new CodedSource(loop, buffers, this);
        }
        else
        {
            free = coded.NextFree;
            coded.NextFree = null;
            kept--;
        }

        var count = Of(body, coding);
        count.Begin();
        coded.Begin(source, lent, body is CodedBody.ResponseCompressed or CodedBody.RequestCompressed, limits, count);
        exchange.Hold(coded);
        return coded;
    }
}
