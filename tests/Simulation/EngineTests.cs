using System.Globalization;
using Weir.Engine.Forwarding;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Simulation;

public class EngineTests
{
    private static readonly int Seeds = int.Parse(Environment.GetEnvironmentVariable("WEIR_SEEDS") ?? "300", CultureInfo.InvariantCulture);
    private static readonly int? OneSeed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : null;

    [Fact]
    public void In_calm_weather_every_request_is_answered_whole() =>
        RunSeeds(Manners.Kind, seed => new Weather { MostDelay = seed % 3 == 0 ? seed % 2 : seed % 30, MostDelivered = seed % 3 == 0 ? 7 : 5000, Window = seed % 5 == 0 ? 64 : 65536 });

    [Fact]
    public void In_bad_weather_nothing_is_lost_changed_doubled_or_made_to_look_whole() =>
        RunSeeds(Manners.Any, seed => new Weather
        {
            MostDelay = seed % 3 == 0 ? seed % 2 : seed % 50,
            MostDelivered = seed % 3 == 0 ? 11 : 3000,
            Window = seed % 4 == 0 ? 200 : 20_000,
            Reset = seed % 2 == 0 ? 0.002 : 0.0,
            Refuse = seed % 3 == 0 ? 0.1 : 0,
            Stall = seed % 7 == 0 ? 0.01 : 0,
        });

    [Fact]
    public void What_an_origin_leaves_behind_is_nobodys() =>
        RunSeeds(Manners.Careless, seed => new Weather { MostDelay = seed % 6, MostDelivered = int.MaxValue - 1, Window = 1 << 20, SplitsWrites = false });

    [Fact]
    public void The_same_seed_is_the_same_world()
    {
        var weather = new Weather { Reset = 0.001, Refuse = 0.05 };
        Assert.Equal(RunOne(7, weather, Manners.Any, out _), RunOne(7, weather, Manners.Any, out _));
        Assert.NotEqual(RunOne(7, weather, Manners.Any, out _), RunOne(8, weather, Manners.Any, out _));
    }

    // Two loops, few slots, fewer connections than loops and endpoints would like to keep: with patience all are answered whole.
    [Fact]
    public void Within_limits_everybody_has_its_turn_and_no_origin_more_than_it_may() =>
        RunSeeds(
            Manners.Kind,
            seed => new Weather { MostDelay = seed % 3 == 0 ? seed % 2 : seed % 30, MostDelivered = 5000, Window = 65536 },
            seed => new Bounds { Requests = seed % 2 == 0 ? 0 : 1 + (seed % 4), EndpointRequests = seed % 3 == 0 ? 0 : 1 + (seed % 3), Connections = seed % 5 == 0 ? 0 : 1 + (seed % 5), EndpointConnections = seed % 7 < 2 ? 1 + (seed % 2) : 0, QueueTimeout = 900_000 });

    [Fact]
    public void Within_limits_and_in_bad_weather_everybody_is_answered_or_refused_and_no_slot_is_lost() =>
        RunSeeds(
            Manners.Any,
            seed => new Weather { MostDelay = seed % 50, MostDelivered = 3000, Window = 20_000, Reset = seed % 2 == 0 ? 0.002 : 0.0, Refuse = seed % 3 == 0 ? 0.1 : 0, Stall = seed % 7 == 0 ? 0.01 : 0 },
            seed => new Bounds { Requests = 1 + (seed % 3), EndpointRequests = seed % 2, EndpointConnections = seed % 5 == 0 ? 1 : 0, Connections = seed % 4, Queue = seed % 6, QueueTimeout = 20 * (seed % 20) });

    // Answers are compressed for their clients; requests for origins, or decompressed for them. What does not come whole never looks so.
    [Fact]
    public void In_calm_weather_what_passes_through_a_coder_is_the_same_behind_it() =>
        RunSeeds(Manners.Kind, seed => new Weather { MostDelay = seed % 30, MostDelivered = seed % 3 == 0 ? 97 : 5000, Window = seed % 5 == 0 ? 640 : 65536 }, coded: true);

