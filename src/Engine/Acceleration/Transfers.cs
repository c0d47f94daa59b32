// The accelerated answers under way, of all loops, and what became of those before: for whoever watches, and for the bound on all.

using System.Collections.Concurrent;
using Weir.Engine.Exchanges;
using Weir.Engine.Upstreams;

namespace Weir.Engine.Acceleration;

/// <summary>Counts since the start. Any thread.</summary>
/// <param name="Accelerated">Answers fetched over several connections.</param>
/// <param name="Resumed">Breaks within an answer that were gone on with.</param>
/// <param name="Parts">Parts that were asked for.</param>
/// <param name="PartsFailed">Parts, or the rests of some, that were asked for again.</param>
/// <param name="Throttled">Times that an origin said that it is asked too much.</param>
/// <param name="Dropped">Servers that did not have the same, or gave no parts.</param>
/// <param name="PartBytes">Bytes that came in parts.</param>
public readonly record struct TransferCounts(long Accelerated, long Resumed, long Parts, long PartsFailed, long Throttled, long Dropped, long PartBytes);

/// <summary>All of one engine. Any thread.</summary>
public sealed class Transfers
{
    private readonly ConcurrentDictionary<TransferView, bool> running = [];
    private int taken;
    private long accelerated;
    private long resumed;
    private long parts;
    private long failed;
    private long throttled;
    private long dropped;
    private long bytes;

    /// <summary>Requests for parts at once, of all upstreams together.</summary>
    public int Most { get; set; } = 1024;

    /// <summary>Requests for parts under way.</summary>
    public int Parts => Volatile.Read(ref taken);

    /// <summary>The answers under way that may be accelerated.</summary>
    public IEnumerable<TransferView> Running => running.Keys;

    public TransferCounts Counts => new(Volatile.Read(ref accelerated), Volatile.Read(ref resumed), Volatile.Read(ref parts), Volatile.Read(ref failed), Volatile.Read(ref throttled), Volatile.Read(ref dropped), Volatile.Read(ref bytes));

    internal void Begin(TransferView view) => running.TryAdd(view, true);

    internal void End(TransferView view)
    {
        running.TryRemove(view, out _);
        if (view.Part == 0) return;
        Interlocked.Add(ref bytes, view.Part);
        if (view.WasShared) Interlocked.Increment(ref accelerated);
    }

    internal bool TryTake(Upstream of, int most)
    {
        if (Interlocked.Increment(ref taken) > Most || !of.Parts.TryTake(most))
        {
            Interlocked.Decrement(ref taken);
            return false;
        }

        return true;
    }

    // Takes the place of the client's own request, which is over: that is never refused.
    internal void Take(Upstream of)
    {
        Interlocked.Increment(ref taken);
        of.Parts.Take();
    }

    internal void GiveBack(Upstream of)
    {
        Interlocked.Decrement(ref taken);
        of.Parts.GiveBack();
    }

    internal void Asked() => Interlocked.Increment(ref parts);

    internal void Resumed() => Interlocked.Increment(ref resumed);

    internal void Failed() => Interlocked.Increment(ref failed);

    internal void Throttled() => Interlocked.Increment(ref throttled);

    internal void Dropped() => Interlocked.Increment(ref dropped);
}

/// <summary>A server that an answer is fetched from.</summary>
/// <param name="Endpoint">It.</param>
public sealed record TransferSource(Endpoint Endpoint)
{
    private long bytes;
    private long seen;
    private long seenAt;

    /// <summary>What it has brought. Any thread.</summary>
    public long Bytes => Volatile.Read(ref bytes);

    /// <summary>Whether it was left out: it does not have the same, or gives no parts.</summary>
    public bool IsDropped { get; internal set; }

    /// <summary>What it brings over one connection, in bytes a second; 0: not known yet.</summary>
    public double Rate { get; private set; }

    internal void Add(long count) => Volatile.Write(ref bytes, bytes + count);

    internal void Look(int connections, long now)
    {
        var (came, took) = (bytes - seen, now - seenAt);
        (seen, seenAt) = (bytes, now);
        if (connections == 0 || took <= 0 || took > 10_000) return;
        var rate = came * 1000.0 / took / connections;
        Rate = Rate == 0 ? rate : (0.7 * Rate) + (0.3 * rate);
    }
}

/// <summary>How far one answer has come. Written by its loop; read from any thread, number by number.</summary>
public sealed class TransferView
{
    private long received;
    private long sent;
    private long held;
    private long part;
    private TransferSource[] sources = [];

    internal TransferView(Exchange of, long length, long had, long now)
    {
        (Length, Begun, received, sent) = (length, now, had, had);
        (Site, Upstream) = (of.Place.Site, of.Place.Upstream);
        Path = System.Text.Encoding.Latin1.GetString(of.Request.Path.Span[..Math.Min(of.Request.Path.Length, 200)]);
        Client = of.ClientAddress?.ToString();
    }

    public string? Site { get; }

    public string? Upstream { get; }

    /// <summary>The path of the request; a long one is cut.</summary>
    public string Path { get; }

    public string? Client { get; }

    /// <summary>Bytes of the answer.</summary>
    public long Length { get; }

    /// <summary>When it began, in ms of its loop's clock.</summary>
    public long Begun { get; }

    /// <summary>Bytes that have come.</summary>
    public long Received => Volatile.Read(ref received);

    /// <summary>Bytes that the client has got.</summary>
    public long Sent => Volatile.Read(ref sent);

    /// <summary>Bytes of buffers that it holds.</summary>
    public long Held => Volatile.Read(ref held);

    /// <summary>Bytes that came in parts.</summary>
    public long Part => Volatile.Read(ref part);

    /// <summary>How many connections there should be, and are.</summary>
    public (int Target, int Active) Connections { get; private set; } = (1, 1);

    /// <summary>Whether it ever had several.</summary>
    public bool WasShared { get; private set; }

    /// <summary>The rate of all together, and the best that one alone had, in bytes a second; 0: not known.</summary>
    public (double All, double Single) Rates { get; private set; }

    /// <summary>Breaks that were gone on with.</summary>
    public int Resumes { get; private set; }

    public IReadOnlyList<TransferSource> Sources => Volatile.Read(ref sources);

    internal void Receive(int count, TransferSource from)
    {
        Volatile.Write(ref received, received + count);
        from.Add(count);
    }

    internal void Send(int count) => Volatile.Write(ref sent, sent + count);

    internal void Hold(long bytes) => Volatile.Write(ref held, bytes);

    internal void ReceivePart(int count, TransferSource from)
    {
        Volatile.Write(ref part, part + count);
        Receive(count, from);
    }

    internal void Pace(int target, int active, double all, double single)
    {
        WasShared |= active > 1;
        (Connections, Rates) = ((target, active), (all, single));
    }

    internal void Resume() => Resumes++;

    internal TransferSource? Find(Endpoint endpoint) => Array.Find(sources, s => s.Endpoint == endpoint);

    internal TransferSource SourceOf(Endpoint endpoint)
    {
        if (Find(endpoint) is { } known) return known;
        var made = new TransferSource(endpoint);
        Volatile.Write(ref sources, [.. sources, made]);
        return made;
    }
}
