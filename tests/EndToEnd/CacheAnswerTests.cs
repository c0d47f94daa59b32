// What a cache makes of what it keeps: several ranges, answers to POST and HEAD, what a surrogate is told.

using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class CacheAnswerTests
{
    private static WeirProcess Start(RawOrigin origin, string cache = "true") =>
        WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ proxy: \"{origin.Url}\", cache: {cache} }}] }}]\n");

    private static RawOrigin Origin(Func<string, string> answer) => new((stream, head) =>
    {
        RawOrigin.Send(stream, answer(head));
        return true;
    });

    private static string Ask(WeirProcess weir, string fields = "", string method = "GET", string body = "") =>
        weir.Exchange($"{method} /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n{body}");

    [Fact]
    public void Several_ranges_are_answered_in_parts()
    {
        var content = string.Concat(Enumerable.Range(0, 1000).Select(static i => $"{i:000},"));
        using var origin = Origin(_ => $"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/x\r\nETag: \"1\"\r\nContent-Length: {content.Length}\r\n\r\n{content}");
        using var weir = Start(origin);
        for (var i = 0; i < 2; i++)
        {
            var answer = Ask(weir, "Range: bytes=2000-2002, -4, 0-1\r\n");
            Assert.StartsWith("HTTP/1.1 206 ", answer, StringComparison.Ordinal);
            var boundary = Regex.Match(answer, "\r\nContent-Type: multipart/byteranges; boundary=([a-z0-9]{24})\r\n").Groups[1].Value;
            var head = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
            Assert.DoesNotContain("Content-Range", answer[..head], StringComparison.Ordinal);
            Assert.Equal(
                $"--{boundary}\r\nContent-Type: text/x\r\nContent-Range: bytes 2000-2002/4000\r\n\r\n500\r\n" +
                $"--{boundary}\r\nContent-Type: text/x\r\nContent-Range: bytes 3996-3999/4000\r\n\r\n999,\r\n" +
                $"--{boundary}\r\nContent-Type: text/x\r\nContent-Range: bytes 0-1/4000\r\n\r\n00\r\n--{boundary}--\r\n",
                answer[head..]);
            Assert.Contains($"\r\nContent-Length: {answer.Length - head}\r\n", answer, StringComparison.Ordinal);
        }

        Assert.Contains("\r\nContent-Range: bytes 0-7/4000\r\n", Ask(weir, "Range: bytes=0-1, 4-7\r\n"), StringComparison.Ordinal);
        Assert.Contains("\r\nContent-Range: bytes */4000\r\n", Ask(weir, "Range: bytes=5000-, 6000-\r\n"), StringComparison.Ordinal);
        Assert.Single(origin.Received);
    }

    [Theory]
    [InlineData("Cache-Control: max-age=60\r\nContent-Location: /a\r\n", true)]
    [InlineData("Cache-Control: max-age=60\r\nContent-Location: /b\r\n", false)]
    [InlineData("Cache-Control: max-age=60\r\n", false)]
    [InlineData("Content-Location: /a\r\n", false)]
    public void An_answer_to_POST_that_is_what_GET_would_bring_is_kept(string fields, bool isKept)
    {
        using var origin = Origin(head => $"HTTP/1.1 200 OK\r\n{fields}Content-Length: 4\r\n\r\n{(head.Contains("POST /a ", StringComparison.Ordinal) ? "post" : "get.")}");
        using var weir = Start(origin);
        Assert.EndsWith("\r\n\r\npost", Ask(weir, "Content-Length: 2\r\n", "POST", "ab"), StringComparison.Ordinal);
        Assert.EndsWith(isKept ? "\r\n\r\npost" : "\r\n\r\nget.", Ask(weir), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\npost", Ask(weir, "Content-Length: 2\r\n", "POST", "ab"), StringComparison.Ordinal);
        Assert.Equal(isKept ? 2 : 3, origin.Received.Length);
    }

    [Theory]
    [InlineData("/a?utm_x=1", "a", false)]
    [InlineData("/a", "A.", false)]
    [InlineData("/a", "a", true)]
    public void An_answer_to_POST_is_not_kept_where_it_was_asked_for_with_more_than_the_key_tells(string target, string host, bool isKept)
    {
        using var origin = Origin(head => $"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Location: {target}\r\nContent-Length: 4\r\n\r\n{(head.StartsWith("POST", StringComparison.Ordinal) ? "post" : "get.")}");
        using var weir = Start(origin, "{ key: { query: { drop: [utm_*] } } }");
        Assert.EndsWith("post", weir.Exchange($"POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), StringComparison.Ordinal);
        Assert.EndsWith(isKept ? "post" : "get.", Ask(weir), StringComparison.Ordinal);
    }

    // Most frameworks name Cookie whatever cookie they look at.
    [Fact]
    public void Cookies_of_the_key_and_no_others_make_variants()
    {
        using var origin = Origin(head => $"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Cookie\r\nContent-Length: 2\r\n\r\n{(head.Contains("lang=de", StringComparison.Ordinal) ? "de" : "en")}");
        using var weir = Start(origin, "{ key: { cookies: [lang] } }");
        foreach (var (cookie, body) in new[] { ("lang=de; id=1", "de"), ("id=2", "en"), ("id=3; lang=de", "de"), ("id=4", "en") }) Assert.EndsWith(body, Ask(weir, $"Cookie: {cookie}\r\n"), StringComparison.Ordinal);
        Assert.Equal(2, origin.Received.Length);
    }

    [Fact]
    public void What_HEAD_confirms_is_told_with_all_that_is_kept()
    {
        using var origin = Origin(head => head.StartsWith("HEAD", StringComparison.Ordinal)
            ? "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nX-New: 1\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\n"
            : "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nX-Old: 1\r\nCache-Control: max-age=0\r\nContent-Length: 2\r\n\r\nok");
        using var weir = Start(origin);
        Assert.EndsWith("ok", Ask(weir), StringComparison.Ordinal);
        foreach (var answer in new[] { Ask(weir, method: "HEAD"), Ask(weir) })
        {
            Assert.Contains("\r\nX-New: 1\r\n", answer, StringComparison.Ordinal);
            Assert.Contains("\r\nX-Old: 1\r\n", answer, StringComparison.Ordinal);
            Assert.Contains("\r\nContent-Length: 2\r\n", answer, StringComparison.Ordinal);
        }

        Assert.Equal(2, origin.Received.Length);
    }

    [Fact]
    public void A_surrogate_is_told_what_no_client_is()
    {
        using var origin = Origin(_ => "HTTP/1.1 200 OK\r\nSurrogate-Control: max-age=60;weir\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok");
        using var weir = Start(origin);
        foreach (var answer in new[] { Ask(weir, "Surrogate-Capability: evil=\"ESI/1.0\"\r\n"), Ask(weir) })
        {
            Assert.EndsWith("ok", answer, StringComparison.Ordinal);
            Assert.DoesNotContain("Surrogate", answer, StringComparison.Ordinal);
        }

        var head = Assert.Single(origin.Received);
        Assert.Contains("\r\nSurrogate-Capability: weir=\"Surrogate/1.0\"\r\n", head, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", head, StringComparison.Ordinal);
    }
}