    [Fact]
    public void In_bad_weather_what_passes_through_a_coder_is_the_same_or_is_seen_to_be_cut() =>
        RunSeeds(Manners.Any, seed => new Weather { MostDelay = seed % 50, MostDelivered = 3000, Window = seed % 4 == 0 ? 800 : 20_000, Reset = seed % 2 == 0 ? 0.002 : 0.0, Refuse = seed % 3 == 0 ? 0.1 : 0, Stall = seed % 7 == 0 ? 0.01 : 0 }, coded: true);

    private static void RunSeeds(Manners manners, Func<int, Weather> weather, Func<int, Bounds>? bounds = null, bool coded = false)
    {
        var (whole, waited, compressed) = (0, 0L, 0);
        var broken = new List<string>();
        foreach (var seed in OneSeed is { } one ? [one] : Enumerable.Range(1, Seeds))
        {
            RunOne(seed, weather(seed), manners, out var findings, bounds?.Invoke(seed), coded);
            whole += findings.Whole;
            compressed += findings.Compressed;
            waited += findings.Waited;
            broken.AddRange(findings.Broken.Take(3).Select(b => $"seed {seed}: {b}"));
            if (broken.Count > 10) break;
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken));
        Assert.True(whole > 0);
        if (coded && OneSeed is null) Assert.True(compressed > whole / 4, $"only {compressed} of {whole} were compressed");
        if (bounds is not null && OneSeed is null) Assert.True(waited > Seeds, $"only {waited} have waited");
    }

    private static readonly ResponseCodingPlan Responses = new() { Compress = new CompressionPlan { Codings = [.. Codings.All.Select(static c => new OfferedCoding(c, 1))], MinSize = 1 } };

    private static RequestCodingPlan Requests(int seed) => seed % 2 == 0 ? new() { Decompress = Codings.All } : new() { Compress = new OfferedCoding(Codings.All[seed % 3], 1), MinSize = 1 };

    private static ulong RunOne(int seed, Weather weather, Manners manners, out Findings findings, Bounds? bounds = null, bool coded = false)
    {
        var world = new EngineWorld(seed, weather, tls: manners == Manners.Any ? Whims.Bad(seed) : Whims.Calm(seed), originTls: manners == Manners.Any ? Whims.BadOrigin(seed) : Whims.CalmOrigin(seed), balancing: new EngineWorld.Balancing { Settings = new UpstreamSettings { Bounds = bounds }, Hedge = bounds is not null && seed % 4 == 1 ? new HedgePlan(30, 0, 100) : null, Requests = coded ? Requests(seed) : null, Responses = coded ? Responses : null });
        var found = findings = new Findings();
        if (bounds is not null) found.Look = () => found.Broken.AddRange(world.BeyondLimits(bounds, manners == Manners.Kind && seed % 4 != 1 ? found.UnderWay : []));
        new Origin(world, findings, manners).Serve();
        const int Clients = 8;
        for (var i = 0; i < Clients; i++) new Client(world, findings, i * 100, seed % 10 == 7 && seed % 3 != 0 ? 40 : 1 + (seed % 5), manners).RunAsync().Detach();
        var sound = true;
        for (var waited = 0; sound && waited < 300_000 && findings.ClientsDone < Clients; waited += 500) sound = world.World.Run(500);
        sound &= world.World.Run(EngineWorld.IdleLookAfter);
        findings.Broken.AddRange(world.HeldWhileIdle());
        sound &= world.World.Run(300_000);
        if (!sound) findings.Broken.Add("livelock: the world never comes to rest");
        if (findings.ClientsDone != Clients) findings.Broken.Add($"{Clients - findings.ClientsDone} clients wait for ever");
        findings.Waited = world.Upstream.Door.Queued;
        world.Engine.Drain();
        world.World.Run(60_000);
        world.Engine.Stop();
        world.World.Run(10_000);
        findings.Broken.AddRange(world.Leftovers());
        foreach (var (id, times) in findings.Consumed)
        {
            if (times > 1) findings.Broken.Add($"request {id}: a POST was sent {times} times");
        }

        return world.World.Trace;
    }
}
