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
    private int connections;
    private long failures;
    private long served;
    private long awayUntil; // 0: it is there, as far as is known.
    private bool isHttp10;
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

    /// <summary>Whether a connection could be made when that was tried last, or that was long ago.</summary>
    public bool IsAvailable => Volatile.Read(ref awayUntil) == 0;

    /// <summary>Whether its last response was of HTTP/1.0.</summary>
    public bool IsHttp10
    {
        get => Volatile.Read(ref isHttp10);
        set => Volatile.Write(ref isHttp10, value);
    }

    public int Active => Volatile.Read(ref active);

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

    internal void ConnectionOpened() => Interlocked.Increment(ref connections);

    internal void ConnectionClosed() => Interlocked.Decrement(ref connections);

    /// <param name="now">The loop's time.</param>
    /// <param name="isItsFault">Not where we had run out of something.</param>
    internal void ConnectFailed(long now, bool isItsFault)
    {
        Interlocked.Increment(ref failures);
        if (isItsFault) Volatile.Write(ref awayUntil, now + Settings.AwayFor);
    }

    internal void Connected()
    {
        if (Volatile.Read(ref awayUntil) != 0) Volatile.Write(ref awayUntil, 0);
    }

    /// <summary>Its time to be away is over: it is asked again. Any loop, now and then.</summary>
    internal void LookAgain(long now)
    {
        var until = Volatile.Read(ref awayUntil);
        if (until != 0 && now >= until) Interlocked.CompareExchange(ref awayUntil, 0, until);
    }
}
