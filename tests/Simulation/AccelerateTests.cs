// Large answers within the whole engine: put together of parts while origins do their worst.

using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Weir.Engine.Acceleration;
using Weir.Engine.Disk;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class AccelerateTests
{
    private static readonly int Seeds = int.Parse(Environment.GetEnvironmentVariable("WEIR_SEEDS") ?? "150", CultureInfo.InvariantCulture);
    private static readonly int? OneSeed = int.TryParse(Environment.GetEnvironmentVariable("WEIR_SEED"), CultureInfo.InvariantCulture, out var seed) ? seed : null;

    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    private static readonly AcceleratePlan Usual = new() { Segments = 8, Smallest = 500_000, SegmentSize = 4 << 20 };

    [Fact]
    public void Eight_connections_that_are_each_held_back_bring_nearly_eight_times_as_much()
    {
        var (world, _, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 40_000_000, Rate = 200 }, Usual);
        var client = Ask(world, broken);
        Assert.InRange(Most(world, 400_000), 2, 8);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Status}, {client.Got} bytes");
        Assert.InRange(client.Took.Last, 25_000, 31_000); // 25 s at eight times the rate; one alone: 200 s.
        Assert.InRange(client.Took.Head, 0, 25);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void What_one_connection_brings_at_once_is_asked_for_once()
    {
        var (world, origin, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 3_000_000, Rate = 50_000 }, Usual);
        var client = Ask(world, broken);
        world.World.Run(10_000);
        Assert.True(client.IsWhole);
        Assert.Single(origin.Asked);
    }

    [Fact]
    public void A_client_that_is_slow_itself_costs_one_connection()
    {
        var (world, origin, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 6_000_000, Rate = 1_000 }, Usual, weather: Still with { Window = 65_536 });
        var client = Ask(world, broken, rate: 100);
        world.World.Run(100_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole);
        Assert.Single(origin.Asked);
    }

    [Fact]
    public void A_part_that_is_asked_for_is_accelerated_within_itself()
    {
        var (world, origin, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 10_000_000, Rate = 200 }, Usual);
        var client = Ask(world, broken, "Range: bytes=1000000-8999999\r\n");
        world.World.Run(60_000);
        Assert.Equal([], broken);
        Assert.Equal((206, 8_000_000L, true), (client.Status, client.Got, client.IsWhole));
        Assert.InRange(client.Took.Last, 5_000, 12_000); // Alone: 40 s.
        Assert.All(origin.Asked, asked => Assert.InRange(asked.First, 1_000_000, 8_999_999));
    }

    [Theory]
    [InlineData("status")]
    [InlineData("first")]
    [InlineData("last")]
    [InlineData("total")]
    [InlineData("length")]
    public void An_origin_that_answers_parts_wrongly_is_asked_for_the_whole_alone(string lie)
    {
        var (world, origin, broken) = Make(1, asked => new RangeOrigin.Manner { Size = 4_000_000, Rate = 200, Lie = asked.First < 0 ? "" : lie }, Usual);
        var client = Ask(world, broken);
        world.World.Run(60_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.InRange(origin.Asked.Count, 2, 8);
        Assert.InRange(client.Took.Last, 19_000, 22_000);
    }

    [Theory]
    [InlineData("Accept-Ranges: none\r\n", "\"v{0}\"")]
    [InlineData("", "\"v{0}\"")]
    [InlineData("Accept-Ranges: bytes\r\n", "W/\"v{0}\"")]
    [InlineData("Accept-Ranges: bytes\r\n", "")]
    public void Without_ranges_or_a_strong_validator_nothing_more_is_asked(string fields, string tag)
    {
        var (world, origin, broken) = Make(1, _ => new RangeOrigin.Manner { Rate = 200, Fields = fields, Tag = tag }, Usual);
        var client = Ask(world, broken);
        world.World.Run(60_000);
        Assert.True(client.IsWhole);
        Assert.Single(origin.Asked);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_breaks_is_gone_on_with_on_another_server(bool accelerates)
    {
        var (world, origin, broken) = Make(1, asked => new RangeOrigin.Manner { Breaks = asked.Number == 0 ? 100_000 : -1 }, accelerates ? Usual : null);
        var client = Ask(world, broken);
        world.World.Run(60_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.Contains(origin.Asked, asked => asked is { Number: > 0, Server: 1 });
        Assert.Equal(1, world.Engine.Transfers.Counts.Resumed);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void What_falls_silent_is_gone_on_with_in_half_of_its_time()
    {
        var (world, _, broken) = Make(1, asked => new RangeOrigin.Manner { Hangs = asked.Number == 0 ? 700_000 : -1 }, null);
        var client = Ask(world, broken);
        world.World.Run(100_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.InRange(client.Took.Last, 30_000, 65_000);
    }

    // Nobody has the same any more: what was begun breaks, and is never mixed.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_changes_underneath_breaks(bool accelerates)
    {
        var (world, _, broken) = Make(1, asked => new RangeOrigin.Manner { Version = asked.Number == 0 ? 1 : 2, Breaks = asked.Number == 0 ? 700_000 : -1 }, accelerates ? Usual : null);
        var client = Ask(world, broken);
        world.World.Run(60_000);
        Assert.Equal([], broken);
        Assert.False(client.IsWhole);
        Assert.True(client.Got <= 700_000);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void A_server_that_has_something_else_is_left_out_and_the_others_bring_it()
    {
        var (world, origin, broken) = Make(1, asked => new RangeOrigin.Manner { Size = 20_000_000, Rate = 200, Version = asked.Server == 1 ? 2 : 1 }, Usual, origins: 3);
        var client = Ask(world, broken);
        world.World.Run(100_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.Equal(1, client.Version);
        Assert.InRange(client.Took.Last, 12_000, 17_000);
        Assert.InRange(origin.Asked.Count(asked => asked.Server == 1), 1, 4);
        Assert.Equal(1, world.Engine.Transfers.Counts.Dropped);
    }

    [Fact]
    public void Servers_bring_each_as_much_as_they_can()
    {
        var (world, origin, broken) = Make(1, asked => new RangeOrigin.Manner { Size = 40_000_000, Rate = asked.Server == 0 ? 100 : 400 }, Usual);
        var client = Ask(world, broken);
        world.World.Run(100_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.True(origin.Sent[1] > 2 * origin.Sent[0], $"{origin.Sent[0]} and {origin.Sent[1]} bytes");
        Assert.InRange(client.Took.Last, 12_500, 22_000); // Four of each: 20 s; all eight on the faster: 12.5 s.
    }

    [Fact]
    public void An_origin_that_is_asked_too_much_is_asked_less()
    {
        RangeOrigin? busy = null;
        var (world, origin, broken) = Make(1, asked => new RangeOrigin.Manner { Size = 20_000_000, Rate = 200, Status = busy!.Now > 3 ? 503 : 206, Fields = busy.Now > 3 ? "Retry-After: 3\r\n" : "Accept-Ranges: bytes\r\n" }, Usual, origins: 1);
        busy = origin;
        var client = Ask(world, broken);
        world.World.Run(100_000);
        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.InRange(client.Took.Last, 33_000, 45_000); // Three at once.
        Assert.InRange(world.Engine.Transfers.Counts.Throttled, 1, 60);
    }

    [Fact]
    public void A_client_that_leaves_stops_all_that_was_begun_for_it()
    {
        var (world, origin, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 40_000_000, Rate = 200 }, Usual);
        var client = Ask(world, broken, leavesAt: 5_000_000);
        while (!client.IsDone) world.World.Run(100);
        world.World.Run(200);
        Assert.Equal(0, world.Engine.Transfers.Parts);
        world.World.Run(500_000);
        Assert.Equal(0, origin.Now);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    [Fact]
    public void What_waits_for_clients_stays_within_its_memory()
    {
        var plan = Usual with { Memory = 2 << 20 };
        var (world, _, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 40_000_000, Rate = 400 }, plan);
        var clients = Enumerable.Range(0, 10).Select(i => Ask(world, broken, rate: 700 + i)).ToArray();
        var most = 0L;
        for (var n = 0; n < 1_000 && !clients.All(c => c.IsDone); n++)
        {
            world.World.Run(100);
            foreach (var view in world.Engine.Transfers.Running) most = Math.Max(most, view.Held);
        }

        Assert.Equal([], broken);
        Assert.All(clients, client => Assert.True(client.IsWhole, $"{client.Got}"));
        Assert.InRange(most, 1, (2 << 20) + (2 * 73_728));
        world.World.Run(100_000);
        Assert.Equal([], world.Leftovers().ToArray());
    }

    // Ahead of its client, beyond what may stay in memory: on disk; or, where that fails, not ahead.
    [Theory]
    [InlineData("works")]
    [InlineData("is missing")]
    [InlineData("is full")]
    [InlineData("cannot be read")]
    public void What_has_no_room_in_memory_waits_on_disk(string disk)
    {
        var path = Directory.CreateTempSubdirectory("weir-ahead-").FullName;
        var threads = new DiskThreads(threads: 0);
        var files = new List<SafeFileHandle>();
        SafeFileHandle? Create(string folder)
        {
            if (disk == "is missing") return null;
            var file = File.OpenHandle(Path.Combine(folder, $"{files.Count}"), FileMode.CreateNew, disk == "cannot be read" ? FileAccess.Write : FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            files.Add(file);
            return file;
        }

        var folder = new SpillFolder(path, disk == "is full" ? 500_000 : 1 << 30, threads, Create);
        var (world, _, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 20_000_000, Rate = 400 }, Usual with { Memory = 1 << 20, Disk = 64 << 20, Folder = folder });
        var client = Ask(world, broken, rate: 1_500);
        for (var n = 0; n < 5_000 && !client.IsDone; n++)
        {
            world.World.Run(10);
            while (threads.TryWork())
            {
            }

        }

        Assert.Equal([], broken);
        Assert.True(client.IsWhole, $"{client.Got}");
        Assert.Equal(disk != "is missing", folder.Written > 0);
        world.World.Run(100_000);
        while (threads.TryWork())
        {
        }

        world.World.Run(1_000);
        Assert.Equal(0, folder.Used);
        Assert.All(files, static f => Assert.True(f.IsClosed));
        Assert.Equal([], world.Leftovers().ToArray());
        Directory.Delete(path, recursive: true);
    }

    [Fact]
    public void There_are_never_more_parts_than_are_allowed()
    {
        var plan = Usual with { MostAtUpstream = 10 };
        var (world, _, broken) = Make(1, _ => new RangeOrigin.Manner { Size = 10_000_000, Rate = 200 }, plan);
        var clients = Enumerable.Range(0, 6).Select(_ => Ask(world, broken)).ToArray();
        Assert.InRange(Most(world, 200_000), 10, 16);
        Assert.Equal([], broken);
        Assert.All(clients, client => Assert.True(client.IsWhole, $"{client.Got}"));
    }

    [Fact]
    public void While_origins_do_their_worst_no_byte_is_ever_another()
    {
        var broken = new List<string>();
        var (whole, accelerated, resumed) = (0, 0L, 0L);
        foreach (var seed in OneSeed is { } one ? [one] : Enumerable.Range(1, Seeds))
        {
            broken.AddRange(RunOne(seed, out var world, out var answers).Take(3).Select(b => $"seed {seed}: {b}"));
            whole += answers;
            accelerated += world.Engine.Transfers.Counts.Accelerated;
            resumed += world.Engine.Transfers.Counts.Resumed;
            if (broken.Count > 10) break;
        }

        Assert.True(broken.Count == 0, string.Join('\n', broken));
        Assert.True(OneSeed is not null || (whole > Seeds / 2 && accelerated > Seeds / 4 && resumed > Seeds / 8), $"{whole} whole answers, {accelerated} accelerated, {resumed} resumed");
    }

    private static (EngineWorld World, RangeOrigin Origin, List<string> Broken) Make(int seed, Func<RangeOrigin.Request, RangeOrigin.Manner> manner, AcceleratePlan? plan, int origins = 2, Weather? weather = null)
    {
        var world = new EngineWorld(seed, weather ?? Still, origins, accelerate: plan);
        var origin = new RangeOrigin(world, manner);
        origin.Serve();
        return (world, origin, []);
    }

    private static RangeClient Ask(EngineWorld world, List<string> broken, string fields = "", int rate = 0, long leavesAt = -1)
    {
        var client = new RangeClient(world, broken);
        client.AskAsync(fields, rate, leavesAt).Detach();
        return client;
    }

    // The most requests at once, as they are counted here: one that is let go of an origin hears of a moment later.
    private static int Most(EngineWorld world, int milliseconds)
    {
        var most = 0;
        for (var at = 0; at < milliseconds; at += 50)
        {
            world.World.Run(50);
            most = Math.Max(most, world.Endpoints.Sum(e => e.Active));
        }

        return most;
    }

    private static List<string> RunOne(int seed, out EngineWorld made, out int whole)
    {
        var random = new Random(seed);
        var plan = seed % 7 == 0 ? null : Usual with { Segments = random.Next(2, 9), SegmentSize = random.Next(1, 5) << 19, Memory = (random.Next(1, 5) << 20), MostAtUpstream = random.Next(1, 20) };
        var world = made = new EngineWorld(seed, RangeRun.WeatherOf(seed), random.Next(1, 4), tls: Whims.Calm(seed), originTls: Whims.CalmOrigin(seed), accelerate: plan);
        var broken = new List<string>();
        var version = 1;
        var changes = random.Next(4) == 0;
        var origin = new RangeOrigin(world, asked => Worst(random, asked, changes && random.Next(8) == 0 ? ++version : version));
        origin.Serve();
        whole = RangeRun.Run(world, random, broken);
        return broken;
    }

    private static RangeOrigin.Manner Worst(Random random, RangeOrigin.Request asked, int version)
    {
        var usual = new RangeOrigin.Manner { Version = version, Size = 2_500_000, Rate = random.Next(50, 600), After = random.Next(0, 300), IsChunked = asked.First >= 0 && random.Next(5) == 0 };
        return random.Next(asked.First < 0 ? 24 : 16) switch
        {
            0 or 1 => usual with { Breaks = random.Next(0, 600_000) },
            2 => usual with { Hangs = random.Next(0, 600_000) },
            3 => usual with { Status = random.Next(2) == 0 ? 503 : 429, Fields = random.Next(2) == 0 ? "Retry-After: 2\r\n" : "" },
            4 => usual with { Status = random.Next(2) == 0 ? 404 : 500, Fields = "" },
            5 when asked.IsCertain => usual with { Lie = ((string[])["first", "last", "total", "status", "length", "long", "short"])[random.Next(7)] },
            _ => usual,
        };
    }
}
