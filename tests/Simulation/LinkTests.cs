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
