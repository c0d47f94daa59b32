// One access log: a format, a ring for each loop, and a target that the writer thread feeds.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Observe;

/// <summary>An access log. Loops write records; one <see cref="LogWriter"/> takes them out.</summary>
public sealed class AccessLog(string name, LogFormat format, LogTarget target, int loops)
{
    private readonly LogRing?[] rings = new LogRing?[loops];

    /// <summary>Target and format: what adopts it over reloads.</summary>
    public string Name { get; } = name;

    public LogTarget Target { get; } = target;

    /// <summary>Records dropped because a ring was full. Any thread.</summary>
    public long Dropped
    {
        get
        {
            var sum = 0L;
            foreach (var ring in rings) sum += ring?.Dropped ?? 0;
            return sum;
        }
    }

    /// <summary>Writes a record, on the exchange's loop.</summary>
    public void Write(Exchange exchange)
    {
        var ring = rings[exchange.Loop.Index];
        if (ring is null) Volatile.Write(ref rings[exchange.Loop.Index], ring = new LogRing());
        format.Write(exchange, ring);
    }

    /// <summary>Takes out what the loops have written: for the writer thread.</summary>
    public int Drain()
    {
        var count = 0;
        for (var i = 0; i < rings.Length; i++)
        {
            if (Volatile.Read(ref rings[i]) is { } ring) count += ring.Drain(Target.Append);
        }

        if (count > 0) Target.Flush();
        return count;
    }
}
