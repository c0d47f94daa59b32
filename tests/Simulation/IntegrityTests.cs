// Wrong bytes within the whole engine: whoever is sent them is never told that they are whole, and where others have the right ones
// they come instead.

using System.Globalization;
using Weir.Engine.Acceleration;
using Weir.Engine.Caching;
using Weir.Engine.Loops;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class IntegrityTests
{
    private static readonly int Seeds = int.Parse(Environment.GetEnvironmentVariable("WEIR_SEEDS") ?? "150", CultureInfo.InvariantCulture);
    private static readonly int? OneSeed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : null;

    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    private static readonly AcceleratePlan Parts = new() { Segments = 8, Smallest = 500_000, SegmentSize = 1 << 20 };

    [Theory]
    [InlineData("r", 0, false)]
    [InlineData("r", 999_999, false)]
    [InlineData("c", 500_000, false)]
    [InlineData("r", 999_999, true)]
    [InlineData("c", 0, true)]
    public void A_wrong_body_breaks_and_is_told(string digests, long at, bool isChunked)
    {
        var (world, origin, broken) = Make(_ => new RangeOrigin.Manner { Size = 1_000_000, Digests = digests, Corrupts = at, IsChunked = isChunked, Rate = 5_000 }, null);
        var client = Ask(world, broken);
        world.World.Run(10_000);
        Assert.Equal([], broken);
        Assert.Equal((200, false), (client.Status, client.IsWhole));
        Assert.True(isChunked || client.Got < 1_000_000);
        Assert.Equal(1, Mismatched(world));
        Assert.Contains("integrity: u: 10.0.0.1:9000: what it sent is not what its " + (digests == "r" ? "Repr-Digest (sha-512) says" : "Content-Digest (sha-256) says"), world.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("upstream: 10.0.0.1", world.Said, StringComparison.Ordinal); // Once is enough.
        Assert.Single(origin.Asked);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void A_short_wrong_body_is_answered_502()
    {
        var (world, _, broken) = Make(_ => new RangeOrigin.Manner { Size = 1_000, Digests = "r", Corrupts = 7, Rate = 5_000 }, null);
        var client = Ask(world, broken);
        world.World.Run(10_000);
        Assert.Equal(502, client.Status);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void A_server_whose_bytes_are_wrong_again_and_again_is_away()
    {
        var (world, origin, broken) = Make(asked => new RangeOrigin.Manner { Size = 1_000, Digests = "r", Corrupts = asked.Server == 0 ? 7 : -1, Rate = 5_000 }, null, origins: 2);
        for (var i = 0; i < 40; i++)
        {
            Ask(world, broken);
            world.World.Run(500);
        }

        Assert.InRange(origin.Asked.Count(asked => asked.Server == 0), 1, 12);
    }

    [Fact]
    public void What_is_right_passes_and_is_counted()
    {
        var (world, _, broken) = Make(_ => new RangeOrigin.Manner { Size = 1_000_000, Digests = "rc", Rate = 5_000 }, null);
        var client = Ask(world, broken);
        world.World.Run(10_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole);
        Assert.Contains("\r\nRepr-Digest: sha-512=:", client.Head, StringComparison.Ordinal);
        Assert.Equal((1, 0), (world.Engine.Workers.Sum(w => w.Digests.Verified), Mismatched(world)));
    }

    [Fact]
    public void A_server_whose_parts_are_wrong_is_left_out_and_the_others_bring_them()
    {
        var (world, _, broken) = Make(asked => new RangeOrigin.Manner { Size = 20_000_000, Rate = asked.Server == 1 ? 800 : 200, Digests = "rc", Corrupts = asked.Server == 1 ? asked.First + 200_000 : -1 }, Parts, origins: 3);
        var client = Ask(world, broken);
        world.World.Run(100_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got} bytes; {world.Said}");
        Assert.InRange(Mismatched(world), 1, 8);
        Assert.Equal(1, world.Engine.Transfers.Counts.Dropped);
        Assert.Contains("integrity: u: 10.0.0.1:9001: what it sent is not what its Content-Digest (sha-256) says", world.Said, StringComparison.Ordinal);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void A_part_that_was_spoilt_on_its_way_is_fetched_again_from_the_only_server()
    {
        var spoilt = 0;
        var (world, _, broken) = Make(asked => new RangeOrigin.Manner { Size = 20_000_000, Rate = 200, Digests = "rc", Corrupts = asked.First > 4_000_000 && spoilt++ < 2 ? asked.First + 1 : -1 }, Parts, origins: 1);
        var client = Ask(world, broken);
        world.World.Run(200_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got} bytes; {world.Said}");
        Assert.Equal(2, Mismatched(world));
    }

    [Fact]
    public void Parts_without_digests_are_verified_as_a_whole()
    {
        var (world, _, broken) = Make(asked => new RangeOrigin.Manner { Size = 10_000_000, Rate = 200, Digests = "r", Corrupts = asked.First > 0 ? asked.First + 5 : -1 }, Parts);
        var client = Ask(world, broken);
        world.World.Run(200_000);
        Assert.Equal([], broken);
        Assert.False(client.IsWhole);
        Assert.True(client.Got < 10_000_000);
        Assert.Equal(1, Mismatched(world));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_wrong_is_not_kept(bool isChunked)
    {
        var asked = 0;
        var broken = new List<string>();
        var integrity = new IntegrityPlan();
        var world = new EngineWorld(1, Still, cache: forward => new CachePlan { Cache = new Cache("c", 2) { MemoryLimit = 4 << 20 }, Key = new KeyRecipe([]), Forward = forward, Integrity = integrity }, integrity: integrity);
        new RangeOrigin(world, _ => new RangeOrigin.Manner { Size = 1_000_000, Rate = 5_000, Digests = "r", IsChunked = isChunked, Corrupts = asked++ == 0 ? 999_999 : -1, Fields = "Cache-Control: max-age=60\r\n" }).Serve();
        foreach (var isRight in new[] { false, true, true })
        {
            var client = Ask(world, broken);
            world.World.Run(10_000);
            Assert.Equal(isRight, client.IsWhole);
        }

        Assert.Equal([], broken);
        Assert.Equal(2, asked);
        Assert.Equal((1, 1), (world.Engine.Workers.Sum(w => w.Digests.Verified), Mismatched(world)));
    }

    [Fact]
    public void While_origins_send_wrong_bytes_no_wrong_body_is_whole()
    {
        var broken = new List<string>();
        var (whole, wrong, verified) = (0, 0L, 0L);
        foreach (var seed in OneSeed is { } one ? [one] : Enumerable.Range(1, Seeds))
        {
            broken.AddRange(RunOne(seed, out var world, out var answers).Take(3).Select(b => $"seed {seed}: {b}"));
            whole += answers;
            wrong += Mismatched(world);
            verified += world.Engine.Workers.Sum(w => w.Digests.Verified);
            if (broken.Count > 10) break;
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken));
        Assert.True(OneSeed is not null || (whole > Seeds / 2 && wrong > Seeds / 2 && verified > Seeds), $"{whole} whole answers, {wrong} wrong, {verified} verified");
    }

    private static long Mismatched(EngineWorld world) => world.Engine.Workers.Sum(w => w.Digests.Mismatched);

    private static (EngineWorld World, RangeOrigin Origin, List<string> Broken) Make(Func<RangeOrigin.Request, RangeOrigin.Manner> manner, AcceleratePlan? plan, int origins = 2)
    {
        var world = new EngineWorld(1, Still, origins, accelerate: plan, integrity: new IntegrityPlan());
        var origin = new RangeOrigin(world, manner);
        origin.Serve();
        return (world, origin, []);
    }

    private static RangeClient Ask(EngineWorld world, List<string> broken)
    {
        var client = new RangeClient(world, broken) { TakesBreaks = true };
        client.AskAsync().Detach();
        return client;
    }

    private static List<string> RunOne(int seed, out EngineWorld made, out int whole)
    {
        var random = new Random(seed);
        var plan = seed % 5 == 0 ? null : Parts with { Segments = random.Next(2, 9), SegmentSize = random.Next(1, 5) << 18, Memory = random.Next(1, 5) << 20, MostAtUpstream = random.Next(2, 20) };
        var world = made = new EngineWorld(seed, RangeRun.WeatherOf(seed), random.Next(1, 4), tls: Whims.Calm(seed), originTls: Whims.CalmOrigin(seed), accelerate: plan, integrity: new IntegrityPlan());
        var broken = new List<string>();
        var liar = random.Next(4); // One server, or every one now and then.
        new RangeOrigin(world, asked => Manner(random, asked, liar)).Serve();
        whole = RangeRun.Run(world, random, broken, takesBreaks: true);
        return broken;
    }

    // The first answer tells what the whole is to be, so that nothing wrong is without a word about it.
    private static RangeOrigin.Manner Manner(Random random, RangeOrigin.Request asked, int liar)
    {
        var lies = (asked.Server == liar && random.Next(3) > 0) || random.Next(12) == 0;
        return new RangeOrigin.Manner
        {
            Size = 2_500_000,
            Rate = random.Next(50, 600),
            After = random.Next(0, 300),
            IsChunked = asked.First >= 0 && asked.IsCertain && random.Next(5) == 0,
            Digests = asked.IsCertain ? ((string[])["", "r", "c", "rc"])[random.Next(4)] : "rc",
            Corrupts = lies ? Math.Max(0, asked.First) + random.Next(0, 400_000) : -1,
            Breaks = random.Next(10) == 0 ? random.Next(0, 600_000) : -1,
        };
    }
}
