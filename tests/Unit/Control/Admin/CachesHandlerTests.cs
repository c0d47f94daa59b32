// Caches as whoever runs the proxy sees them, and what attackers of caches try: over real sockets, in this process.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Weir.Control.Admin;
using Weir.Control.Warming;
using Weir.Tests.Support;
using Weir.Tests.Unit.Engine;

namespace Weir.Tests.Unit.Control.Admin;

public sealed class CachesHandlerTests : IDisposable
{
    private readonly RawOrigin origin;
    private readonly Running running;
    private int answers;

    public CachesHandlerTests()
    {
        origin = new RawOrigin(Answer);
        running = new Running($$"""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            upstreams: { app: "{{origin.Url}}" }
            caches: { default: 16MiB }
            sites:
              - cache: true
                routes:
                  - match: /none/**
                    proxy: app
                    cache: false
                  - match: /list/**
                    proxy: app
                    cache: { key: { query: { sort: true, drop: [utm_*] }, cookies: [lang] }, purge: 127.0.0.1/32 }
                  - match: /guessed/**
                    proxy: app
                    cache: { default_ttl: 1m, status_ttl: { 404: 1m }, bypass: { headers: { x-fresh: "1" } }, no_store: { query: { preview: "1" } } }
                  - proxy: app
            """);
    }

    public void Dispose()
    {
        running.Dispose();
        origin.Dispose();
    }

    [Fact]
    public void What_is_kept_is_explained_listed_and_purged()
    {
        Assert.Equal("1", Body(Get("/a?x")));
        Assert.Equal("1", Body(Get("/a?x")));
        Assert.Equal("2", Body(Get("/b/c", "X-Answer: Cache-Control: max-age=60|Cache-Tag: news, top")));
        Assert.DoesNotContain("Cache-Tag", Get("/b/c"), StringComparison.OrdinalIgnoreCase);
        var explained = Ask("explain", """{"url":"http://127.0.0.1/a?x"}""").GetProperty("keys")[0];
        Assert.Equal("http://127.0.0.1/a?x", explained.GetProperty("url").GetString());
        var stored = explained.GetProperty("stored")[0];
        Assert.True(stored.GetProperty("answers_this").GetBoolean());
        Assert.InRange(stored.GetProperty("fresh_for").GetInt64(), 1, 60);
        Assert.Contains("kept: 200, 1 bytes", CacheText.Explain(Ask("explain", """{"url":"http://127.0.0.1/a?x"}""")), StringComparison.Ordinal);
        Assert.Equal(2, Ask("list", "{}").GetProperty("objects").GetArrayLength());
        Assert.Equal(1, Ask("list", """{"prefix":"/b"}""").GetProperty("objects").GetArrayLength());
        Assert.Equal(1, Purged("""{"tag":"news","dry_run":true}"""));
        Assert.Equal(1, Purged("""{"tag":"news"}"""));
        Assert.Equal("3", Body(Get("/b/c")));
        Assert.Equal(2, Purged("""{"all":true}"""));
        Assert.Equal("4", Body(Get("/a?x")));
        Assert.Equal(1, Purged("""{"url":"http://127.0.0.1/a?x","soft":true}"""));
        Assert.Equal("5", Body(Get("/a?x")));
        var text = Send("GET /caches HTTP/1.1");
        Assert.Equal("default", JsonDocument.Parse(text.Body).RootElement.GetProperty("caches")[0].GetProperty("name").GetString());
    }

