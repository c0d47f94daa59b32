// Compression dictionaries (RFC 9842) as clients meet them: curl, whose answers the distribution's zstd reads with the old file
// beside it, and Chromium, where there is one.

using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class DictionaryTests : IDisposable
{
    private static readonly string Old = string.Concat(Enumerable.Range(0, 4_000).Select(static i => $"function f{i}(a) {{ return a.find(\"{Convert.ToHexString(SHA256.HashData(BitConverter.GetBytes(i)), 0, 9)}\"); }}\n"));
    private static readonly string New = Old.Replace("f17(", "renamed(", StringComparison.Ordinal) + "more();\n";
    private static readonly string Hash = $":{Convert.ToBase64String(SHA256.HashData(Encoding.ASCII.GetBytes(Old)))}:";

    private readonly string folder = Directory.CreateTempSubdirectory("weir-dictionary-").FullName;
    private readonly Pki pki;
    private readonly (string Certificate, string Key) shown;

    public DictionaryTests()
    {
        pki = new Pki(folder);
        shown = pki.Issue("localhost", others: "other.example");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_new_version_is_sent_as_what_it_differs_by_from_the_old_one()
    {
        using var origin = Origin();
        using var weir = Start(origin);
        var (head, body) = Curl(weir, "/app.1.js");
        Assert.Equal(Old, Encoding.ASCII.GetString(body));
        Assert.Contains("\r\nUse-As-Dictionary: match=\"/app.*.js\"\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nVary: Accept-Encoding, Available-Dictionary\r\n", head, StringComparison.Ordinal);
        Eventually.Holds(() => Metrics(weir).Contains("\nweir_cache_dictionaries{cache=\"default\"} 1\n", StringComparison.Ordinal), () => Metrics(weir));

        // Made behind the answers.
        Eventually.Holds(() => Updated(weir).Head.Contains("\r\nContent-Encoding: dcz\r\n", StringComparison.Ordinal), () => Updated(weir).Head);
        (head, body) = Updated(weir);
        Assert.True(body.Length < 1_000, $"{body.Length} of {New.Length}");
        Assert.Contains($"\r\nContent-Length: {body.Length}\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nETag: W/\"2\"\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nVary: Accept-Encoding, Available-Dictionary\r\n", head, StringComparison.Ordinal);
        Assert.Equal(New, Unpack(body));
        Assert.Contains("\nweir_compression_dictionary_answers_total{coding=\"dcz\"} ", Metrics(weir), StringComparison.Ordinal);

        // HEAD is told the same, a part is of what has no coding, a condition holds by the weak tag.
        Assert.Contains("\r\nContent-Encoding: dcz\r\n", Updated(weir, "-I").Head, StringComparison.Ordinal);
        (head, body) = Updated(weir, "-r", "0-99");
        Assert.StartsWith("HTTP/1.1 206 ", head, StringComparison.Ordinal);
        Assert.Equal(New[..100], Encoding.ASCII.GetString(body));
        (head, _) = Updated(weir, "-H", "If-None-Match: W/\"2\"");
        Assert.StartsWith("HTTP/1.1 304 ", head, StringComparison.Ordinal);
        Assert.Contains("\r\nVary: Accept-Encoding, Available-Dictionary\r\n", head, StringComparison.Ordinal);

        // The native program has Brotli's as well.
        Eventually.Holds(() => Coding(Curl(weir, "/app.2.js", "-H", "Accept-Encoding: gzip, dcb", "-H", $"Available-Dictionary: {Hash}").Head) == "dcb", () => "no dcb");
        body = Curl(weir, "/app.2.js", "-H", "Accept-Encoding: gzip, dcb", "-H", $"Available-Dictionary: {Hash}").Body;
        Assert.Equal([0xff, 0x44, 0x43, 0x42, .. SHA256.HashData(Encoding.ASCII.GetBytes(Old))], body[..36]);
        Assert.True(body.Length < 1_000, $"{body.Length}");

        // The server was asked for each once, in no coding, and of no dictionary.
        Assert.Equal(2, origin.Received.Length);
        Assert.All(origin.Received, static r => Assert.Contains("\r\nAccept-Encoding: identity\r\n", r, StringComparison.OrdinalIgnoreCase));
        Assert.All(origin.Received, static r => Assert.DoesNotContain("Available-Dictionary", r, StringComparison.OrdinalIgnoreCase));
        var (_, explained, _) = weir.Ask("cache", "explain", $"https://localhost:{weir.Port}/app.2.js");
        Assert.Contains("a dictionary for match=\"/app.*.js\"", explained, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_has_another_or_must_not_have_it_so_is_answered_as_always()
    {
        using var origin = Origin();
        using var weir = Start(origin);
        Curl(weir, "/app.1.js");
        Eventually.Holds(() => Coding(Updated(weir).Head) == "dcz", () => Updated(weir).Head);
        string Of(string path, params string[] arguments) => Coding(Curl(weir, path, ["-H", "Accept-Encoding: gzip, dcz", .. arguments]).Head);
        Assert.Equal("dcz", Of("/app.2.js", "-H", $"Available-Dictionary: {Hash}"));
        Assert.Equal("gzip", Of("/app.2.js"));
        Assert.Equal("gzip", Of("/app.2.js", "-H", "Available-Dictionary: :AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"));
        Assert.Equal("gzip", Of("/app.2.js", "-H", "Available-Dictionary: no hash"));
        Assert.Equal("gzip", Of("/app.2.js", "-H", $"Available-Dictionary: {Hash}", "-H", "Sec-Fetch-Site: cross-site", "-H", "Sec-Fetch-Mode: no-cors"));
        Assert.Equal("gzip", Curl(weir, "/app.2.js", "-H", "Accept-Encoding: gzip", "-H", $"Available-Dictionary: {Hash}") is var (head, _) ? Coding(head) : "");
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal("gzip", Of("/other.2.js", "-H", $"Available-Dictionary: {Hash}")); // It is not for that.
            Assert.Equal("gzip", Of("/app.2.js", "-H", $"Available-Dictionary: {Hash}", "-H", $"Host: other.example:{weir.Port}"));
            Assert.Equal("gzip", Of("/app.3.js", "-H", $"Available-Dictionary: {Hash}")); // It sets a cookie.
        }
    }

    [Fact]
    public void A_servers_own_dictionaries_pass_and_are_kept_for_who_has_the_same()
    {
        var packed = "compressed by a dictionary";
        using var origin = new RawOrigin((stream, head) =>
        {
            var isBy = head.Contains(Hash, StringComparison.Ordinal);
            var body = isBy ? packed : Old;
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nCache-Control: max-age=1000\r\nUse-As-Dictionary: match=\"/*\", id=\"a\"\r\n{(isBy ? "Content-Encoding: dcz\r\n" : "")}Content-Length: {body.Length}\r\n\r\n{body}");
            return true;
        });
        using var weir = Start(origin, "cache: true");
        for (var i = 0; i < 2; i++)
        {
            // It forgot to say by what it varies.
            var (head, body) = Curl(weir, "/app.js", "-H", "Accept-Encoding: dcz", "-H", $"Available-Dictionary: {Hash}");
            Assert.Equal((packed, "dcz"), (Encoding.ASCII.GetString(body), Coding(head)));
            Assert.Contains("\r\nUse-As-Dictionary: match=\"/*\", id=\"a\"\r\n", head, StringComparison.Ordinal);
            (head, body) = Curl(weir, "/app.js");
            Assert.Equal((Old, ""), (Encoding.ASCII.GetString(body), Coding(head)));
        }

        Assert.Equal(2, origin.Received.Length);
        Assert.Contains("\nweir_cache_dictionaries{cache=\"default\"} 0\n", Metrics(weir), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("zstd", "dcz")]
    [InlineData("br", "dcb")]
    public void Chromium_reads_a_new_version_by_the_old_one(string offered, string coding)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/chromium") && File.Exists("/usr/bin/certutil"), "there is no chromium with certutil (libnss3-tools) here");
        using var origin = Origin();
        using var weir = Start(origin, $"cache: {{ request_directives: false }}, compress: {{ codings: [{offered}, gzip], dictionaries: true }}");
        Curl(weir, "/app.1.js");
        Eventually.Holds(() => Coding(Curl(weir, "/app.2.js", "-H", $"Accept-Encoding: {coding}", "-H", $"Available-Dictionary: {Hash}").Head) == coding, () => "it is never made");
        var store = Directory.CreateDirectory(Path.Combine(folder, ".pki", "nssdb")).FullName;
        Assert.Equal(0, Command.Run("certutil", ["-N", "-d", $"sql:{store}", "--empty-password"]).Code);
        Assert.Equal(0, Command.Run("certutil", ["-A", "-d", $"sql:{store}", "-n", "test", "-t", "C,,", "-i", pki.Authority]).Code);
        var shown = Command.Run("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-features=CompressionDictionaryTransportRequireKnownRootCert", $"--user-data-dir={Path.Combine(folder, "profile")}", "--virtual-time-budget=60000", "--dump-dom", $"https://localhost:{weir.Port}/"], patience: TimeSpan.FromMinutes(2), environment: ("HOME", folder));
        Assert.True(shown.Output.Contains($"<p id=\"said\">{coding} the same</p>", StringComparison.Ordinal), shown.Output);
    }

    // The old version is loaded, then the new one until it comes by it: a browser takes it as a dictionary a moment later.
    private const string Page = """
        <!doctype html><p id="said"></p><script>
        (async () => {
          const old = await (await fetch('/app.1.js')).text();
          await fetch('/wait', { cache: 'no-store' }); // Its timers do not wait for its own disk.
          for (let i = 0; i < 100; i++) {
            const answer = await fetch('/app.2.js', { cache: 'no-store' });
            const coding = answer.headers.get('content-encoding'), text = await answer.text();
            const same = text === old.replace('f17(', 'renamed(') + 'more();\n' ? 'the same' : 'something else';
            document.getElementById('said').textContent = coding + ' ' + same;
            if (coding.startsWith('dc') || same !== 'the same') return;
            await new Promise(go => setTimeout(go, 200));
          }
        })();
        </script>
        """;

    private static RawOrigin Origin() => new((stream, head) =>
    {
        var path = head.Split(' ')[1];
        if (path.StartsWith("/wait", StringComparison.Ordinal)) Thread.Sleep(1_000);
        var body = path switch { "/app.1.js" => Old, "/" => Page, _ => New };
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Type: {(path is "/" or "/wait" ? "text/html\r\nCache-Control: no-store" : "text/javascript\r\nCache-Control: max-age=1000")}\r\nETag: \"{(path.Length > 4 ? path[^4] : '0')}\"\r\n{(path == "/app.3.js" ? "Set-Cookie: a=b\r\n" : "")}Content-Length: {body.Length}\r\n\r\n{body}");
        return true;
    });

    private WeirProcess Start(RawOrigin origin, string keys = "cache: { set_cookie: true }, compress: { dictionaries: true }") => WeirProcess.Start($$"""
        listen: { address: "127.0.0.1:0", tls: true }
        sites: [{ tls: { {{Pki.Written(shown)}} }, {{keys}}, proxy: "{{origin.Url}}" }]
        """);

    private (string Head, byte[] Body) Updated(WeirProcess weir, params string[] arguments) => Curl(weir, "/app.2.js", ["-H", "Accept-Encoding: gzip, br, zstd, dcz", "-H", $"Available-Dictionary: {Hash}", .. arguments]);

    private (string Head, byte[] Body) Curl(WeirProcess weir, string path, params string[] arguments)
    {
        var (head, body) = (Path.Combine(folder, "head"), Path.Combine(folder, "body"));
        File.Delete(body);
        var (code, _, error) = Command.Run("curl", ["-sS", "--http1.1", "--cacert", pki.Authority, "-D", head, "-o", body, .. arguments, $"https://localhost:{weir.Port}{path}"]);
        Assert.True(code == 0, error);
        return (File.ReadAllText(head), File.Exists(body) ? File.ReadAllBytes(body) : []);
    }

    private string Unpack(byte[] packed)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/zstd"), "there is no zstd here");
        var (old, from, to) = (Path.Combine(folder, "old.js"), Path.Combine(folder, "new.js.zst"), Path.Combine(folder, "new.js"));
        File.WriteAllText(old, Old);
        File.WriteAllBytes(from, packed);
        var (code, _, error) = Command.Run("zstd", ["-d", "-f", "-q", $"--patch-from={old}", from, "-o", to]);
        Assert.True(code == 0, error);
        return File.ReadAllText(to);
    }

    private static string Coding(string head) => head.Split("\r\n").FirstOrDefault(static l => l.StartsWith("Content-Encoding: ", StringComparison.Ordinal))?[18..] ?? "";

    private static string Metrics(WeirProcess weir) => "\n" + Command.Run("curl", ["-sS", "--unix-socket", weir.ControlPath, "http://localhost/metrics"]).Output;
}
