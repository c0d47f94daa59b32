// Large answers over slow connections, from real servers: that they come whole and faster, and what becomes of them where a server
// goes away, or its file changes, in between.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class AccelerateTests : IDisposable
{
    private const int Length = 12 << 20;
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("WEIR_LONG") is { Length: > 0 };

    private readonly string folder = Directory.CreateTempSubdirectory("weir-haul-").FullName;
    private readonly byte[] content = RandomNumberGenerator.GetBytes(Length);

    public AccelerateTests() => Write(content);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    // One connection needs 12 s.
    [Fact]
    public void A_file_over_slow_connections_comes_faster_and_whole()
    {
        using var origin = Serve("limit_rate 1m;");
        using var weir = Start(origin.Port);
        var since = Stopwatch.StartNew();
        Assert.True(Fetch(weir).AsSpan().SequenceEqual(content));
        Assert.InRange(since.Elapsed.TotalSeconds, 1.5, 9);
        var ranges = Ranges(origin);
        Assert.InRange(ranges.Length, 4, 60);
        Assert.Contains("-", ranges); // The client's own request; the others are parts.
        Assert.True(ranges.Count(static r => r.StartsWith("bytes=", StringComparison.Ordinal)) >= 3);
    }

    [Fact]
    public void A_file_that_comes_at_once_is_asked_for_once()
    {
        using var origin = Serve("");
        using var weir = Start(origin.Port);
        for (var i = 0; i < 3; i++) Assert.True(Fetch(weir).AsSpan().SequenceEqual(content));
        Assert.Equal(["-", "-", "-"], Ranges(origin));
    }

    [Fact]
    public void A_range_of_a_client_is_accelerated_within_it()
    {
        using var origin = Serve("limit_rate 1m;");
        using var weir = Start(origin.Port);
        Assert.True(Fetch(weir, "-r", "1000000-8999999").AsSpan().SequenceEqual(content.AsSpan(1_000_000, 8_000_000)));
        Assert.True(Ranges(origin).Length >= 4);
    }

    // It is stopped while parts are under way: what it had begun is gone on with on the other one.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_server_that_dies_in_the_middle_is_not_seen_by_the_client(bool accelerates)
    {
        for (var run = 0; run < (IsLong ? 50 : 2); run++)
        {
            var first = Serve("limit_rate 1m;");
            using var second = Serve("limit_rate 4m;");
            using var weir = Start($"{first.Port}\", \"http://127.0.0.1:{second.Port}", accelerates);
            using var client = Begin(weir);
            Thread.Sleep(RandomNumberGenerator.GetInt32(100, 2_500)); // Any moment must do.
            first.Dispose();
            Assert.True(End(client).AsSpan().SequenceEqual(content), weir.Said);
        }
    }

    [Fact]
    public void A_file_that_changes_in_between_is_never_mixed()
    {
        for (var run = 0; run < (IsLong ? 50 : 2); run++)
        {
            Write(content);
            using var origin = Serve("limit_rate 1m;");
            using var weir = Start(origin.Port);
            using var client = Begin(weir);
            Thread.Sleep(RandomNumberGenerator.GetInt32(100, 2_000)); // Any moment must do.
            var other = RandomNumberGenerator.GetBytes(Length);
            var file = Path.Combine(folder, "new");
            File.WriteAllBytes(file, other);
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(-run - 1));
            File.Move(file, Path.Combine(folder, "file"), overwrite: true);
            var got = End(client);
            Assert.True(content.AsSpan().StartsWith(got), $"{got.Length} bytes");
        }
    }

    [Fact]
    public void What_was_accelerated_is_kept_whole()
    {
        using var origin = Serve("limit_rate 2m; add_header Cache-Control max-age=60;");
        using var weir = Start(origin.Port, more: ", cache: { max_object: 64MiB }");
        Assert.True(Fetch(weir).AsSpan().SequenceEqual(content));
        var asked = Ranges(origin).Length;
        Assert.True(asked >= 4);
        Assert.True(Fetch(weir).AsSpan().SequenceEqual(content));
        Assert.Equal(asked, Ranges(origin).Length);
    }

    // What they do not take waits in bounded memory and then on disk.
    [Fact]
    public void Slow_clients_cost_no_more_memory_than_is_allowed()
    {
        var clients = IsLong ? 100 : 8;
        using var origin = Serve("");
        using var weir = Start(origin.Port, accelerate: "{ min_size: 1MiB, memory: 1MiB, disk: 2MiB }", top: "limits: { memory: 64MiB }\n");
        var before = Resident(weir);
        var running = Enumerable.Range(0, clients).Select(_ => Begin(weir, "--limit-rate", "3M")).ToArray();
        var most = 0L;
        while (running.Any(static c => !c.HasExited))
        {
            most = Math.Max(most, Resident(weir));
            Thread.Sleep(50);
        }

        foreach (var client in running)
        {
            Assert.True(End(client).AsSpan().SequenceEqual(content));
            client.Dispose();
        }

        Assert.True(most - before < 100 << 20, $"{before >> 20} MiB before, {most >> 20} MiB at most");
    }

    private void Write(byte[] bytes)
    {
        var file = Path.Combine(folder, "file");
        File.WriteAllBytes(file, bytes);
        File.SetLastWriteTimeUtc(file, new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc)); // Two servers tell the same tag.
    }

    private Nginx Serve(string how) => new(ports => $$"""
        log_format ranges '$http_range';
        server { listen 127.0.0.1:{{ports[0]}}; root {{folder}}; access_log {{folder}}/{{ports[0]}}.log ranges; location / { {{how}} } }
        """);

    private string[] Ranges(Nginx origin)
    {
        // nginx writes a line when the request has ended; parts that were not taken to their end too.
        var log = Path.Combine(folder, $"{origin.Port}.log");
        return File.Exists(log) ? [.. File.ReadAllLines(log)] : [];
    }

    private static WeirProcess Start(object port, bool accelerates = true, string more = "", string accelerate = "{ min_size: 1MiB }", string top = "") =>
        WeirProcess.Start($"listen: \"127.0.0.1:0\"\nstate: state\n{top}sites: [{{ routes: [{{ proxy: [\"http://127.0.0.1:{port}\"], accelerate: {(accelerates ? accelerate : "false")}{more} }}] }}]\n");

    private static byte[] Fetch(WeirProcess weir, params string[] arguments)
    {
        using var client = Begin(weir, arguments);
        return End(client);
    }

    private static Process Begin(WeirProcess weir, params string[] arguments)
    {
        var start = new ProcessStartInfo("curl") { RedirectStandardOutput = true };
        var into = Path.Combine(weir.Folder, $"got-{Guid.NewGuid():N}");
        foreach (var argument in (string[])["-s", "-m", "100", "-o", into, .. arguments, string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{weir.Port}/file")]) start.ArgumentList.Add(argument);
        start.Environment["INTO"] = into;
        return Process.Start(start)!;
    }

    private static byte[] End(Process client)
    {
        client.WaitForExit();
        var into = client.StartInfo.Environment["INTO"]!;
        return File.Exists(into) ? File.ReadAllBytes(into) : [];
    }

    private static long Resident(WeirProcess weir)
    {
        var line = File.ReadLines($"/proc/{weir.Id}/status").First(static l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
