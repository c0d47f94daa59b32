// The cache within the whole engine: many ask for few things at once while origins do their worst.

using System.Globalization;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class CacheTests
{
    private static readonly int Seeds = int.Parse(Environment.GetEnvironmentVariable("WEIR_SEEDS") ?? "300", CultureInfo.InvariantCulture);
    private static readonly int? OneSeed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : null;

    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    private static readonly string[] Cuts = ["", "", "", "", "", "before", "head", "body", "body", "drips", "hangs"];

    private static readonly string[] Fields =
    [
        "Cache-Control: max-age=60", "Cache-Control: max-age=1", "Cache-Control: max-age=1, stale-while-revalidate=5, stale-if-error=20", "Cache-Control: max-age=0, must-revalidate",
        "Cache-Control: no-store", "Cache-Control: private", "Cache-Control: max-age=60\r\nVary: Accept-Language", "Cache-Control: max-age=60\r\nVary: *", "X-Nothing: said",
    ];

    private static readonly string[] Asks = ["", "", "", "", "Cache-Control: no-cache\r\n", "Range: bytes=10-99\r\n", "Accept-Language: de\r\n", "Authorization: x\r\n", "If-None-Match: \"t1\"\r\n"];

    [Fact]
    public void While_origins_do_their_worst_every_whole_answer_is_exactly_one_version_and_nothing_is_left()
    {
        var broken = new List<string>();
        var (whole, hits) = (0, 0L);
        foreach (var seed in OneSeed is { } one ? [one] : Enumerable.Range(1, Seeds))
        {
            broken.AddRange(RunOne(seed, out var world, out var answers).Take(3).Select(b => $"seed {seed}: {b}"));
            whole += answers;
            hits += world.Cached!.Cache.Counts.Total(CacheOutcome.Hit) + world.Cached.Cache.Counts.Total(CacheOutcome.Collapsed);
            if (broken.Count > 10) break;
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken));
        Assert.True(whole > 20 && hits > 5, $"{whole} whole answers, {hits} hits");
    }

    [Fact]
    public void Many_who_ask_for_one_cold_object_cost_one_fetch()
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Size: 300_000, IsChunked: true, After: 200, Cut: "drips"));
        origin.Serve();
        var clients = Enumerable.Range(0, 500).Select(_ => new CacheClient(world, origin, broken)).ToArray();
        foreach (var client in clients) AskOnceAsync(client, "/1").Detach();
        world.World.Run(60_000);
        Assert.All(clients, client => Assert.Equal(200, Assert.Single(client.Got).Status));
        Assert.Equal([], broken);
        Assert.Single(origin.Asked);
        Assert.Equal(499, world.Cached!.Cache.Counts.Total(CacheOutcome.Collapsed));
        Assert.Equal([], CacheAtRest.Trouble(world));
    }

    [Fact]
    public void What_may_not_be_kept_releases_all_who_wait_at_once()
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Fields: "Cache-Control: private", After: 200));
        origin.Serve();
        var clients = Enumerable.Range(0, 50).Select(_ => new CacheClient(world, origin, broken)).ToArray();
        foreach (var client in clients) AskOnceAsync(client, "/1").Detach();
        world.World.Run(5_000);
        Assert.All(clients, client => Assert.InRange(Assert.Single(client.Got).Took, 200, 450)); // The first's fetch, and their own: all beside each other.
        Assert.Equal([], broken);
        Assert.Equal(50, origin.Asked.Count);
        Assert.Equal(50, clients.Select(client => client.Got[0].Version).Distinct().Count());
        Assert.Equal([], CacheAtRest.Trouble(world));
    }

    // What it says is its first client's: a session's cookie, most often.
    [Theory]
    [InlineData("Set-Cookie: a=1", 3)]
    [InlineData("Cache-Control: private", 3)]
    [InlineData("Cache-Control: max-age=60", 2)]
    public void A_304_that_may_not_be_kept_answers_nobody_but_who_asked(string says, int asked)
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, request => request.Condition.Length > 0
            ? new CacheOrigin.Reply(Status: 304, Fields: says, After: 200, Tag: "1")
            : new CacheOrigin.Reply(Fields: "Cache-Control: max-age=0", Tag: "1"));
        origin.Serve();
        var clients = Enumerable.Range(0, 2).Select(_ => new CacheClient(world, origin, broken)).ToArray();
        AskOnceAsync(clients[0], "/1").Detach();
        world.World.Run(1_000);
        foreach (var client in clients) AskOnceAsync(client, "/1").Detach();
        world.World.Run(5_000);
        Assert.All(clients, client => Assert.Equal(200, client.Got[^1].Status));
        Assert.Equal([], broken);
        Assert.Equal(asked, origin.Asked.Count);
        Assert.Equal([], CacheAtRest.Trouble(world));
    }

    // One of them reads nothing for a while: what has been read by all is given back, and the origin waits.
    [Fact]
    public void An_answer_without_a_length_that_is_too_large_costs_a_window()
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward, largest: 100_000));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Size: 12_000_000, IsChunked: true, After: 100));
        origin.Serve();
        var clients = Enumerable.Range(0, 3).Select(_ => new CacheClient(world, origin, broken)).ToArray();
        AskOnceAsync(clients[0], "/1", slowly: 20_000).Detach();
        AskOnceAsync(clients[1], "/1").Detach();
        AskOnceAsync(clients[2], "/1").Detach();
        var most = 0L;
        for (var i = 0; i < 600; i++)
        {
            world.World.Run(100);
            most = Math.Max(most, world.Cached!.Cache.Memory.Bytes);
        }

        Assert.InRange(most, 500_000, 2_000_000);
        Assert.All(clients, client => Assert.Equal(12_000_000, Assert.Single(client.Got).Body.Length));
        Assert.Equal([], broken);
        Assert.Single(origin.Asked);
        Assert.Equal([], CacheAtRest.Trouble(world));
    }

    [Fact]
    public void A_HEAD_that_renews_behind_fetches_the_whole()
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Fields: "Cache-Control: max-age=1, stale-while-revalidate=60"));
        origin.Serve();
        var client = new CacheClient(world, origin, broken);
        RunAsync().Detach();
        world.World.Run(30_000);
        Assert.Equal([], broken);
        Assert.Equal(["GET", "GET"], origin.Asked.Select(asked => asked.Method));
        Assert.Equal([1, 1, 2], client.Got.Select(got => got.Version));
        client.Close();

        async LoopTask RunAsync()
        {
            await client.OpenAsync();
            await client.AskAsync("/1");
            await client.PauseAsync(2_000);
            await client.AskAsync("/1", "HEAD");
            await client.PauseAsync(500);
            await client.AskAsync("/1");
        }
    }

    // Whoever asks for much and leaves does not have it hauled without end.
    [Fact]
    public void A_fill_that_nobody_reads_goes_on_for_a_while_and_ends()
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Size: 3_000_000, Cut: "drips"));
        origin.Serve();
        var client = new CacheClient(world, origin, broken);
        LeaveAsync().Detach();
        world.World.Run(20_000);
        Assert.Equal(1, world.Cached!.Cache.FillsUnderWay);
        world.World.Run(20_000);
        Assert.Equal(0, world.Cached.Cache.FillsUnderWay);
        Assert.Equal(0, world.Cached.Cache.Memory.Bytes);

        async LoopTask LeaveAsync()
        {
            await client.OpenAsync();
            await client.SendAsync("/1");
            await client.PauseAsync(1_000);
            client.Close();
        }
    }

    // Memory that is used up costs hits, and no answer: those go past the cache, whole.
    [Theory]
    [InlineData(1L)]
    [InlineData(20_000L)]
    [InlineData(120_000L)]
    public void Where_memory_is_refused_everybody_is_answered(long most)
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var world = new EngineWorld(seed, seed % 2 == 0 ? Still : new Weather { MostDelay = 20, MostDelivered = 4_000, Window = 30_000 }, cache: forward => Plan(forward, memory: 20_000));
            world.Cached!.Cache.Memory.Most = most;
            var broken = new List<string>();
            var random = new Random(seed);
            var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Size: random.Next(2) == 0 ? random.Next(3_000) : random.Next(200_000), IsChunked: random.Next(2) == 0, After: random.Next(300)));
            origin.Serve();
            var clients = Enumerable.Range(0, 12).Select(_ => new CacheClient(world, origin, broken)).ToArray();
            foreach (var client in clients) AskSomeAsync(client, new Random(random.Next())).Detach();
            world.World.Run(400_000);
            Assert.Equal([], broken);
            Assert.All(clients, client => Assert.Equal([200, 200, 200, 200, 200], client.Got.Select(got => got.Status)));
            Assert.Equal([], CacheAtRest.Trouble(world));
        }

        async LoopTask AskSomeAsync(CacheClient client, Random own)
        {
            await client.OpenAsync();
            for (var i = 0; i < 5; i++) await client.AskAsync($"/{own.Next(6)}", slowly: own.Next(3) == 0 ? own.Next(500) : 0);
            client.Close();
        }
    }

    // Slices of several versions lie beside each other, are purged, cut off and asked for in parts: no answer is made of two.
    [Fact]
    public void In_slices_every_whole_answer_is_exactly_one_version()
    {
        var (whole, hits) = (0, 0L);
        foreach (var seed in OneSeed is { } one ? [one] : Enumerable.Range(1, Math.Min(Seeds, 100)))
        {
            var weather = seed % 3 == 0 ? Still : new Weather { MostDelay = seed % 30, MostDelivered = 8_000, Window = 60_000 };
            var world = new EngineWorld(seed, weather, cache: forward => new CachePlan { Cache = new Cache("c", 2) { MemoryLimit = seed % 4 == 0 ? 300_000 : 8 << 20 }, Key = new KeyRecipe([]), Forward = forward, LargestBody = 4 << 20, SliceBytes = 50_000, Rules = CacheRules.Default with { StoresPartial = true } });
            var random = new Random(seed);
            var broken = new List<string>();
            var of = 1;
            var origin = new CacheOrigin(world, _ =>
            {
                if (random.Next(12) == 0) of++;
                var cut = random.Next(12) == 0 ? "body" : random.Next(20) == 0 ? "before" : "";
                return new CacheOrigin.Reply(Size: 180_000 + (of % 3 * 40_000), After: random.Next(4) == 0 ? random.Next(400) : 0, Cut: cut, Tag: $"v{of}", Fields: "Cache-Control: max-age=5\r\nAccept-Ranges: bytes") { Of = of };
            });
            origin.Serve();
            var clients = Enumerable.Range(0, 6).Select(_ => new CacheClient(world, origin, broken)).ToArray();
            foreach (var client in clients) AskSomeAsync(world, client, new Random(random.Next())).Detach();
            world.World.Run(900_000);
            Assert.True(broken.Count == 0, $"seed {seed}: {string.Join('\n', broken)}");
            Assert.Equal([], CacheAtRest.Trouble(world));
            whole += clients.Sum(client => client.Got.Count(got => got.Status is 200 or 206));
            hits += world.Cached!.Cache.Counts.Total(CacheOutcome.Hit);
        }

        Assert.True(whole > 20 && hits > 5, $"{whole} whole answers, {hits} hits");

        async LoopTask AskSomeAsync(EngineWorld world, CacheClient client, Random own)
        {
            for (var i = 0; i < 6; i++)
            {
                await client.OpenAsync();
                var first = own.Next(180_000);
                var range = own.Next(3) switch { 0 => "", 1 => $"Range: bytes={first}-{first + own.Next(120_000)}\r\n", _ => $"Range: bytes={first}-\r\n" };
                await client.AskAsync($"/{own.Next(2)}", fields: range, slowly: own.Next(5) == 0 ? own.Next(1_000) : 0);
                if (own.Next(6) == 0) CacheAtRest.Purge(world, $"/{own.Next(2)}");
                await client.PauseAsync(own.Next(2_500));
                client.Close();
            }
        }
    }

    // The clock of the day is set while the world goes on: what is served was fresh, or may be stale, by one of the clocks that were.
    [Theory]
    [InlineData(-3_600, 1)]
    [InlineData(-30, 1)]
    [InlineData(3_600, 2)]
    public void A_clock_that_is_set_makes_nothing_fresh_for_longer_than_was_said(int seconds, int versions)
    {
        var world = new EngineWorld(1, Still, cache: forward => Plan(forward));
        var broken = new List<string>();
        var origin = new CacheOrigin(world, _ => new CacheOrigin.Reply(Fields: "Cache-Control: max-age=60"));
        origin.Serve();
        var client = new CacheClient(world, origin, broken);
        RunAsync().Detach();
        world.World.Run(900_000);
        Assert.Equal([], broken);
        Assert.Equal(200, client.Got[0].Status);
        Assert.All(client.Got, got => Assert.Equal(200, got.Status));
        Assert.Equal(versions, client.Got[1].Version);
        Assert.True(client.Got[^1].Version > client.Got[1].Version || seconds < 0, "never asked for anew");
        Assert.DoesNotContain(client.Got, got => got.Head.Contains("Age: -", StringComparison.Ordinal));
        Assert.Equal([], CacheAtRest.Trouble(world));

        async LoopTask RunAsync()
        {
            await client.OpenAsync();
            await client.AskAsync("/1");
            world.World.WallJump = TimeSpan.FromSeconds(seconds);
            await client.PauseAsync(1_000);
            await client.AskAsync("/1");
            for (var i = 0; i < 5; i++)
            {
                await client.PauseAsync(20_000);
                await client.AskAsync("/1");
            }

            client.Close();
        }
    }

    // What a POST brings may be what GET would bring: it says so by its Content-Location.
    [Fact]
    public void What_a_POST_brings_is_kept_where_it_says_that_GET_would_bring_it()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var world = new EngineWorld(seed, new Weather { MostDelay = seed % 20, MostDelivered = 4_000, Window = 30_000 }, cache: forward => Plan(forward));
            var broken = new List<string>();
            var random = new Random(seed);
            var origin = new CacheOrigin(world, request => new CacheOrigin.Reply(Fields: request.Method == "POST" ? $"Cache-Control: max-age=60\r\nContent-Location: {request.Path}" : "Cache-Control: max-age=60", Size: random.Next(50_000), IsChunked: random.Next(2) == 0, Cut: request.Method == "POST" && random.Next(4) == 0 ? "body" : ""));
            origin.Serve();
            var client = new CacheClient(world, origin, broken);
            RunAsync().Detach();
            world.World.Run(60_000);
            Assert.Equal([], broken);
            Assert.Equal([], CacheAtRest.Trouble(world));

            async LoopTask RunAsync()
            {
                await client.OpenAsync();
                await client.AskAsync("/1");
                var posted = await client.AskAsync("/1", "POST", "Content-Length: 0\r\n");
                if (posted.Status != 200)
                {
                    // It broke: nothing is kept of it.
                    await client.OpenAsync();
                    if ((await client.AskAsync("/1")).Version is 2 or 0) broken.Add($"seed {seed}: kept though it broke");
                }
                else if ((await client.AskAsync("/1")).Version != posted.Version)
                {
                    broken.Add($"seed {seed}: not kept");
                }

                client.Close();
            }
        }
    }

    private static async LoopTask AskOnceAsync(CacheClient client, string path, long slowly = 0)
    {
        await client.OpenAsync();
        await client.AskAsync(path, slowly: slowly);
        client.Close();
    }

    private static List<string> RunOne(int seed, out EngineWorld made, out int whole)
    {
        var weather = seed % 3 == 0 ? Still : new Weather { MostDelay = seed % 40, MostDelivered = seed % 5 == 0 ? 50_000 : 4_000, Window = 30_000, Reset = seed % 4 == 1 ? 0.002 : 0 };
        var world = made = new EngineWorld(seed, weather, cache: forward => Plan(forward, memory: seed % 6 == 5 ? 100_000 : 4 << 20, largest: seed % 2 == 0 ? 60_000 : 4 << 20));
        var random = new Random(seed);
        var broken = new List<string>();
        var newest = new Dictionary<string, int>(); // Purged since: what is older is not to be seen by who asks after.
        var origin = new CacheOrigin(world, request => Worst(random, request));
        origin.Serve();
        var (done, answers) = (0, 0);
        const int Clients = 10;
        for (var i = 0; i < Clients; i++) RunAsync(new Random((seed * 100) + i)).Detach();

        async LoopTask RunAsync(Random own)
        {
            var client = new CacheClient(world, origin, broken);
            await client.OpenAsync();
            for (var n = own.Next(1, 7); n > 0; n--)
            {
                var path = $"/{own.Next(3)}";
                if (own.Next(3) == 0) await client.PauseAsync(own.Next(3_000));
                if (own.Next(8) == 0)
                {
                    newest[path] = origin.Versions + 1;
                    CacheAtRest.Purge(world, path);
                }

                if (own.Next(8) == 0)
                {
                    await client.SendAsync(path);
                    await client.PauseAsync(own.Next(own.Next(2) == 0 ? 30 : 3_000));
                    break;
                }

                var since = newest.GetValueOrDefault(path);
                var answer = await client.AskAsync(path, own.Next(8) == 0 ? "HEAD" : "GET", Asks[own.Next(Asks.Length)], own.Next(6) == 0 ? own.Next(2_000) : 0);
                if (answer.Took > 400_000) broken.Add($"{path}: took {answer.Took} ms");
                if (answer.Status is 200 or 206 && answer.Version != 0 && answer.Version < since) broken.Add($"{path}: version {answer.Version} was purged before it was asked for, {since} is the oldest");
                if (answer.Status is 200 or 206) answers++;
                if (answer.Status == 0) break;
            }

            done++;
            client.Close(own.Next(3) == 0);
        }

        var isSound = true;
        for (var waited = 0; isSound && waited < 3_000_000 && done < Clients; waited += 1_000) isSound = world.World.Run(1_000);
        isSound &= world.World.Run(400_000);
        if (!isSound) broken.Add("livelock: the world never comes to rest");
        if (done != Clients) broken.Add($"{Clients - done} clients wait for ever");
        broken.AddRange(world.HeldWhileIdle());
        world.Engine.Drain();
        world.World.Run(60_000);
        world.Engine.Stop();
        world.World.Run(10_000);
        broken.AddRange(world.Leftovers());
        broken.AddRange(CacheAtRest.Trouble(world));
        whole = answers;
        return broken;
    }

    private static CacheOrigin.Reply Worst(Random random, CacheOrigin.Request request)
    {
        if (random.Next(8) == 0) return new CacheOrigin.Reply(503, "Cache-Control: no-store", 100, After: random.Next(100));
        if (request.Condition.Length > 0 && random.Next(2) == 0) return new CacheOrigin.Reply(304, Fields[random.Next(Fields.Length)], 0, Tag: request.Condition.Trim('"'));
        var size = random.Next(6) switch { 0 => 0, 1 => random.Next(200), 2 => random.Next(200_000), 3 => random.Next(2_000_000), _ => random.Next(20_000) };
        var cut = Cuts[random.Next(Cuts.Length)];
        if (size == 0 && cut == "body") cut = "head";
        if (cut == "drips") size = Math.Min(size, 100_000);
        return new CacheOrigin.Reply(200, Fields[random.Next(Fields.Length)], size, random.Next(2) == 0, random.Next(3) == 0 ? random.Next(5_000) : random.Next(40) == 0 ? 90_000 : 0, cut, random.Next(2) == 0 ? "t" + random.Next(3) : "");
    }

    private static CachePlan Plan(Weir.Engine.Forwarding.ForwardPlan forward, long memory = 4 << 20, long largest = 4 << 20) =>
        new() { Cache = new Cache("c", 2) { MemoryLimit = memory }, Key = new KeyRecipe([]), Forward = forward, LargestBody = largest };
}
