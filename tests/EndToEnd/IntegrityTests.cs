// Digests as clients and servers meet them: the built program between curl and nginx, with right files and spoilt ones.

using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class IntegrityTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-integrity-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(300)]
    [InlineData(5_000_000)]
    public void A_spoilt_copy_never_arrives_whole_and_a_right_one_does(int size)
    {
        var (bytes, digest) = Make(size);
        using var origin = new Nginx(ports => string.Concat(ports.Select((port, i) => $"server {{ listen 127.0.0.1:{port}; root {Directory.CreateDirectory(Path.Combine(folder, $"s{i}")).FullName}; add_header Repr-Digest '{digest}'; }}\n")), ports: 2);
        File.WriteAllBytes(Path.Combine(folder, "s0", "file"), bytes);
        var spoilt = bytes.ToArray();
        spoilt[^1] ^= 1;
        File.WriteAllBytes(Path.Combine(folder, "s1", "file"), spoilt);
        using var weir = Start($$"""
            - match: { path: /file, headers: { x-which: spoilt } }
                    integrity: { generate: false }
                    proxy: "http://127.0.0.1:{{origin.Ports[1]}}"
                  - { integrity: true, proxy: "http://127.0.0.1:{{origin.Ports[0]}}" }
            """);
        var (code, got) = Fetch(weir, "/file");
        Assert.Equal(0, code);
        Assert.Equal(bytes, got);
        (code, got) = Fetch(weir, "/file", "-H", "X-Which: spoilt");
        if (size < 1000)
        {
            Assert.Equal(22, code); // 502: nothing had been sent.
        }
        else
        {
            Assert.Equal(18, code); // Less than was said.
            Assert.True(got.Length < size);
            Assert.Equal(bytes[..got.Length], got);
        }

        var metrics = Metrics(weir);
        Assert.Contains("\nweir_integrity_verified_total 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nweir_integrity_mismatched_total 1\n", metrics, StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains($"127.0.0.1:{origin.Ports[1]}: what it sent is not what its Repr-Digest (sha-256) says", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void What_is_put_together_of_parts_is_verified_without_being_asked_for()
    {
        var (bytes, digest) = Make(12 << 20);
        using var origin = new Nginx(ports => string.Concat(ports.Select((port, i) => $"server {{ listen 127.0.0.1:{port}; limit_rate 3m; root {Directory.CreateDirectory(Path.Combine(folder, $"s{i}")).FullName}; add_header Repr-Digest '{digest}'; }}\n")), ports: 2);
        var spoilt = bytes.ToArray();
        for (var at = 100_000; at < spoilt.Length; at += 500_000) spoilt[at] ^= 1;
        foreach (var (i, content) in new[] { bytes, spoilt }.Index())
        {
            File.WriteAllBytes(Path.Combine(folder, $"s{i}", "file"), content);
            File.SetLastWriteTimeUtc(Path.Combine(folder, $"s{i}", "file"), new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc)); // One tag for both.
        }

        using var weir = Start($"- {{ accelerate: {{ min_size: 1MiB, segment_size: 1MiB }}, proxy: {{ endpoints: [\"http://127.0.0.1:{origin.Ports[0]}\", \"http://127.0.0.1:{origin.Ports[1]}\"] }} }}");
        for (var i = 0; i < 2; i++)
        {
            var (code, got) = Fetch(weir, "/file");
            Assert.True(code == 0 ? bytes.AsSpan().SequenceEqual(got) : got.Length < bytes.Length, $"{code}, {got.Length} bytes");
        }

        Assert.DoesNotContain("\nweir_integrity_mismatched_total 0\n", Metrics(weir), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_kept_has_its_digest_in_the_head()
    {
        var (bytes, digest) = Make(40_000);
        using var origin = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]}; root {folder}; add_header Cache-Control max-age=60; }}");
        File.WriteAllBytes(Path.Combine(folder, "file"), bytes);
        using var weir = Start($"- {{ integrity: {{ algorithms: [sha-256] }}, cache: true, proxy: \"http://127.0.0.1:{origin.Port}\" }}");
        Assert.DoesNotContain("Digest", Head(weir, "/file"), StringComparison.Ordinal);
        Assert.DoesNotContain("Digest", Head(weir, "/file", "-H", "Want-Repr-Digest: sha-256=0, sha-512=9"), StringComparison.Ordinal);
        Assert.Contains($"\r\nRepr-Digest: {digest}\r\n", Head(weir, "/file", "-H", "Want-Repr-Digest: sha-512=9, sha-256=1"), StringComparison.Ordinal);
        Assert.Contains($"\r\nContent-Digest: {digest}\r\n", Head(weir, "/file", "-H", "Want-Content-Digest: sha-256=1"), StringComparison.Ordinal);
        var part = Head(weir, "/file", "-H", "Want-Repr-Digest: sha-256=1", "-H", "Want-Content-Digest: sha-256=1", "-r", "5-9");
        Assert.StartsWith("HTTP/1.1 206 ", part, StringComparison.Ordinal);
        Assert.Contains($"\r\nRepr-Digest: {digest}\r\n", part, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Digest", part, StringComparison.Ordinal);
        var head = Head(weir, "/file", "-I", "-H", "Want-Repr-Digest: sha-256=1", "-H", "Want-Content-Digest: sha-256=1");
        Assert.Contains($"\r\nRepr-Digest: {digest}\r\n", head, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Digest", head, StringComparison.Ordinal);
        Assert.Contains("\nweir_integrity_generated_total{where=\"head\"} 4\n", Metrics(weir), StringComparison.Ordinal);
    }

    [Fact]
    public void A_large_body_that_is_kept_has_its_digest_from_a_later_answer_on()
    {
        var (bytes, digest) = Make(3_000_000);
        using var origin = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]}; root {folder}; add_header Cache-Control max-age=60; }}");
        File.WriteAllBytes(Path.Combine(folder, "file"), bytes);
        using var weir = Start($"- {{ integrity: true, cache: true, proxy: \"http://127.0.0.1:{origin.Port}\" }}");
        Eventually.Holds(() => Head(weir, "/file", "-H", "Want-Repr-Digest: sha-256=1").Contains($"\r\nRepr-Digest: {digest}\r\n", StringComparison.Ordinal), () => "no digest");
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(3_000_000)]
    public void Files_have_theirs(int size)
    {
        var (bytes, digest) = Make(size);
        var path = Path.Combine(folder, "file");
        File.WriteAllBytes(path, bytes);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(-1));
        using var weir = Start($"- {{ integrity: true, files: {{ root: \"{folder}\" }} }}");
        Eventually.Holds(() => Head(weir, "/file", "-H", "Want-Repr-Digest: sha-256=1").Contains($"\r\nRepr-Digest: {digest}\r\n", StringComparison.Ordinal), () => "no digest");
        Assert.Contains($"\r\nRepr-Digest: {digest}\r\n", Head(weir, "/file", "-I", "-H", "Want-Repr-Digest: sha-256=1"), StringComparison.Ordinal);
        Assert.Contains($"\r\nContent-Digest: {digest}\r\n", Head(weir, "/file", "-H", "Want-Content-Digest: sha-256=1"), StringComparison.Ordinal);
        Assert.DoesNotContain("Digest", Head(weir, "/file"), StringComparison.Ordinal);

        // What is changed has another digest, at once or later, and never the old one.
        var (changed, now) = Make(size, seed: 2);
        File.WriteAllBytes(path, changed);
        Assert.DoesNotContain(digest, Head(weir, "/file", "-H", "Want-Repr-Digest: sha-256=1"), StringComparison.Ordinal);
        if (size < 1 << 20) Assert.Contains($"\r\nRepr-Digest: {now}\r\n", Head(weir, "/file", "-H", "Want-Repr-Digest: sha-256=1"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_passes_in_chunks_is_told_behind_it()
    {
        const string Text = "Wiki pedia in\r\n\r\nchunks.";
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{Text[..5]}\r\n{Text.Length - 5:x}\r\n{Text[5..]}\r\n0\r\nX-Other: kept\r\n\r\n");
            return true;
        });
        using var weir = Start($"- {{ integrity: true, proxy: \"{origin.Url}\" }}");
        var asks = "Host: a\r\nConnection: close\r\nWant-Repr-Digest: sha-256=1\r\nWant-Content-Digest: sha-512=3\r\n";
        var answer = weir.Exchange($"GET / HTTP/1.1\r\n{asks}TE: trailers\r\n\r\n");
        Assert.Contains("\r\nTrailer: Repr-Digest\r\n", answer, StringComparison.Ordinal);
        var bytes = Encoding.ASCII.GetBytes(Text);
        Assert.EndsWith($"0\r\nX-Other: kept\r\nRepr-Digest: sha-256=:{Convert.ToBase64String(SHA256.HashData(bytes))}:\r\nContent-Digest: sha-512=:{Convert.ToBase64String(SHA512.HashData(bytes))}:\r\n\r\n", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Digest: sha", weir.Exchange($"GET / HTTP/1.1\r\n{asks}\r\n"), StringComparison.Ordinal);
        Assert.Contains("\nweir_integrity_generated_total{where=\"trailer\"} 1\n", Metrics(weir), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_compressed_here_is_told_as_it_is_sent()
    {
        var text = string.Concat(Enumerable.Range(0, 2_000).Select(static i => $"line {i}\n"));
        var digest = Of(Encoding.ASCII.GetBytes(text));
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nRepr-Digest: {digest}\r\nContent-Length: {text.Length}\r\n\r\n{text}");
            return true;
        });
        using var weir = Start($"- {{ integrity: true, compress: true, proxy: \"{origin.Url}\" }}");
        var answer = weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAccept-Encoding: gzip\r\nWant-Repr-Digest: sha-256=1\r\nTE: trailers\r\n\r\n");
        Assert.Contains("\r\nContent-Encoding: gzip\r\n", answer, StringComparison.Ordinal);
        Assert.DoesNotContain(digest, answer, StringComparison.Ordinal);
        var at = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        var sent = new List<byte>();
        while (true)
        {
            var end = answer.IndexOf("\r\n", at, StringComparison.Ordinal);
            var size = int.Parse(answer[at..end], System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);
            at = end + 2;
            if (size == 0) break;
            sent.AddRange(Encoding.Latin1.GetBytes(answer[at..(at + size)]));
            at += size + 2;
        }

        Assert.Equal($"Repr-Digest: {Of([.. sent])}\r\n\r\n", answer[at..]);
        Assert.Contains("\nweir_integrity_verified_total 1\n", Metrics(weir), StringComparison.Ordinal);
    }

    private static WeirProcess Start(string routes) => WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites:\n  - routes:\n      {routes}\n");

    private static (byte[] Bytes, string Digest) Make(int size, int seed = 1)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return (bytes, Of(bytes));
    }

    private static string Of(byte[] bytes) => $"sha-256=:{Convert.ToBase64String(SHA256.HashData(bytes))}:";

    private (int Code, byte[] Got) Fetch(WeirProcess weir, string path, params string[] arguments)
    {
        var into = Path.Combine(folder, "got");
        File.WriteAllBytes(into, []);
        var (code, _, _) = Command.Run("curl", ["-sS", "-f", "-o", into, .. arguments, $"http://127.0.0.1:{weir.Port}{path}"]);
        return (code, File.ReadAllBytes(into));
    }

    private string Head(WeirProcess weir, string path, params string[] arguments)
    {
        var head = Path.Combine(folder, "head");
        var (code, _, error) = Command.Run("curl", ["-sS", "-D", head, "-o", "/dev/null", .. arguments, $"http://127.0.0.1:{weir.Port}{path}"]);
        Assert.True(code == 0, error);
        return File.ReadAllText(head);
    }

    private static string Metrics(WeirProcess weir) => "\n" + Command.Run("curl", ["-sS", "--unix-socket", weir.ControlPath, "http://localhost/metrics"]).Output;
}
