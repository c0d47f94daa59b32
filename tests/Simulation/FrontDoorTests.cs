// Handshakes that do not end as they should.

using System.Text;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class FrontDoorTests
{
    private const int Deadline = 10_000;

    private static readonly Weather Weather = new() { MostDelay = 5 };

    [Fact]
    public void Who_says_nothing_or_half_of_it_is_let_go_at_the_deadline_and_others_are_served()
    {
        var world = new EngineWorld(1, Weather, tls: new TlsWhims { AsksAgain = 0.5, Tickets = 0.5 });
        var silent = Enumerable.Range(0, 30).Select(i => new Half(world, i % 3 * 3)).ToArray();
        foreach (var half in silent) half.RunAsync().Detach();
        world.World.Run(1_000);
        Assert.Equal(30, world.Engine.Handshakes.Active);
        Assert.Equal(20, world.FrontTls!.Made); // Nothing is made for who has said nothing.
        var findings = Ask(world, 5);
        world.World.Run(Deadline - 1_500);
        Assert.Equal(5, findings.Whole);
        Assert.DoesNotContain(silent, static half => half.IsOver);
        world.World.Run(1_000);
        Assert.All(silent, static half => Assert.True(half.IsOver));
        End(world);
        Assert.Equal(0, world.Engine.Handshakes.Active);
    }

    [Fact]
    public void A_suspended_handshake_whose_client_leaves_is_over()
    {
        var world = new EngineWorld(1, Weather, tls: new TlsWhims { Suspends = 1, MostSuspended = 1 });
        world.FrontTls!.Whims = world.FrontTls.Whims with { MostSuspended = 1_000_000 };
        var leaves = Enumerable.Range(0, 10).Select(i => new Leaves(world, reset: i % 2 == 0)).ToArray();
        foreach (var one in leaves) one.RunAsync().Detach();
        world.World.Run(400);
        Assert.True(world.FrontTls.Suspended >= 9);
        world.World.Run(200);
        Assert.Equal(0, world.FrontTls.Suspended);
        Assert.Equal(0, world.Engine.Handshakes.Active);
        End(world);
    }

    [Fact]
    public void A_suspended_handshake_goes_on_when_it_may_and_ends_at_the_deadline_where_it_may_not()
    {
        var world = new EngineWorld(1, Weather, tls: new TlsWhims { Suspends = 1, MostSuspended = 2_000 });
        var findings = Ask(world, 8);
        world.World.Run(4_000);
        Assert.Equal(8, findings.Whole);
        world.FrontTls!.Whims = world.FrontTls.Whims with { MostSuspended = 2_000_000 };
        var late = Ask(world, 1);
        world.World.Run(Deadline + 1_000);
        Assert.Equal((0, 1), (late.Whole, world.FailedHandshakes));
        End(world);
    }

    // Whoever is at it is served, and then let go.
    [Fact]
    public void Handshakes_under_way_while_draining_are_served()
    {
        var world = new EngineWorld(1, Weather, tls: new TlsWhims { Suspends = 1, AsksAgain = 0.5, MostSuspended = 1_000 });
        var findings = Ask(world, 8);
        world.World.Run(50);
        Assert.Equal(0, findings.Whole);
        world.Engine.Drain();
        world.World.Run(5_000);
        Assert.Equal((8, 0), (findings.Whole, world.FailedHandshakes));
        End(world);
    }

    // They have asked nothing: no end waits for their deadline.
    [Fact]
    public void Half_done_handshakes_hold_up_no_draining()
    {
        var world = new EngineWorld(1, Weather, tls: new TlsWhims());
        var silent = Enumerable.Range(0, 12).Select(i => new Half(world, i % 3 * 3)).ToArray();
        foreach (var half in silent) half.RunAsync().Detach();
        world.World.Run(500);
        Assert.Equal(12, world.Engine.Handshakes.Active);
        world.Engine.Drain(keepAccepting: true); // The program goes on, and so do they.
        world.World.Run(2_000);
        Assert.Equal(12, world.Engine.Handshakes.Active);
        world.Engine.Drain();
        world.World.Run(1_100);
        Assert.All(silent, static half => Assert.True(half.IsOver));
        Assert.Equal((0, 0), (world.Engine.Handshakes.Active, world.Engine.Connections));
        End(world);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(20)]
    [InlineData(60)]
    [InlineData(300)]
    public void Stopping_in_the_midst_of_handshakes_leaves_nothing_behind(int after)
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var world = new EngineWorld(seed, new Weather { MostDelay = 40, MostDelivered = 100 }, tls: new TlsWhims { Suspends = 0.5, AsksAgain = 0.5, Tickets = 0.5 });
            for (var i = 0; i < 5; i++) new Half(world, i).RunAsync().Detach();
            _ = Ask(world, 5, Manners.Any);
            world.World.Run(after);
            world.Engine.Drain();
            world.Engine.Stop();
            Assert.True(world.World.Run(10_000));
            Assert.Empty(world.Leftovers().Select(left => $"seed {seed}: {left}"));
        }
    }

    [Fact]
    public void Who_speaks_plain_HTTP_is_told_so_in_plain_HTTP()
    {
        var world = new EngineWorld(1, new Weather { MostDelay = 5, SplitsWrites = false }, tls: new TlsWhims());
        var plain = new Half(world, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
        plain.RunAsync().Detach();
        world.World.Run(500);
        Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", plain.Got, StringComparison.Ordinal);
        Assert.EndsWith("plain HTTP was sent to it.\n\n", plain.Got, StringComparison.Ordinal);
        Assert.True(plain.IsOver);
        End(world);
    }

    private static Findings Ask(EngineWorld world, int clients, Manners manners = Manners.Kind)
    {
        var findings = new Findings();
        new Origin(world, findings, manners).Serve();
        for (var i = 0; i < clients; i++) AskAsync(world, findings, i).Detach();
        return findings;
    }

    private static async LoopTask AskAsync(EngineWorld world, Findings findings, int id)
    {
        if (await world.ConnectAsync() is not { } transport) return;
        var stream = new Stream(transport);
        await stream.SendAsync(Encoding.ASCII.GetBytes($"GET /{id}/length/100 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        var all = 0;
        while (await stream.FillAsync())
        {
            all += stream.Buffered.Length;
            stream.Use(stream.Buffered.Length);
        }

        if (all > 100 && !transport.IsBroken) findings.Whole++;
        transport.Close();
    }

    private static void End(EngineWorld world)
    {
        world.Engine.Drain();
        world.World.Run(60_000);
        world.Engine.Stop();
        world.World.Run(10_000);
        Assert.Empty(world.Leftovers());
    }

    /// <summary>Says a part of a hello, and waits for what comes.</summary>
    private sealed class Half(EngineWorld world, byte[] says)
    {
        // A head that promises more.
        private static readonly byte[] Hello = [0xc1, 0, 90, 0, 1, 2, 3];

        public Half(EngineWorld world, int bytes)
            : this(world, Hello[..bytes])
        {
        }

        public string Got { get; private set; } = "";

        public bool IsOver { get; private set; }

        public async LoopTask RunAsync()
        {
            var opened = world.ClientNetwork.Connect(EngineWorld.Front, out _)!;
            await new Waiter(world.ClientLoop).FirstOf(opened.Writable, long.MaxValue);
            var stream = new Stream(opened);
            await stream.SendAsync(says);
            while (await stream.FillAsync())
            {
                Got += Encoding.Latin1.GetString(stream.Buffered);
                stream.Use(stream.Buffered.Length);
            }

            IsOver = true;
            opened.Close();
        }
    }

    /// <summary>Says hello, and leaves after half a second.</summary>
    private sealed class Leaves(EngineWorld world, bool reset)
    {
        public async LoopTask RunAsync()
        {
            var opened = world.ClientNetwork.Connect(EngineWorld.Front, out _)!;
            var waiter = new Waiter(world.ClientLoop);
            await waiter.FirstOf(opened.Writable, long.MaxValue);
            var engine = new SimulatedTlsClient(world.ClientTls!).Connect(opened);
            _ = engine.Handshake();
            await waiter.Until(world.ClientLoop.Now + 500);
            engine.Free();
            opened.Close(reset);
        }
    }
}
