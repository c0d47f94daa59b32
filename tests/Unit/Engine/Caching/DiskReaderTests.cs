// Large answers on a disk that memory would not keep: they are given from there, whole or in parts, and memory stays as it is.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Engine.Caching.Disk;
using Weir.Tests.Support;
using Weir.Tests.Unit.Control;

namespace Weir.Tests.Unit.Engine.Caching;

public sealed class DiskReaderTests : IDisposable
{
    private const int Length = 3_000_001;

    private readonly string folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;
    private readonly RawOrigin origin;
    private readonly Running running;
    private readonly HttpClient client;

    public DiskReaderTests()
    {
        origin = new RawOrigin(Answer);
        running = new Running($$"""
            listen: "127.0.0.1:0"
            loops: 2
            error_log: { target: /dev/null }
            caches: { default: { memory: 8MiB, disk: 100MiB, folder: {{folder}} } }
            sites: [{ cache: true, proxy: "{{origin.Url}}" }]
            """);
        client = new HttpClient { BaseAddress = new Uri($"http://{running.Proxy.Engine.Addresses[0].Address}"), Timeout = TimeSpan.FromSeconds(30) };
        // Two that are used keep the memory, a third has been there.
        Get("/cold");
        Get("/cool");
        foreach (var path in new[] { "/a", "/b" })
        {
            for (var i = 0; i < 70; i++) Get(path);
        }

        Get("/other");
        Eventually.Holds(() => Store.Entries == 5 && Store.InFlight == 0, () => $"{Store.Entries} on disk");
    }

    private DiskStore Store => running.Proxy.Caches[0].Disk!.Store;

    public void Dispose()
    {
        client.Dispose();
        running.Dispose();
        origin.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void It_comes_from_there_and_memory_stays_as_it_is()
    {
        var (asked, used, read) = (origin.Received.Length, running.Proxy.Caches[0].Memory.Bytes, Store.Counts.BytesRead);
        foreach (var path in new[] { "/cold", "/cool", "/cold" }) Assert.Equal(Body(path), Get(path));
        Assert.Equal((asked, used), (origin.Received.Length, running.Proxy.Caches[0].Memory.Bytes));
        Assert.InRange(Store.Counts.BytesRead - read, 3 * Length, (3 * Length) + 10_000);
    }

    [Fact]
    public void Asked_for_twice_running_it_is_brought_into_memory()
    {
        Get("/cold");
        var hits = Store.Counts.Hits;
        for (var i = 0; i < 3; i++) Assert.Equal(Body("/cold"), Get("/cold"));
        Assert.Equal(hits + 1, Store.Counts.Hits);
    }

    [Theory]
    [InlineData(0, 9)]
    [InlineData(5, 100_004)]
    [InlineData(1_000_000, 2_999_999)]
    [InlineData(3_000_000, 3_000_000)]
    public void So_does_a_part(int first, int last)
    {
        var asked = origin.Received.Length;
        Assert.Equal(Body("/cold")[first..(last + 1)], Get("/cold", $"bytes={first}-{last}"));
        Assert.Equal(asked, origin.Received.Length);
    }

    [Fact]
    public void So_do_several_parts_heads_and_conditions()
    {
        var (asked, used) = (origin.Received.Length, running.Proxy.Caches[0].Memory.Bytes);
        var parts = Encoding.Latin1.GetString(Get("/cold", "bytes=0-9,200000-400000"));
        Assert.Contains(Encoding.Latin1.GetString(Body("/cold")[200_000..400_001]), parts, StringComparison.Ordinal);
        Get("/cool");
        using var head = client.Send(new HttpRequestMessage(HttpMethod.Head, "/cold"));
        Assert.Equal((HttpStatusCode.OK, Length), (head.StatusCode, head.Content.Headers.ContentLength));
        Get("/cool");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/cold");
        request.Headers.Add("If-None-Match", "\"1\"");
        using var known = client.Send(request);
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        Eventually.Holds(() => running.Proxy.Caches[0].Memory.Bytes == used, () => $"{running.Proxy.Caches[0].Memory.Bytes} bytes, {used} before");
        Assert.Equal(asked, origin.Received.Length);
    }

    [Fact]
    public void Many_at_once_on_several_loops_get_all_of_it()
    {
        var asked = origin.Received.Length;
        var expected = Body("/cold");
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ => Assert.Equal(expected, Get("/cold")));
        Assert.Equal(asked, origin.Received.Length);
    }

    [Fact]
    public void What_is_rotten_breaks_the_answer_and_is_fetched_anew()
    {
        foreach (var file in Directory.EnumerateDirectories(folder, "??").SelectMany(Directory.EnumerateFiles))
        {
            using var opened = File.OpenHandle(file, access: FileAccess.ReadWrite);
            var one = new byte[1];
            RandomAccess.Read(opened, one, 2_000_000);
            one[0] ^= 1;
            RandomAccess.Write(opened, one, 2_000_000);
        }

        var asked = origin.Received.Length;
        Assert.ThrowsAny<Exception>(() => Get("/cold"));
        Assert.Equal(asked, origin.Received.Length);
        Assert.Equal(1, Store.Counts.Broken);
        Assert.Equal(Body("/cold"), Get("/cold"));
        Assert.Equal(asked + 1, origin.Received.Length);
    }

    private static byte[] Body(string path)
    {
        var bytes = new byte[Length];
        new Random(path.Length + path[1]).NextBytes(bytes);
        return bytes;
    }

    private static bool Answer(NetworkStream stream, string head)
    {
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\nETag: \"1\"\r\nContent-Length: {Length.ToString(CultureInfo.InvariantCulture)}\r\n\r\n");
        stream.Write(Body(head.Split(' ')[1]));
        return true;
    }

    private byte[] Get(string path, string? range = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (range is not null) request.Headers.TryAddWithoutValidation("Range", range);
        using var answer = client.Send(request);
        using var into = new MemoryStream();
        answer.Content.ReadAsStream().CopyTo(into);
        Assert.True(answer.IsSuccessStatusCode);
        return into.ToArray();
    }
}
