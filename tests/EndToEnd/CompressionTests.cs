// Compression as clients, browsers and servers meet it: the built program between curl, HttpClient and origins that say what
// came to them.

using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class CompressionTests : IDisposable
{
    private static readonly string Page = string.Concat(Enumerable.Range(0, 3_000).Select(static i => $"<li>item {i * 7919 % 1000}</li>\n"));

    private readonly string folder = Directory.CreateTempSubdirectory("weir-compression-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("zstd")]
    public void Curl_reads_what_is_compressed(string coding)
    {
        using var origin = new RawOrigin(Answer("Content-Type: text/html\r\nETag: \"x\"\r\n", Page));
        using var weir = Start($"compress: true, proxy: \"{origin.Url}\"");
        var (head, body) = Curl(weir, "/", "--compressed", "-H", $"Accept-Encoding: {coding}");
        Assert.Equal(Page, body);
        Assert.Contains($"\r\nContent-Encoding: {coding}\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nVary: Accept-Encoding\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nETag: W/\"x\"\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nTransfer-Encoding: chunked\r\n", head, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Length", head, StringComparison.OrdinalIgnoreCase);

        // A client of HTTP/1.0 knows no chunks, one that takes nothing gets what came, and HEAD is told what GET would be.
        (head, body) = Curl(weir, "/", "--http1.0", "--compressed", "-H", $"Accept-Encoding: {coding}");
        Assert.Equal(Page, body);
        Assert.Contains("\r\nConnection: close\r\n", head, StringComparison.Ordinal);
        (head, body) = Curl(weir, "/");
        Assert.Equal(Page, body);
        Assert.Contains("\r\nVary: Accept-Encoding\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nETag: \"x\"\r\n", head, StringComparison.Ordinal);
        (head, _) = Curl(weir, "/", "-I", "-H", $"Accept-Encoding: {coding}");
        Assert.Contains($"\r\nContent-Encoding: {coding}\r\n", head, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Length", head, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("gzip, deflate, br, zstd", "zstd")] // Chrome, Edge, Firefox.
    [InlineData("gzip, deflate, br", "br")] // Safari.
    [InlineData("gzip, deflate", "gzip")] // Any of them in the clear.
    [InlineData("gzip, deflate, br;q=1.0, *;q=0.5", "br")]
    [InlineData("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip")]
    [InlineData("deflate", "")]
    public void Browsers_get_the_best_that_they_take(string accepted, string coding)
    {
        using var origin = new RawOrigin(Answer("Content-Type: application/json\r\n", Page));
        using var weir = Start($"compress: true, proxy: \"{origin.Url}\"");
        var (head, _) = Curl(weir, "/", "-H", $"Accept-Encoding: {accepted}");
        Assert.Equal(coding.Length > 0, head.Contains($"\r\nContent-Encoding: {(coding.Length > 0 ? coding : "x")}\r\n", StringComparison.Ordinal));
        Assert.Contains("\r\nVary: Accept-Encoding\r\n", head, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_fixed_answers_and_error_pages_are_compressed_and_what_is_compressed_already_is_not()
    {
        File.WriteAllText(Path.Combine(folder, "a.txt"), Page);
        File.WriteAllText(Path.Combine(folder, "b.txt"), Page);
        File.WriteAllText(Path.Combine(folder, "b.txt.gz"), "precompressed");
        using var weir = Start($$"""
            compress: true
                error_pages: [{ status: 502, body: "{{new string('e', 3_000)}}" }]
                routes:
                  - { match: /fixed, respond: { body: "{{new string('f', 3_000)}}" } }
                  - { match: /down, proxy: "http://127.0.0.1:1" }
                  - files: { root: "{{folder}}", precompressed: true }
            """);
        foreach (var (path, wanted) in new[] { ("/a.txt", Page), ("/fixed", new string('f', 3_000)), ("/down", new string('e', 3_000)) })
        {
            var (head, body) = Curl(weir, path, "--compressed", "-H", "Accept-Encoding: gzip");
            Assert.Equal(wanted, body);
            Assert.Contains("\r\nContent-Encoding: gzip\r\n", head, StringComparison.Ordinal);
        }

        Assert.Equal("precompressed", Curl(weir, "/b.txt", "-H", "Accept-Encoding: gzip").Body);

        // The weak form of a file's tag comes back, and is the same file's.
        var tag = Curl(weir, "/a.txt", "-H", "Accept-Encoding: gzip").Head.Split("ETag: ")[1].Split("\r\n")[0];
        Assert.StartsWith("W/\"", tag, StringComparison.Ordinal);
        var (revised, _) = Curl(weir, "/a.txt", "-H", "Accept-Encoding: gzip", "-H", $"If-None-Match: {tag}");
        Assert.StartsWith("HTTP/1.1 304 ", revised, StringComparison.Ordinal);
        Assert.Contains($"\r\nETag: {tag}\r\n", revised, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 412 ", Curl(weir, "/a.txt", "-H", "Accept-Encoding: gzip", "-H", $"If-Match: {tag}").Head, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 206 ", Curl(weir, "/a.txt", "-H", "Accept-Encoding: gzip", "-r", "0-99").Head, StringComparison.Ordinal);
    }

    // Each event is sent only after the one before has been read by the client.
    [Theory]
    [InlineData("gzip", "text/event-stream")]
    [InlineData("br", "text/event-stream")]
    [InlineData("zstd", "text/event-stream")]
    [InlineData("gzip", "application/x-ndjson")]
    [InlineData("br", "application/x-ndjson")]
    [InlineData("zstd", "application/x-ndjson")]
    public async Task What_is_sent_bit_by_bit_stays_live(string coding, string type)
    {
        using var read = new SemaphoreSlim(1);
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\nConnection: close\r\n\r\n");
            for (var i = 0; i < 20; i++)
            {
                if (!read.Wait(TimeSpan.FromSeconds(20))) return false;
                RawOrigin.Send(stream, $"data: event {i}\n");
            }

            return false;
        });
        using var weir = Start($"compress: true, proxy: \"{origin.Url}\"");
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{weir.Port}/");
        request.Headers.AcceptEncoding.ParseAdd(coding);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal([coding], response.Content.Headers.ContentEncoding);
        var packed = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        await using Stream plain = coding switch { "gzip" => new GZipStream(packed, CompressionMode.Decompress), "br" => new BrotliStream(packed, CompressionMode.Decompress), _ => new ZstdSharp.DecompressionStream(packed) };
        var got = "";
        var room = new byte[256];
        for (var i = 0; i < 20; i++)
        {
            while (!got.Contains($"data: event {i}\n", StringComparison.Ordinal)) got += Encoding.ASCII.GetString(room, 0, await plain.ReadAsync(room, TestContext.Current.CancellationToken));
            read.Release();
        }

        Assert.Equal(0, await plain.ReadAsync(room, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("zstd")]
    public void A_request_is_decompressed_for_a_server_that_cannot(string coding)
    {
        string? came = null;
        using var origin = new RawOrigin((stream, head) =>
        {
            came = head.Contains("chunked", StringComparison.Ordinal) ? ReadChunked(stream) : "";
            return RawOrigin.Hello(stream, head);
        });
        using var weir = Start($"routes: [{{ request_body: decompress, proxy: \"{origin.Url}\" }}]");
        var answer = Post(weir, coding, Pack(coding, Encoding.ASCII.GetBytes(Page)));
        Assert.EndsWith("hello", answer, StringComparison.Ordinal);
        Assert.Equal(Page, came);
        var head = Assert.Single(origin.Received);
        Assert.DoesNotContain("Content-Encoding", head, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Content-Length", head, StringComparison.OrdinalIgnoreCase);

        // A bomb, a broken body, one that is cut short, a coding that nobody knows.
        Assert.StartsWith("HTTP/1.1 413 ", Post(weir, coding, Pack(coding, new byte[50_000_000])), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400 ", Post(weir, coding, Encoding.ASCII.GetBytes("this is not what it says, and it is long enough for that")), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400 ", Post(weir, coding, Pack(coding, Encoding.ASCII.GetBytes(Page))[..^4]), StringComparison.Ordinal);
        answer = Post(weir, $"{coding}, deflate", "x"u8.ToArray());
        Assert.StartsWith("HTTP/1.1 415 ", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nAccept-Encoding: zstd, br, gzip\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_sent_again_is_the_plain_body()
    {
        string? came = null;
        using var first = new RawOrigin((stream, _) =>
        {
            ReadChunked(stream);
            return false;
        });
        using var second = new RawOrigin((stream, head) =>
        {
            came = ReadChunked(stream);
            return RawOrigin.Hello(stream, head);
        });
        using var weir = Start($"routes: [{{ request_body: decompress, proxy: {{ endpoints: [\"{first.Url}\", {{ url: \"{second.Url}\", backup: true }}] }} }}]");
        Assert.EndsWith("hello", Post(weir, "gzip", Pack("gzip", Encoding.ASCII.GetBytes(Page)), "PUT"), StringComparison.Ordinal);
        Assert.Equal(Page, came);
        Assert.Single(first.Received);
    }

    [Fact]
    public void A_request_is_compressed_for_a_server_that_can()
    {
        string? came = null;
        using var origin = new RawOrigin((stream, head) =>
        {
            came = Encoding.Latin1.GetString(Unpack("gzip", Encoding.Latin1.GetBytes(ReadChunked(stream))));
            return RawOrigin.Hello(stream, head);
        });
        using var weir = Start($"routes: [{{ request_body: {{ compress: gzip }}, proxy: \"{origin.Url}\" }}]");
        Assert.EndsWith("hello", Post(weir, "", Encoding.ASCII.GetBytes(Page)), StringComparison.Ordinal);
        Assert.Equal(Page, came);
        Assert.Contains("\r\nContent-Encoding: gzip\r\n", Assert.Single(origin.Received), StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_is_asked_for_compressed_and_decompressed_for_who_does_not_take_it()
    {
        using var origin = new RawOrigin(Answer("Content-Type: text/html\r\nContent-Encoding: gzip\r\nETag: \"x\"\r\n", Encoding.Latin1.GetString(Pack("gzip", Encoding.ASCII.GetBytes(Page)))));
        using var weir = Start($"routes: [{{ response_body: {{ accept: [zstd, gzip] }}, proxy: \"{origin.Url}\" }}]");
        var (head, body) = Curl(weir, "/");
        Assert.Equal(Page, body);
        Assert.DoesNotContain("Content-Encoding", head, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\r\nETag: W/\"x\"\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nAccept-Encoding: zstd, gzip\r\n", origin.Received[0], StringComparison.Ordinal);
        (head, body) = Curl(weir, "/", "--compressed", "-H", "Accept-Encoding: gzip");
        Assert.Equal(Page, body);
        Assert.Contains("\r\nContent-Encoding: gzip\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\nETag: \"x\"\r\n", head, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb_of_a_server_breaks_off_and_costs_no_memory()
    {
        using var origin = new RawOrigin(Answer("Content-Type: text/html\r\nContent-Encoding: gzip\r\n", Encoding.Latin1.GetString(Pack("gzip", new byte[200_000_000]))));
        using var weir = Start($"routes: [{{ response_body: decompress, proxy: \"{origin.Url}\" }}]");
        Assert.Equal(18, Command.Run("curl", ["-s", "-o", "/dev/null", $"http://127.0.0.1:{weir.Port}/"]).Code); // A partial answer.
        Assert.Matches("\nweir_buffers_leased 0\n", Metrics(weir));
        Assert.Matches("\nweir_compression_coders 0\n", Metrics(weir));
    }

    [Fact]
    public void It_is_counted_and_in_the_access_record_and_allocates_nothing()
    {
        using var origin = new RawOrigin(Answer("Content-Type: text/html\r\n", Page));
        using var weir = Start($"compress: true, proxy: \"{origin.Url}\"", "access_log: " + Path.Combine(folder, "log") + "\n");
        Load(weir, 300);
        Eventually.Holds(() => Allocated(weir) < 1_000 * 16, () => "1,000 answers allocate"); // Buffers are let go of now and then, and made anew.
        const string Labels = "{body=\"response\",way=\"compressed\",coding=\"zstd\"}";
        var bodies = Number(weir, "weir_compression_bodies_total" + Labels);
        Assert.InRange(bodies, 1_300, double.MaxValue);
        Assert.Equal(bodies * Page.Length, Number(weir, "weir_compression_in_bytes_total" + Labels));
        Assert.InRange(Number(weir, "weir_compression_out_bytes_total" + Labels), bodies, bodies * Page.Length / 4);
        Eventually.Holds(() => File.ReadAllText(Path.Combine(folder, "log")).Contains("\"response_coding\":\"zstd\"", StringComparison.Ordinal), () => "no record");
    }

    private static double Allocated(WeirProcess weir)
    {
        var before = Number(weir, "weir_process_allocated_bytes_total");
        var look = Number(weir, "weir_process_allocated_bytes_total") - before;
        Load(weir, 1_000);
        return Number(weir, "weir_process_allocated_bytes_total") - before - (2 * look);
    }

    private static void Load(WeirProcess weir, int requests)
    {
        using var socket = new TcpClient("127.0.0.1", weir.Port);
        using var stream = socket.GetStream();
        var room = new byte[65_536];
        for (var i = 0; i < requests; i++)
        {
            RawOrigin.Send(stream, "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n");
            for (var tail = ""; !tail.EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal);)
            {
                var count = stream.Read(room);
                Assert.NotEqual(0, count);
                tail = (tail + Encoding.Latin1.GetString(room, 0, count))[^Math.Min(16, tail.Length + count)..];
            }
        }
    }

    private WeirProcess Start(string site, string top = "") => WeirProcess.Start(site.Contains('\n', StringComparison.Ordinal)
        ? $"{top}listen: \"127.0.0.1:0\"\nsites:\n  - {site}\n"
        : $"{top}listen: \"127.0.0.1:0\"\nsites:\n  - {{ {site} }}\n");

    private static Func<NetworkStream, string, bool> Answer(string fields, string body) => (stream, head) =>
    {
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\n{fields}Content-Length: {body.Length}\r\n\r\n{(head.StartsWith("HEAD", StringComparison.Ordinal) ? "" : body)}");
        return true;
    };

    private (string Head, string Body) Curl(WeirProcess weir, string path, params string[] arguments)
    {
        var head = Path.Combine(folder, "head");
        var (code, output, error) = Command.Run("curl", ["-sS", "-D", head, .. arguments, $"http://127.0.0.1:{weir.Port}{path}"]);
        Assert.True(code == 0, error);
        return (File.ReadAllText(head), output);
    }

    private static string Post(WeirProcess weir, string coding, byte[] body, string method = "POST")
    {
        using var socket = new TcpClient("127.0.0.1", weir.Port);
        using var stream = socket.GetStream();
        RawOrigin.Send(stream, $"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\n{(coding.Length > 0 ? $"Content-Encoding: {coding}\r\n" : "")}Content-Length: {body.Length}\r\n\r\n");
        try
        {
            stream.Write(body);
        }
        catch (IOException)
        {
            // It was answered before all was sent.
        }

        var answer = new MemoryStream();
        stream.CopyTo(answer);
        return Encoding.Latin1.GetString(answer.ToArray());
    }

    private static string ReadChunked(NetworkStream stream)
    {
        var body = new StringBuilder();
        while (true)
        {
            var size = int.Parse(Line(stream), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            var chunk = new byte[size];
            stream.ReadExactly(chunk);
            Line(stream);
            if (size == 0) return body.ToString();
            body.Append(Encoding.Latin1.GetString(chunk));
        }
    }

    private static string Line(NetworkStream stream)
    {
        var line = new StringBuilder();
        while (true)
        {
            var b = stream.ReadByte();
            if (b < 0) throw new IOException("the body is cut short");
            if (b == '\n') return line.ToString();
            if (b != '\r') line.Append((char)b);
        }
    }

    private static byte[] Pack(string coding, byte[] bytes)
    {
        var packed = new MemoryStream();
        using (Stream stream = coding switch { "gzip" => new GZipStream(packed, CompressionLevel.Optimal, true), "br" => new BrotliStream(packed, CompressionLevel.Fastest, true), _ => new ZstdSharp.CompressionStream(packed, 3, leaveOpen: true) }) stream.Write(bytes);
        return packed.ToArray();
    }

    private static byte[] Unpack(string coding, byte[] packed)
    {
        using Stream stream = coding switch { "gzip" => new GZipStream(new MemoryStream(packed), CompressionMode.Decompress), _ => new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress) };
        var plain = new MemoryStream();
        stream.CopyTo(plain);
        return plain.ToArray();
    }

    private static string Metrics(WeirProcess weir) => "\n" + Command.Run("curl", ["-sS", "--unix-socket", weir.ControlPath, "http://localhost/metrics"]).Output;

    private static double Number(WeirProcess weir, string name) =>
        double.Parse(Metrics(weir).Split($"\n{name} ")[1].Split('\n')[0], CultureInfo.InvariantCulture);
}
