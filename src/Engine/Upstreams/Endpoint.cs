// One server behind an upstream. Its identity is scheme, authority and TLS settings; what lives here (load, connections,
// counters) survives a reload that keeps these. Counters shared between loops are single atomic words.

using Weir.Engine.Balancing;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine.Upstreams;

/// <summary>A live endpoint.</summary>
public sealed class Endpoint : IBalanced, ICounted
{
    private readonly EndpointPool[] pools;
    private NetworkAddress[] addresses = [];
    private int weight = 1;
    private int active;
    private int connecting;
    private int connections;
    private long failures;
    private long served;
    private bool isHttp10;
    private ResponseTime responses;
    private UpstreamSettings settings = new();

    public Endpoint(string identity, string name, int loops, string? authority = null)
    {
        Identity = identity;
        Name = name;
        Authority = System.Text.Encoding.ASCII.GetBytes(authority ?? name);
        Traffic = new Traffic(name, loops);
        pools = new EndpointPool[loops];
        for (var i = 0; i < loops; i++) pools[i] = new EndpointPool(this);
    }

    /// <summary>Scheme, authority and TLS settings: what adopts it over reloads.</summary>
    public string Identity { get; }

    /// <summary>Authority, or the path of a Unix socket: for people, logs and labels.</summary>
    public string Name { get; }

    /// <summary>The Host that belongs to it, for `host: endpoint`.</summary>
    public byte[] Authority { get; }

    public Traffic Traffic { get; }

    /// <summary>The path of its URL, put in front of what is forwarded; no trailing slash.</summary>
    public byte[] PathPrefix { get; set; } = [];

    /// <summary>Where it listens: tried in order when one refuses. Swapped whole.</summary>
    public NetworkAddress[] Addresses
    {
        get => Volatile.Read(ref addresses);
        set => Volatile.Write(ref addresses, value);
    }

    public int Weight
    {
        get => Volatile.Read(ref weight);
        set => Volatile.Write(ref weight, value);
    }

    public bool IsAvailable => true;

    /// <summary>Whether its last response was of HTTP/1.0.</summary>
    public bool IsHttp10
    {
        get => Volatile.Read(ref isHttp10);
        set => Volatile.Write(ref isHttp10, value);
    }

    public int Active => Volatile.Read(ref active);

    // Who waits for a connection is load as well: else a new endpoint, which has none yet, would look idle to everybody.
    int IBalanced.Active => Volatile.Read(ref active) + Volatile.Read(ref connecting);

    /// <summary>Connections open, idle ones included, over all loops.</summary>
    public int Connections => Volatile.Read(ref connections);

    /// <summary>Connections that wait for their next exchange, over all loops.</summary>
    public int IdleConnections => pools.Sum(p => p.Count);

    /// <summary>Connections made, and exchanges that went on one that was there, since the start.</summary>
    public (long Opened, long Reused) Uses => (pools.Sum(p => p.Uses.Opened), pools.Sum(p => p.Uses.Reused));

    /// <summary>Connections that could not be made, since the start.</summary>
    public long ConnectFailures => Volatile.Read(ref failures);

    /// <summary>Exchanges that ended with a response, since the start.</summary>
    public long Served => Volatile.Read(ref served);

    /// <summary>The upstream's settings. Swapped whole.</summary>
    public UpstreamSettings Settings
    {
        get => Volatile.Read(ref settings);
        set => Volatile.Write(ref settings, value);
    }

    /// <summary>The idle connections of one loop; that loop's own.</summary>
    public EndpointPool Pool(int loop) => pools[loop];

    internal void BeginExchange() => Interlocked.Increment(ref active);

    internal void EndExchange()
    {
        Interlocked.Decrement(ref active);
        Interlocked.Increment(ref served);
    }

    /// <summary>How long its answers take, by this moment (ms), in µs; 0: not known.</summary>
    public double Latency(long now) => responses.At(now);

    /// <summary>An answer's head came so long (µs) after its request.</summary>
    public void Answered(long microseconds, long now) => responses.Tell(microseconds, now);

    internal void BeginConnect() => Interlocked.Increment(ref connecting);

    internal void EndConnect() => Interlocked.Decrement(ref connecting);

    internal void ConnectionOpened() => Interlocked.Increment(ref connections);

    internal void ConnectionClosed() => Interlocked.Decrement(ref connections);

    internal void ConnectFailed() => Interlocked.Increment(ref failures);
}
