// A listener that ends takes who waits at it first: whoever is connected is answered, whoever is not is refused.

using Weir.Engine;
using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class ListenerEndTests
{
    private const int Clients = 24;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Who_waits_at_a_listener_that_ends_is_answered(bool byReload)
    {
        var broken = new List<string>();
        var (waited, late) = (0, 0);
        for (var seed = 1; seed <= 100; seed++)
        {
            var world = new EngineWorld(seed, new Weather { MostDelay = seed % 20 }, tls: Whims.Calm(seed));
            var findings = new Findings();
            new Origin(world, findings, Manners.Kind).Serve();
            if (seed % 2 == 0) world.Engine.Occupancy.Most = 3; // The others wait in the backlog.
            for (var i = 0; i < Clients; i++) BeginAsync(world, new Client(world, findings, i * 100, 1, Manners.Kind), world.World.Random.Next(0, 120)).Detach();
            world.World.Run(world.World.Random.Next(20, 100));
            var before = findings.ClientsDone;
            var taken = world.Engine.Occupancy.Accepted;
            if (byReload) Assert.True(world.Engine.TryExecute(world.Engine.Plan! with { Listeners = [] }, out _));
            else world.Engine.Drain();
            Assert.True(world.Engine.IsAccepting);
            world.World.Run(60_000);
            broken.AddRange(findings.Broken.Select(b => $"seed {seed}: {b}"));
            if (findings.ClientsDone != Clients) broken.Add($"seed {seed}: {Clients - findings.ClientsDone} clients wait for ever");
            if (world.Engine.IsAccepting) broken.Add($"seed {seed}: the listener is still open");
            broken.AddRange(world.Leftovers().Select(l => $"seed {seed}: {l}"));
            if (world.Engine.Occupancy.Accepted > taken) waited++;
            if (world.Engine.Occupancy.Accepted < Clients) late++;
            Assert.True(before < Clients);
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken.Take(20)));
        Assert.True(waited > 50 && late > 50, $"{waited} worlds in which somebody waited, {late} in which somebody came late");
    }

    [Fact]
    public void Who_has_asked_nothing_yet_has_a_little_time()
    {
        var world = new EngineWorld(1, new Weather { MostDelay = 5 });
        var findings = new Findings();
        new Origin(world, findings, Manners.Kind).Serve();
        var (soon, late, never) = (new Fresh(world), new Fresh(world), new Fresh(world));
        soon.RunAsync(1_000).Detach();
        late.RunAsync(3_000).Detach();
        never.RunAsync(100_000).Detach();
        world.World.Run(100);
        world.Engine.Drain();
        world.World.Run(5_000);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", soon.Got, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", soon.Got, StringComparison.Ordinal);
        Assert.Equal("", late.Got);
        Assert.True(late.IsOver && never.IsOver);
        Assert.Equal(0, world.Engine.Connections);
    }

    private static async LoopTask BeginAsync(EngineWorld world, Client client, int after)
    {
        await new Waiter(world.ClientLoop).Until(world.ClientLoop.Now + after);
        await client.RunAsync();
    }

    /// <summary>Connects, and asks later.</summary>
    private sealed class Fresh(EngineWorld world)
    {
        public string Got { get; private set; } = "";

        public bool IsOver { get; private set; }

        public async LoopTask RunAsync(int askAfter)
        {
            var opened = world.ClientNetwork.Connect(EngineWorld.Front, out _)!;
            await new Waiter(world.ClientLoop).FirstOf(opened.Writable, long.MaxValue);
            var stream = new Stream(opened);
            ReadAsync(stream).Detach();
            await stream.PauseAsync(askAfter);
            await stream.SendAsync("GET /1/length/5 HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray());
        }

        private async LoopTask ReadAsync(Stream stream)
        {
            while (await stream.FillAsync())
            {
                Got += System.Text.Encoding.Latin1.GetString(stream.Buffered);
                stream.Use(stream.Buffered.Length);
            }

            IsOver = true;
        }
    }
}
