// What a hop must not change, let through or bring about, on the built program.

using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class HopTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Theory]
    [InlineData("GARBAGE\r\n\r\n", "400")]
    [InlineData("GET / HTTP/3.0\r\n\r\n", "505")]
    public void A_refused_head_is_answered_with_a_body_whatever_came_before(string refused, string status)
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: \"ok\" } }]\n");
        var answers = weir.Exchange("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + refused);
        var last = answers[answers.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal)..];
        Assert.StartsWith($"HTTP/1.1 {status} ", last, StringComparison.Ordinal);
        var length = int.Parse(System.Text.RegularExpressions.Regex.Match(last, "Content-Length: (\\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(length > 0);
        Assert.Equal(length, last.Length - last.IndexOf("\r\n\r\n", StringComparison.Ordinal) - 4);
    }

    [Fact]
    public void An_origin_that_closes_at_once_is_asked_once()
    {
        var asked = 0;
        using var origin = new RawOrigin((_, _) =>
        {
            Interlocked.Increment(ref asked);
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        for (var i = 0; i < 20; i++) Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.Equal(20, asked);
    }

    [Fact]
    public void A_request_that_ends_its_reader_is_not_told_to_every_pooled_connection()
    {
        var fatal = 0;
        using var gate = new CountdownEvent(8);
        using var origin = new RawOrigin((stream, head) =>
        {
            if (head.Contains("/fatal", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref fatal);
                return false;
            }

            gate.Signal();
            gate.Wait(TimeSpan.FromSeconds(20));
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ => weir.Exchange(Get)); // Eight connections are pooled now.
        Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange("GET /fatal HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.InRange(fatal, 1, 2);
    }

    [Fact]
    public void The_origins_time_begins_when_the_request_is_sent_whole()
    {
        using var origin = new RawOrigin((stream, head) =>
        {
            var body = new byte[6];
            stream.ReadExactly(body);
            Thread.Sleep(1_200); // The origin's own time, less than it has.
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\ntimeouts: {{ first_byte: 2s }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        using var client = weir.Connect();
        client.Write("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 6\r\n\r\n123"u8);
        Thread.Sleep(1_500); // The client's own time.
        client.Write("456"u8);
        Assert.EndsWith("hello", WeirProcess.ReadToEnd(client), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nX: ")]
    [InlineData("")]
    public void An_origin_that_drips_its_head_or_answers_no_expectation_is_ended_with_504(string begun)
    {
        var done = new ManualResetEventSlim(); // Not disposed: the origin's thread may be waiting on it.
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, begun);
            for (var i = 0; begun.Length > 0 && !done.Wait(50); i++) RawOrigin.Send(stream, "x");
            done.Wait();
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\ntimeouts: {{ first_byte: 1s, body: 300ms }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        var request = begun.Length > 0 ? Get : "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n";
        Assert.StartsWith("HTTP/1.1 504 ", weir.Exchange(request), StringComparison.Ordinal);
        done.Set();
    }

    [Fact]
    public void Trailers_bring_nothing_past_the_head()
    {
        using var origin = new RawOrigin((stream, head) =>
        {
            var rest = new StringBuilder();
            while (!rest.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) rest.Append((char)stream.ReadByte());
            var answer = Convert.ToHexString(Encoding.Latin1.GetBytes(rest.ToString()));
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nConnection: X-Own\r\nTransfer-Encoding: chunked\r\n\r\n{answer.Length:x}\r\n{answer}\r\n0\r\nX-Sum: 1\r\nX-Own: 1\r\nX-Frame: 1\r\nServer: s\r\nSet-Cookie: a=b\r\n\r\n");
            return true;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ request_headers: {{ set: {{ x-tenant: t }}, remove: [x-debug] }}, response_headers: {{ set: {{ x-frame: DENY }} }}, proxy: \"{origin.Url}\" }}] }}]\n");
        var answer = weir.Exchange("POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: X-Hop, TE, close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 2\r\nX-Hop: 1\r\nX-Forwarded-For: 6.6.6.6\r\nX_Tenant: evil\r\nX-Debug: 1\r\nAuthorization: a\r\nX_Forwarded_For: 1\r\nKeep-Alive: 5\r\n\r\n");
        var seen = Encoding.Latin1.GetString(Convert.FromHexString(System.Text.RegularExpressions.Regex.Match(answer, "\r\n([0-9A-F]{6,})\r\n").Groups[1].Value));
        Assert.True(seen == "0\r\nX-Sum: 2\r\n\r\n", seen + answer);
        Assert.EndsWith("\r\n0\r\nX-Sum: 1\r\n\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_differ_in_an_underscore_are_the_same_to_policies()
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ request_headers: {{ set: {{ x-tenant: t }}, remove: [x-debug] }}, proxy: \"{origin.Url}\" }}] }}]\n");
        weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX_Forwarded_For: 6.6.6.6\r\nX_Tenant: evil\r\nx_debug: 1\r\nmy_own: 1\r\n\r\n");
        Assert.Equal("GET / HTTP/1.1\r\nHost: a\r\nmy_own: 1\r\nVia", origin.Received[0][..origin.Received[0].IndexOf(": 1.1 weir", StringComparison.Ordinal)]);
        Assert.Contains("\r\nx-tenant: t\r\n", origin.Received[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_trusted_proxys_word_is_not_taken_away_by_its_clients_connection_field()
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\ntrusted_proxies: [127.0.0.1]\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n\r\n");
        Assert.Contains("X-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n", origin.Received[0], StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-Proto: https\r\n", origin.Received[0], StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-Host: b\r\n", origin.Received[0], StringComparison.Ordinal);
    }

    [Fact]
    public void An_https_target_is_not_served_over_a_plain_connection()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: 200 }]\n");
        Assert.StartsWith("HTTP/1.1 421 ", weir.Exchange("GET https://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange("GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400 ", weir.Exchange($"GET / HTTP/1.1\r\nHost: a\r\nConnection: {string.Join(',', Enumerable.Repeat("b", 65))}\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_an_origin_says_of_itself_is_made_to_point_here_and_nowhere_else()
    {
        var answer = "";
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{answer}\r\n");
            return true;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ match: /old, redirect: \"https://{{host}}/new\" }}], proxy: \"{origin.Url}/v1\" }}]\n");
        string Says(string fields, string request = Get)
        {
            answer = fields;
            var said = weir.Exchange(request);
            return said[..said.IndexOf("\r\n\r\n", StringComparison.Ordinal)];
        }

        Assert.Contains("\r\nLocation: http://a/x", Says($"Location: {origin.Url}/v1/x\r\n"), StringComparison.Ordinal);
        Assert.Contains("\r\nLocation: http://a/v10.evil.example/x", Says($"Location: {origin.Url}/v10.evil.example/x\r\n"), StringComparison.Ordinal);
        Assert.Contains("\r\nLocation: /x", Says($"Location: {origin.Url}/v1/x\r\n", "GET / HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400 ", Says("", "GET /old HTTP/1.0\r\n\r\n"), StringComparison.Ordinal);
        var cookies = Says("Set-Cookie: z=0\r\nSet-Cookie: a=1; Domain=127.0.0.1; Path=/v1/x; Secure\r\nSet-Cookie: a=2; path=/v1\r\nSet-Cookie: b; Path=/v10; Domain=7.0.0.1\r\n");
        Assert.Contains("\r\nSet-Cookie: z=0\r\n", cookies, StringComparison.Ordinal);
        Assert.Contains("\r\nSet-Cookie: a=1; Path=/x; Secure\r\nSet-Cookie: a=2; path=/\r\nSet-Cookie: b; Path=/v10; Domain=7.0.0.1", cookies, StringComparison.Ordinal);
        Assert.Matches("\r\nDate: [A-Z][a-z]{2}, .* GMT", Says(""));
        Assert.DoesNotMatch("Date: .*\r\nDate: ", Says("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    }

    [Fact]
    public void Upgrade_is_named_again_by_426_and_a_connect_that_succeeds_has_no_length()
    {
        using var origin = new RawOrigin((stream, head) =>
        {
            RawOrigin.Send(stream, head.StartsWith("CONNECT", StringComparison.Ordinal)
                ? "HTTP/1.1 200 Established\r\nContent-Length: 5\r\n\r\nhello"
                : "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\nUpgrade: foo/2\r\nContent-Length: 0\r\n\r\n");
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ connect: true, proxy: \"{origin.Url}\" }}] }}]\n");
        Assert.Contains("\r\nConnection: upgrade\r\nUpgrade: foo/2\r\n", weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n"), StringComparison.Ordinal);
        var tunnel = weir.Exchange("CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", tunnel, StringComparison.Ordinal);
        Assert.DoesNotContain("Content-Length", tunnel, StringComparison.Ordinal);
        Assert.EndsWith("hello", tunnel, StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_that_leaves_a_long_body_unread_says_that_it_closes()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: \"ok\" } }]\n");
        var answer = weir.Exchange($"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{new string('x', 1000)}");
        Assert.Contains("\r\nConnection: close\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("ok", answer, StringComparison.Ordinal);
    }
}