    [Fact]
    public void Why_nothing_is_kept()
    {
        Get("/a", "X-Answer: Cache-Control: no-store");
        Assert.Contains("was not stored", CacheText.Explain(Ask("explain", """{"url":"http://127.0.0.1/a"}""")), StringComparison.Ordinal);
        Assert.Contains("it says no-store", Ask("explain", """{"url":"http://127.0.0.1/a"}""").GetProperty("keys")[0].GetProperty("last_not_stored").GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains("has no cache", Ask("explain", """{"url":"http://127.0.0.1/none/a"}""").GetProperty("not_cached").GetString(), StringComparison.Ordinal);
        Assert.Equal("bypass", Ask("explain", """{"url":"http://127.0.0.1/guessed/a","headers":["X-Fresh: 1"]}""").GetProperty("keys")[0].GetProperty("passes_by").GetString());
    }

    [Theory]
    [InlineData("explain", "{}", 422)]
    [InlineData("explain", """{"url":"nonsense"}""", 200)]
    [InlineData("purge", "{}", 422)]
    [InlineData("purge", """{"url":"http://a/","all":true}""", 422)]
    [InlineData("purge", """{"prefix":"a/b"}""", 422)]
    [InlineData("purge", """{"expression":"("}""", 422)]
    [InlineData("purge", """{"all":true,"cache":"defualt"}""", 404)]
    [InlineData("purge", """{"al":true}""", 422)]
    [InlineData("purge", "[]", 422)]
    [InlineData("purge", "{", 400)]
    [InlineData("list", """{"tag":"a"}""", 422)]
    [InlineData("nothing", "{}", 404)]
    public void Wrong_questions_are_answered(string deed, string body, int status) => Assert.Equal(status, Post(deed, body).Status);

    [Fact]
    public void A_url_is_purged_as_its_key_has_it()
    {
        Assert.Equal("1", Body(Get("/list/a?b=1&a=2&utm_source=x")));
        Assert.Equal("1", Body(Get("/list/a?a=2&b=1&utm_medium=y")));
        Assert.Equal(1, Purged("""{"url":"http://127.0.0.1/list/a?utm_x=1&b=1&a=2"}"""));
        Assert.Equal("2", Body(Get("/list/a?a=2&b=1")));
        Assert.DoesNotContain("utm_", string.Concat(origin.Received), StringComparison.Ordinal);
    }

    [Fact]
    public void Purge_is_a_method_where_the_operator_allows_it()
    {
        Assert.Equal("1", Body(Get("/list/a")));
        Assert.Contains("{\"purged\":1}", Exchange("PURGE /list/a HTTP/1.1"), StringComparison.Ordinal);
        Assert.Equal("2", Body(Get("/list/a")));
        Assert.Equal("3", Body(Get("/a")));
        Assert.Contains("PURGE /b", Exchange("PURGE /b HTTP/1.1", "X-Echo: 1"), StringComparison.Ordinal); // The origin's to answer.
        Assert.Equal(2, origin.Received.Count(static h => h.StartsWith("GET /list/a", StringComparison.Ordinal)));
        Assert.DoesNotContain(origin.Received, static h => h.StartsWith("PURGE /list", StringComparison.Ordinal));
    }

    // What PortSwigger's and others' lists of web cache poisoning name: nobody else gets what one client brought about.
    [Theory]
    [InlineData("X-Forwarded-Host: evil.example")]
    [InlineData("X-Forwarded-Scheme: nothttps")]
    [InlineData("X-Forwarded-Port: 1234")]
    [InlineData("X-Forwarded-Prefix: /evil")]
    [InlineData("X-Forwarded-Server: evil.example")]
    [InlineData("Forwarded: host=evil.example")]
    [InlineData("X-Host: evil.example")]
    [InlineData("X-HTTP-Host-Override: evil.example")]
    [InlineData("X-Original-URL: /evil")]
    [InlineData("X-Rewrite-URL: /evil")]
    [InlineData("X_Original_URL: /evil")]
    [InlineData("X-HTTP-Method-Override: POST-evil")]
    [InlineData("X-Method-Override: evil")]
    [InlineData("X-Invoke-Path: /evil")]
    [InlineData("True-Client-IP: evil")]
    public void An_unkeyed_field_reaches_no_answer_that_is_kept(string field)
    {
        var first = Get("/echo", field, "X-Echo: 1");
        Assert.DoesNotContain("evil", first, StringComparison.Ordinal);
        Assert.DoesNotContain("1234", Body(first).Replace(origin.Port.ToString(CultureInfo.InvariantCulture), "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.DoesNotContain("evil", Get("/echo"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET http://evil.example/p HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /p HTTP/1.1", "Host: evil.example")]
    [InlineData("GET /p HTTP/1.1", "Host: 127.0.0.1:1234")]
    [InlineData("GET /p? HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /p;evil HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /P HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /%70 HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /p%2F HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET //p HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /p%20http://127.0.0.1/p HTTP/1.1", "Host: 127.0.0.1")]
    [InlineData("GET /p?a=1&amp;b HTTP/1.1", "Host: 127.0.0.1")]
    public void No_other_target_shares_an_answer(string start, string host)
    {
        Raw($"{start}\r\n{host}\r\nX-Answer: Cache-Control: max-age=60|X-Poison: yes\r\nConnection: close\r\n\r\n");
        Assert.DoesNotContain("X-Poison", Get("/p"), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_hosts_in_one_request_are_refused() => Assert.StartsWith("HTTP/1.1 400", Raw("GET /p HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);

    [Fact]
    public void A_body_of_a_get_changes_no_answer_that_is_kept()
    {
        Raw("GET /fat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nX-Answer: Cache-Control: max-age=60|X-Poison: yes\r\nConnection: close\r\n\r\nx");
        Assert.DoesNotContain("X-Poison", Get("/fat"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HEAD")]
    [InlineData("POST")]
    [InlineData("OPTIONS")]
    [InlineData("get")]
    public void Another_method_changes_no_answer_that_is_kept(string method)
    {
        Raw($"{method} /m HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nX-Answer: Cache-Control: max-age=60|X-Poison: yes\r\nConnection: close\r\n\r\n");
        Assert.DoesNotContain("X-Poison", Get("/m"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_head_cannot_change_the_fields_of_what_is_kept()
    {
        Get("/h", "X-Answer: Cache-Control: max-age=60|ETag: \"1\"");
        Raw("HEAD /h HTTP/1.1\r\nHost: 127.0.0.1\r\nCache-Control: no-cache\r\nX-Host: evil\r\nX-Answer: Cache-Control: max-age=60|ETag: \"1\"|X-Renewed: yes\r\nConnection: close\r\n\r\n");
        Assert.Contains("X-Renewed", Get("/h"), StringComparison.Ordinal);
        Assert.DoesNotContain("evil", Get("/h"), StringComparison.Ordinal);
    }

    // CPDoS: an error that one client's odd request brings about is not everybody's.
    [Theory]
    [InlineData("400 Bad Request")]
    [InlineData("405 Method Not Allowed")]
    [InlineData("413 Content Too Large")]
    [InlineData("414 URI Too Long")]
    [InlineData("431 Request Header Fields Too Large")]
    [InlineData("501 Not Implemented")]
    [InlineData("502 Bad Gateway")]
    public void An_error_is_not_kept_for_others(string status)
    {
        Assert.Contains(status, Get("/guessed/d", $"X-Status: {status}", $"X-Big: {new string('a', 12_000)}"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", Get("/guessed/d"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_in_capitals_is_sent_as_the_key_has_it()
    {
        Raw("GET /case HTTP/1.1\r\nHost: LOCALHOST:80\r\nX-Answer: Cache-Control: max-age=60\r\nConnection: close\r\n\r\n");
        Assert.Contains("Host: localhost\r\n", Assert.Single(origin.Received), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("LOCALHOST", origin.Received[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_asked_for_first_is_not_the_whole()
    {
        Assert.StartsWith("HTTP/1.1 206", Get("/range", "Range: bytes=0-0", "X-Answer: Cache-Control: max-age=60|ETag: \"1\""), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200", Get("/range"), StringComparison.Ordinal);
        Assert.DoesNotContain("Range", Assert.Single(origin.Received), StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_under_the_name_of_a_file_is_kept_only_where_it_says_so()
    {
        Get("/guessed/account/x.css", "X-Answer: Content-Type: text/html|X-Poison: yes");
        Assert.DoesNotContain("X-Poison", Get("/guessed/account/x.css"), StringComparison.Ordinal);
        Get("/guessed/real.css", "X-Answer: Content-Type: text/css|X-Mine: yes");
        Assert.Contains("X-Mine", Get("/guessed/real.css"), StringComparison.Ordinal);
        Get("/guessed/own.css", "X-Answer: Content-Type: text/html|Cache-Control: max-age=60|X-Mine: yes");
        Assert.Contains("X-Mine", Get("/guessed/own.css"), StringComparison.Ordinal);
    }

    [Fact]
    public void Somebodys_cookies_are_not_sent_where_others_count()
    {
        Get("/list/c", "Cookie: session=secret; lang=de");
        Assert.Contains("Cookie: lang=de\r\n", Assert.Single(origin.Received), StringComparison.Ordinal);
        Get("/list/c", "Cookie: lang=de; session=other");
        Get("/list/c", "Cookie: lang=en");
        Assert.Equal(2, origin.Received.Length);
    }

    [Fact]
    public void Bypass_and_no_store()
    {
        Assert.Equal("1", Body(Get("/guessed/b")));
        Assert.Equal("2", Body(Get("/guessed/b", "X-Fresh: 1")));
        Assert.Equal("1", Body(Get("/guessed/b")));
        Assert.Equal("3", Body(Get("/guessed/b?preview=1")));
        Assert.Equal("4", Body(Get("/guessed/b?preview=1")));
    }

    [Fact]
    public async Task A_list_and_a_sitemap_warm_it()
    {
        using var warming = new Warming(new WarmPlan { Concurrency = 2, Rate = 1000 }, [running.Proxy.Engine.Addresses[0].Address.ToString()!]);
        warming.Add("http://127.0.0.1/w/1");
        warming.Add("http://127.0.0.1/w/1");
        warming.Add("nonsense");
        await warming.AddSitemapAsync("http://127.0.0.1/sitemap.xml", TestContext.Current.CancellationToken);
        Assert.Equal(3, warming.Count);
        var report = await warming.RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal((3, 0, 3), (report.Asked, report.Failed, report.Outcomes["stored"]));
        Assert.Equal(3, (await warming.RunAsync(TestContext.Current.CancellationToken)).Outcomes["there already"]);
    }

    private bool Answer(NetworkStream stream, string head)
    {
        var number = Interlocked.Increment(ref answers).ToString(CultureInfo.InvariantCulture);
        var lines = head.Split("\r\n");
        var asked = Array.Find(lines, static l => l.StartsWith("X-Answer: ", StringComparison.OrdinalIgnoreCase))?[10..];
        var fields = asked ?? (lines[0].Contains("/guessed/", StringComparison.Ordinal) ? "X-None: 1" : "Cache-Control: max-age=60");
        var status = Array.Find(lines, static l => l.StartsWith("X-Status: ", StringComparison.OrdinalIgnoreCase))?[10..] ?? "200 OK";
        var body = Array.Exists(lines, static l => l.StartsWith("X-Echo:", StringComparison.OrdinalIgnoreCase)) ? head : number;
        if (lines[0].StartsWith("GET /sitemap.xml", StringComparison.Ordinal)) body = "<sitemapindex><sitemap><loc>http://127.0.0.1/sitemap1.xml</loc></sitemap></sitemapindex>";
        if (lines[0].StartsWith("GET /sitemap1.xml", StringComparison.Ordinal)) body = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>http://127.0.0.1/w/2</loc></url><url><loc>http://127.0.0.1/w/3</loc></url></urlset>";
        if (Array.Find(lines, static l => l.StartsWith("X-Host: ", StringComparison.OrdinalIgnoreCase)) is { } host) fields += $"|X-Seen: {host[8..]}";
        if (head.Contains("Content-Length: 1\r\n", StringComparison.Ordinal)) stream.ReadByte();
        RawOrigin.Send(stream, $"HTTP/1.1 {status}\r\n{fields.Replace("|", "\r\n", StringComparison.Ordinal)}\r\nContent-Length: {body.Length}\r\n\r\n{(lines[0].StartsWith("HEAD", StringComparison.Ordinal) ? "" : body)}");
        return true;
    }

    private string Get(string target, params string[] fields) => Exchange($"GET {target} HTTP/1.1", fields);

    private string Exchange(string start, params string[] fields) => Raw($"{start}\r\nHost: 127.0.0.1\r\n{string.Concat(fields.Select(static f => f + "\r\n"))}Connection: close\r\n\r\n");

    private string Raw(string request)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000 };
        socket.Connect((IPEndPoint)IPEndPoint.Parse(running.Proxy.Engine.Addresses[0].Address.ToString()!));
        socket.Send(Encoding.Latin1.GetBytes(request));
        var got = new StringBuilder();
        var room = new byte[8192];
        while (socket.Receive(room) is > 0 and var count) got.Append(Encoding.Latin1.GetString(room, 0, count));
        return got.ToString();
    }

    private static string Body(string answer) => answer.Split("\r\n\r\n", 2)[1];

    private JsonElement Ask(string deed, string body)
    {
        var (status, text) = Post(deed, body);
        Assert.True(status == 200, text);
        return JsonDocument.Parse(text).RootElement;
    }

    private long Purged(string body) => Ask("purge", body).GetProperty("purged").GetInt64();

    private (int Status, string Body) Post(string deed, string body) => Send($"POST /caches/{deed} HTTP/1.1", body);

    private (int Status, string Body) Send(string start, string body = "")
    {
        var answer = Served.By(new AdminHandler(running.Proxy, static () => null, isControl: true), $"{start}\r\nHost: localhost\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}");
        return (int.Parse(answer.AsSpan(9, 3), CultureInfo.InvariantCulture), Body(answer));
    }
}
