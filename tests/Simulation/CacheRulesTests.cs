// What RFC 9111 says of answers that are confirmed, shared and cut into parts, within the whole engine.

using System.Globalization;
using Weir.Engine.Caching;
using Weir.Engine.Loops;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class CacheRulesTests
{
    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    private readonly List<string> broken = [];
    private readonly EngineWorld world = new(1, Still, cache: static forward => new CachePlan { Cache = new Cache("c", 2) { MemoryLimit = 4 << 20 }, Key = new KeyRecipe([]), Forward = forward, LargestBody = 1 << 20 });
    private CacheOrigin origin = null!;

    // §4.3.4: what a 304 brings belongs to who asked; a cookie of one client is not told to those who waited with it.
    [Theory]
    [InlineData("Set-Cookie: a=1\r\nCache-Control: max-age=60")]
    [InlineData("X-Own: a=1\r\nCache-Control: private, max-age=60")]
    [InlineData("X-Own: a=1\r\nCache-Control: no-store")]
    public void What_a_304_brings_that_may_not_be_kept_is_its_first_clients_alone(string fields)
    {
        Serve(request => request.Condition.Length > 0 ? new(304, fields, Tag: "t", After: 200) : new(Fields: "Cache-Control: max-age=1", Tag: "t"));
        var clients = Enumerable.Range(0, 5).Select(_ => new CacheClient(world, origin, broken)).ToArray();
        foreach (var client in clients) RunAsync(client).Detach();
        End();
        Assert.All(clients, client => Assert.Equal([200, 200], client.Got.Select(got => got.Status)));
        Assert.Single(clients, client => client.Got[1].Head.Contains("a=1", StringComparison.Ordinal));

        async LoopTask RunAsync(CacheClient client)
        {
            await client.OpenAsync();
            await client.AskAsync("/1");
            await client.PauseAsync(2_000 - client.Got[0].Took);
            await client.AskAsync("/1");
            client.Close();
        }
    }

    [Fact]
    public void What_a_304_sets_for_its_client_alone_reaches_it_and_nobody_else()
    {
        Serve(request => request.Condition.Length > 0 ? new(304, "Set-Cookie: a=1\r\nCache-Control: max-age=60, no-cache=\"Set-Cookie\"", Tag: "t") : new(Fields: "Cache-Control: max-age=1", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1");
            await client.PauseAsync(2_000);
            await client.AskAsync("/1");
            await client.AskAsync("/1");
        });
        Assert.Equal([false, true, false], client.Got.Select(got => got.Head.Contains("Set-Cookie: a=1", StringComparison.Ordinal)));
        Assert.Equal(2, origin.Asked.Count);
    }

    // §4.1: the Vary that counts is the one that is stored, and a 304 stores another.
    [Fact]
    public void A_304_that_says_by_what_the_answer_varies_holds_for_such_requests()
    {
        Serve(request => request.Condition.Length > 0 ? new(304, "Vary: Accept-Language\r\nCache-Control: max-age=60", Tag: "t") : new(Fields: "Cache-Control: max-age=1", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
            await client.PauseAsync(2_000);
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
            await client.AskAsync("/1", fields: "Accept-Language: en\r\n");
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
        });
        Assert.Equal(["de", "de", "en"], origin.Asked.Select(asked => asked.Language));
        Assert.Equal([1, 1, 3, 1], client.Got.Select(got => got.Version));
    }

    // §4.1: some leave Vary out of what they send where a request has no preference.
    [Fact]
    public void An_answer_that_says_by_what_it_varies_comes_before_one_that_does_not()
    {
        Serve(request => new(Fields: request.Language.Length > 0 ? "Cache-Control: max-age=60\r\nVary: Accept-Language" : "Cache-Control: max-age=60"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
            await client.AskAsync("/1");
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
            await client.AskAsync("/1", fields: "Accept-Language: en\r\n");
        });
        Assert.Equal([1, 2, 1, 2], client.Got.Select(got => got.Version));
    }

    // It is not kept beside what takes its place, or it would be asked about for ever.
    [Fact]
    public void An_answer_that_varies_no_longer_takes_the_place_of_one_that_did()
    {
        var asked = 0;
        Serve(_ => new(Fields: asked++ == 0 ? "Cache-Control: max-age=1\r\nVary: Accept-Language" : "Cache-Control: max-age=60", Tag: $"t{asked}"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
            await client.PauseAsync(2_000);
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
            await client.AskAsync("/1", fields: "Accept-Language: de\r\n");
        });
        Assert.Equal([1, 2, 2], client.Got.Select(got => got.Version));
    }

    [Fact]
    public void A_304_without_a_Date_is_dated_when_it_came()
    {
        var start = world.OriginLoop.UtcNow;
        Serve(request => request.Condition.Length > 0
            ? new(304, $"Expires: {At(180)}", Tag: "t")
            : new(Fields: $"Date: {At(0)}\r\nExpires: {At(60)}", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1");
            await client.PauseAsync(120_000);
            await client.OpenAsync();
            await client.AskAsync("/1");
            await client.PauseAsync(50_000);
            await client.OpenAsync();
            await client.AskAsync("/1");
            await client.PauseAsync(20_000);
            await client.AskAsync("/1");
        });
        Assert.Equal(["", "\"t\"", "\"t\""], origin.Asked.Select(asked => asked.Condition));
        Assert.Contains($"Date: {At(120)[..22]}", client.Got[2].Head, StringComparison.Ordinal);

        string At(int seconds) => start.AddSeconds(seconds).ToString("R", CultureInfo.InvariantCulture);
    }

    // §4.3.5, §5.2.2.2: HEAD unmasked it, so it is stale; and stale it must not be used.
    [Fact]
    public void What_HEAD_unmasked_does_not_stand_in_where_it_must_be_revalidated()
    {
        Serve(request => request.Method == "HEAD" ? new(Tag: "u") : request.Condition.Length > 0 ? new(503, "Cache-Control: no-store") : new(Fields: "Cache-Control: max-age=60, must-revalidate", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1");
            await client.AskAsync("/1", "HEAD", "Cache-Control: no-cache\r\n");
            await client.AskAsync("/1");
        });
        Assert.Equal([200, 200, 503], client.Got.Select(got => got.Status));
    }

    // RFC 9530 §2: a digest of the content is of what is sent.
    [Fact]
    public void A_part_has_no_digest_of_the_whole()
    {
        Serve(_ => new(Fields: "Cache-Control: max-age=60\r\nContent-Digest: sha-256=:x:\r\nContent-MD5: x\r\nRepr-Digest: sha-256=:y:", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1");
            await client.AskAsync("/1", fields: "Range: bytes=0-9\r\n");
            await client.AskAsync("/1", fields: "Range: bytes=0-9,500-600\r\n");
            await client.AskAsync("/1", fields: "Range: bytes=5000-\r\n");
            await client.AskAsync("/1", fields: "If-None-Match: \"t\"\r\n");
        });
        Assert.Equal([200, 206, 206, 416, 304], client.Got.Select(got => got.Status));
        Assert.Equal([true, false, false, false, false], client.Got.Select(got => got.Head.Contains("Content-Digest", StringComparison.Ordinal) || got.Head.Contains("Content-MD5", StringComparison.Ordinal)));
        Assert.All(client.Got, got => Assert.Contains("Repr-Digest", got.Head, StringComparison.Ordinal));
        broken.Clear(); // Of several parts the players know nothing.
    }

    // RFC 9110 §13.1.5, §8.8.2.2
    [Theory]
    [InlineData(null, 0, 200)] // The Date of an answer is no validator.
    [InlineData(0, 0, 200)] // It may have changed within the second it was made in.
    [InlineData(-10, -10, 206)]
    [InlineData(-10, -9, 200)]
    public void If_Range_takes_a_date_where_it_is_a_strong_validator(int? modified, int asked, int status)
    {
        var start = world.OriginLoop.UtcNow;
        Serve(_ => new(Fields: $"Cache-Control: max-age=60\r\nDate: {At(0)}{(modified is { } at ? $"\r\nLast-Modified: {At(at)}" : "")}"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1");
            await client.PauseAsync(10_000);
            await client.AskAsync("/1", fields: $"Range: bytes=0-9\r\nIf-Range: {At(asked)}\r\n");
        });
        Assert.Equal(status, client.Got[1].Status);

        string At(int seconds) => start.AddSeconds(seconds).ToString("R", CultureInfo.InvariantCulture);
    }

    // A fetch for all goes without them; but what is not kept is not for all.
    [Theory]
    [InlineData("Range: bytes=5-9\r\n")]
    [InlineData("If-None-Match: \"t\"\r\n")]
    public void What_is_not_kept_is_asked_for_as_its_client_asks(string fields)
    {
        Serve(_ => new(Fields: "Cache-Control: private"));
        Run(async client =>
        {
            await client.AskAsync("/1");
            await client.AskAsync("/1", fields: fields);
            await client.PauseAsync(29_000);
            await client.OpenAsync();
            await client.PauseAsync(3_000);
            await client.AskAsync("/1", fields: fields); // It may be another by now.
        });
        Assert.Equal([false, true, false], origin.Asked.Select(asked => asked.Head.Contains(fields, StringComparison.Ordinal)));
    }

    // What names itself private is the first client's, but no framing twice.
    [Fact]
    public void Fields_that_frame_an_answer_are_said_once()
    {
        Serve(_ => new(Fields: "Cache-Control: max-age=60, private=\"content-length, age, vary, x-own\"\r\nAge: 5\r\nVary: X\r\nX-Own: 1", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1", fields: "Range: bytes=0-9\r\n");
            await client.AskAsync("/1");
        });
        foreach (var name in new[] { "Content-Length", "Age", "Vary" }) Assert.All(client.Got, got => Assert.Equal(2, got.Head.Split($"\r\n{name}: ").Length));
        Assert.Equal([true, false], client.Got.Select(got => got.Head.Contains("X-Own", StringComparison.Ordinal)));
    }

    // What stands in for who asked first is not for who wants the origin's own word.
    [Fact]
    public void Whom_nothing_stands_in_for_gets_what_the_origin_says_and_not_that_another_got_nothing()
    {
        Serve(request => request.Condition.Length > 0 ? new(503, "Cache-Control: no-store", After: 200) : new(Fields: "Cache-Control: max-age=1, stale-if-error=60", Tag: "t"));
        var clients = Enumerable.Range(0, 2).Select(_ => new CacheClient(world, origin, broken)).ToArray();
        for (var i = 0; i < 2; i++) RunAsync(clients[i], i == 0 ? 0 : 50, i == 0 ? "" : "Cache-Control: no-cache\r\n").Detach();
        End();
        Assert.Equal([200, 503], clients.Select(client => client.Got[1].Status));
        Assert.Equal(5, origin.Asked.Count); // Each of the two at both endpoints.

        async LoopTask RunAsync(CacheClient client, long after, string fields)
        {
            await client.OpenAsync();
            await client.AskAsync("/1");
            await client.PauseAsync(2_000 + after);
            await client.AskAsync("/1", fields: fields);
            client.Close();
        }
    }

    // An origin that fails at once is not asked by each hit.
    [Theory]
    [InlineData("stale-while-revalidate=60", 503)]
    [InlineData("stale-while-revalidate=60, stale-if-error=60", 503)]
    [InlineData("stale-while-revalidate=60", 505)]
    [InlineData("stale-while-revalidate=60", 0)]
    public void What_could_not_be_renewed_is_left_alone_for_a_while(string allowed, int status)
    {
        Serve(request => request.Condition.Length > 0 ? status == 0 ? new(Cut: "before") : new(status, "Cache-Control: no-store") : new(Fields: $"Cache-Control: max-age=1, {allowed}", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1");
            await client.PauseAsync(2_000);
            for (var i = 0; i < 40; i++)
            {
                await client.AskAsync("/1");
                await client.PauseAsync(100);
            }
        });
        Assert.All(client.Got, got => Assert.Equal(200, got.Status));
        Assert.InRange(origin.Asked.Count, 3, status == 0 ? 9 : 5); // Each is tried again at the other endpoint.
    }

    // RFC 9110 §12.5.3: what one client takes another may not, whatever its server forgets to say.
    [Theory]
    [InlineData("Content-Encoding: gzip", "", "1 1 2 2 1 4")]
    [InlineData("Content-Encoding: gzip\r\nVary: X", "Vary: X\r\n", "1 1 2 2 1 4")]
    [InlineData("Content-Encoding: identity", "", "1 1 1 1 1 1")]
    [InlineData("X: y", "", "1 1 1 1 1 1")]
    public void What_is_coded_is_for_those_who_take_the_coding(string fields, string renewed, string versions)
    {
        Serve(request => request.Condition.Length > 0 ? new(304, $"{renewed}Cache-Control: max-age=60", Tag: "t") : new(Fields: $"Cache-Control: max-age=10\r\n{fields}", Tag: "t"));
        var client = Run(async client =>
        {
            await client.AskAsync("/1", fields: "Accept-Encoding: gzip, br\r\n");
            await client.AskAsync("/1", fields: "Accept-Encoding: br,gzip\r\n");
            await client.AskAsync("/1");
            await client.AskAsync("/1");
            await client.PauseAsync(11_000);
            await client.AskAsync("/1", fields: "Accept-Encoding: gzip, br\r\n"); // By a 304.
            await client.AskAsync("/1", fields: "Accept-Encoding: identity\r\n");
        });
        Assert.Equal(versions, string.Join(' ', client.Got.Select(got => got.Version)));
    }

    private void Serve(Func<CacheOrigin.Request, CacheOrigin.Reply> answer)
    {
        origin = new CacheOrigin(world, answer);
        origin.Serve();
    }

    private CacheClient Run(Func<CacheClient, LoopTask> ask)
    {
        var client = new CacheClient(world, origin, broken);
        RunAsync().Detach();
        End();
        return client;

        async LoopTask RunAsync()
        {
            await client.OpenAsync();
            await ask(client);
            client.Close();
        }
    }

    private void End()
    {
        world.World.Run(400_000);
        Assert.Equal([], CacheAtRest.Trouble(world));
    }
}
