using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Policies.Compression;
using Weir.Tests.Unit.Engine.Forwarding;
using Weir.Tests.Unit.Loops;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

public class ResponseCodingTests
{
    private const string Chrome = "gzip, deflate, br, zstd";
    private const string Safari = "gzip, deflate, br";

    private static readonly CompressionPlan Plan = new() { Codings = [.. Codings.All.Select(static c => new OfferedCoding(c, Codings.Levels(c).Usual))] };

    private readonly MemoryBudget budget = new(1L << 30);
    private readonly Loop loop = new(new ManualPoller());
    private readonly BufferPool buffers;
    private readonly BodyCoders coders;
    private readonly LiveBody body = new(5_000);
    private Exchange exchange;

    public ResponseCodingTests()
    {
        buffers = new BufferPool(budget);
        coders = new BodyCoders(loop, buffers, budget);
        exchange = new Exchange(loop, buffers);
    }

    [Theory]
    [InlineData(Chrome, "zstd")]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("gzip, deflate", "gzip")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("GZIP", "gzip")]
    [InlineData("deflate, gzip;q=1.0, *;q=0.5", "gzip")]
    [InlineData("br;q=1.0, gzip;q=0.8, *;q=0.1", "br")]
    [InlineData("br;q=0.5, gzip;q=0.8", "gzip")]
    [InlineData("zstd;q=0, br;q=0, gzip", "gzip")]
    [InlineData("*", "zstd")]
    [InlineData("zstd;q=0, *", "br")]
    [InlineData("identity, gzip;q=0.5", "")]
    [InlineData("identity;q=0.5, gzip;q=0.5", "gzip")]
    [InlineData("identity;q=0.5, gzip;q=0.4", "")]
    [InlineData("gzip;q=0.001", "gzip")]
    [InlineData("gzip;q=0.000", "")]
    [InlineData("gzip;q=", "")]
    [InlineData("gzip;q=2", "")]
    [InlineData("deflate", "")]
    [InlineData("identity", "")]
    [InlineData("", "")]
    [InlineData("*;q=0", "")]
    [InlineData("identity;q=0", "")]
    [InlineData("gzip, identity;q=0", "gzip")]
    [InlineData("compress, gzip\r\nAccept-Encoding: br", "br")]
    public void The_client_chooses_by_weight_and_among_equals_we_do(string accepted, string coding)
    {
        Respond(accepted, "Content-Type: text/html");
        var choice = ResponseCoding.Choose(exchange, Plan);
        Assert.Equal(coding, choice.Coding == Coding.Identity ? "" : Encoding.ASCII.GetString(Codings.Name(choice.Coding)));
        Assert.True(choice.Varies);
    }

    [Theory]
    [InlineData(Untouched.Type, false, "Content-Type: image/png")]
    [InlineData(Untouched.Type, false)]
    [InlineData(Untouched.Type, false, "Content-Type: textual/plain")]
    [InlineData(Untouched.Not, true, "Content-Type: TEXT/Html ; charset=utf-8")]
    [InlineData(Untouched.Not, true, "Content-Type: application/problem+json")]
    [InlineData(Untouched.Not, true, "Content-Type: image/svg+xml")]
    [InlineData(Untouched.Encoded, false, "Content-Type: text/html", "Content-Encoding: gzip")]
    [InlineData(Untouched.Encoded, false, "Content-Type: text/html", "Content-Encoding: unheard-of")]
    [InlineData(Untouched.Not, true, "Content-Type: text/html", "Content-Encoding: identity")]
    [InlineData(Untouched.NoTransform, false, "Content-Type: text/html", "Cache-Control: max-age=3, No-Transform")]
    [InlineData(Untouched.Not, true, "Content-Type: text/html", "Cache-Control: private=\"no-transform\"")]
    [InlineData(Untouched.Status, false, "Content-Type: text/html", "Content-Range: bytes */5")]
    public void What_must_stay_as_it_is_stays_as_it_is(Untouched why, bool varies, params string[] fields)
    {
        Respond(Chrome, fields);
        var choice = ResponseCoding.Choose(exchange, Plan);
        Assert.Equal((why, varies), (choice.Why, choice.Varies));
        Assert.True(ResponseCoding.Apply(exchange, new ResponseCodingPlan { Compress = Plan }, coders));
        Assert.Equal(varies, Sent("Vary") == "Accept-Encoding");
        Assert.Equal(why == Untouched.Not, exchange.ResponseSource is BodyFilter);
        Assert.Equal(why == Untouched.Not ? 0 : 1, coders.Skipped(why));
        End();
    }

    [Fact]
    public void Short_bodies_odd_statuses_and_other_sites_are_left_alone()
    {
        foreach (var (length, coding) in new[] { (0L, Untouched.Size), (1023, Untouched.Size), (1024, Untouched.Not), (-1, Untouched.Not) })
        {
            Respond(Chrome, "Content-Type: text/html");
            exchange.Response.BodyLength = length;
            Assert.Equal(coding, ResponseCoding.Choose(exchange, Plan).Why);
        }

        foreach (var (status, coding) in new[] { (200, Untouched.Not), (404, Untouched.Not), (500, Untouched.Not), (204, Untouched.Status), (205, Untouched.Status), (206, Untouched.Status), (304, Untouched.Status), (101, Untouched.Status) })
        {
            Respond(Chrome, "Content-Type: text/html");
            exchange.Response.Status = status;
            Assert.Equal(coding, ResponseCoding.Choose(exchange, Plan).Why);
        }

        foreach (var (site, coding) in new[] { ("cross-site", Untouched.CrossSite), ("same-site", Untouched.Not), ("none", Untouched.Not) })
        {
            Respond($"{Chrome}\r\nSec-Fetch-Site: {site}", "Content-Type: text/html");
            Assert.Equal(coding, ResponseCoding.Choose(exchange, Plan with { CrossSite = false }).Why);
            Assert.Equal(Untouched.Not, ResponseCoding.Choose(exchange, Plan).Why);
        }
    }

    // RFC 9111 §5.2.1.6
    [Fact]
    public void Who_asks_that_nobody_changes_it_gets_it_as_it_is()
    {
        Respond($"{Chrome}\r\nCache-Control: no-transform", "Content-Type: text/html");
        Assert.Equal(Untouched.NoTransform, ResponseCoding.Choose(exchange, Plan).Why);
        Assert.True(new AskedCodings("br"u8.ToArray()).Apply(exchange).IsContinue);
        Assert.Equal(Chrome, Encoding.ASCII.GetString(exchange.Request.Fields.First(KnownField.AcceptEncoding)));
        Assert.Equal(0, exchange.Request.Fields.Added.Length);
        End();
    }

    [Fact]
    public void Who_refuses_what_has_no_coding_gets_a_coding_be_it_worth_it_or_not()
    {
        Respond("gzip, *;q=0", "Content-Type: image/png");
        exchange.Response.BodyLength = 10;
        Assert.Equal(Coding.Gzip, ResponseCoding.Choose(exchange, Plan).Coding);
        Respond("gzip, *;q=0", "Content-Type: image/png", "Cache-Control: no-transform");
        Assert.Equal(Coding.Identity, ResponseCoding.Choose(exchange, Plan).Coding);
    }

    [Fact]
    public void What_is_compressed_says_so_and_what_spoke_of_its_bytes_is_gone()
    {
        Respond(Safari, "Content-Type: text/html", "Content-Length: 5000", "ETag: \"a,b\"", "Accept-Ranges: bytes", "Content-MD5: x", "Digest: x", "Content-Digest: sha-256=:x:", "Repr-Digest: sha-256=:x:", "X-Kept: yes");
        body.Feed(Bodies.Text(5_000));
        body.End();
        Apply();
        Assert.Equal(["Content-Type: text/html", "X-Kept: yes", "ETag: W/\"a,b\"", "Content-Encoding: br", "Vary: Accept-Encoding"], Lines());
        Assert.Equal(-1, exchange.Response.BodyLength);
        Assert.Equal("br"u8.ToArray(), exchange.ResponseCoding);
        Assert.True(exchange.Response.Fields.Withholds("content-digest"u8));
        Assert.True(exchange.Response.Fields.Withholds("ETag"u8));
        var got = new List<byte>();
        while (exchange.ResponseSource!.TryRead(out var piece) == BodyStatus.Piece)
        {
            got.AddRange(piece);
            exchange.ResponseSource.Advance(piece.Length);
        }

        Assert.Equal(Bodies.Text(5_000), Bodies.Unpack(Coding.Brotli, [.. got]));
        End();
    }

    [Theory]
    [InlineData("\"x\"", "W/\"x\"")]
    [InlineData("W/\"x\"", "W/\"x\"")]
    [InlineData("x", "")]
    [InlineData(" ", "")]
    [InlineData("\"x\"\r\nETag: \"y\"", "")]
    [InlineData("W/\"x\"\r\nETag: \"y\"", "")]
    [InlineData("", "")]
    public void A_strong_tag_becomes_a_weak_one(string tag, string sent)
    {
        Respond(Chrome, tag.Length == 0 ? ["Content-Type: text/css"] : ["Content-Type: text/css", $"ETag: {tag}"]);
        Apply();
        Assert.Equal(sent, Sent("ETag"));
        End();
    }

    [Theory]
    [InlineData("Origin", "Accept-Encoding|Origin")]
    [InlineData("origin, accept-encoding", "origin, accept-encoding")]
    [InlineData("*", "*")]
    public void Vary_is_added_to_once(string vary, string sent)
    {
        Respond(Chrome, "Content-Type: text/css", $"Vary: {vary}");
        Apply();
        Assert.Equal(sent, string.Join('|', Lines().Where(l => l.StartsWith("Vary: ", StringComparison.Ordinal)).Select(l => l[6..]).Order()));
        End();
    }

    [Fact]
    public void A_head_request_is_told_what_a_get_request_would_be()
    {
        Respond(Chrome, "Content-Type: text/css", "Content-Length: 5000", "ETag: \"x\"");
        (exchange.Response.HasBody, exchange.Response.AnnouncedLength, exchange.Response.BodyLength) = (false, 5_000, 0);
        Apply();
        Assert.Equal(["Content-Type: text/css", "ETag: W/\"x\"", "Content-Encoding: zstd", "Vary: Accept-Encoding"], Lines());
        Assert.Equal((-1L, 0L), (exchange.Response.AnnouncedLength, exchange.Response.BodyLength));
        Assert.Same(body, exchange.ResponseSource);
        Assert.Equal(0, coders.Coders.AtWork);
        End();
    }

    [Theory]
    [InlineData("If-None-Match: W/\"x\"", "W/\"x\"")]
    [InlineData("If-None-Match: \"y\", W/\"x\"", "W/\"x\"")]
    [InlineData("If-None-Match: \"x\"", "\"x\"")]
    [InlineData("If-None-Match: *", "\"x\"")]
    [InlineData("If-None-Match: W/\"y\"", "\"x\"")]
    public void Not_modified_names_the_tag_that_the_client_has(string condition, string sent)
    {
        Respond($"{Chrome}\r\n{condition}", "ETag: \"x\"");
        exchange.Response.Status = 304;
        exchange.Response.HasBody = false;
        Apply();
        Assert.Equal(sent, Sent("ETag"));
        Assert.Equal("Accept-Encoding", Sent("Vary"));
        End();
    }

    [Fact]
    public void Without_a_coder_it_stays_as_it_is_but_for_vary()
    {
        budget.Limit = 1;
        Respond(Chrome, "Content-Type: text/css", "Content-Length: 5000", "ETag: \"x\"");
        Apply();
        Assert.Equal(["Content-Type: text/css", "Content-Length: 5000", "ETag: \"x\"", "Vary: Accept-Encoding"], Lines());
        Assert.Equal(1, coders.Skipped(Untouched.Busy));
        Assert.Null(exchange.ResponseCoding);
        End();
    }

    [Theory]
    [InlineData("gzip", "", true)]
    [InlineData("br, gzip", "gzip", true)]
    [InlineData("br, gzip", "gzip, br", false)]
    [InlineData("x-gzip", "gzip", false)]
    [InlineData("gzip", "*", false)]
    [InlineData("gzip", "br", true)]
    [InlineData("unheard-of", "", null)]
    [InlineData("gzip, gzip, gzip, gzip", "", null)]
    public void What_the_client_does_not_take_is_decompressed(string codings, string accepted, bool? isDecompressed)
    {
        Respond(accepted, "Content-Type: text/css", $"Content-Encoding: {codings}", "ETag: \"x\"");
        var packed = Bodies.Text(5_000);
        foreach (var name in codings.Split(", ").TakeWhile(_ => isDecompressed == true)) packed = Bodies.Pack(Codings.Parse(name), packed);
        body.Feed(packed);
        body.End();
        Assert.True(ResponseCoding.Apply(exchange, new ResponseCodingPlan { Decompress = new DecompressionPlan() }, coders));
        Assert.Equal(isDecompressed is null ? "" : "Accept-Encoding", Sent("Vary"));
        Assert.Equal(isDecompressed == true ? "" : codings, Sent("Content-Encoding"));
        Assert.Equal(isDecompressed == true ? "W/\"x\"" : "\"x\"", Sent("ETag"));
        if (isDecompressed == true)
        {
            Assert.Equal(BodyStatus.Piece, exchange.ResponseSource!.TryRead(out var piece));
            Assert.Equal(Bodies.Text(5_000), piece.ToArray());
        }

        End();
    }

    [Fact]
    public void What_came_in_one_coding_goes_out_in_another_where_the_client_takes_only_that()
    {
        Respond("br", "Content-Type: text/css", "Content-Encoding: gzip");
        body.Feed(Bodies.Pack(Coding.Gzip, Bodies.Text(5_000)));
        body.End();
        Assert.True(ResponseCoding.Apply(exchange, new ResponseCodingPlan { Decompress = new DecompressionPlan(), Compress = Plan }, coders));
        Assert.Equal("br", Sent("Content-Encoding"));
        Assert.Equal(["Vary: Accept-Encoding"], Lines().Where(static l => l.StartsWith("Vary", StringComparison.Ordinal)));
        Assert.Equal(BodyStatus.Piece, exchange.ResponseSource!.TryRead(out var piece));
        Assert.Equal(Bodies.Text(5_000), Bodies.Unpack(Coding.Brotli, piece.ToArray()));
        End();
    }

    [Fact]
    public void Choosing_allocates_nothing()
    {
        Respond(Chrome, "Content-Type: application/json; charset=utf-8", "Cache-Control: public, max-age=3", "ETag: \"x\"");
        ResponseCoding.Choose(exchange, Plan);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) ResponseCoding.Choose(exchange, Plan);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Nor_does_compressing_with_all_that_is_said_of_it()
    {
        body.IsLean = true;
        var (piece, plan, left) = (Bodies.Text(5_000), new ResponseCodingPlan { Compress = Plan }, 0);
        Respond(Chrome, "Content-Type: application/json; charset=utf-8", "Content-Length: 5000", "ETag: \"x\"");
        var (bytes, index) = (exchange.Response.Fields.Bytes, exchange.Response.Fields.Index);
        Cycle();
        Cycle();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Cycle();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(0, left);

        void Cycle()
        {
            exchange.Response.Fields.Reset(bytes, 0, index);
            (exchange.Response.Status, exchange.Response.HasBody, exchange.Response.BodyLength) = (200, true, 5_000);
            body.Begin(5_000);
            body.Feed(piece);
            body.End();
            exchange.ResponseSource = body;
            if (!ResponseCoding.Apply(exchange, plan, coders)) left++;
            while (exchange.ResponseSource.TryRead(out var got) == BodyStatus.Piece) exchange.ResponseSource.Advance(got.Length);
            if (!exchange.ResponseSource.IsAtEnd) left++;
            LetGo();
        }

        // What an exchange's end gives back, but for the request, which stays for the next one.
        void LetGo()
        {
            exchange.Scratch.Clear();
            exchange.LetGoOfFilters();
        }
    }

    private void Apply() => Assert.True(ResponseCoding.Apply(exchange, new ResponseCodingPlan { Compress = Plan }, coders));

    private void Respond(string accepted, params string[] fields)
    {
        exchange.End();
        exchange = Requests.Of(exchange, "GET / HTTP/1.1", ["Host: a", .. accepted.Length == 0 ? (string[])[] : [$"Accept-Encoding: {accepted}"]]);
        var head = new Weir.Wire.Http1.ResponseHead();
        var bytes = Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\n{string.Concat(fields.Select(static f => f + "\r\n"))}\r\n");
        Assert.Equal(Weir.Wire.Http1.ParseStatus.Done, Weir.Wire.Http1.ResponseParser.Parse(bytes, Weir.Wire.Http1.HeadLimits.Default, Weir.Wire.Http1.KnownMethod.Get, head, out _));
        exchange.Response.Clear();
        exchange.Response.Fields.Reset(bytes, 0, head.Fields);
        (exchange.Response.Status, exchange.Response.HasBody, exchange.Response.BodyLength) = (200, true, 5_000);
        body.Begin(5_000);
        exchange.ResponseSource = body;
    }

    private List<string> Lines()
    {
        var fields = exchange.Response.Fields;
        var lines = new List<string>();
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (!fields.IsDropped(i)) lines.Add($"{Encoding.Latin1.GetString(fields.Name(i))}: {Encoding.Latin1.GetString(fields.Value(i))}");
        }

        foreach (ref readonly var added in fields.Added) lines.Add($"{added.Name}: {added.Value}");
        return lines;
    }

    private string Sent(string name) => string.Join('|', Lines().Where(l => l.StartsWith(name + ": ", StringComparison.Ordinal)).Select(l => l[(name.Length + 2)..]));

    private void End()
    {
        exchange.End();
        Assert.Equal(0, buffers.Leased);
        Assert.Equal(0, coders.Coders.AtWork);
    }
}
