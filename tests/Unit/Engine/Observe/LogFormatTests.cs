using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Policies.Rewrite;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Engine.Observe;

public class LogFormatTests
{
    private const string Request = "GET / HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\n\r\n";

    [Fact]
    public void Every_byte_value_comes_back_out_of_a_json_record() => Served.Look(Request, exchange =>
    {
        for (var b = 0; b < 256; b++) ComesBack(exchange, [(byte)'a', (byte)b, (byte)'z']);
        ComesBack(exchange, [.. Enumerable.Range(0, 256).Select(b => (byte)b)]);
    });

    [Fact]
    public void Whatever_a_peer_sent_a_json_record_is_one_valid_line() => Served.Look(Request, exchange =>
        Gen.Byte.Array[0, 64].Sample(bytes => ComesBack(exchange, bytes), iter: 2_000, threads: 1));

    [Fact]
    public void Long_values_are_cut_and_the_record_stays_valid() => Served.Look(Request, exchange =>
    {
        var worst = Enumerable.Repeat((byte)0xFF, 10_000).ToArray();
        exchange.Request.Target = ByteRange.Of(worst);
        Assert.Equal(new string('\u00FF', 2048), Parse(exchange).GetProperty("uri").GetString());
        exchange.Request.Method = exchange.Request.Authority = exchange.RequestId = ByteRange.Of(worst);
        (exchange.Place.Site, exchange.Place.Route, exchange.Place.Upstream) = (new string('é', 10_000), new string('"', 10_000), new string('\n', 10_000));
        Assert.StartsWith("\u00FF\u00FF", Parse(exchange).GetProperty("method").GetString(), StringComparison.Ordinal);
    });

    [Fact]
    public void A_name_of_ours_is_text_and_not_bytes() => Served.Look(Request, exchange =>
    {
        exchange.Place.Site = "Zürich \"漢\" 🂡\n";
        Assert.Equal(exchange.Place.Site, Parse(exchange).GetProperty("site").GetString());
    });

    [Fact]
    public void A_formatted_line_is_one_line_and_says_each_byte() => Served.Look(Request, exchange =>
    {
        var format = LogFormat.TryCompile("<{method}> \"{uri}\" {site}", out _)!;
        Gen.Byte.Array[0, 64].Sample(
            bytes =>
            {
                exchange.Request.Target = ByteRange.Of(bytes);
                var line = Write(exchange, format);
                var uri = Regex.Match(line, "^<GET> \"((?:[ -!#-\\[\\]-~]|\\\\[\\\\\"]|\\\\x[0-9a-f]{2})*)\" -\n\\z").Groups[1];
                Assert.True(uri.Success, line);
                if (bytes.Length == 0) Assert.Equal("-", uri.Value);
                else Assert.Equal(Encoding.Latin1.GetString(bytes), Regex.Replace(uri.Value, @"\\(?:x(..)|(.))", m => m.Groups[2].Success ? m.Groups[2].Value : ((char)Convert.ToByte(m.Groups[1].Value, 16)).ToString()));
            },
            iter: 2_000,
            threads: 1);
    });

    private static TlsFacts Tls()
    {
        using var key = System.Security.Cryptography.ECDsa.Create();
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=c", key, System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddDays(1));
        return new TlsFacts { Version = "TLSv1.3"u8.ToArray(), Cipher = "C"u8.ToArray(), ServerName = "h.example"u8.ToArray(), IsResumed = true, Peer = new PeerCertificate(certificate.RawData) };
    }

