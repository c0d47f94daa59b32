// What holds of a whole holds of each of its slices, within the whole engine.

using System.Globalization;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class CacheSliceRulesTests
{
    private const int Slice = 1000;

    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };
    private static readonly byte[] Whole = [.. Enumerable.Range(0, 4 * Slice).Select(static i => (byte)(i * 31 / 7))];

    private readonly EngineWorld world = new(1, Still, cache: static forward => new CachePlan { Cache = new Cache("c", 2) { MemoryLimit = 4 << 20 }, Key = new KeyRecipe([]), Forward = forward, SliceBytes = Slice, Rules = new CacheRules { StoresPartial = true } });
    private CacheOrigin origin = null!;

    // RFC 9111 §5.2.1.7
    [Theory]
    [InlineData("Range: bytes=0-999\r\n", 206)]
    [InlineData("Range: bytes=10-20, 900-950\r\n", 206)]
    [InlineData("Range: bytes=1000-1999\r\n", 504)]
    [InlineData("Range: bytes=500-1500\r\n", 504)] // Nothing of it, where not all of it is there.
    [InlineData("Range: bytes=10-20, 3000-3001\r\n", 504)]
    [InlineData("", 504)]
    public void Only_what_is_kept_is_given_to_who_asks_for_no_more(string range, int status)
    {
        Serve(static _ => "Cache-Control: max-age=60");
        var client = Ask(async client =>
        {
            await client.AskAsync("/1", fields: "Range: bytes=0-99\r\n");
            await client.AskAsync("/1", fields: $"Cache-Control: only-if-cached\r\n{range}");
            await client.AskAsync("/1", fields: "Range: bytes=3000-3099\r\n"); // The head is as good as it was.
        });
        Assert.Equal([206, status, 206], client.Got.Select(static got => got.Status));
        Assert.Equal(2, origin.Asked.Count);
    }

    [Theory]
    [InlineData("Cache-Control: private, max-age=60")]
    [InlineData("Cache-Control: no-store")]
    [InlineData("Cache-Control: max-age=60\r\nSet-Cookie: a=1")]
    public void A_further_slice_that_is_not_for_all_is_for_one(string says)
    {
        Serve(first => first == 0 ? "Cache-Control: max-age=60" : says, after: 200);
        var clients = Enumerable.Range(0, 3).Select(_ => new CacheClient(world, origin, []) { Judges = false }).ToArray();
        foreach (var client in clients) RunAsync(client).Detach();
        world.World.Run(400_000);
        Assert.All(clients, static client => Assert.Equal(206, client.Got[^1].Status));
        Assert.All(clients, static client => Assert.Equal(Whole[1000..1100], client.Got[^1].Body));
        Assert.Equal(3, origin.Asked.Count(static asked => asked.Head.Contains("\r\nRange: bytes=1000-1999\r\n", StringComparison.Ordinal)));
        Assert.Equal([], CacheAtRest.Trouble(world));

        async LoopTask RunAsync(CacheClient client)
        {
            await client.OpenAsync();
            await client.AskAsync("/1", fields: "Range: bytes=0-99\r\n");
            await client.PauseAsync(2_000 - client.Got[0].Took);
            await client.AskAsync("/1", fields: "Range: bytes=1000-1099\r\n");
            client.Close();
        }
    }

    // All of it, with a slice in the middle that is nobody else's.
    [Fact]
    public void A_body_goes_on_behind_a_slice_that_is_not_for_all()
    {
        Serve(first => first < 2000 ? "Cache-Control: max-age=60" : "Cache-Control: private");
        var client = Ask(static async client => await client.AskAsync("/1"));
        Assert.Equal(200, client.Got[0].Status);
        Assert.Equal(Whole, client.Got[0].Body);
    }

    private void Serve(Func<long, string> says, long after = 0)
    {
        origin = new CacheOrigin(world, request =>
        {
            var range = request.Head.Split("\r\nRange: bytes=")[1].Split("\r\n")[0].Split('-');
            var first = int.Parse(range[0], CultureInfo.InvariantCulture);
            var last = int.Parse(range[1], CultureInfo.InvariantCulture);
            return new(206, $"{says(first)}\r\nContent-Range: bytes {first}-{last}/{Whole.Length}", Tag: "t", Content: Whole[first..(last + 1)], After: after);
        });
        origin.Serve();
    }

    private CacheClient Ask(Func<CacheClient, LoopTask> ask)
    {
        var client = new CacheClient(world, origin, []) { Judges = false };
        RunAsync().Detach();
        world.World.Run(400_000);
        Assert.Equal([], CacheAtRest.Trouble(world));
        return client;

        async LoopTask RunAsync()
        {
            await client.OpenAsync();
            await ask(client);
            client.Close();
        }
    }
}
