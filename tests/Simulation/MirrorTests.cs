// Requests are mirrored to servers that do their worst: whoever asked sees none of it, neither in answers nor in their times,
// and nothing is left over.

using System.Globalization;
using System.Net;
using System.Text;
using Weir.Engine;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Routing;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;
using Weir.Wire.Http1;

namespace Weir.Tests.Simulation;

public class MirrorTests
{
    private const int Askers = 6;

    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    [Theory]
    [InlineData("kind", MirrorOutcome.Answered)]
    [InlineData("slow", MirrorOutcome.Answered)]
    [InlineData("busy", MirrorOutcome.Answered)]
    [InlineData("flood", MirrorOutcome.Answered)]
    [InlineData("endless", MirrorOutcome.Answered)]
    [InlineData("hang", MirrorOutcome.Failed)]
    [InlineData("deaf", MirrorOutcome.Failed)]
    [InlineData("reset", MirrorOutcome.Failed)]
    [InlineData("cut", MirrorOutcome.Failed)]
    [InlineData("garbage", MirrorOutcome.Failed)]
    [InlineData("refuse", MirrorOutcome.Failed)]
    public void No_client_sees_what_a_mirror_does(string manner, MirrorOutcome outcome)
    {
        var alone = Ask(null, out _, out var leftAlone);
        var watched = Ask(manner, out var mirror, out var left);
        Assert.Equal([], leftAlone);
        Assert.Equal([], left);
        Assert.Equal(alone, watched);
        Assert.Equal(Askers * 4, alone.Length);
        Assert.Equal((Askers * 4) + 1, mirror.Total(outcome)); // One more of a client that left.
        if (manner is "kind" or "slow" or "flood" or "endless" or "hang" or "cut") Assert.Equal((Askers * 4) + 1, mirror.Whole.Count);
        Assert.Equal([], mirror.Broken);
    }

    [Fact]
    public void No_more_than_the_limit_are_under_way_and_the_others_are_counted()
    {
        var world = new EngineWorld(1, Still);
        var mirror = new Mirror(world, "hang", plan => plan with { Most = 3 });
        new Primary(world).Serve();
        var askers = Begin(world);
        world.World.Run(5_000);
        Assert.All(askers, asker => Assert.Equal(4, asker.Got.Count));
        Assert.InRange(mirror.MostOpen, 1, 3 * 2);
        Assert.Equal(Askers * 4, mirror.Total(MirrorOutcome.Dropped) + mirror.MostOpen);
        Assert.Equal([], End(world, mirror));
    }

    [Theory]
    [InlineData(1000, false, true)]
    [InlineData(1001, false, false)]
    [InlineData(1000, true, true)]
    [InlineData(1001, true, false)]
    [InlineData(50_000, true, false)]
    public void A_body_beyond_the_limit_is_not_mirrored(int size, bool isChunked, bool isMirrored)
    {
        var world = new EngineWorld(1, Still);
        var mirror = new Mirror(world, "kind", plan => plan with { MostBody = 1000 });
        new Primary(world).Serve();
        var asker = new Asker(world, [Asker.Post(7, size, isChunked)]);
        asker.RunAsync().Detach();
        world.World.Run(5_000);
        Assert.StartsWith("7 200 ", Assert.Single(asker.Got), StringComparison.Ordinal);
        Assert.Equal(isMirrored ? 1 : 0, mirror.Total(MirrorOutcome.Answered));
        Assert.Equal(isMirrored ? 0 : 1, mirror.Total(MirrorOutcome.TooLarge));
        Assert.Equal([], mirror.Broken);
        Assert.Equal([], End(world, mirror));
    }

    [Fact]
    public void Where_memory_is_short_nothing_is_mirrored_and_everybody_is_answered()
    {
        var world = new EngineWorld(1, Still);
        var mirror = new Mirror(world, "kind", plan => plan);
        new Primary(world).Serve();
        new Asker(world, [Asker.Get(1)]).RunAsync().Detach();
        world.World.Run(2_000);
        Assert.Equal(1, mirror.Total(MirrorOutcome.Answered));
        world.Engine.Memory.Limit = world.Engine.Memory.Used * 5 / 4; // What is kept is more than three quarters.
        var asker = new Asker(world, [Asker.Get(2)]);
        asker.RunAsync().Detach();
        world.World.Run(2_000);
        Assert.StartsWith("2 200 ", Assert.Single(asker.Got), StringComparison.Ordinal);
        Assert.Equal((1L, 1L), (mirror.Total(MirrorOutcome.Answered), mirror.Total(MirrorOutcome.Exhausted)));
        Assert.Equal([], End(world, mirror));
    }

