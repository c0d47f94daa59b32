// A cache's disk under a program that is killed: what was whole is there, what was not is not, and nothing else is ever served.

using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class CacheDiskTests : IDisposable
{
    private const int Paths = 40;

    private static readonly int Rounds = Environment.GetEnvironmentVariable("WEIR_LONG") is null ? 4 : 100;

    private readonly string home = Directory.CreateTempSubdirectory("weir-disk-").FullName;
    private readonly RawOrigin origin;
    private readonly HttpClient client = new();
    private int asked;

    public CacheDiskTests() => origin = new RawOrigin(Answer);

    public void Dispose()
    {
        client.Dispose();
        origin.Dispose();
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public void Killed_in_the_middle_of_fills_it_serves_nothing_torn_afterwards()
    {
        for (var round = 0; round < Rounds; round++)
        {
            using var weir = Start();
            var answered = 0;
            string? flaw = null;
            var askers = Enumerable.Range(0, 4).Select(asker => new Thread(() =>
            {
                for (var i = 0; i < Paths; i++)
                {
                    var path = (i + (asker * 7) + round) % Paths;
                    var (isWhole, body, _) = Get(weir, $"/{path}");
                    if (isWhole && body != Body(path)) flaw = $"round {round}: /{path} came changed, {body.Length} of {Body(path).Length}";
                    if (isWhole) Interlocked.Increment(ref answered);
                }
            })).ToArray();
            foreach (var asker in askers) asker.Start();

            // Somewhere in the midst, another place in each round.
            Eventually.Holds(() => Volatile.Read(ref answered) >= 10 + (round * 13 % 100), () => $"{answered} answered");
            weir.Signal("KILL");
            foreach (var asker in askers) asker.Join();
            Assert.Null(flaw);
        }

        using var last = Start();
        for (var path = 0; path < Paths; path++)
        {
            var (isWhole, body, _) = Get(last, $"/{path}");
            Assert.True(isWhole && body == Body(path), $"/{path} at the end");
        }
    }

    [Fact]
    public void What_was_whole_is_there_after_a_kill_and_a_purge_holds_for_it()
    {
        using (var first = Start())
        {
            for (var path = 0; path < 10; path++) Assert.Equal(Body(path), Get(first, $"/{path}").Body);
            Eventually.Holds(() => Files() >= 10, () => $"{Files()} files");
            first.Signal("KILL");
            Assert.True(first.WaitForExit(TimeSpan.FromSeconds(20)));
        }

        var before = Volatile.Read(ref asked);
        using var weir = Start();
        for (var path = 0; path < 9; path++)
        {
            var (_, body, head) = Get(weir, $"/{path}");
            Assert.Equal(Body(path), body);
            Assert.Contains("Cache-Status: Weir; hit", head, StringComparison.Ordinal);
        }

        Assert.Equal(before, Volatile.Read(ref asked));
        var purged = weir.Ask("cache", "purge", "--prefix", "//kept.example/9"); // In memory there is nothing of it yet.
        Assert.True(purged.Code == 0, purged.Error);
        Assert.Contains("fwd=uri-miss", Get(weir, "/9").Head, StringComparison.Ordinal);
        Assert.Equal(0, weir.Ask("cache", "purge", "http://kept.example/8").Code);
        Assert.Contains("fwd=uri-miss", Get(weir, "/8").Head, StringComparison.Ordinal);
        Assert.Equal(before + 2, Volatile.Read(ref asked));
    }

    [Fact]
    public void A_folder_that_another_process_uses_costs_the_disk_and_nothing_else()
    {
        var first = Start();
        Assert.Equal(Body(1), Get(first, "/1").Body);
        using var second = Start();
        Assert.Equal(Body(1), Get(second, "/1").Body);
        Eventually.Holds(() => second.Said.Contains("goes on without its disk", StringComparison.Ordinal), () => second.Said);
        first.Dispose();
        Assert.Equal(Body(2), Get(second, "/2").Body);
    }

    private WeirProcess Start() => WeirProcess.Start($$"""
        listen: "127.0.0.1:0"
        access_log: off
        caches: { default: { memory: 16MiB, disk: 100MiB, folder: "{{home}}/cache" } }
        sites: [{ cache: true, proxy: "{{origin.Url}}" }]
        """);

    private int Files() => Directory.Exists($"{home}/cache") ? Directory.EnumerateDirectories($"{home}/cache", "??").Sum(static part => Directory.EnumerateFiles(part).Count()) : 0;

    // From a few bytes to a few hundred thousand, in pieces.
    private bool Answer(NetworkStream stream, string head)
    {
        Interlocked.Increment(ref asked);
        var path = int.Parse(head.Split(' ')[1].TrimStart('/'), CultureInfo.InvariantCulture);
        var body = Body(path);
        var framing = path % 3 == 0 ? "Transfer-Encoding: chunked" : $"Content-Length: {body.Length}";
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\n{framing}\r\n\r\n");
        for (var at = 0; at < body.Length; at += 20_000)
        {
            var piece = body.Substring(at, Math.Min(20_000, body.Length - at));
            RawOrigin.Send(stream, path % 3 == 0 ? $"{piece.Length:x}\r\n{piece}\r\n" : piece);
        }

        if (path % 3 == 0) RawOrigin.Send(stream, "0\r\n\r\n");
        return true;
    }

    private static string Body(int path)
    {
        var line = $"{path} {new string((char)('a' + (path % 26)), 60)}\n";
        return string.Concat(Enumerable.Repeat(line, 1 + (path * path * 3)));
    }

    // A client that knows a whole answer from one that was cut.
    private (bool IsWhole, string Body, string Head) Get(WeirProcess weir, string target)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{weir.Port}{target}");
        request.Headers.Host = "kept.example";
        try
        {
            using var response = client.Send(request);
            using var body = new StreamReader(response.Content.ReadAsStream(), Encoding.Latin1);
            return (response.IsSuccessStatusCode, body.ReadToEnd(), response.Headers.ToString());
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (false, "", "");
        }
    }
}
