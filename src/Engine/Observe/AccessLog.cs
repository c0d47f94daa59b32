// One access log: a format, and records on their way to a target that the writer thread feeds.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Observe;

/// <summary>An access log. Plans and exchanges hold it while they may write to it.</summary>
public sealed class AccessLog(string name, LogFormat format, LogTarget target, int loops)
{
    /// <summary>Target and format: what adopts it over reloads.</summary>
    public string Name => Records.Name;

    public LogTarget Target => Records.Target;

    /// <summary>Records dropped because a ring was full. Any thread.</summary>
    public long Dropped => Records.Dropped;

    /// <summary>What was written and is not yet out: the one <see cref="LogWriter"/>'s.</summary>
    internal LogRecords Records { get; } = new(name, target, loops);

    /// <summary>Writes a record, on the exchange's loop.</summary>
    public void Write(Exchange exchange) => format.Write(exchange, Records.RingOf(exchange.Loop.Index));

    /// <summary>Takes out what the loops have written: for the writer thread.</summary>
    public int Drain() => Records.Drain();
}

/// <summary>A ring for each loop that writes, and where the records go. Does not hold its log: who does may still write.</summary>
internal sealed class LogRecords(string name, LogTarget target, int loops)
{
    private readonly LogRing?[] rings = new LogRing?[loops];

    public string Name { get; } = name;

    public LogTarget Target { get; } = target;

    public long Dropped
    {
        get
        {
            var sum = 0L;
            foreach (var ring in rings) sum += ring?.Dropped ?? 0;
            return sum;
        }
    }

    public LogRing RingOf(int loop)
    {
        if (rings[loop] is { } ring) return ring;
        ring = new LogRing();
        Volatile.Write(ref rings[loop], ring);
        return ring;
    }

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
