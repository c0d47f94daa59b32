// Answers compressed by dictionaries: their form, who gets them, and what is said of it.

using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Policies.Compression;
using Weir.Tests.Unit.Loops;
using Weir.Wire.Fields;
using ZstdSharp.Unsafe;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

public class DictionaryTests
{
    private static readonly byte[] Old = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 4_000).Select(static i => $"function f{i}(a) {{ return a * {i * 7919 % 10007}; }}\n")));
    private static readonly byte[] New = Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(Old).Replace("f17(", "renamed(", StringComparison.Ordinal) + "more();\n");
    private static readonly SharedDictionary Dictionary = new(Old, SHA256.HashData(Old));
    private static readonly string Told = $":{Convert.ToBase64String(Dictionary.Hash)}:";
    private static readonly CompressionPlan Plan = new() { Codings = [.. Codings.All.Select(static c => new OfferedCoding(c, Codings.Levels(c).Usual))], Dictionaries = true };

    private readonly BodyCoders coders;
    private readonly Loop loop = new(new ManualPoller());
    private readonly BufferPool buffers;
    private Exchange exchange;

    public DictionaryTests()
    {
        var budget = new MemoryBudget(1L << 30);
        buffers = new BufferPool(budget);
        coders = new BodyCoders(loop, buffers, budget);
        exchange = new Exchange(loop, buffers);
    }

    // RFC 9842 §5
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(200_000)]
    public void What_is_compressed_by_a_dictionary_says_by_which_and_is_read_by_it(int length)
    {
        var body = New[..Math.Min(length, New.Length)];
        var into = new byte[body.Length + 1000];
        Assert.True(DictionaryEncoder.Of(Dictionary, Coding.Zstd).TryEncode(body.Length, 1, _ => body, into, out var written));
        Assert.Equal([0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0, .. Dictionary.Hash], into[..40]);
        Assert.Equal(body, Decode(into.AsSpan(0, written), Old, body.Length));
        Assert.True(length < 10_000 || written < 300, $"{written}");
    }

    [Fact]
    public void Bodies_larger_than_a_window_and_dictionaries_that_look_like_something_else_are_read_as_well()
    {
        var random = new Random(3);
        var large = new byte[10 << 20];
        random.NextBytes(large);
        byte[] formal = [0x37, 0xa4, 0x30, 0xec, .. large[..100_000]]; // The mark of dictionaries of zstd's own: here it is a byte like any other.
        foreach (var (before, body) in new[] { (formal, large[50_000..150_000]), (large[..(8 << 20)], large), (large[..1], large[..5000]) })
        {
            var dictionary = new SharedDictionary(before, SHA256.HashData(before));
            var into = new byte[body.Length + 100_000];
            Assert.True(DictionaryEncoder.Of(dictionary, Coding.Zstd).TryEncode(body.Length, 1, _ => body, into, out var written));
            Assert.Equal(body, Decode(into.AsSpan(0, written), before, body.Length));
        }
    }

    [Fact]
    public void What_does_not_fit_is_not_made()
    {
        Assert.False(DictionaryEncoder.Of(Dictionary, Coding.Zstd).TryEncode(New.Length, 1, _ => New, new byte[39], out _));
        Assert.False(DictionaryEncoder.Of(Dictionary, Coding.Zstd).TryEncode(New.Length, 1, _ => New, new byte[60], out _));
    }

    [Theory]
    [InlineData("zstd, dcz")]
    [InlineData("gzip, deflate, br, zstd, dcb, dcz")]
    [InlineData("dcz;q=0.5, br;q=0.5")]
    [InlineData("DCZ")]
    [InlineData("*")]
    public void Who_has_a_dictionary_and_takes_it_gets_the_form_by_it(string accepted)
    {
        var kept = Respond($"Accept-Encoding: {accepted}", $"Available-Dictionary: {Told}");
        kept.IsMade = true;
        Apply();
        Assert.Equal("dcz", Sent("Content-Encoding"));
        Assert.Equal("Accept-Encoding, Available-Dictionary", Sent("Vary"));
        Assert.Equal("W/\"x\"", Sent("ETag"));
        Assert.Equal("", Sent("Content-Digest"));
        Assert.True(kept.HasGoneOver);
        Assert.Equal(77, exchange.Response.BodyLength);
        Assert.Equal(1, coders.ByDictionary(Coding.Zstd));
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("zstd, dcz;q=0")]
    [InlineData("zstd, dcz;q=0.9")]
    [InlineData("identity, dcz;q=0.5")]
    public void Who_would_rather_have_something_else_gets_that(string accepted)
    {
        var kept = Respond($"Accept-Encoding: {accepted}", $"Available-Dictionary: {Told}");
        kept.IsMade = true;
        Apply();
        Assert.NotEqual("dcz", Sent("Content-Encoding"));
        Assert.Equal("Accept-Encoding, Available-Dictionary", Sent("Vary"));
        Assert.False(kept.HasGoneOver);
    }

    [Fact]
    public void A_form_that_is_not_there_yet_is_wanted_and_the_answer_is_compressed_as_any()
    {
        var kept = Respond("Accept-Encoding: zstd, dcz", $"Available-Dictionary: {Told}");
        Apply();
        Assert.Equal("zstd", Sent("Content-Encoding"));
        Assert.Equal(1, kept.Wanted);
        Respond("Accept-Encoding: zstd, dcz", "Available-Dictionary: :AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:");
        Apply();
        Assert.Equal("zstd", Sent("Content-Encoding"));
    }

    [Theory]
    [InlineData(true, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors")]
    [InlineData(true, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate")]
    [InlineData(true, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Origin: https://b")]
    [InlineData(false, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Origin: https://c")]
    [InlineData(false, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors")]
    [InlineData(false, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")]
    [InlineData(false, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors")]
    [InlineData(false, "Sec-Fetch-Mode: websocket")]
    public void What_its_client_may_not_read_is_neither_a_dictionary_nor_compressed_by_one(bool may, params string[] fields)
    {
        var kept = Respond([$"Available-Dictionary: {Told}", "Accept-Encoding: zstd, dcz", .. fields], "Access-Control-Allow-Origin: https://b");
        kept.IsMade = true;
        Apply();
        Assert.Equal(may ? "dcz" : "zstd", Sent("Content-Encoding"));
        Assert.Equal(may ? "match=\"/*\"" : "", Sent("Use-As-Dictionary"));
    }

    [Fact]
    public void Nothing_in_the_clear_nothing_with_cookies_nothing_that_must_not_be_changed_and_no_part()
    {
        (string Coding, string Vary) Of(Action<StandIn> change, params string[] fields)
        {
            var kept = Respond(["Accept-Encoding: zstd, dcz", $"Available-Dictionary: {Told}"], fields);
            kept.IsMade = true;
            change(kept);
            Apply();
            return (Sent("Content-Encoding"), Sent("Vary"));
        }

        Assert.Equal(("dcz", "Accept-Encoding, Available-Dictionary"), Of(static _ => { }));
        Assert.Equal(("dcz", "accept-encoding|Available-Dictionary"), Of(static _ => { }, "Vary: accept-encoding"));
        Assert.Equal(("dcz", "Available-Dictionary, x|Accept-Encoding"), Of(static _ => { }, "Vary: Available-Dictionary, x"));
        Assert.Equal(("dcz", "*"), Of(static _ => { }, "Vary: *"));
        Assert.Equal(("zstd", "Accept-Encoding"), Of(_ => exchange.Request.IsSecure = false));
        Assert.Equal(("zstd", "Accept-Encoding"), Of(_ => exchange.Held = null));
        Assert.Equal(("zstd", "Accept-Encoding"), Of(static _ => { }, "Set-Cookie: a=b"));
        Assert.Equal(("", ""), Of(static _ => { }, "Cache-Control: no-transform"));
        Assert.Equal(("br", ""), Of(static _ => { }, "Content-Encoding: br"));
        Assert.Equal(("", ""), Of(_ => exchange.Response.Status = 206));
        Assert.Equal(("", ""), Of(_ => exchange.Response.BodyLength = 100));
    }

    [Fact]
    public void A_304_varies_by_the_same_and_HEAD_is_told_what_GET_would_be()
    {
        Respond("Accept-Encoding: dcz", "If-None-Match: W/\"x\"");
        exchange.Response.Status = 304;
        Apply();
        Assert.Equal("Accept-Encoding, Available-Dictionary", Sent("Vary"));
        Assert.Equal("W/\"x\"", Sent("ETag"));
        var kept = Respond("Accept-Encoding: dcz", $"Available-Dictionary: {Told}");
        kept.IsMade = true;
        (exchange.Response.HasBody, exchange.Response.AnnouncedLength, exchange.ResponseSource) = (false, 5000, exchange.OwnBody);
        Apply();
        Assert.Equal("dcz", Sent("Content-Encoding"));
        Assert.Equal(-1, exchange.Response.AnnouncedLength);
        Assert.False(kept.HasGoneOver);
    }

    [Theory]
    [InlineData("Available-Dictionary: x")]
    [InlineData("Available-Dictionary: ::")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4:")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFA==:")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2f FG4:")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:;a=1")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:, :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:")]
    [InlineData("Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:", "Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:")]
    [InlineData("Dictionary-ID: \"x\"")]
    public void What_is_no_hash_is_none(params string[] fields) => Assert.False(DictionaryCoding.TryRead(Requests.Get("/", fields).Request.Fields, new byte[32]));

    [Fact]
    public void A_hash_is_read()
    {
        var hash = new byte[32];
        Assert.True(DictionaryCoding.TryRead(Requests.Get("/", $"available-dictionary:  {Told} ").Request.Fields, hash));
        Assert.Equal(Dictionary.Hash, hash);
    }

    [Theory]
    [InlineData("/app.3f2a9c81.js", "/app.*.js")]
    [InlineData("/assets/index-BkZ3xq9a.css", "/assets/index-*.css")]
    [InlineData("/lib/jquery-3.7.1.min.js", "/lib/jquery-*.min.js")]
    [InlineData("/v2.1/app.js", "/*/app.js")]
    [InlineData("/npm/3f2a9c81/v12/a.js", "/npm/*/*/a.js")]
    [InlineData("/main.js", "/main.js")]
    [InlineData("/bootstrap5.min.js", "/bootstrap5.min.js")]
    [InlineData("/static/123.3f2a9c81.chunk.js", "/static/123.*.chunk.js")]
    [InlineData("/3f2a9c81.js", "/*.js")]
    [InlineData("/", "/")]
    [InlineData("/a/", "/a/")]
    [InlineData("/app-v3", "/app-*")]
    [InlineData("/a--1_.js", "/a--*_.js")]
    [InlineData("/es2020/a.js", "/*/a.js")]
    [InlineData("/a:b.js", null)]
    [InlineData("/a*.js", null)]
    [InlineData("/a\"b.js", null)]
    [InlineData("*", null)]
    [InlineData("", null)]
    public void Versions_are_seen_in_paths(string path, string? pattern)
    {
        var into = new byte[path.Length];
        var isOne = VersionedPath.TryWriteMatch(Encoding.ASCII.GetBytes(path), into, out var length);
        Assert.Equal(pattern, isOne ? Encoding.ASCII.GetString(into, 0, length) : null);
    }

    [Fact]
    public void What_is_kept_is_marked_unless_its_server_has_its_own_say_or_it_is_not_for_all()
    {
        string Marked(MarkAsDictionary mark, bool isSecure, params string[] fields)
        {
            exchange.End();
            exchange = Requests.Of(exchange, "GET /app.3f2a9c81.js?x HTTP/1.1", "Host: a");
            exchange.Request.IsSecure = isSecure;
            Take(fields);
            Assert.True(mark.Apply(exchange));
            return Sent("Use-As-Dictionary");
        }

        var types = new MediaTypeList(MediaTypeList.Usual);
        var own = new MarkAsDictionary("", [], types, 1024);
        var named = new MarkAsDictionary("/app/*.js", ["script", "worker"], types, 1024);
        Assert.Equal("match=\"/app.*.js\"", Marked(own, true, "Content-Type: text/javascript"));
        Assert.Equal("match=\"/app/*.js\", match-dest=(\"script\" \"worker\")", Marked(named, true, "Content-Type: text/javascript"));
        Assert.Equal("match=\"/x\"", Marked(named, true, "Content-Type: text/javascript", "Use-As-Dictionary: match=\"/x\""));
        Assert.Equal("", Marked(named, false, "Content-Type: text/javascript"));
        Assert.Equal("", Marked(named, true, "Content-Type: image/png"));
        Assert.Equal("", Marked(named, true, "Content-Type: text/javascript", "Content-Encoding: br"));
        Assert.Equal("", Marked(named, true, "Content-Type: text/javascript", "Set-Cookie: a=b"));
        Assert.Equal("", Marked(named, true, "Content-Type: text/javascript", "Cache-Control: no-transform"));
    }

    private void Apply() => Assert.True(ResponseCoding.Apply(exchange, new ResponseCodingPlan { Compress = Plan }, coders));

    private StandIn Respond(params string[] request) => Respond(request, []);

    private StandIn Respond(string[] request, params string[] fields)
    {
        exchange.End();
        exchange = Requests.Of(exchange, "GET /app.js HTTP/1.1", ["Host: a", .. request]);
        exchange.Request.IsSecure = true;
        Take(["Content-Type: text/javascript", "ETag: \"x\"", "Use-As-Dictionary: match=\"/*\"", "Content-Digest: sha-256=:x:", .. fields]);
        var kept = new StandIn();
        exchange.Held = kept;
        exchange.ResponseSource = kept;
        return kept;
    }

    private void Take(string[] fields)
    {
        var head = new Weir.Wire.Http1.ResponseHead();
        var bytes = Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\n{string.Concat(fields.Select(static f => f + "\r\n"))}\r\n");
        Assert.Equal(Weir.Wire.Http1.ParseStatus.Done, Weir.Wire.Http1.ResponseParser.Parse(bytes, Weir.Wire.Http1.HeadLimits.Default, Weir.Wire.Http1.KnownMethod.Get, head, out _));
        exchange.Response.Clear();
        exchange.Response.Fields.Reset(bytes, 0, head.Fields);
        (exchange.Response.Status, exchange.Response.HasBody, exchange.Response.BodyLength) = (200, true, 5_000);
    }

    private string Sent(string name)
    {
        var fields = exchange.Response.Fields;
        var values = new List<string>();
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (!fields.IsDropped(i) && Encoding.ASCII.GetString(fields.Name(i)) == name) values.Add(Encoding.ASCII.GetString(fields.Value(i)));
        }

        foreach (ref readonly var added in fields.Added)
        {
            if (Encoding.ASCII.GetString(added.Name.Span) == name) values.Add(Encoding.ASCII.GetString(added.Value.Span));
        }

        return string.Join('|', values);
    }

    private static unsafe byte[] Decode(ReadOnlySpan<byte> from, byte[] dictionary, int length)
    {
        var into = new byte[length + 1];
        var context = Methods.ZSTD_createDCtx();
        fixed (byte* before = dictionary, source = from, target = into)
        {
            Methods.ZSTD_DCtx_setParameter(context, ZSTD_dParameter.ZSTD_d_windowLogMax, 23);
            // Behind the frame that is skipped: a prefix is for one frame.
            Methods.ZSTD_DCtx_refPrefix(context, before, (nuint)dictionary.Length);
            var got = new ZSTD_outBuffer_s { dst = target, size = (nuint)into.Length };
            var input = new ZSTD_inBuffer_s { src = source + 40, size = (nuint)from.Length - 40 };
            while (input.pos < input.size) Assert.False(Methods.ZSTD_isError(Methods.ZSTD_decompressStream(context, &got, &input)));
            Methods.ZSTD_freeDCtx(context);
            Assert.Equal((nuint)length, got.pos);
        }

        return into[..length];
    }

    // What a cache holds, of which a form by the dictionary is made when the test says so.
    private sealed class StandIn : KeptBody, IDisposable
    {
        public bool IsMade { get; set; }

        public int Wanted { get; private set; }

        public bool HasGoneOver { get; private set; }

        public override Signal Ready { get; } = new();

        public override long Length => HasGoneOver ? 77 : 5_000;

        public override FaultCause Failure => FaultCause.None;

        public override bool IsAtEnd => false;

        public override bool Has(BodyEncoder encoder)
        {
            if (encoder is not DictionaryEncoder) return false;
            if (!IsMade) Wanted++;
            return IsMade;
        }

        public override void GoOver(BodyEncoder encoder) => HasGoneOver = true;

        public override ReadOnlySpan<byte> Made(BodyEncoder encoder) => default;

        public override SharedDictionary? Dictionary(ReadOnlySpan<byte> hash) => hash.SequenceEqual(DictionaryTests.Dictionary.Hash) ? DictionaryTests.Dictionary : null;

        public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
        {
            piece = default;
            return BodyStatus.Wait;
        }

        public override void Advance(int count)
        {
        }

        public void Dispose()
        {
        }
    }
}
