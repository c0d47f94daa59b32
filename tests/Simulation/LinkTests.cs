// The model of a link against what is known of TCP: response functions, caps, shared bottlenecks; and that a seed is a run.

using System.Net;
using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Transports.Simulation.Links;

namespace Weir.Tests.Simulation;

public class LinkTests
{
    private const int Segment = 1448;

    // Mathis et al. 1997: rate = segment ÷ round trip × √(3 ÷ 2p), where losses lie 1/p packets apart.
    [Theory]
    [InlineData(50, 0.01)]
    [InlineData(200, 0.01)]
    [InlineData(200, 0.001)]
    [InlineData(100, 0.0005)]
    public void A_reno_connection_is_as_fast_as_mathis_says(int milliseconds, double loss)
    {
        var rate = RateOf(new LinkSettings { RoundTrip = milliseconds * 1000, Loss = loss, Control = CongestionControl.Reno }, 3000);
        var expected = Segment / (milliseconds / 1000.0) * Math.Sqrt(1.5 / loss);
        Assert.InRange(rate / expected, 0.8, 1.25);
    }

    // RFC 9438 §5: the average window is 1.054 × (round trip ÷ p)^0.75, or Reno's where that is more.
    [Theory]
    [InlineData(50, 0.01)]
    [InlineData(200, 0.01)]
    [InlineData(200, 0.0002)]
    [InlineData(100, 0.0001)]
    public void A_cubic_connection_is_as_fast_as_its_response_function(int milliseconds, double loss)
    {
        var rate = RateOf(new LinkSettings { RoundTrip = milliseconds * 1000, Loss = loss }, 6000);
        var window = Math.Max(Math.Pow(0.4 * 3.7 / 1.2, 0.25) * Math.Pow(milliseconds / 1000.0 / loss, 0.75), Math.Sqrt(1.5 / loss));
        Assert.InRange(rate / (window * Segment / (milliseconds / 1000.0)), 0.7, 1.4);
    }

    // With losses it falls below now and then, and never makes up for it.
    [Theory]
    [InlineData(0, 0.998)]
    [InlineData(0.0001, 0.95)]
    public void A_cap_on_a_connection_is_its_rate(double loss, double least)
    {
        var rate = RateOf(new LinkSettings { RoundTrip = 100_000, Rate = 400_000, Loss = loss }, 600);
        Assert.InRange(rate / 400_000, least, 1);
    }

    [Fact]
    public void What_a_receiver_takes_at_once_is_what_comes_in_a_round_trip()
    {
        var rate = RateOf(new LinkSettings { RoundTrip = 100_000, Window = 256 << 10 }, 600);
        Assert.InRange(rate / ((256 << 10) / 0.1), 0.9, 1.001);
    }

    [Theory]
    [InlineData(1, CongestionControl.Cubic)]
    [InlineData(2, CongestionControl.Cubic)]
    [InlineData(8, CongestionControl.Cubic)]
    [InlineData(8, CongestionControl.Reno)]
    public void Connections_share_a_bottleneck_and_fill_it(int connections, CongestionControl control)
    {
        const int Bandwidth = 2_000_000, Seconds = 300;
        var world = new LinkWorld(new LinkSettings { RoundTrip = 60_000, Bandwidth = Bandwidth, Control = control }, connections, 3);
        world.Run(Seconds);
        Assert.InRange(world.Got.Sum() / (double)Seconds / Bandwidth, 0.9, 1);
        Assert.All(world.Got, got => Assert.InRange(got / (double)Seconds / (Bandwidth / (double)connections), 0.5, 2));
    }

    [Fact]
    public void Connections_that_lose_by_chance_are_as_many_times_as_fast()
    {
        var settings = new LinkSettings { RoundTrip = 200_000, Loss = 0.01 };
        var world = new LinkWorld(settings, 8, 1);
        world.Run(2000);
        Assert.InRange(world.Got.Sum() / 2000.0 / RateOf(settings, 2000), 7, 9);
    }

    [Theory]
    [InlineData(0.01, 1)]
    [InlineData(0.01, 4)]
    [InlineData(0.1, 10)]
    public void As_much_is_lost_as_was_said_and_in_bursts_as_long(double loss, double burst)
    {
        var losses = new LossProcess(new Random(1), loss, burst);
        const int Packets = 2_000_000;
        var (lost, bursts, before) = (0, 0, false);
        for (var i = 0; i < Packets; i++)
        {
            var isLost = losses.Next();
            if (isLost) lost++;
            if (isLost && !before) bursts++;
            before = isLost;
        }

        Assert.InRange(lost / (double)Packets / loss, 0.97, 1.03);
        // Losses that know nothing of each other stand side by side by chance too.
        Assert.InRange(lost / (double)bursts / (burst > 1 ? burst : 1 / (1 - loss)), 0.97, 1.03);
    }