    [Fact]
    public void Every_field_has_a_value_of_its_kind() => Served.Look(
        "POST /a?b HTTP/1.0\r\nHost: h.example:81\r\nConnection: close\r\nReferer: r\r\nUser-Agent: u\r\nTraceparent: t\r\n\r\n",
        exchange =>
        {
            exchange.ClientAddress = exchange.Ends.ClientAddress;
            exchange.Ends = exchange.Ends with { Tls = Tls() };
            exchange.Place = new Place { Site = "s", Route = "f:1", Upstream = "up", Endpoint = "e" };
            exchange.RequestId = ByteRange.Of("id"u8.ToArray());
            exchange.ResponseCoding = "br"u8.ToArray();
            exchange.Cached = "hit";
            (exchange.BytesIn, exchange.BytesOut, exchange.Retries) = (7, 8, 2);
            exchange.Fault = new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait);
            var begun = exchange.Moments.Begun;
            exchange.Moments = new Moments { Begun = begun, HeadRead = begun + 10, Queued = 5, Connected = begun + 30, Answered = begun + 60, Ended = begun + 100 };
            var record = Parse(exchange);
            Assert.Equal(LogFormat.Names.Select(n => n.Name).Where(n => n != "clf_time"), record.EnumerateObject().Select(m => m.Name));
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", record.GetProperty("time").GetString());
            Assert.Equal(
                """["127.0.0.1","POST","/a?b","HTTP/1.0","h.example:81",0,7,8,100,10,5,20,30,40,"s","f:1","up","e",2,"hit","oW","id","t","r","u","br","TLSv1.3","C","h.example","yes","CN=c",FINGERPRINT]""".Replace("FINGERPRINT", record.GetProperty("client_cert_fingerprint").GetRawText(), StringComparison.Ordinal),
                $"[{string.Join(',', record.EnumerateObject().Where(m => m.Name is not ("time" or "client_port")).Select(m => m.Value.GetRawText()))}]");
        });

    [Fact]
    public void What_is_not_there_is_left_out_of_json_and_a_dash_in_lines() => Served.Look(Request, exchange =>
    {
        var members = Parse(exchange).EnumerateObject().Select(m => m.Name).ToHashSet();
        Assert.Empty(members.Intersect(["referer", "user_agent", "traceparent", "route", "upstream", "endpoint", "queue_us", "connect_us", "wait_us", "response_coding", "cache"]));
        Assert.Matches(@"^\S+ - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] ", Write(exchange, LogFormat.TryCompile(LogFormat.Combined, out _)!));
        Assert.EndsWith("] \"GET / HTTP/1.1\" 0 0 \"-\" \"-\"\n", Write(exchange, LogFormat.TryCompile(LogFormat.Combined, out _)!), StringComparison.Ordinal);
    });

    [Theory]
    [InlineData("abc-1.2_3~4+/=:@|")] // Passed on as it is.
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("quo\"te")]
    [InlineData("back\\slash")]
    [InlineData("{128}")]
    [InlineData("{129}")]
    public void A_record_has_the_id_that_was_passed_on_if_it_is_plain_and_else_one_of_our_own(string sent)
    {
        if (sent is ['{', ..]) sent = new string('a', int.Parse(sent[1..^1], System.Globalization.CultureInfo.InvariantCulture));
        var isTaken = sent.Length <= 128 && Regex.IsMatch(sent, @"\A[a-z0-9._~+/=:@|-]+\z");
        Served.Look($"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: {sent}\r\n\r\n", exchange =>
        {
            var id = Parse(exchange).GetProperty("request_id").GetString()!;
            if (isTaken) Assert.Equal(sent, id);
            else Assert.Matches("^[0-9a-f]{32}$", id);
            Assert.Equal(id + "\n", Write(exchange, LogFormat.TryCompile("{request_id}", out _)!)); // The same wherever it is told.
        });
    }

    [Fact]
    public void A_record_has_no_id_that_did_not_go_on() => Served.Look(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: one\r\n\r\n",
        exchange =>
        {
            exchange.Request.Fields.Set(KnownField.XRequestId, ByteRange.Of("X-Request-ID"u8.ToArray()), ByteRange.Of("two"u8.ToArray()));
            Assert.Equal("two", Parse(exchange).GetProperty("request_id").GetString());
        });

    [Fact]
    public void Of_two_ids_none_is_believed() => Served.Look(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: one\r\nX-Request-ID: two\r\n\r\n",
        static exchange => Assert.Matches("^[0-9a-f]{32}$", Parse(exchange).GetProperty("request_id").GetString()));

    [Fact]
    public void A_trusted_proxys_id_is_sent_on_only_if_it_is_plain()
    {
        foreach (var (sent, isTaken) in new[] { ("good-1", true), ("not good", false), (new string('a', 129), false) })
        {
            var exchange = Requests.Get("/", $"X-Request-ID: {sent}");
            exchange.IsFromTrustedProxy = true;
            Assert.True(new RequestIdField().Apply(exchange).IsContinue);
            Assert.Equal(isTaken, exchange.RequestId.ToString() == sent);
            Assert.Equal(!isTaken, exchange.Request.Fields.IsDropped(exchange.Request.Fields.Index.IndexOf(KnownField.XRequestId)));
        }
    }

    [Fact]
    public void A_format_knows_every_field_and_says_which_it_does_not_know()
    {
        foreach (var (name, _, _) in LogFormat.Names) Assert.NotNull(LogFormat.TryCompile($"x{{{name}}}y", out _));
        Assert.Null(LogFormat.TryCompile("{status} {statos}", out var unknown));
        Assert.Equal("statos", unknown);
    }

    [Fact]
    public void A_brace_is_written_twice_and_never_left_open()
    {
        Served.Look(Request, exchange => Assert.Equal("{GET} {method} {\n", Write(exchange, LogFormat.TryCompile("{{{method}} {{method} {{", out _)!)));
        Assert.Null(LogFormat.TryCompile("{{ {status", out var open));
        Assert.Equal("{status", open);
    }

    [Fact]
    public void A_long_value_is_cut_and_leaves_the_others_their_place()
    {
        var request = $"GET /?{new string('\\', 2040)} HTTP/1.1\r\nHost: front.example\r\nReferer: {new string('\xff', 2048)}\r\nUser-Agent: {new string('\xff', 2040)}end\r\ntraceparent: {new string('\xff', 2048)}\r\nConnection: close\r\n\r\n";
        Served.Look(request, exchange =>
        {
            var combined = Write(exchange, LogFormat.TryCompile(LogFormat.Combined, out _)!);
            Assert.Matches("^\\S+ - - \\[[^]]+\\] \"GET [^\"]+ HTTP/1\\.1\" 0 0 \"[^\"]+\" \"[^\"]+\"\n\\z", combined);
            var own = Write(exchange, LogFormat.TryCompile("\"{user_agent}\" \"{referer}\" \"{traceparent}\" {client_ip} {status} {uri}|", out _)!);
            Assert.Matches("^\"[^\"]+\" \"[^\"]+\" \"[^\"]+\" unix 0 .+\\|\n\\z", own);
            var json = Parse(exchange);
            foreach (var name in new[] { "uri", "referer", "user_agent", "traceparent", "ending" }) Assert.NotEmpty(json.GetProperty(name).GetString()!);
        });
    }

    [Fact]
    public void A_format_that_leaves_no_room_is_refused()
    {
        Assert.Null(LogFormat.TryCompile(new string('x', 12_300) + "{uri}", out var why));
        Assert.Equal(LogFormat.TooLong, why);
        Assert.NotNull(LogFormat.TryCompile(new string('x', 12_000) + "{uri}", out _));
    }

    private static void ComesBack(Exchange exchange, byte[] bytes)
    {
        exchange.Request.Target = ByteRange.Of(bytes);
        Assert.Equal(Encoding.Latin1.GetString(bytes), Parse(exchange).GetProperty("uri").GetString());
    }

    private static JsonElement Parse(Exchange exchange)
    {
        var line = Write(exchange, LogFormat.Json);
        Assert.Equal(line.Length - 1, line.IndexOf('\n', StringComparison.Ordinal));
        Assert.DoesNotContain(line[..^1], c => c is < ' ' or > '~');
        return JsonDocument.Parse(line).RootElement;
    }

    private static string Write(Exchange exchange, LogFormat format)
    {
        var ring = new LogRing(1 << 16);
        format.Write(exchange, ring);
        var records = new List<string>();
        ring.Drain(record => records.Add(Encoding.Latin1.GetString(record.Span)));
        return Assert.Single(records);
    }
}
