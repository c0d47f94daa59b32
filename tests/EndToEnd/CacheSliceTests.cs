// Large objects, fetched and kept in slices: what is asked of the origin, and what a client gets when the object changes in between.

using System.Globalization;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class CacheSliceTests : IDisposable
{
    private const int Slice = 16384;
    private const int Length = 100_003;

    private readonly RawOrigin origin;
    private readonly WeirProcess weir;
    private volatile int version = 1;
    private volatile bool takesRanges = true;
    private volatile bool hasTag = true;

    public CacheSliceTests()
    {
        origin = new RawOrigin((stream, head) =>
        {
            RawOrigin.Send(stream, Answer(head));
            return true;
        });
        weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ proxy: \"{origin.Url}\", cache: {{ slice: 16KiB }} }}] }}]\n");
    }

    public void Dispose()
    {
        weir.Dispose();
        origin.Dispose();
    }

    private static string Content(int version, int length = Length) => string.Create(length, version, static (into, v) =>
    {
        for (var i = 0; i < into.Length; i++) into[i] = (char)('a' + (((i * 7) + (i >> 8) + v) % 26));
    });

    private string Answer(string head)
    {
        var content = Content(version, head.Contains("/small ", StringComparison.Ordinal) ? 10 : Length);
        var fields = $"Cache-Control: max-age={(head.Contains("/short ", StringComparison.Ordinal) ? 0 : 60)}\r\n" + (hasTag ? $"ETag: \"{version}\"\r\n" : "");
        if (Regex.Match(head, "\r\nIf-Match: \"(.*)\"\r\n") is { Success: true } match && match.Groups[1].Value != $"{version}") return $"HTTP/1.1 412 Precondition Failed\r\n{fields}Content-Length: 0\r\n\r\n";
        if (hasTag && head.Contains($"\r\nIf-None-Match: \"{version}\"\r\n", StringComparison.Ordinal)) return $"HTTP/1.1 304 Not Modified\r\n{fields}\r\n";
        if (takesRanges && Regex.Match(head, @"\r\nRange: bytes=(\d+)-(\d+)\r\n") is { Success: true } range)
        {
            var first = int.Parse(range.Groups[1].Value, CultureInfo.InvariantCulture);
            if (first >= content.Length) return $"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{content.Length}\r\nContent-Length: 0\r\n\r\n";
            var part = content[first..Math.Min(content.Length, int.Parse(range.Groups[2].Value, CultureInfo.InvariantCulture) + 1)];
            return $"HTTP/1.1 206 Partial Content\r\n{fields}Content-Range: bytes {first}-{first + part.Length - 1}/{content.Length}\r\nContent-Length: {part.Length}\r\n\r\n{part}";
        }

        return $"HTTP/1.1 200 OK\r\n{fields}Content-Length: {content.Length}\r\n\r\n{content}";
    }

    private (string Head, string Body) Ask(string path, string fields = "", string method = "GET")
    {
        var answer = weir.Exchange($"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        var end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return (answer[..end], answer[(end + 4)..]);
    }

    private string[] Ranges() => [.. origin.Received.Select(static h => Regex.Match(h, "\r\nRange: (.*)\r\n").Groups[1].Value)];

    [Fact]
    public void A_range_fetches_its_slices_and_the_whole_the_rest()
    {
        Assert.Equal(Content(1)[40_000..40_010], Ask("/a", "Range: bytes=40000-40009\r\n").Body);
        Assert.Equal(["bytes=32768-49151"], Ranges());
        Assert.Equal(Content(1)[49_150..49_160], Ask("/a", "Range: bytes=49150-49159\r\n").Body); // Over the edge.
        Assert.Equal(["bytes=32768-49151", "bytes=49152-65535"], Ranges());

        var (head, body) = Ask("/a");
        Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
        Assert.Contains($"\r\nContent-Length: {Length}", head, StringComparison.Ordinal);
        Assert.Equal(Content(1), body);
        Assert.Equal((Length + Slice - 1) / Slice, Ranges().Distinct().Count());
        var asked = origin.Received.Length;
        Assert.Equal(asked, Ranges().Distinct().Count());
        Assert.All(origin.Received[1..], static h => Assert.Contains("\r\nIf-Match: \"1\"\r\n", h, StringComparison.Ordinal));

        Assert.Equal(Content(1), Ask("/a").Body);
        Assert.Equal(Content(1)[^5..], Ask("/a", "Range: bytes=-5\r\n").Body);
        Assert.StartsWith("HTTP/1.1 416 ", Ask("/a", "Range: bytes=200000-\r\n").Head, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 304 ", Ask("/a", "If-None-Match: \"1\"\r\n").Head, StringComparison.Ordinal);
        Assert.Contains($"\r\nContent-Length: {Length}", Ask("/a", method: "HEAD").Head, StringComparison.Ordinal);
        Assert.Contains(Content(1)[60_000..60_003], Ask("/a", "Range: bytes=0-0,60000-60002\r\n").Body, StringComparison.Ordinal);
        Assert.Equal(asked, origin.Received.Length);
    }

    [Fact]
    public void What_cannot_be_sliced_is_fetched_whole()
    {
        Assert.Equal(Content(1, 10), Ask("/small").Body);
        Assert.Equal(Content(1, 10)[2..], Ask("/small", "Range: bytes=2-\r\n").Body);
        Assert.Single(origin.Received);

        hasTag = false;
        Assert.Equal(Content(1)[40_000..40_010], Ask("/untagged", "Range: bytes=40000-40009\r\n").Body);
        Assert.Equal(Content(1), Ask("/untagged").Body);
        Assert.Equal(3, origin.Received.Length); // A slice that may not be combined, and then the whole.

        (hasTag, takesRanges) = (true, false);
        Assert.Equal(Content(1)[40_000..40_010], Ask("/whole", "Range: bytes=40000-40009\r\n").Body);
        Assert.Equal(Content(1), Ask("/whole").Body);
        Assert.Equal(4, origin.Received.Length);
    }

    [Fact]
    public void What_begins_behind_the_end_is_answered_from_the_first_slice()
    {
        var head = Ask("/a", "Range: bytes=900000-\r\n").Head;
        Assert.StartsWith("HTTP/1.1 416 ", head, StringComparison.Ordinal);
        Assert.Contains($"\r\nContent-Range: bytes */{Length}", head, StringComparison.Ordinal);
        Assert.Equal(2, origin.Received.Length);
    }

    [Fact]
    public void A_change_before_the_first_byte_starts_again_and_behind_it_ends_the_body()
    {
        Ask("/a", "Range: bytes=0-9\r\n");
        version = 2;
        Assert.Equal(Content(1)[..10], Ask("/a", "Range: bytes=0-9\r\n").Body); // It is fresh.
        Assert.Equal(Content(2)[40_000..40_010], Ask("/a", "Range: bytes=40000-40009\r\n").Body);
        Assert.Equal(Content(2)[..10], Ask("/a", "Range: bytes=0-9\r\n").Body);

        Ask("/b", "Range: bytes=0-9\r\n");
        version = 3;
        var (head, body) = Ask("/b");
        Assert.Contains($"\r\nContent-Length: {Length}", head, StringComparison.Ordinal);
        Assert.True(body.Length < Length && Content(2).StartsWith(body, StringComparison.Ordinal), $"{body.Length}");
        Assert.Equal(Content(3), Ask("/b").Body);
        Assert.DoesNotContain("mistake", weir.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_stale_is_renewed_at_once_for_all_slices()
    {
        Assert.Equal(Content(1), Ask("/short").Body);
        var asked = origin.Received.Length;
        Assert.Equal(Content(1), Ask("/short").Body);
        Assert.Contains("\r\nIf-None-Match: \"1\"\r\n", origin.Received[asked], StringComparison.Ordinal);
        Assert.Equal(asked + 1, origin.Received.Length);
    }
}
