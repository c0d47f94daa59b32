// What is counted about a site, an upstream or an endpoint. Each loop counts into a block of its own, without sharing;
// whoever reads adds the blocks up. Records live as long as what they count, across reloads.

namespace Weir.Engine.Observe;

/// <summary>Counts of one loop about one thing. Written by that loop only; read from any thread.</summary>
public sealed class TrafficBlock
{
    internal readonly long[] Codes = new long[StatusCodes.Count];
    internal readonly Histogram Duration = new();
    internal long BytesIn;
    internal long BytesOut;
    internal long Retries;
    internal long Faults;

    /// <summary>Counts an exchange that has ended.</summary>
    public void Count(int status, long microseconds, long bytesIn, long bytesOut, int retries, bool faulty)
    {
        Codes[StatusCodes.PlaceOf(status)]++;
        Duration.Record(microseconds);
        BytesIn += bytesIn;
        BytesOut += bytesOut;
        Retries += retries;
        if (faulty) Faults++;
    }
}

/// <summary>Counts about one thing over all loops.</summary>
public sealed class Traffic(string name, int loops)
{
    private readonly TrafficBlock?[] blocks = new TrafficBlock?[loops];

    /// <summary>The label.</summary>
    public string Name { get; } = name;

    /// <summary>The block of a loop; made on its first use, by that loop.</summary>
    public TrafficBlock Of(int loop) => blocks[loop] ?? Make(loop);

    /// <summary>Adds the loops up. Any thread.</summary>
    public TrafficTotals Total() => Total([this]);

    /// <summary>Adds up what is told under one label.</summary>
    public static TrafficTotals Total(IEnumerable<Traffic> several)
    {
        var total = new TrafficTotals { Codes = new long[StatusCodes.Count], Buckets = new long[Histogram.Bounds.Length + 1] };
        foreach (var block in several.SelectMany(one => one.blocks))
        {
            if (block is null) continue;
            for (var i = 0; i < total.Codes.Length; i++) total.Codes[i] += Volatile.Read(ref block.Codes[i]);
            total.DurationSum += block.Duration.AddTo(total.Buckets);
            total.BytesIn += Volatile.Read(ref block.BytesIn);
            total.BytesOut += Volatile.Read(ref block.BytesOut);
            total.Retries += Volatile.Read(ref block.Retries);
            total.Faults += Volatile.Read(ref block.Faults);
        }

        return total;
    }

    private TrafficBlock Make(int loop)
    {
        var block = new TrafficBlock();
        Volatile.Write(ref blocks[loop], block);
        return block;
    }
}

/// <summary>Sums over all loops, at one moment.</summary>
public sealed class TrafficTotals
{
    /// <summary>Exchanges by status; see <see cref="StatusCodes"/>.</summary>
    public required long[] Codes { get; init; }

    /// <summary>Exchanges by duration, not cumulative; see <see cref="Histogram.Bounds"/>.</summary>
    public required long[] Buckets { get; init; }

    /// <summary>Microseconds.</summary>
    public long DurationSum { get; set; }

    public long BytesIn { get; set; }

    public long BytesOut { get; set; }

    public long Retries { get; set; }

    public long Faults { get; set; }

    /// <summary>Exchanges by status class; [0]: ended without a status.</summary>
    public long[] Classes => [.. Enumerable.Range(0, 6).Select(c => Codes.Where((_, place) => StatusCodes.ClassOf(place) == c).Sum())];

    public long Requests => Codes.Sum();
}
