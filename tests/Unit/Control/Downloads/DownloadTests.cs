// Downloads from servers that lie, break and send elsewhere: what gets the file's name is right, or nothing does.

using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Control.Configuration;
using Weir.Control.Downloads;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Downloads;

public sealed partial class DownloadTests : IDisposable
{
    private const int Had = 1000;

    private static readonly string Body = string.Concat(Enumerable.Range(0, 500).Select(static i => $"line {i}\n"));

    private readonly string folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;
    private readonly List<string> said = [];

    private string At => Path.Combine(folder, "f");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task The_rest_is_asked_for_and_put_behind_what_is_there()
    {
        using var origin = new RawOrigin((stream, head) => Answer(stream, head, ""));
        Leave(origin);
        var report = await RunAsync(origin, "/f");
        Assert.Null(report.Trouble);
        Assert.Equal((Had, Body.Length, Body), (report.Had, report.Bytes, await File.ReadAllTextAsync(At, TestContext.Current.CancellationToken)));
        Assert.Equal(SHA256.HashData(Encoding.ASCII.GetBytes(Body)), report.Sha256);
        Assert.Contains($"Range: bytes={Had}-\r\n", Assert.Single(origin.Received), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("If-Range: \"v1\"\r\n", origin.Received[0], StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("first")]
    [InlineData("last")]
    [InlineData("total")]
    [InlineData("tag")]
    [InlineData("weak tag")]
    [InlineData("no tag")]
    [InlineData("no range")]
    [InlineData("multipart")]
    [InlineData("416")]
    [InlineData("200")]
    public async Task A_rest_that_is_not_the_one_that_was_asked_for_is_not_taken(string lie)
    {
        using var origin = new RawOrigin((stream, head) => Answer(stream, head, lie));
        Leave(origin);
        var report = await RunAsync(origin, "/f");
        Assert.Null(report.Trouble);
        Assert.Equal((0, Body), (report.Had, await File.ReadAllTextAsync(At, TestContext.Current.CancellationToken)));
        Assert.Contains(said, static s => s.EndsWith("it begins anew", StringComparison.Ordinal));
        Assert.Equal([At], Directory.GetFiles(folder));
    }

    [Theory]
    [InlineData("ETag: W/\"v1\"\r\n")]
    [InlineData("")]
    public async Task What_cannot_be_gone_on_with_begins_anew_so_often_and_no_more(string tag)
    {
        using var origin = new RawOrigin((stream, _) =>
        {
            // So much that some of it is passed on before the end is seen.
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\n{tag}Content-Length: 2000000\r\n\r\n{new string('x', 1_000_000)}");
            return false;
        });
        var report = await RunAsync(origin, "/f", retries: 1);
        Assert.Contains("the answer broke off", report.Trouble, StringComparison.Ordinal);
        Assert.Equal(2, origin.Received.Length);
        Assert.False(File.Exists(At));
        Assert.False(File.Exists(PartFile.StateOf(At)));
    }

    [Fact]
    public async Task A_first_answer_that_is_a_refusal_is_not_asked_for_again()
    {
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n");
            return true;
        });
        Assert.Equal("127.0.0.1 answered 429 Too Many Requests", (await RunAsync(origin, "/f")).Trouble);
        Assert.Single(origin.Received);
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    public async Task A_first_answer_that_is_late_is_asked_for_again()
    {
        var asked = 0;
        using var origin = new RawOrigin((stream, head) =>
        {
            if (Interlocked.Increment(ref asked) > 1) return Answer(stream, head, "");
            RawOrigin.Send(stream, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
            return true;
        });
        Assert.Null((await RunAsync(origin, "/f")).Trouble);
        Assert.Equal(2, asked);
    }

    [Theory]
    [InlineData("/f", null)]
    [InlineData("f", null)]
    [InlineData("../../f?x", null)]
    [InlineData("ftp://a/b", "no http URL")]
    [InlineData("file:///etc/passwd", "no http URL")]
    [InlineData("http://", "no http URL")]
    [InlineData("", "answered 302")]
    [InlineData("/moved", "more than 10 redirects")]
    public async Task A_redirect_leads_to_a_url_of_http_or_to_nothing(string location, string? trouble)
    {
        using var origin = new RawOrigin((stream, head) =>
        {
            if (!head.StartsWith("GET /moved", StringComparison.Ordinal)) return Answer(stream, head, "");
            RawOrigin.Send(stream, $"HTTP/1.1 302 Found\r\n{(location.Length > 0 ? $"Location: {location}\r\n" : "")}Content-Length: 0\r\n\r\n");
            return true;
        });
        var report = await RunAsync(origin, "/moved");
        if (trouble is null) Assert.Equal((null, Body), (report.Trouble, await File.ReadAllTextAsync(At, TestContext.Current.CancellationToken)));
        else Assert.Contains(trouble, report.Trouble, StringComparison.Ordinal);
        Assert.InRange(origin.Received.Length, 1, 1 + Download.MostRedirects);
    }

    [Fact]
    public async Task Without_a_length_the_end_of_the_answer_is_the_end()
    {
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nRepr-Digest: sha-256=:{Convert.ToBase64String(SHA256.HashData("hello"u8))}:\r\n\r\n");
            return true;
        });
        var report = await RunAsync(origin, "/f");
        Assert.Equal((null, "hello"), (report.Trouble, await File.ReadAllTextAsync(At, TestContext.Current.CancellationToken)));
        Assert.DoesNotContain("length", report.Verified);
        File.Delete(At);
        using var cut = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
            return false;
        });
        Assert.NotNull((await RunAsync(cut, "/f", retries: 0)).Trouble);
        Assert.False(File.Exists(At));
    }

    private void Leave(RawOrigin origin)
    {
        File.WriteAllText(PartFile.PartOf(At), Body[..Had]);
        new PartState($"{origin.Url}/f", "\"v1\"", Body.Length, null).Write(PartFile.StateOf(At));
    }

    private async Task<DownloadReport> RunAsync(RawOrigin origin, string path, int retries = 5)
    {
        using var sink = PartFile.TryOpen(At, mayReplace: false, goesOn: true, out _)!;
        using var download = new Download(new DownloadPlan { Url = new Uri(origin.Url + path), Retries = retries }, sink, said.Add);
        var diagnostics = new Diagnostics();
        return await download.RunAsync(diagnostics, TestContext.Current.CancellationToken) ?? throw new InvalidOperationException(diagnostics.ToString());
    }

    private static bool Answer(NetworkStream stream, string head, string lie)
    {
        var from = RangePattern().Match(head) is { Success: true } range ? int.Parse(range.Groups[1].Value, CultureInfo.InvariantCulture) : -1;
        var all = $"HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: {Body.Length}\r\n\r\n{Body}";
        if (from < 0)
        {
            RawOrigin.Send(stream, all);
            return true;
        }

        var (first, last, total) = (from + (lie == "first" ? 1 : 0), Body.Length - (lie == "last" ? 2 : 1), Body.Length + (lie == "total" ? 1 : 0));
        var tag = lie switch { "tag" => "ETag: \"v2\"\r\n", "weak tag" => "ETag: W/\"v1\"\r\n", "no tag" => "", _ => "ETag: \"v1\"\r\n" };
        var content = new string('x', last - first + 1);
        RawOrigin.Send(stream, lie switch
        {
            "" => $"HTTP/1.1 206 Partial Content\r\nETag: \"v1\"\r\nContent-Range: bytes {from}-{Body.Length - 1}/{Body.Length}\r\nContent-Length: {Body.Length - from}\r\n\r\n{Body[from..]}",
            "416" => $"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{Had - 1}\r\nContent-Length: 0\r\n\r\n",
            "200" => all,
            "no range" => $"HTTP/1.1 206 Partial Content\r\n{tag}Content-Length: {content.Length}\r\n\r\n{content}",
            "multipart" => $"HTTP/1.1 206 Partial Content\r\n{tag}Content-Type: multipart/byteranges; boundary=b\r\nContent-Length: 7\r\n\r\n--b--\r\n",
            _ => $"HTTP/1.1 206 Partial Content\r\n{tag}Content-Range: bytes {first}-{last}/{total}\r\nContent-Length: {content.Length}\r\n\r\n{content}",
        });
        return true;
    }

    [GeneratedRegex(@"\r\nRange: bytes=(\d+)-\r\n", RegexOptions.IgnoreCase)]
    private static partial Regex RangePattern();
}