    [Fact]
    public void A_request_that_was_not_sent_is_not_mirrored()
    {
        var world = new EngineWorld(1, Still, origins: 0);
        var mirror = new Mirror(world, "kind", plan => plan);
        var asker = new Asker(world, [Asker.Get(1)]);
        asker.RunAsync().Detach();
        world.World.Run(2_000);
        Assert.StartsWith("1 503 ", Assert.Single(asker.Got), StringComparison.Ordinal);
        Assert.Equal(1, mirror.Total(MirrorOutcome.Incomplete));
        Assert.Empty(mirror.Whole);
        Assert.Equal([], End(world, mirror));
    }

    [Fact]
    public void Stopping_ends_what_is_under_way()
    {
        var world = new EngineWorld(1, Still);
        var mirror = new Mirror(world, "hang", plan => plan);
        new Primary(world).Serve();
        Begin(world);
        world.World.Run(1_000);
        Assert.True(mirror.MostOpen > 0);
        world.Engine.Drain();
        world.World.Run(100);
        world.Engine.Stop();
        world.World.Run(100);
        Assert.Equal([], mirror.Leftovers());
    }

    [Fact]
    public void In_bad_weather_nothing_of_it_reaches_a_client_and_nothing_is_left()
    {
        var seeds = int.Parse(Environment.GetEnvironmentVariable("WEIR_SEEDS") ?? "150", CultureInfo.InvariantCulture);
        var broken = new List<string>();
        var (answered, mirrored) = (0, 0);
        foreach (var seed in int.TryParse(Environment.GetEnvironmentVariable("WEIR_SEED"), CultureInfo.InvariantCulture, out var one) ? [one] : Enumerable.Range(1, seeds))
        {
            var world = new EngineWorld(seed, new Weather
            {
                MostDelay = seed % 3 == 0 ? seed % 2 : seed % 50,
                MostDelivered = seed % 3 == 0 ? 11 : 3000,
                Window = seed % 4 == 0 ? 200 : 20_000,
                Reset = seed % 2 == 0 ? 0.002 : 0.0,
                Refuse = seed % 5 == 0 ? 0.1 : 0,
            });
            var mirror = new Mirror(world, "any", plan => plan with { Share = MirrorPlan.Whole / 4 * 3, Most = 1 + (seed % 5), MostBody = 20_000 });
            var findings = new Findings();
            new Origin(world, findings, Manners.Any).Serve();
            for (var i = 0; i < 6; i++) new Client(world, findings, i * 100, 1 + (seed % 6), Manners.Any).RunAsync().Detach();
            for (var waited = 0; waited < 300_000 && findings.ClientsDone < 6; waited += 500) world.World.Run(500);
            if (findings.ClientsDone != 6) broken.Add($"seed {seed}: {6 - findings.ClientsDone} clients wait for ever");
            if (seed % 2 == 0 && !world.World.Run(300_000)) broken.Add($"seed {seed}: the world never comes to rest");
            broken.AddRange(End(world, mirror).Concat(findings.Broken).Concat(mirror.Broken).Select(b => $"seed {seed}: {b}"));
            answered += findings.Whole;
            mirrored += mirror.Whole.Count;
            if (broken.Count > 10) break;
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken));
        Assert.True(answered > seeds && mirrored > seeds / 2, $"{answered} answers, {mirrored} mirrored");
    }

    private static string[] Ask(string? manner, out Mirror mirror, out string[] left)
    {
        var world = new EngineWorld(1, Still);
        mirror = new Mirror(world, manner ?? "kind", plan => manner is null ? plan with { Share = 0 } : plan);
        new Primary(world).Serve();
        var askers = Begin(world);
        var leaver = new Asker(world, [Asker.Get(900)]) { LeavesAfter = 2 };
        leaver.RunAsync().Detach();
        world.World.Run(300_000);
        left = End(world, mirror);
        return [.. askers.SelectMany(a => a.Got)];
    }

    private static Asker[] Begin(EngineWorld world)
    {
        var askers = Enumerable.Range(0, Askers).Select(i => new Asker(world, [Asker.Get(i * 10), Asker.Post((i * 10) + 1, 1000, isChunked: false), Asker.Post((i * 10) + 2, 30_000, isChunked: true), Asker.Get((i * 10) + 3)])).ToArray();
        foreach (var asker in askers) asker.RunAsync().Detach();
        return askers;
    }

    private static string[] End(EngineWorld world, Mirror mirror)
    {
        world.Engine.Drain();
        world.World.Run(60_000);
        world.Engine.Stop();
        world.World.Run(10_000);
        return [.. world.Leftovers(), .. mirror.Leftovers()];
    }

    /// <summary>A second upstream whose one server misbehaves, and a plan that mirrors everything to it.</summary>
    private sealed class Mirror
    {
        private static readonly NetworkAddress Address = NetworkAddress.FromIp(IPAddress.Parse("10.0.0.2"), 9100);
        private readonly EngineWorld world;
        private readonly string manner;
        private readonly Upstream upstream = new("shadow", "shadow", new RoundRobin(), 2);
        private readonly Endpoint endpoint = new("shadow", "shadow", 2) { Addresses = [Address] };
        private int open;

        public Mirror(EngineWorld world, string manner, Func<MirrorPlan, MirrorPlan> change)
        {
            (this.world, this.manner) = (world, manner);
            upstream.SetEndpoints([endpoint], new UpstreamSettings { KeepAlive = 5_000, Passive = null });
            var plan = world.Engine.Plan!;
            var times = new Timeouts { Header = 30_000, FirstByte = 60_000, Idle = 60_000, Body = 60_000, Write = 60_000, KeepAlive = 30_000, Connect = 20_000 };
            var mirror = change(new MirrorPlan { Forward = new ForwardPlan { Upstream = upstream, Retry = new RetryPlan { Attempts = 0 } }, Timeouts = new Timeouts { FirstByte = 20_000, Idle = 20_000 } });
            var routes = new RouteTable<RoutePlan>();
            routes.Add(new RoutePlan { Name = "r", Forward = new ForwardPlan { Upstream = plan.Upstreams[0] }, Mirror = mirror, Timeouts = times }, []);
            var hosts = new HostTable<SitePlan> { Default = new SitePlan { Name = "s", Routes = routes } };
            Assert.True(world.Engine.TryExecute(plan with { Listeners = [plan.Listeners[0] with { Hosts = hosts }], Upstreams = [.. plan.Upstreams, upstream] }, out _));
            world.World.Run(1);
            if (manner != "refuse") world.Accept(world.World.Listen(Address), transport => ServeAsync(new Stream(transport)).Detach());
        }

        /// <summary>The requests that came whole.</summary>
        public HashSet<int> Whole { get; } = [];

        public List<string> Broken { get; } = [];

        /// <summary>The most connections at once.</summary>
        public int MostOpen { get; private set; }

        public long Total(MirrorOutcome outcome) => upstream.Mirrored.Total(outcome);

        public IEnumerable<string> Leftovers()
        {
            foreach (var worker in world.Engine.Workers)
            {
                if (worker.Buffers.Leased != 0) yield return $"loop {worker.Loop.Index}: {worker.Buffers.Leased} buffers leaked";
                if (upstream.Mirrored.Of(worker.Loop.Index).Active != 0) yield return $"loop {worker.Loop.Index}: {upstream.Mirrored.Of(worker.Loop.Index).Active} copies under way";
            }

            if (endpoint.Active != 0) yield return $"{endpoint.Active} mirrored exchanges counted that are gone";
            if (endpoint.Connections != 0) yield return $"{endpoint.Connections} connections to the mirror counted that are gone";
            if (endpoint.Traffic.Total().Requests > Enum.GetValues<MirrorOutcome>().Sum(Total)) yield return "more exchanges than copies";
        }

        private async LoopTask ServeAsync(Stream stream)
        {
            MostOpen = Math.Max(MostOpen, ++open);
            var head = new RequestHead();
            while (manner != "deaf" && await stream.HeadAsync(head))
            {
                var id = int.Parse(Encoding.ASCII.GetString(head.Path.Of(stream.Buffered)).Split('/')[1], CultureInfo.InvariantCulture);
                var mark = head.Fields.IndexOf(stream.Buffered, "x-mirrored"u8);
                if (mark < 0 || !head.Fields.Value(stream.Buffered, mark).SequenceEqual("1"u8)) Broken.Add($"request {id}: not marked");
                var (framing, length, isHead) = (head.Framing, head.ContentLength, head.KnownMethod == KnownMethod.Head);
                stream.Use(head.Length);
                if (await stream.BodyAsync(framing, length) is not { } body) break;
                if (!body.AsSpan().SequenceEqual(Findings.Pattern(id, body.Length))) Broken.Add($"request {id}: its copy's body is not its own");
                Whole.Add(id);
                if (!await AnswerAsync(stream, isHead)) break;
            }

            if (manner == "deaf") await stream.PauseAsync(600_000);
            open--;
            stream.Transport.Close(reset: manner == "reset");
        }

        private async LoopTask<bool> AnswerAsync(Stream stream, bool isHead)
        {
            string[] any = ["kind", "busy", "slow", "flood", "hang", "reset", "cut", "garbage", "endless"];
            var how = manner == "any" ? any[world.World.Random.Next(any.Length)] : manner;
            switch (how)
            {
                case "hang":
                    await stream.PauseAsync(120_000);
                    return false;
                case "reset":
                    return false;
                case "garbage":
                    await stream.SendAsync("what?\r\n\r\n"u8.ToArray());
                    return false;
                case "busy":
                    return await stream.SendAsync("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                case "slow":
                    await stream.PauseAsync(5_000);
                    break;
            }

            if (how is not ("flood" or "endless" or "cut") || isHead) return await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{(isHead ? "" : "hello")}"));
            await stream.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nhello"u8.ToArray());
            if (how == "cut") return false;
            for (var piece = new byte[how == "flood" ? 100_000 : 1]; await stream.SendAsync(piece);)
            {
                if (how == "endless") await stream.PauseAsync(1_000);
            }

            return false;
        }
    }

    /// <summary>The servers the clients know of: they answer after a while.</summary>
    private sealed class Primary(EngineWorld world)
    {
        public void Serve()
        {
            foreach (var socket in world.OriginSockets) world.Accept(socket, transport => ServeAsync(new Stream(transport)).Detach());
        }

        private static async LoopTask ServeAsync(Stream stream)
        {
            var head = new RequestHead();
            while (await stream.HeadAsync(head))
            {
                var id = Encoding.ASCII.GetString(head.Path.Of(stream.Buffered)).Split('/')[1];
                var (framing, length) = (head.Framing, head.ContentLength);
                stream.Use(head.Length);
                if (await stream.BodyAsync(framing, length) is not { } body) break;
                await stream.PauseAsync(7);
                if (!await stream.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: {body.Length}\r\n\r\n")) || !await stream.SendAsync(body)) break;
            }

            stream.Transport.Close();
        }
    }

    /// <summary>Asks one after the other, and notes each answer and when it was whole.</summary>
    private sealed class Asker(EngineWorld world, (int Id, byte[] Bytes)[] requests)
    {
        public List<string> Got { get; } = [];

        /// <summary>Leaves so long (ms) after having asked, whatever has come.</summary>
        public int? LeavesAfter { get; init; }

        public static (int, byte[]) Get(int id) => (id, Encoding.ASCII.GetBytes($"GET /{id}/ HTTP/1.1\r\nHost: h\r\n\r\n"));

        public static (int, byte[]) Post(int id, int size, bool isChunked)
        {
            var body = Findings.Pattern(id, size);
            var framing = isChunked ? "Transfer-Encoding: chunked" : $"Content-Length: {size}";
            var head = Encoding.ASCII.GetBytes($"POST /{id}/ HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
            if (!isChunked) return (id, [.. head, .. body]);
            return (id, [.. head, .. body.Chunk(400).SelectMany(piece => (byte[])[.. Encoding.ASCII.GetBytes($"{piece.Length:x}\r\n"), .. piece, .. "\r\n"u8]), .. "0\r\n\r\n"u8]);
        }

        public async LoopTask RunAsync()
        {
            var opened = world.ClientNetwork.Connect(EngineWorld.Front, out _)!;
            await new Waiter(world.ClientLoop).FirstOf(opened.Writable, long.MaxValue);
            var stream = new Stream(opened);
            foreach (var (id, bytes) in requests)
            {
                await stream.SendAsync(bytes);
                if (LeavesAfter is { } patience)
                {
                    await stream.PauseAsync(patience);
                    break;
                }

                var head = new ResponseHead();
                head.Clear();
                while (ResponseParser.Parse(stream.Buffered, HeadLimits.Default, KnownMethod.Get, head, out _) != ParseStatus.Done)
                {
                    if (!await stream.FillAsync()) return;
                    head.Clear();
                }

                var (status, framing, length) = (head.Status, head.Framing, head.ContentLength);
                stream.Use(head.Length);
                var body = await stream.BodyAsync(framing, length) ?? [];
                Got.Add($"{id} {status} {body.Length} {status != 200 || body.AsSpan().SequenceEqual(Findings.Pattern(id, body.Length))} at {world.World.Now / 1000}");
            }

            stream.Transport.Close();
        }
    }
}
