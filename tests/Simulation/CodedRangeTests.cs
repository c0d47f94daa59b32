// What a client resumes that was coded on its way: the rest of it is of what it has the beginning of, or it gets the whole. RFC 9110
// §8.8.2.2, §13.1.5: all codings of one content have its date, and only the tag tells them apart.

using System.IO.Compression;
using Weir.Engine.Caching;
using Weir.Engine.Loops;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Simulation;

public class CodedRangeTests
{
    private const string Date = "Sun, 06 Nov 1994 08:49:37 GMT";

    private static readonly Weather Still = new() { MostDelay = 0, SplitsWrites = false, MostDelivered = int.MaxValue - 1, Window = 1 << 20 };

    private static readonly ResponseCodingPlan Both = new()
    {
        Compress = new CompressionPlan { Codings = [.. Codings.All.Select(static c => new OfferedCoding(c, Codings.Levels(c).Usual))] },
        Decompress = new DecompressionPlan(),
    };

    private static readonly byte[] Plain = System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 2000).Select(static i => $"{i * 7919 % 1000},")));

    [Theory]
    [InlineData("text/plain", "", "gzip", Date, 200)] // It would be compressed, and was.
    [InlineData("text/plain", "", "gzip", "W/\"t\"", 200)]
    [InlineData("text/plain", "", "gzip", "\"t\"", 206)] // Whoever has that tag has the plain one.
    [InlineData("text/plain", "", "gzip", "", 206)] // A part of whatever there is.
    [InlineData("text/plain", "", "", Date, 206)]
    [InlineData("text/plain", "", "gzip;q=0", Date, 206)]
    [InlineData("video/mp4", "", "gzip", Date, 206)]
    [InlineData("text/plain", "\r\nCache-Control: no-transform, max-age=60", "gzip", Date, 206)]
    [InlineData("text/plain", "\r\nContent-Encoding: gzip", "gzip", Date, 206)] // It goes out as it is.
    [InlineData("text/plain", "\r\nContent-Encoding: br", "gzip", Date, 200)] // It would be decompressed, and was.
    [InlineData("video/mp4", "\r\nContent-Encoding: gzip", "", Date, 200)]
    [InlineData("text/plain", "\r\nContent-Encoding: odd", "gzip", Date, 206)]
    public void The_rest_of_what_was_coded_is_not_had_by_a_date(string type, string fields, string accepted, string condition, int status)
    {
        foreach (var isCached in new[] { false, true })
        {
            var world = new EngineWorld(1, Still, balancing: new() { Responses = Both }, cache: isCached ? Plan : null);
            var origin = new CacheOrigin(world, request => Answer(request, $"Content-Type: {type}\r\nLast-Modified: {Date}\r\nCache-Control: max-age=60{fields}"));
            origin.Serve();
            var client = new CacheClient(world, origin, []) { Judges = false };
            RunAsync(client).Detach();
            world.World.Run(400_000);
            Assert.Equal(status, client.Got[1].Status);
            Assert.Equal([], world.Leftovers());

            // By what comes of it is told whether that is what was sent before.
            if (status == 200) Assert.Equal(client.Got[0].Body, client.Got[1].Body);
        }

        async LoopTask RunAsync(CacheClient client)
        {
            var accepts = accepted.Length > 0 ? $"Accept-Encoding: {accepted}\r\n" : "";
            await client.OpenAsync();
            await client.AskAsync("/1", fields: accepts);
            await client.PauseAsync(3_000);
            await client.AskAsync("/1", fields: $"{accepts}Range: bytes=100-199\r\n{(condition.Length > 0 ? $"If-Range: {condition}\r\n" : "")}");
            client.Close();
        }
    }

    // What there is nothing of in the plain one is there in the other.
    [Fact]
    public void Nor_is_it_said_that_there_is_no_rest()
    {
        var world = new EngineWorld(1, Still, balancing: new() { Responses = Both }, cache: Plan);
        var origin = new CacheOrigin(world, request => Answer(request, $"Content-Type: text/plain\r\nLast-Modified: {Date}\r\nCache-Control: max-age=60"));
        origin.Serve();
        var client = new CacheClient(world, origin, []) { Judges = false };
        RunAsync().Detach();
        world.World.Run(400_000);
        Assert.Equal([200, 200, 416], client.Got.Select(got => got.Status));

        async LoopTask RunAsync()
        {
            await client.OpenAsync();
            await client.AskAsync("/1");
            await client.PauseAsync(3_000);
            await client.AskAsync("/1", fields: $"Accept-Encoding: gzip\r\nRange: bytes=500000-\r\nIf-Range: {Date}\r\n");
            await client.AskAsync("/1", fields: "Accept-Encoding: gzip\r\nRange: bytes=500000-\r\n");
            client.Close();
        }
    }

    // In the client's own codings the rest may be another's.
    [Fact]
    public void Where_other_codings_are_asked_for_the_rest_is_had_with_the_beginning()
    {
        var world = new EngineWorld(1, Still, balancing: new() { Responses = new() { Decompress = new() }, Rewrite = [new AskedCodings("gzip"u8.ToArray())] });
        var origin = new CacheOrigin(world, request => Answer(request, "Content-Type: text/plain"));
        origin.Serve();
        var client = new CacheClient(world, origin, []) { Judges = false };
        RunAsync().Detach();
        world.World.Run(400_000);
        Assert.Equal([200, 206, 206], client.Got.Select(got => got.Status));
        Assert.Equal([true, false, false], origin.Asked.Select(asked => asked.Head.Contains("\r\nAccept-Encoding: gzip\r\n", StringComparison.Ordinal)));

        async LoopTask RunAsync()
        {
            await client.OpenAsync();
            foreach (var condition in new[] { $"If-Range: {Date}\r\n", "If-Range: \"t\"\r\n", "" }) await client.AskAsync("/1", fields: $"Accept-Encoding: br\r\nRange: bytes=100-199\r\n{condition}");
            client.Close();
        }
    }

    // RFC 9110 §7.7: what says no-transform is not decompressed, and what a client does not take is not sent to it.
    [Theory]
    [InlineData("gzip", "GET", "GET GET", true)]
    [InlineData("gzip", "HEAD", "HEAD HEAD", true)]
    [InlineData("br", "GET", "GET", true)]
    [InlineData("gzip", "POST", "POST", false)] // It is not sent twice: nothing else is asked for.
    public void What_may_not_be_decompressed_is_asked_for_as_it_is(string asked, string method, string methods, bool asks)
    {
        foreach (var isCached in new[] { false, true })
        {
            var world = new EngineWorld(1, Still, balancing: new() { Responses = new() { Decompress = new() }, Rewrite = [new AskedCodings(System.Text.Encoding.ASCII.GetBytes(asked))] }, cache: isCached ? Plan : null);
            var origin = new CacheOrigin(world, request => request.Head.Contains($"\r\nAccept-Encoding: {asked}\r\n", StringComparison.Ordinal)
                ? Answer(request, $"Content-Type: text/plain\r\nCache-Control: no-transform, max-age=60\r\nVary: Accept-Encoding\r\nContent-Encoding: {asked}")
                : Answer(request, "Content-Type: text/plain\r\nCache-Control: no-transform, max-age=60"));
            origin.Serve();
            var client = new CacheClient(world, origin, []) { Judges = false };
            RunAsync(client).Detach();
            world.World.Run(400_000);
            Assert.Equal(methods, string.Join(' ', origin.Asked.Select(one => one.Method)));
            Assert.Equal(asks, origin.Asked[0].Head.Contains($"\r\nAccept-Encoding: {asked}\r\n", StringComparison.Ordinal));
            var got = client.Got[0].Head;
            Assert.Equal(asked == "br", got.Contains("\r\nContent-Encoding: br\r\n", StringComparison.Ordinal));
            Assert.Equal(asks, got.Contains("\r\nVary: Accept-Encoding\r\n", StringComparison.Ordinal));
            if (method != "HEAD" && asked != "br") Assert.Equal(Plain, client.Got[0].Body);
            Assert.Equal([], world.Leftovers());
        }

        async LoopTask RunAsync(CacheClient client)
        {
            await client.OpenAsync();
            await client.AskAsync("/1", method, "Accept-Encoding: br\r\n");
            client.Close();
        }
    }

    private static CachePlan Plan(Weir.Engine.Forwarding.ForwardPlan forward) =>
        new() { Cache = new Cache("c", 2) { MemoryLimit = 4 << 20 }, Key = new KeyRecipe([]), Forward = forward };

    // It answers a part where it is asked for one.
    private static CacheOrigin.Reply Answer(CacheOrigin.Request request, string fields)
    {
        var content = fields.Contains("Encoding: br", StringComparison.Ordinal) ? Coded(static to => new BrotliStream(to, CompressionLevel.Fastest)) : fields.Contains("Encoding: gzip", StringComparison.Ordinal) ? Coded(static to => new GZipStream(to, CompressionLevel.Fastest)) : Plain;
        return request.Head.Contains("\r\nRange: bytes=100-199", StringComparison.Ordinal)
            ? new(206, $"{fields}\r\nContent-Range: bytes 100-199/{content.Length}", Tag: "t", Content: content[100..200])
            : new(200, fields, Tag: "t", Content: content);
    }

    private static byte[] Coded(Func<MemoryStream, System.IO.Stream> coder)
    {
        using var to = new MemoryStream();
        using (var coding = coder(to)) coding.Write(Plain);
        return to.ToArray();
    }
}
