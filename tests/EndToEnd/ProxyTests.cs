using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class ProxyTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Fact]
    public void A_request_is_forwarded_and_the_origin_is_hidden()
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nvia: me\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        var answer = weir.Exchange("GET /a%2Fb?c HTTP/1.1\r\nhOsT: a.example\r\nX-One: 1\r\nConnection: close, x-one\r\nX-Two: 2\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
        Assert.Matches("^HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: [^\r]+ GMT\r\nConnection: close\r\n\r\nhello$", answer); // RFC 9110 §6.6.1: the origin named no date.
        Assert.Equal("GET /a%2Fb?c HTTP/1.1\r\nhOsT: a.example\r\nX-Two: 2\r\nVia: 1.1 me\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.example\r\n\r\n", Assert.Single(origin.Received));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\nHost: a\n\n", 400)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501)]
    [InlineData("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505)]
    [InlineData("GET /.. HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417)]
    [InlineData("GET /a/..%2fb HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400)]
    [InlineData("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 me\r\nConnection: close\r\n\r\n", 508)]
    public void What_must_be_refused_is_refused_and_nothing_reaches_the_origin(string request, int status)
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nvia: me\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", weir.Exchange(request), StringComparison.Ordinal);
        Assert.Empty(origin.Received);
    }

    [Fact]
    public void Http2_is_not_tunnelled_past_the_routes()
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"), StringComparison.Ordinal);
        Assert.DoesNotContain("pgrade", Assert.Single(origin.Received), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), StringComparison.Ordinal);
        Assert.DoesNotContain("Expect", origin.Received[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Limits_answer_414_431_and_413()
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nlimits: {{ head: 2000, target: 500, fields: 5, body: 10 }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        Assert.StartsWith("HTTP/1.1 414 ", weir.Exchange($"GET /{new string('a', 600)} HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", weir.Exchange($"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('a', 2000)}\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", weir.Exchange($"GET / HTTP/1.1\r\nHost: a\r\n{string.Concat(Enumerable.Repeat("X: a\r\n", 5))}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 413 ", weir.Exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890"), StringComparison.Ordinal);
        Assert.Empty(origin.Received);
        Assert.StartsWith("HTTP/1.1 413 ", weir.Exchange("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Slow_heads_slow_bodies_and_slow_readers_end_while_others_are_served()
    {
        using var origin = new RawOrigin((stream, head) =>
        {
            if (head.StartsWith("GET /big", StringComparison.Ordinal))
            {
                RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
                var piece = new byte[1 << 20];
                for (var i = 0; i < 95; i++) stream.Write(piece);
                return false;
            }

            if (head.StartsWith("POST", StringComparison.Ordinal)) stream.ReadExactly(new byte[100_000]);
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\ntimeouts: {{ header: 1s, body: 1s, write: 2s }}\nlimits: {{ min_rate: 1KiB/s, min_rate_grace: 1s }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        var attackers = new List<(NetworkStream Stream, string Expected)>();
        for (var i = 0; i < 50; i++)
        {
            attackers.Add((Open("GET / HTTP/1.1\r\nHost: a\r\nX: "), "HTTP/1.1 408 "));
            attackers.Add((Open("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"), "HTTP/1.1 408 "));
            attackers.Add((Open("GET /big HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 "));
        }

        for (var i = 0; i < 20; i++) Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
        Wait(() => weir.Ask("status", "--json").Output.Contains("\"connections\": 0", StringComparison.Ordinal), "the attackers' connections did not end");
        foreach (var (stream, expected) in attackers)
        {
            var start = new byte[expected.Length];
            stream.ReadExactly(start);
            Assert.Equal(expected, Encoding.ASCII.GetString(start));
            stream.Dispose();
        }

        NetworkStream Open(string text)
        {
            var stream = weir.Connect();
            stream.Socket.ReceiveBufferSize = 4096;
            stream.Write(Encoding.ASCII.GetBytes(text));
            return stream;
        }
    }

    [Fact]
    public void A_short_answer_is_never_made_to_look_whole()
    {
        const int Size = 8_000_000;
        var piece = new byte[Size / 2];
        using var origin = new RawOrigin((stream, head) =>
        {
            if (head.Contains("/none", StringComparison.Ordinal)) return false;
            var chunked = head.Contains("/chunked", StringComparison.Ordinal);
            RawOrigin.Send(stream, chunked ? $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{piece.Length:x}\r\n" : $"HTTP/1.1 200 OK\r\nContent-Length: {Size}\r\n\r\n");
            stream.Write(piece);
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        var chunked = weir.Exchange("GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", chunked, StringComparison.Ordinal);
        Assert.DoesNotContain("0\r\n\r\n", chunked[^10..], StringComparison.Ordinal);
        var length = weir.Exchange("GET /length HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", length, StringComparison.Ordinal);
        Assert.InRange(length.Length, 1, Size - 1);
        Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange("GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);

        // To an HTTP/1.0 client only the connection's end tells the body's: a plain end would look whole.
        using var old = weir.Connect();
        old.Write("GET /chunked HTTP/1.0\r\n\r\n"u8);
        var buffer = new byte[65536];
        Assert.ThrowsAny<IOException>(() =>
        {
            while (old.Read(buffer) > 0)
            {
            }
        });
    }

    [Fact]
    public void A_tunnel_carries_both_directions_and_their_ends()
    {
        using var origin = new RawOrigin((stream, head) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nfirst");
            var buffer = new byte[100];
            int got;
            while ((got = stream.Read(buffer)) > 0) stream.Write(buffer, 0, got);
            RawOrigin.Send(stream, "last");
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        using var client = weir.Connect();
        client.Write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly"u8);
        var begun = new StringBuilder();
        while (!begun.ToString().EndsWith("firstearly", StringComparison.Ordinal)) begun.Append((char)client.ReadByte());
        Assert.StartsWith("HTTP/1.1 101 ", begun.ToString(), StringComparison.Ordinal);
        client.Write("later"u8);
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("laterlast", WeirProcess.ReadToEnd(client));
    }

    [Fact]
    public void A_dead_endpoint_is_passed_over_and_a_dead_idle_connection_is_replaced()
    {
        var served = 0;
        using var origin = new RawOrigin((stream, head) =>
        {
            RawOrigin.Hello(stream, head);
            return ++served % 2 == 0; // Closes an idle connection every other time.
        });
        using var gone = new RawOrigin();
        gone.Dispose();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: [\"{origin.Url}\", \"http://127.0.0.1:{gone.Port}\"] }}]\n");
        for (var i = 0; i < 20; i++) Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_host_is_421_and_an_unknown_path_404()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ hosts: [a.example, \"*.b.example\"], routes: [{ match: /x/**, respond: 200 }] }]\n");
        Assert.StartsWith("HTTP/1.1 421 ", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 404 ", weir.Exchange("GET /y HTTP/1.1\r\nHost: A.example.\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange("GET /x HTTP/1.1\r\nHost: c.d.b.example\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Big_bodies_pass_both_ways_unchanged()
    {
        var bytes = RandomNumberGenerator.GetBytes(20_000_000);
        var expected = Convert.ToHexStringLower(SHA256.HashData(bytes));
        using var origin = new RawOrigin((stream, head) =>
        {
            if (head.StartsWith("GET", StringComparison.Ordinal))
            {
                RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {bytes.Length}\r\n\r\n");
                stream.Write(bytes);
                return true;
            }

            if (head.Contains("100-continue", StringComparison.OrdinalIgnoreCase)) RawOrigin.Send(stream, "HTTP/1.1 100 Continue\r\n\r\n");
            var body = new byte[bytes.Length];
            stream.ReadExactly(body);
            var digest = Convert.ToHexStringLower(SHA256.HashData(body));
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {digest.Length}\r\n\r\n{digest}");
            return true;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        var file = Path.Combine(weir.Folder, "big");
        File.WriteAllBytes(file, bytes);
        Assert.Equal(expected, Curl("-s", "-X", "PUT", "-T", file, $"http://127.0.0.1:{weir.Port}/"));
        var back = Path.Combine(weir.Folder, "back");
        Curl("-s", "-o", back, $"http://127.0.0.1:{weir.Port}/");
        Assert.Equal(expected, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(back))));
    }

    [Fact]
    public void Files_are_served_with_ranges_and_conditions_and_nothing_outside()
    {
        var folder = Directory.CreateTempSubdirectory("weir-files-").FullName;
        File.WriteAllText(Path.Combine(folder, "secret"), "secret");
        var root = Directory.CreateDirectory(Path.Combine(folder, "root")).FullName;
        Directory.CreateDirectory(Path.Combine(root, "sub"));
        File.WriteAllText(Path.Combine(root, "a.txt"), "0123456789");
        File.WriteAllText(Path.Combine(root, "a.txt.gz"), "packed");
        File.WriteAllText(Path.Combine(root, ".hidden"), "hidden");
        File.WriteAllText(Path.Combine(root, "sub", "index.html"), "index");
        File.CreateSymbolicLink(Path.Combine(root, "way-out"), Path.Combine(folder, "secret"));
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ files: {{ root: {root}, precompressed: true }} }}]\n");
        Assert.EndsWith("\r\n\r\n0123456789", Ask("/a.txt"), StringComparison.Ordinal);
        Assert.Contains("HTTP/1.1 206", Ask("/a.txt", "Range: bytes=2-4\r\n"), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n789", Ask("/a.txt", "Range: bytes=-3\r\n"), StringComparison.Ordinal);
        Assert.Contains("HTTP/1.1 416", Ask("/a.txt", "Range: bytes=10-\r\n"), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\npacked", Ask("/a.txt", "Accept-Encoding: br, gzip\r\n"), StringComparison.Ordinal);
        var tag = System.Text.RegularExpressions.Regex.Match(Ask("/a.txt"), "ETag: (\"[^\"]+\")").Groups[1].Value;
        Assert.Contains("HTTP/1.1 304", Ask("/a.txt", $"If-None-Match: W/{tag}\r\n"), StringComparison.Ordinal);
        Assert.Contains("HTTP/1.1 412", Ask("/a.txt", "If-Match: \"other\"\r\n"), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nindex", Ask("/sub/"), StringComparison.Ordinal);
        Assert.Contains("Location: /sub/", Ask("/sub"), StringComparison.Ordinal);
        foreach (var path in new[] { "/../secret", "/sub/../../secret", "/%2e%2e/secret", "/.hidden", "/way-out", "/sub%2f..%2f..%2fsecret", "/nothing", "//etc/passwd" })
        {
            var answer = Ask(path);
            Assert.DoesNotContain("secret\n", answer, StringComparison.Ordinal);
            Assert.True(answer.StartsWith("HTTP/1.1 404", StringComparison.Ordinal) || answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal), path + ": " + answer);
        }

        Directory.Delete(folder, recursive: true);
        string Ask(string path, string fields = "") => weir.Exchange($"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    }

    private static string Curl(params string[] arguments)
    {
        var start = new ProcessStartInfo("curl", arguments) { RedirectStandardOutput = true };
        using var curl = Process.Start(start)!;
        var output = curl.StandardOutput.ReadToEnd();
        curl.WaitForExit();
        Assert.Equal(0, curl.ExitCode);
        return output;
    }

    private static void Wait(Func<bool> until, string otherwise)
    {
        var patience = Stopwatch.StartNew();
        while (!until())
        {
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(30), otherwise);
            Thread.Sleep(50);
        }
    }
}
