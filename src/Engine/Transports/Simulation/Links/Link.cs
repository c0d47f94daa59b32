// A link between two places: what TCP makes of delay, loss, caps and a shared bottleneck, without its packets. Each direction
// of each connection is a LinkStream.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports.Simulation.Links;

/// <summary>A link, and what has gone over it.</summary>
public sealed class Link
{
    // RFC 6298 §2.1: before there is a sample.
    private const long FirstTimeout = 1_000_000;
    private const int MostHandshakes = 6;

    // What queues before the bottleneck: a round trip's worth, and never less than 50 ms.
    private const long LeastQueue = 50_000;

    private readonly string one;
    private readonly string other;
    private readonly Random random;
    private readonly LinkWay there;
    private readonly LinkWay back;

    internal Link(SimulatedWorld world, string one, string other, LinkSettings settings)
    {
        (World, this.one, this.other, Settings) = (world, one, other, settings);
        random = new Random(world.Random.Next());
        (there, back) = (Way(settings, random), Way(settings, random));
    }

    public LinkSettings Settings { get; }

    /// <summary>Connections that were opened.</summary>
    public int Connections { get; private set; }

    /// <summary>Connections that were reset on the way.</summary>
    public int Resets { get; internal set; }

    internal SimulatedWorld World { get; }

    /// <summary>What has gone one way.</summary>
    /// <param name="place">From where.</param>
    public LinkWay From(string place) => place == one ? there : place == other ? back : throw new ArgumentException($"the link lies between {one} and {other}", nameof(place));

    internal Transport Connect(Loop from, Loop to, NetworkAddress address, Action<Transport> arrived)
    {
        Connections++;
        var local = World.NextLocal();
        var (client, server) = (new LinkTransport(this, from, local, address), new LinkTransport(this, to, address, local));
        LinkTransport.Couple(client, server, From(World.PlaceOf(from)), From(World.PlaceOf(to)));
        // Three packets, the first two of which are sent again where they are lost: one round trip until the client knows, half
        // a one more until the server does.
        var (wait, timeout) = (0L, FirstTimeout);
        for (var i = 0; (From(World.PlaceOf(from)).Loses() | From(World.PlaceOf(to)).Loses()) && i < MostHandshakes; i++, timeout *= 2) wait += timeout;
        World.After(wait + Settings.RoundTrip, client.Established);
        World.After(wait + Settings.RoundTrip + (Settings.RoundTrip / 2), () =>
        {
            server.Established();
            arrived(server);
        });
        if (Settings.ResetAfter > 0) World.After(wait + Settings.RoundTrip + (long)(-Math.Log(1 - random.NextDouble()) * Settings.ResetAfter * 1e6), () => client.ResetOnTheWay());
        return client;
    }

    private static LinkWay Way(LinkSettings settings, Random random) =>
        new(new LossProcess(new Random(random.Next()), settings.Loss, settings.Burst), new Bottleneck(settings.Bandwidth, Math.Max(settings.RoundTrip, LeastQueue)));
}

/// <summary>One direction of a link: what connections share, and what has gone over it.</summary>
public sealed class LinkWay
{
    private readonly LossProcess losses;
    private readonly Bottleneck bottleneck;

    internal LinkWay(LossProcess losses, Bottleneck bottleneck) => (this.losses, this.bottleneck) = (losses, bottleneck);

    /// <summary>Packets with data that were sent, the lost ones too.</summary>
    public long Packets { get; private set; }

    /// <summary>Packets that were lost.</summary>
    public long Lost { get; private set; }

    /// <summary>Bytes that a receiver's program could read: each once.</summary>
    public long Arrived { get; internal set; }

    /// <summary>Sends a packet.</summary>
    /// <returns>Whether it comes out at the other end.</returns>
    internal bool TrySend(int bytes, double now, out double leaves)
    {
        Packets++;
        var isLost = !bottleneck.TryTake(bytes, now, out leaves) | losses.Next();
        if (isLost) Lost++;
        return !isLost;
    }

    internal bool Loses() => losses.Next();
}
