// One server behind an upstream. Its identity is scheme, authority and TLS settings; what lives here (load, connections,
// counters, health) survives a reload that keeps these. Counters shared between loops are single atomic words.

using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine.Upstreams;

/// <summary>A live endpoint.</summary>
public sealed class Endpoint : IBalanced, ICounted
{
    private const long FirstAwayFor = 1_000;

    private readonly EndpointPool[] pools;
    private NetworkAddress[] addresses = [];
    private int weight = 1;
    private int tier;
    private int active;
    private int connecting;
    private int connections;
    private int held; // Connections, those being made included.
    private int taken;
    private int slots; // 0: no limit.
    private long failures;
    private int refusals; // Spells of being unreachable since the last connection.
    private long served;
    private long startingSince; // 0: it has its whole share; -1: it starts with the next choice.
    private bool isHttp10;
    private ResponseTime responses;
    private string? trouble;
    private byte[] pathPrefix = [];
    private OriginName? named;
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

    /// <summary>How it is spoken to; null: without TLS.</summary>
    public TlsClient? Tls { get; init; }

    /// <summary>Whether it is sent its own Host unless something else is said: one of many sites, most often.</summary>
    public bool WantsOwnHost { get; init; }

    /// <summary>Why the last handshake with it failed; null: it did not.</summary>
    public string? TlsTrouble => Volatile.Read(ref trouble);

    /// <summary>Handshakes with it.</summary>
    public Handshakes Handshakes { get; } = new();

    public Traffic Traffic { get; }

    /// <summary>What names it in sticky cookies: the same on every node that has it; 0: its upstream has none.</summary>
    public ulong Tag { get; internal set; }

    /// <summary>The path of its URL, put in front of what is forwarded; no trailing slash.</summary>
    public byte[] PathPrefix
    {
        get => pathPrefix;
        set => (pathPrefix, named) = (value, null);
    }

    /// <summary>How it names itself in responses.</summary>
    public OriginName Named => named ??= new OriginName(Authority, Tls is not null, PathPrefix);

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

    /// <summary>Its precedence: 0 is asked first, 1 to 9 stand in.</summary>
    public int Tier
    {
        get => Volatile.Read(ref tier);
        set => Volatile.Write(ref tier, value);
    }

    /// <summary>Why it takes nothing.</summary>
    public Absence Absence { get; } = new();

    /// <summary>What its answers say about it.</summary>
    public Outliers Outliers { get; } = new();

    /// <summary>Its breaker; it stays closed where the settings ask for none.</summary>
    public Breaker Breaker { get; } = new();

    /// <summary>Whether requests may be sent to it.</summary>
    public bool IsAvailable => Absence.Now == Away.None;

    /// <summary>Whether it takes a further request now: one at its limit is not away, but not chosen.</summary>
    public bool HasRoom => Volatile.Read(ref slots) is var most && (most == 0 || Volatile.Read(ref taken) < most);

    bool IBalanced.IsAvailable => IsAvailable && HasRoom;

    /// <summary>Where its connections are counted together with its siblings'.</summary>
    internal OpenConnections? Home { get; set; }

    /// <summary>Connections, those included that are being made.</summary>
    internal int Held => Volatile.Read(ref held);

    /// <summary>Exchanges that have a slot of its and wait for a connection.</summary>
    internal int Wanted;

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
        set
        {
            Volatile.Write(ref settings, value);
            Volatile.Write(ref slots, value.Bounds?.EndpointSlots ?? 0);
        }
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

    internal void ConnectionClosed()
    {
        Interlocked.Decrement(ref connections);
        LetGo();
    }

    /// <summary>A connection is about to be made, whatever the limits.</summary>
    internal void Hold()
    {
        Interlocked.Increment(ref held);
        Home?.Hold();
    }

    /// <summary>One is gone, or could not be made.</summary>
    internal void LetGo()
    {
        Interlocked.Decrement(ref held);
        Home?.LetGo();
    }

    internal bool TryHold(int most) => Slots.TryTake(ref held, most);

    internal bool TryTakeSlot() => Slots.TryTake(ref taken, Volatile.Read(ref slots));

    internal void GiveSlot() => Interlocked.Decrement(ref taken);

    internal IReadOnlyList<EndpointPool> Pools => pools;

    /// <summary>Whether it has come lately, and grows to its share.</summary>
    public bool IsStarting => Volatile.Read(ref startingSince) != 0;

    /// <summary>It has come, or come back.</summary>
    internal void BeginSlowStart()
    {
        if (Settings.SlowStart > 0) Volatile.Write(ref startingSince, -1);
    }

    /// <summary>Whether a request that would be its is one that it takes already: a tenth at first, all at the end.</summary>
    internal bool TakesItsPart(long now, Random random)
    {
        var since = Volatile.Read(ref startingSince);
        if (since < 0) Interlocked.CompareExchange(ref startingSince, since = Math.Max(1, now), -1);
        var whole = Settings.SlowStart;
        if (since != 0 && now - since < whole) return random.NextDouble() < 0.1 + (0.9 * (now - since) / whole);
        Interlocked.CompareExchange(ref startingSince, 0, since);
        return true;
    }

    /// <param name="why">In words.</param>
    /// <param name="now">The loop's time.</param>
    /// <param name="isItsFault">Not where we had run out of something.</param>
    internal void ConnectFailed(string why, long now, bool isItsFault)
    {
        Interlocked.Increment(ref failures);
        if (!isItsFault || (Absence.Now & Away.Unreachable) != 0) return;
        // Who is started anew is found soon, and who stays away costs ever fewer attempts.
        if (Absence.Mark(Away.Unreachable, why, now + Math.Min(Settings.AwayFor, FirstAwayFor << Math.Min(Volatile.Read(ref refusals), 16)))) Interlocked.Increment(ref refusals);
    }

    internal void Connected()
    {
        if (Volatile.Read(ref refusals) != 0) Volatile.Write(ref refusals, 0);
        Absence.Clear(Away.Unreachable);
    }

    /// <summary>A handshake has ended: with the words of its failure, or with an earlier session gone on with or not.</summary>
    internal void Shook(string? failure, bool isResumed = false)
    {
        Handshakes.Tell(failure is not null, isResumed);
        Home?.Handshakes.Tell(failure is not null, isResumed);
        if (failure is not null || trouble is not null) Volatile.Write(ref trouble, failure);
    }

    internal void ForgetLatency() => responses = default;

    /// <summary>It is asked again before its time; the next failure is one too many.</summary>
    internal void EndEjection(long now)
    {
        if (Absence.Clear(Away.Ejected) && Settings.Passive is { } passive) Outliers.EndEjection(now, passive);
    }

    /// <summary>Ends what ends by time. Any loop, now and then.</summary>
    internal void LookAgain(long now)
    {
        if ((Absence.EndWhatIsOver(now) & Away.Ejected) != 0 && Settings.Passive is { } passive) Outliers.EndEjection(now, passive);
    }
}
