// What a cache's disk gives out, and to whom.

using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class CacheDiskRulesTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("weir-disk-").FullName;
    private volatile string fields = "Cache-Control: max-age=1000";
    private volatile string content = "old";
    private readonly RawOrigin origin;

    public CacheDiskRulesTests() => origin = new RawOrigin((stream, _) =>
    {
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: {content.Length}\r\n\r\n{content}");
        return true;
    });

    public void Dispose()
    {
        origin.Dispose();
        Directory.Delete(home, recursive: true);
    }

    // RFC 9111 §5.2.1.7: what is on disk is stored.
    [Fact]
    public void Who_wants_only_what_is_stored_gets_what_is_on_disk()
    {
        Store(1);
        using var weir = Start();
        Assert.StartsWith("HTTP/1.1 504 ", Ask(weir, "/0", "Cache-Control: only-if-cached, max-age=0\r\n"), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nold", Ask(weir, "/0", "Cache-Control: only-if-cached\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 504 ", Ask(weir, "/other", "Cache-Control: only-if-cached\r\n"), StringComparison.Ordinal);
        Assert.Single(origin.Received);
    }

    [Fact]
    public void What_an_answer_that_is_not_kept_took_the_place_of_does_not_come_back_from_the_disk()
    {
        Store(1);
        (fields, content) = ("Cache-Control: no-store", "new");
        using (var weir = Start())
        {
            Assert.EndsWith("\r\n\r\nnew", Ask(weir, "/0", "Cache-Control: no-cache\r\n"), StringComparison.Ordinal);
            Gone();
        }

        using var again = Start();
        Assert.EndsWith("\r\n\r\nnew", Ask(again, "/0"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_HEAD_unmasked_is_not_fresh_again_on_the_disk()
    {
        fields = "Cache-Control: max-age=1000\r\nETag: \"1\"";
        Store(1);
        (fields, content) = ("Cache-Control: max-age=1000\r\nETag: \"2\"", "new");
        using (var weir = Start())
        {
            Assert.EndsWith("\r\n\r\nold", Ask(weir, "/0"), StringComparison.Ordinal);
            Assert.Contains("ETag: \"2\"", weir.Exchange("HEAD /0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCache-Control: no-cache\r\n\r\n"), StringComparison.Ordinal);
            Gone();
        }

        using var again = Start();
        Assert.EndsWith("\r\n\r\nnew", Ask(again, "/0"), StringComparison.Ordinal);
    }

    // Files go in the background; a kill right behind the answer may leave one.
    private void Gone() => Eventually.Holds(() => Files() == 0, () => $"{Files()} files");

    // Many at once for each: some wait for the read that another, who takes it stale, has begun.
    [Fact]
    public async Task What_one_takes_stale_from_the_disk_is_not_given_to_who_does_not()
    {
        fields = "Cache-Control: max-age=1\r\nETag: \"1\"";
        const int Paths = 40;
        Store(Paths);
        await Task.Delay(1_100, TestContext.Current.CancellationToken); // It is to be stale: its age is counted in seconds.
        (fields, content) = ("Cache-Control: max-age=1000", "new");
        using var weir = Start();
        for (var path = 0; path < Paths; path++)
        {
            using var together = new Barrier(6);
            var askers = Enumerable.Range(0, 6).Select(asker => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait();
                    return Ask(weir, $"/{path}", asker % 2 == 0 ? "Cache-Control: max-stale\r\n" : "");
                },
                TestContext.Current.CancellationToken,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)).ToArray();
            var answers = await Task.WhenAll(askers);
            for (var asker = 1; asker < 6; asker += 2) Assert.EndsWith("\r\n\r\nnew", answers[asker], StringComparison.Ordinal);
        }
    }

    private void Store(int paths)
    {
        using var weir = Start();
        for (var path = 0; path < paths; path++) Assert.EndsWith("\r\n\r\nold", Ask(weir, $"/{path}"), StringComparison.Ordinal);
        Eventually.Holds(() => Files() >= paths, () => $"{Files()} files");
    }

    private WeirProcess Start() => WeirProcess.Start($$"""
        listen: "127.0.0.1:0"
        access_log: off
        caches: { default: { memory: 16MiB, disk: 100MiB, folder: "{{home}}/cache" } }
        sites: [{ cache: true, proxy: "{{origin.Url}}" }]
        """);

    private static string Ask(WeirProcess weir, string path, string fields = "") => weir.Exchange($"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");

    private int Files() => Directory.Exists($"{home}/cache") ? Directory.EnumerateDirectories($"{home}/cache", "??").Sum(static part => Directory.EnumerateFiles(part).Count()) : 0;
}
