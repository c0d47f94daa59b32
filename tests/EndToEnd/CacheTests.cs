// What is kept, over the command line of the program itself.

using System.Globalization;
using System.Net.Sockets;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class CacheTests
{
    [Fact]
    public void Answers_are_kept_explained_purged_and_warmed()
    {
        var asked = 0;
        using var origin = new RawOrigin((stream, head) => Answer(stream, head, Interlocked.Increment(ref asked)));
        using var weir = WeirProcess.Start($$"""
            listen: "127.0.0.1:0"
            access_log: { target: ./access.log }
            sites: [{ cache: { default_ttl: 1m, key: { query: { drop: [utm_*] } } }, proxy: "{{origin.Url}}" }]
            """);
        Assert.EndsWith("\r\n\r\n1", Get(weir, "/a"), StringComparison.Ordinal);
        var hit = Get(weir, "/a?utm_source=x");
        Assert.EndsWith("\r\n\r\n1", hit, StringComparison.Ordinal);
        Assert.Contains("Cache-Status: Weir; hit", hit, StringComparison.Ordinal);
        Assert.DoesNotContain("Surrogate-Key", hit, StringComparison.OrdinalIgnoreCase);

        var url = $"http://127.0.0.1:{weir.Port}/a";
        var explained = weir.Ask("cache", "explain", url);
        Assert.True(explained.Code == 0, explained.Error);
        Assert.Contains($"key {url}", explained.Output, StringComparison.Ordinal);
        Assert.Contains("kept: 200, 1 bytes", explained.Output, StringComparison.Ordinal);
        Assert.Contains("tags all", explained.Output, StringComparison.Ordinal);
        Assert.Contains(url, weir.Ask("cache", "list").Output, StringComparison.Ordinal);
        Assert.Contains("cache default: 1 answers", weir.Ask("status").Output, StringComparison.Ordinal);
        Assert.Contains("cache default: 1 answers", weir.Ask("cache", "show").Output, StringComparison.Ordinal);

        Assert.StartsWith("1 answers would be purged", weir.Ask("cache", "purge", "--tag", "all", "--dry-run").Output, StringComparison.Ordinal);
        Assert.StartsWith("1 answers made stale", weir.Ask("cache", "purge", url, "--soft").Output, StringComparison.Ordinal);
        Assert.StartsWith("1 answers purged", weir.Ask("cache", "purge", "--prefix", "/a").Output, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n2", Get(weir, "/a"), StringComparison.Ordinal);
        Assert.Equal(1, weir.Ask("cache", "purge", "--tag", "all", "--all").Code);

        File.WriteAllText(Path.Combine(weir.Folder, "urls.txt"), $"{url}\n{url}2\n{url}3\n");
        var warmed = weir.Ask("cache", "warm", "--file", Path.Combine(weir.Folder, "urls.txt"));
        Assert.True(warmed.Code == 0, warmed.Error);
        Assert.StartsWith("3 asked, 0 failed", warmed.Output, StringComparison.Ordinal);
        Assert.Contains("2 stored", warmed.Output, StringComparison.Ordinal);
        Assert.Equal(4, asked);
        var log = Path.Combine(weir.Folder, "access.log");
        Eventually.Holds(() => File.ReadAllText(log).Contains("\"cache\":\"hit\"", StringComparison.Ordinal), () => File.ReadAllText(log));
    }

    private static bool Answer(NetworkStream stream, string head, int number)
    {
        Assert.DoesNotContain("utm_", head, StringComparison.Ordinal);
        var body = number.ToString(CultureInfo.InvariantCulture);
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nSurrogate-Key: all\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        return true;
    }

    private static string Get(WeirProcess weir, string target) => weir.Exchange($"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{weir.Port}\r\nConnection: close\r\n\r\n");
}