    // The same share of packets in fewer events: the window shrinks less often.
    [Fact]
    public void Losses_in_bursts_hurt_less_than_as_many_alone()
    {
        var alone = new LinkSettings { RoundTrip = 200_000, Loss = 0.01 };
        Assert.True(RateOf(alone with { Burst = 4 }, 3000) > 1.3 * RateOf(alone, 3000));
    }

    [Fact]
    public void A_connection_that_loses_half_of_all_packets_still_gets_on()
    {
        var world = new LinkWorld(new LinkSettings { RoundTrip = 50_000, Loss = 0.5 }, 1, 1);
        world.Run(20_000);
        Assert.True(world.Got[0] > 100_000, $"{world.Got[0]} bytes");
    }

    [Fact]
    public void Connections_are_reset_as_often_as_was_said()
    {
        var world = new LinkWorld(new LinkSettings { RoundTrip = 10_000, Rate = 2_000, ResetAfter = 100 }, 400, 1);
        world.Run(100);
        Assert.InRange(world.Link.Resets / 400.0, 0.55, 0.71); // 1 - 1/e
        world.Run(1000);
        Assert.Equal(400, world.Link.Resets);
    }

    [Fact]
    public void A_seed_is_a_run_and_another_is_another()
    {
        var settings = new LinkSettings { RoundTrip = 200_000, Loss = 0.01, Burst = 2, Bandwidth = 1_000_000, ResetAfter = 500 };
        Assert.Equal(TraceOf(settings, 1), TraceOf(settings, 1));
        Assert.NotEqual(TraceOf(settings, 1), TraceOf(settings, 2));
    }

    private static (ulong, long) TraceOf(LinkSettings settings, int seed)
    {
        var world = new LinkWorld(settings, 4, seed);
        world.Run(300);
        return (world.World.Trace, world.Got.Sum());
    }

    private static double RateOf(LinkSettings settings, int seconds)
    {
        var world = new LinkWorld(settings, 1, 1);
        world.Run(seconds);
        return world.Got[0] / (double)seconds;
    }
}

/// <summary>Clients that read what a server sends for ever over one link.</summary>
internal sealed class LinkWorld
{
    private static readonly NetworkAddress Address = NetworkAddress.FromIp(IPAddress.Parse("10.0.0.1"), 80);
    private static readonly byte[] Zeros = new byte[64 << 10];

    public LinkWorld(LinkSettings settings, int connections, int seed)
    {
        World = new SimulatedWorld(seed);
        var (near, nearNetwork) = World.AddLoop("near");
        var (far, farNetwork) = World.AddLoop("far");
        Link = World.Join("near", "far", settings);
        Got = new long[connections];
        AcceptAsync(far, farNetwork.Accept(World.Listen(Address))).Detach();
        for (var i = 0; i < connections; i++) ReadAsync(nearNetwork.Connect(Address, out _)!, near, i).Detach();
    }

    public SimulatedWorld World { get; }

    public Link Link { get; }

    /// <summary>Bytes that each client has read.</summary>
    public long[] Got { get; }

    public void Run(int seconds) => Assert.True(World.Run(seconds * 1000L, long.MaxValue));

    private static async LoopTask AcceptAsync(Loop loop, Acceptor acceptor)
    {
        var waiter = new Waiter(loop);
        while (true)
        {
            await waiter.FirstOf(acceptor.Acceptable, long.MaxValue);
            while (acceptor.TryAccept(out _) is { } transport) SendAsync(transport, loop).Detach();
        }
    }

    private static async LoopTask SendAsync(Transport transport, Loop loop)
    {
        var waiter = new Waiter(loop);
        while (true)
        {
            switch (transport.TryWrite(Zeros).Status)
            {
                case IoStatus.Some:
                    continue;
                case IoStatus.WouldBlock:
                    await waiter.FirstOf(transport.Writable, long.MaxValue);
                    continue;
                default:
                    return;
            }
        }
    }

    private async LoopTask ReadAsync(Transport transport, Loop loop, int who)
    {
        var waiter = new Waiter(loop);
        var buffer = new byte[64 << 10];
        while (true)
        {
            var got = transport.TryRead(buffer);
            Got[who] += got.Count;
            if (got.Status == IoStatus.WouldBlock) await waiter.FirstOf(transport.Readable, long.MaxValue);
            else if (got.Status != IoStatus.Some) return;
        }
    }
}
