// weir get, against servers as they are: slow ones, ones that die, that change, that send elsewhere, that have the same.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class GetTests : IDisposable
{
    private const int Length = 12_000_000;

    private readonly string home = Directory.CreateTempSubdirectory("weir-get-test-").FullName;
    private readonly string content;
    private readonly string hash;

    public GetTests()
    {
        content = Directory.CreateDirectory(Path.Combine(home, "content")).FullName;
        hash = Put("file.bin", Bytes(1));
    }

    private string Target => Path.Combine(home, "file.bin");

    public void Dispose() => Directory.Delete(home, recursive: true);

    [Fact]
    public void A_slow_server_is_asked_over_several_connections()
    {
        using var nginx = Slow();
        var (code, output, error) = Get($"http://127.0.0.1:{nginx.Port}/file.bin", "--json");
        Assert.True(code == 0, error);
        using var report = JsonDocument.Parse(output);
        Assert.Equal(hash, report.RootElement.GetProperty("sha256").GetString());
        Assert.Equal(Length, report.RootElement.GetProperty("bytes").GetInt64());
        Assert.InRange(report.RootElement.GetProperty("connections").GetInt32(), 2, 8);
        Assert.True(report.RootElement.GetProperty("gain").GetDouble() > 1.1, output);
        Assert.Equal(hash, HashOf(Target));
        Assert.Equal(["content", "file.bin"], Names());
    }

    [Fact]
    public void What_it_is_and_how_it_came_is_told_at_the_end()
    {
        using var nginx = Fast();
        var (code, output, error) = Get($"http://127.0.0.1:{nginx.Port}/file.bin");
        Assert.True(code == 0, error);
        Assert.Equal($"{hash}  file.bin\n", output);
        Assert.Contains("compared: length", error, StringComparison.Ordinal);
        var quiet = Get($"http://127.0.0.1:{nginx.Port}/file.bin", "-q", "-o", "quiet.bin", "--checksum", "sha-256:" + hash);
        Assert.Equal((0, "", ""), (quiet.Code, quiet.Output, quiet.Error));
        Assert.Equal(hash, HashOf(Path.Combine(home, "quiet.bin")));
    }

    [Fact]
    public async Task What_a_server_left_that_died_the_next_run_goes_on_with()
    {
        var port = Lighttpd.FreePort();
        var url = $"http://127.0.0.1:{port}/file.bin";
        Task<Outcome> first;
        using (Slow(port))
        {
            first = Begin(url, "--retries", "0");
            Eventually.Holds(() => Had() > 500_000, () => "nothing comes");
        }

        var broken = await first;
        Assert.Equal(1, broken.Code);
        Assert.Contains("the same command goes on with it", broken.Error, StringComparison.Ordinal);
        Assert.Equal(["content", "file.bin.part", "file.bin.part.json"], Names());
        Assert.True(Had() is > 500_000 and < Length);
        using var again = Slow(port);
        var second = Get(url, "--json");
        Assert.True(second.Code == 0, second.Error);
        using var report = JsonDocument.Parse(second.Output);
        Assert.True(report.RootElement.GetProperty("had").GetInt64() > 500_000, second.Output);
        Assert.Equal(hash, report.RootElement.GetProperty("sha256").GetString());
        Assert.Equal(hash, HashOf(Target));
        Assert.Equal(["content", "file.bin"], Names());
    }

    [Fact]
    public async Task A_server_that_comes_back_is_gone_on_with_in_the_same_run()
    {
        var port = Lighttpd.FreePort();
        Task<Outcome> running;
        using (Slow(port))
        {
            running = Begin($"http://127.0.0.1:{port}/file.bin", "--json");
            Eventually.Holds(() => Had() > 500_000, () => "nothing comes");
        }

        using var again = Slow(port);
        var (code, output, error) = await running;
        Assert.True(code == 0, output + error);
        Assert.Equal(hash, HashOf(Target));
        Assert.Contains("\"had\": 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_gives_no_parts_is_asked_for_all()
    {
        using var nginx = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]}; root {content}; max_ranges 0; }}");
        var url = $"http://127.0.0.1:{nginx.Port}/file.bin";
        var tag = $"{new DateTimeOffset(File.GetLastWriteTimeUtc(Path.Combine(content, "file.bin"))).ToUnixTimeSeconds():x}-{Length:x}";
        File.WriteAllBytes(Target + ".part", Bytes(1)[..1_000_000]);
        File.WriteAllText(Target + ".part.json", $$"""{"url":"{{url}}","etag":"\"{{tag}}\"","length":{{Length}}}""");
        var (code, _, error) = Get(url);
        Assert.True(code == 0, error);
        Assert.Contains("the server gives no parts of it: it begins anew", error, StringComparison.Ordinal);
        Assert.Equal(hash, HashOf(Target));
    }

    [Fact]
    public void Whoever_ends_it_finds_what_had_come()
    {
        using var nginx = Slow();
        var url = $"http://127.0.0.1:{nginx.Port}/file.bin";
        var (file, before) = Repository.Program;
        using (var process = Process.Start(new ProcessStartInfo("env", ["--default-signal=INT", file, .. before, "get", url]) { WorkingDirectory = home, RedirectStandardError = true, RedirectStandardOutput = true })!)
        {
            Eventually.Holds(() => Had() > 200_000, () => "nothing comes");
            using var kill = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]);
            kill.WaitForExit();
            Assert.True(process.WaitForExit(TimeSpan.FromSeconds(20)));
            Assert.Equal(1, process.ExitCode);
            Assert.Contains("interrupted; what has come is in", process.StandardError.ReadToEnd(), StringComparison.Ordinal);
        }

        var second = Get(url);
        Assert.True(second.Code == 0, second.Error);
        Assert.Contains("it goes on at byte", second.Error, StringComparison.Ordinal);
        Assert.Equal(hash, HashOf(Target));
    }

    [Fact]
    public void What_has_changed_is_never_mixed()
    {
        using var nginx = Fast();
        var url = $"http://127.0.0.1:{nginx.Port}/file.bin";
        foreach (var (state, said) in new[]
        {
            ($$"""{"url":"{{url}}","etag":"\"other\"","length":{{Length}}}""", "it has changed since: it begins anew"),
            ($$"""{"url":"{{url}}?","etag":"\"other\"","length":{{Length}}}""", "it begins anew"),
            ("{", "nothing tells what it is a part of: it begins anew"),
        })
        {
            File.WriteAllBytes(Target + ".part", Bytes(2)[..1_000_000]);
            File.WriteAllText(Target + ".part.json", state);
            var (code, _, error) = Get(url, "--force");
            Assert.True(code == 0, error);
            Assert.Contains(said, error, StringComparison.Ordinal);
            Assert.Equal(hash, HashOf(Target));
        }
    }

    [Fact]
    public async Task What_changes_while_it_runs_begins_anew()
    {
        using var nginx = Slow();
        var running = Begin($"http://127.0.0.1:{nginx.Port}/file.bin");
        Eventually.Holds(() => Had() > 500_000, () => "nothing comes");
        var changed = Put("new.bin", Bytes(3), hoursAgo: 1);
        File.Move(Path.Combine(content, "new.bin"), Path.Combine(content, "file.bin"), overwrite: true);
        var (code, _, error) = await running;
        // Connections that were open give what was; whatever came, it is one of both.
        Assert.True(code == 0, error);
        Assert.Contains(HashOf(Target), new[] { hash, changed });
    }

    [Fact]
    public void Redirects_are_followed_and_secrets_stay_where_they_belong()
    {
        using var nginx = new Nginx(ports => $$"""
            server { listen 127.0.0.1:{{ports[0]}}; location / { return 302 http://127.0.0.1:{{ports[0]}}/same; } location /same { return 307 http://127.0.0.1:{{ports[1]}}/file.bin; } location /loop { return 301 /loop; } }
            server { listen 127.0.0.1:{{ports[1]}}; root {{content}}; if ($http_authorization) { return 403; } if ($http_cookie) { return 403; } if ($http_x_mine != "yes") { return 402; } }
            """, ports: 2);
        var (code, output, error) = Get($"http://me:secret@127.0.0.1:{nginx.Ports[0]}/some/name.bin", "-H", "Cookie: a=b", "-H", "X-Mine: yes");
        Assert.True(code == 0, error);
        Assert.Equal($"{hash}  name.bin\n", output);
        var loop = Get($"http://127.0.0.1:{nginx.Ports[0]}/loop");
        Assert.Equal(1, loop.Code);
        Assert.Contains("more than 10 redirects", loop.Error, StringComparison.Ordinal);
        Assert.Equal(["content", "name.bin"], Names());
    }

    [Fact]
    public void Over_tls_whom_the_system_trusts_is_believed_and_nobody_else()
    {
        using var authority = new TestAuthority();
        var shown = authority.Issue("localhost");
        using var nginx = new Nginx(ports => $$"""
            server { listen 127.0.0.1:{{ports[0]}} ssl; ssl_certificate {{shown.Certificate}}; ssl_certificate_key {{shown.Key}}; root {{content}}; location /down { return 302 http://127.0.0.1:{{ports[0]}}/file.bin; } }
            """);
        var url = $"https://localhost:{nginx.Port}/file.bin";
        var (code, _, error) = Run([("SSL_CERT_FILE", authority.File)], "get", url);
        Assert.True(code == 0, error);
        Assert.Equal(hash, HashOf(Target));
        File.Delete(Target);
        var refused = Get(url);
        Assert.Equal(1, refused.Code);
        Assert.Contains("certificate", refused.Error, StringComparison.Ordinal);
        var down = Run([("SSL_CERT_FILE", authority.File)], "get", $"https://localhost:{nginx.Port}/down");
        Assert.Equal(1, down.Code);
        Assert.Contains("nothing would protect it", down.Error, StringComparison.Ordinal);
        Assert.Equal(["content"], Names());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Mirrors_with_the_same_bytes_bring_parts_of_it(bool sameTag)
    {
        // Without the same tag they show by a digest that they have the same.
        var other = Directory.CreateDirectory(Path.Combine(home, "content", "pub")).FullName;
        File.Copy(Path.Combine(content, "file.bin"), Path.Combine(other, "file.bin"));
        File.SetLastWriteTimeUtc(Path.Combine(other, "file.bin"), File.GetLastWriteTimeUtc(Path.Combine(content, "file.bin")).AddHours(sameTag ? 0 : -1));
        var digest = $"add_header Repr-Digest \"sha-256=:{Convert.ToBase64String(Convert.FromHexString(hash))}:\";";
        using var nginx = new Nginx(ports => string.Concat(ports.Select(p => $"server {{ listen 127.0.0.1:{p}; root {content}; limit_rate 1m; {digest} }}\n")), ports: 2);
        var (code, output, error) = Get($"http://127.0.0.1:{nginx.Ports[0]}/file.bin", "--mirror", $"http://127.0.0.1:{nginx.Ports[1]}/pub/file.bin", "--json");
        Assert.True(code == 0, error);
        using var report = JsonDocument.Parse(output);
        Assert.Equal(hash, report.RootElement.GetProperty("sha256").GetString());
        Assert.Equal(["length", "repr-digest"], report.RootElement.GetProperty("compared").EnumerateArray().Select(static c => c.GetString()!));
        Assert.Equal(2, report.RootElement.GetProperty("sources").EnumerateArray().Count(static s => s.GetProperty("bytes").GetInt64() > 100_000));
    }

    [Fact]
    public void A_mirror_with_other_bytes_is_left_out()
    {
        Directory.CreateDirectory(Path.Combine(content, "pub"));
        Put("pub/file.bin", Bytes(9), hoursAgo: 1);
        using var nginx = new Nginx(ports => string.Concat(ports.Select(p => $"server {{ listen 127.0.0.1:{p}; root {content}; limit_rate 1m; }}\n")), ports: 2);
        var (code, output, error) = Get($"http://127.0.0.1:{nginx.Ports[0]}/file.bin", "--mirror", $"http://127.0.0.1:{nginx.Ports[1]}/pub/file.bin", "--json");
        Assert.True(code == 0, error);
        Assert.Equal(hash, HashOf(Target));
        using var report = JsonDocument.Parse(output);
        Assert.Single(report.RootElement.GetProperty("sources").EnumerateArray(), static s => s.GetProperty("bytes").GetInt64() > 0);
    }

    [Fact]
    public void A_file_that_is_not_the_right_one_does_not_take_its_name()
    {
        using var nginx = new Nginx(ports => $$"""
            server { listen 127.0.0.1:{{ports[0]}}; root {{content}}; location /wrong/ { alias {{content}}/; add_header Repr-Digest "sha-256=:{{Convert.ToBase64String(new byte[32])}}:"; } }
            """);
        var checksum = Get($"http://127.0.0.1:{nginx.Port}/file.bin", "--checksum", $"sha-256:{new string('a', 64)}");
        Assert.Equal(1, checksum.Code);
        Assert.Contains(hash, checksum.Error, StringComparison.Ordinal);
        Assert.Equal(["content", "file.bin.part", "file.bin.part.json"], Names());
        // What is whole is not fetched again: one byte tells that it is still the same.
        var right = Get($"http://127.0.0.1:{nginx.Port}/file.bin", "--checksum", $"sha-256:{hash}", "--json");
        Assert.True(right.Code == 0, right.Error);
        Assert.Contains($"\"had\": {Length - 1}", right.Output, StringComparison.Ordinal);
        File.Delete(Target);
        var digest = Get($"http://127.0.0.1:{nginx.Port}/wrong/file.bin");
        Assert.Equal(1, digest.Code);
        Assert.Contains("does not have the digest", digest.Error, StringComparison.Ordinal);
        Assert.Equal(["content"], Names());
    }

    [Fact]
    public void A_file_that_is_there_stays()
    {
        using var nginx = Fast();
        File.WriteAllText(Target, "mine");
        var (code, _, error) = Get($"http://127.0.0.1:{nginx.Port}/file.bin");
        Assert.Equal(1, code);
        Assert.Contains("--force", error, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Target));
        Assert.Equal(0, Get($"http://127.0.0.1:{nginx.Port}/file.bin", "--force").Code);
        Assert.Equal(hash, HashOf(Target));
    }

    [Fact]
    public void What_is_not_there_leaves_nothing()
    {
        using var nginx = Fast();
        var missing = Get($"http://127.0.0.1:{nginx.Port}/missing");
        Assert.Equal((1, ""), (missing.Code, missing.Output));
        Assert.Contains("127.0.0.1 answered 404", missing.Error, StringComparison.Ordinal);
        var nobody = Get($"http://127.0.0.1:{Lighttpd.FreePort()}/file");
        Assert.Equal(1, nobody.Code);
        Assert.Contains("Connection refused", nobody.Error, StringComparison.Ordinal);
        Assert.Equal(["content"], Names());
    }

    [Fact]
    public void It_can_be_written_to_the_output_which_may_be_full()
    {
        var text = string.Concat(Enumerable.Range(0, 100_000).Select(static i => $"line {i}\n"));
        Put("text", Encoding.ASCII.GetBytes(text));
        using var nginx = Fast();
        var (code, output, error) = Get($"http://127.0.0.1:{nginx.Port}/text", "-o", "-");
        Assert.True(code == 0, error);
        Assert.Equal(text, output);
        var (file, before) = Repository.Program;
        var full = Command.Run("sh", ["-c", "exec \"$@\" > /dev/full", "sh", file, .. before, "get", $"http://127.0.0.1:{nginx.Port}/text", "-o", "-"], home);
        Assert.Equal(1, full.Code);
        Assert.Contains("the disk is full", full.Error, StringComparison.Ordinal);
        Assert.Equal(["content"], Names());
    }

    [Fact]
    public void A_rate_that_is_limited_is_kept()
    {
        using var nginx = Fast();
        var since = Stopwatch.StartNew();
        var (code, _, error) = Get($"http://127.0.0.1:{nginx.Port}/file.bin", "--limit", "4MiB/s");
        Assert.True(code == 0, error);
        Assert.True(since.Elapsed > TimeSpan.FromSeconds(2.5), $"{since.Elapsed}");
        Assert.Equal(hash, HashOf(Target));
    }

    [Theory]
    [InlineData("ftp://example.com/file")]
    [InlineData("example.com/file")]
    [InlineData("http://127.0.0.1:1/f", "--segments", "0")]
    [InlineData("http://127.0.0.1:1/f", "--segments", "65")]
    [InlineData("http://127.0.0.1:1/f", "--segment-size", "1")]
    [InlineData("http://127.0.0.1:1/f", "--header", "no field")]
    [InlineData("http://127.0.0.1:1/f", "--header", "Range: bytes=0-1")]
    [InlineData("http://127.0.0.1:1/f", "--checksum", "md5:00")]
    [InlineData("http://127.0.0.1:1/f", "--limit", "fast")]
    [InlineData("http://127.0.0.1:1/f", "--limit", "0B/s")]
    [InlineData("http://127.0.0.1:1/f", "--retries", "101")]
    [InlineData("http://127.0.0.1:1/f", "--mirror", "http://127.0.0.1:2/g")]
    [InlineData("http://127.0.0.1:1/f", "--resume", "--no-resume")]
    [InlineData("http://127.0.0.1:1/f", "--unknown")]
    public void Wrong_usage_is_told_before_anybody_is_asked(params string[] arguments)
    {
        var (code, output, error) = Get(arguments);
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith("weir: ", error, StringComparison.Ordinal);
        Assert.Equal(["content"], Names());
    }

    private static byte[] Bytes(int seed)
    {
        var bytes = new byte[Length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static string HashOf(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    // nginx's ETag is made of time and length: what has both in common is the same to it.
    private string Put(string name, byte[] bytes, int hoursAgo = 0)
    {
        File.WriteAllBytes(Path.Combine(content, name), bytes);
        File.SetLastWriteTimeUtc(Path.Combine(content, name), DateTime.UtcNow.AddHours(-hoursAgo));
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    private long Had() => new FileInfo(Target + ".part") is { Exists: true, Length: var length } ? length : 0;

    private string[] Names() => [.. Directory.GetFileSystemEntries(home).Select(static n => Path.GetFileName(n)!).Order(StringComparer.Ordinal)];

    private Nginx Fast() => new(ports => $"server {{ listen 127.0.0.1:{ports[0]}; root {content}; }}");

    // On a further port of the test's own too, so that it can be started again.
    private Nginx Slow(int? port = null) => new(ports => $"server {{ listen 127.0.0.1:{ports[0]}; {(port is null ? "" : $"listen 127.0.0.1:{port};")} root {content}; limit_rate 1m; }}");

    private Task<Outcome> Begin(params string[] arguments) => Task.Run(() => Get(arguments));

    private Outcome Get(params string[] arguments) => Run([], ["get", .. arguments]);

    private Outcome Run((string, string)[] environment, params string[] arguments)
    {
        var (file, before) = Repository.Program;
        return Command.Run(file, [.. before, .. arguments], home, TimeSpan.FromSeconds(120), environment);
    }
}
