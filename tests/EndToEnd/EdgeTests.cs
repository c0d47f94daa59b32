// What a client and an origin are told of each other at this hop, on the built program: who asks, by what names, and what a
// fault looks like.

using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class EdgeTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Theory]
    [InlineData("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n")]
    [InlineData("Forwarded: for=192.0.2.7;proto=https\r\n")]
    public void Behind_a_proxy_that_ends_tls_everything_says_https(string fields)
    {
        var self = "";
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 302 Found\r\nLocation: {self}/x\r\nContent-Length: 0\r\n\r\n");
            return true;
        });
        self = origin.Url;
        string Configuration(string trusted) => $"listen: \"127.0.0.1:0\"\ntrusted_proxies: [{trusted}]\nsites: [{{ routes: [{{ match: /me, respond: {{ body: \"{{scheme}} {{client_ip}}\" }} }}, {{ forwarded: both, proxy: \"{origin.Url}\" }}] }}]\n";
        var asked = Get.Replace("\r\n\r\n", $"\r\n{fields}\r\n", StringComparison.Ordinal);
        using (var weir = WeirProcess.Start(Configuration("127.0.0.1")))
        {
            Assert.EndsWith("\r\n\r\nhttps 192.0.2.7", weir.Exchange(asked.Replace("GET / ", "GET /me ", StringComparison.Ordinal)), StringComparison.Ordinal);
            Assert.Contains("\r\nLocation: https://a/x\r\n", weir.Exchange(asked), StringComparison.Ordinal);
            Assert.Contains("X-Forwarded-For: 192.0.2.7, 127.0.0.1\r\n", origin.Received[0], StringComparison.Ordinal);
            Assert.Contains("X-Forwarded-Proto: https\r\n", origin.Received[0], StringComparison.Ordinal);
            Assert.Contains("Forwarded: for=192.0.2.7;proto=https, for=127.0.0.1;host=\"a\";proto=http\r\n", origin.Received[0], StringComparison.Ordinal);
        }

        using (var weir = WeirProcess.Start(Configuration("10.0.0.0/8, unix")))
        {
            Assert.EndsWith("\r\n\r\nhttp 127.0.0.1", weir.Exchange(asked.Replace("GET / ", "GET /me ", StringComparison.Ordinal)), StringComparison.Ordinal);
            Assert.Contains("\r\nLocation: http://a/x\r\n", weir.Exchange(asked), StringComparison.Ordinal);
            Assert.DoesNotContain("192.0.2.7", origin.Received[1], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("10.0.0.0/8", "http ")]
    [InlineData("10.0.0.0/8, unix", "https 192.0.2.7")]
    public void A_peer_over_a_unix_socket_is_believed_where_it_is_named(string trusted, string seen)
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var socket = Path.Combine(folder, "front.sock");
        using var weir = WeirProcess.Start($"listen: \"unix:{socket}\"\ntrusted_proxies: [{trusted}]\nsites: [{{ respond: {{ body: \"{{scheme}} {{client_ip}}\" }} }}]\n", folder);
        var answer = WeirProcess.Exchange(new UnixDomainSocketEndPoint(socket), Get.Replace("\r\n\r\n", "\r\nForwarded: for=\"192.0.2.7:80\";proto=https\r\n\r\n", StringComparison.Ordinal));
        Assert.EndsWith("\r\n\r\n" + seen, answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Pages_of_the_narrowest_scope_are_served_and_the_top_levels_where_no_site_was_found()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var file = Path.Combine(folder, "page.html");
        File.WriteAllText(file, "<p>top</p>");
        using var weir = WeirProcess.Start(
            $$"""
            listen: "127.0.0.1:0"
            limits: { head: 2000, target: 500, body: 10 }
            timeouts: { header: 1s }
            error_pages: [{ status: 400-599, file: {{file}} }]
            sites:
              - hosts: [a]
                error_pages: [{ status: 404, body: site }]
                routes:
                  - { match: /route/**, error_pages: [{ status: 502-504, body: route, content_type: text/x-route }], proxy: "http://127.0.0.1:1" }
                  - { match: /site/**, proxy: "http://127.0.0.1:1" }

            """,
            folder);
        void Shows(string request, int status, string type, string body)
        {
            var answer = weir.Exchange(request);
            Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
            Assert.Contains($"\r\nContent-Type: {type}\r\n", answer, StringComparison.Ordinal);
            Assert.EndsWith("\r\n\r\n" + body, answer, StringComparison.Ordinal);
        }

        Shows(Get.Replace("GET / ", "GET /route/x ", StringComparison.Ordinal), 502, "text/x-route", "route");
        Shows(Get.Replace("GET / ", "GET /site/x ", StringComparison.Ordinal), 502, "text/html; charset=utf-8", "<p>top</p>");
        Shows(Get, 404, "text/plain; charset=utf-8", "site");
        (string Request, int Status)[] before =
        [
            (Get.Replace("Host: a", "Host: b", StringComparison.Ordinal), 421), ("GARBAGE\r\n\r\n", 400), ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
            ($"GET /{new string('x', 600)} HTTP/1.1\r\nHost: a\r\n\r\n", 414), ($"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('x', 2000)}\r\n\r\n", 431),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501), ("GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417), ("GET / HTTP/1.1\r\nHost: a\r\n", 408),
        ];
        foreach (var (request, status) in before) Shows(request, status, "text/html; charset=utf-8", "<p>top</p>");
    }

    [Theory]
    [InlineData("leave", false)]
    [InlineData("answer", true)]
    public void A_client_that_ends_its_direction_is_answered_where_that_is_wanted(string word, bool answered)
    {
        using var asked = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        using var origin = new RawOrigin((stream, head) =>
        {
            asked.Set();
            go.Wait();
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ routes: [{{ client_half_close: {word}, proxy: \"{origin.Url}\" }}] }}]\n");
        using var client = weir.Connect();
        client.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        asked.Wait();
        client.Socket.Shutdown(SocketShutdown.Send);
        if (!answered) Assert.Equal("", WeirProcess.ReadToEnd(client));
        go.Set();
        if (!answered) return;
        Assert.EndsWith("\r\n\r\nhello", WeirProcess.ReadToEnd(client), StringComparison.Ordinal);

        // Of two on one connection both.
        var both = weir.Exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", finish: true);
        Assert.Equal(2, both.Split("HTTP/1.1 200 ").Length - 1);
    }

    [Theory]
    [InlineData("always", 1)]
    [InlineData("safe", 4)]
    public void What_may_not_be_sent_twice_goes_on_a_connection_of_its_own_where_that_is_wanted(string reuse, int connections)
    {
        var opened = new System.Collections.Concurrent.ConcurrentDictionary<NetworkStream, bool>();
        using var origin = new RawOrigin((stream, head) =>
        {
            opened.TryAdd(stream, true);
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: {{ endpoints: \"{origin.Url}\", reuse: {reuse} }} }}]\n");
        using var client = weir.Connect(); // One client, and so one loop and its pool.
        var methods = new[] { "GET", "POST", "POST", "GET", "PUT", "POST", "DELETE" };
        for (var i = 0; i < methods.Length; i++)
        {
            client.Write(Encoding.ASCII.GetBytes($"{methods[i]} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
            var text = new StringBuilder();
            while (!text.ToString().EndsWith("hello", StringComparison.Ordinal)) text.Append((char)client.ReadByte());
        }

        Assert.Equal(connections, opened.Count);
    }

    [Fact]
    public void A_request_has_one_id_on_the_wire_and_in_the_record_and_its_trace_is_passed_on()
    {
        using var origin = new RawOrigin();
        const string Trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        string Configuration(string trusted) => $"listen: \"127.0.0.1:0\"\ntrusted_proxies: [{trusted}]\naccess_log: {{ target: stdout, format: \"id={{request_id}}\" }}\nsites: [{{ routes: [{{ request_id: true, proxy: \"{origin.Url}\" }}] }}]\n";
        var asked = Get.Replace("\r\n\r\n", $"\r\nX-Request-ID: theirs-1\r\n{Trace}\r\ntracestate: a=b\r\n\r\n", StringComparison.Ordinal);
        using (var weir = WeirProcess.Start(Configuration("10.0.0.0/8")))
        {
            weir.Exchange(asked);
            weir.Exchange(asked);
            var ids = origin.Received.Select(h => Assert.Single(Regex.Matches(h, "(?i)\r\nx-request-id: ([^\r]*)\r\n")).Groups[1].Value).ToArray();
            Assert.All(ids, id => Assert.Matches("^[0-9a-f]{32}$", id));
            Assert.NotEqual(ids[0], ids[1]);
            Assert.All(origin.Received, h => Assert.Contains($"\r\n{Trace}\r\ntracestate: a=b\r\n", h, StringComparison.Ordinal));
            Eventually.Holds(() => ids.All(id => weir.Said.Contains($"id={id}", StringComparison.Ordinal)), () => weir.Said);
        }

        using (var weir = WeirProcess.Start(Configuration("127.0.0.1")))
        {
            weir.Exchange(asked);
            Assert.Equal("theirs-1", Assert.Single(Regex.Matches(origin.Received[2], "(?i)\r\nx-request-id: ([^\r]*)\r\n")).Groups[1].Value);
            Eventually.Holds(() => weir.Said.Contains("id=theirs-1", StringComparison.Ordinal), () => weir.Said);
        }
    }

    [Fact]
    public void Via_names_each_hop_towards_the_origin_and_hides_those_behind_unless_they_may_be_seen()
    {
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nVia: 1.1 inner\r\nContent-Length: 0\r\n\r\n");
            return true;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nvia: me\nsites: [{{ routes: [{{ match: /open, hide_origin: false, proxy: \"{origin.Url}\" }}, {{ proxy: \"{origin.Url}\" }}] }}]\n");
        Assert.DoesNotContain("Via", weir.Exchange(Get.Replace("\r\n\r\n", "\r\nVia: 1.0 outer (x), 1.1 other\r\n\r\n", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("Via: 1.0 outer (x), 1.1 other\r\n", origin.Received[0], StringComparison.Ordinal);
        Assert.EndsWith("1.1 me", string.Join(", ", Regex.Matches(origin.Received[0], "Via: ([^\r]*)\r\n").Select(m => m.Groups[1].Value)), StringComparison.Ordinal);
        Assert.Contains("\r\nVia: 1.1 inner\r\n", weir.Exchange(Get.Replace("GET / ", "GET /open ", StringComparison.Ordinal)), StringComparison.Ordinal);
        weir.Exchange("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        Assert.Contains("\r\nVia: 1.0 me\r\n", origin.Received[2], StringComparison.Ordinal);
    }

    [Fact]
    public void A_unix_socket_is_for_whom_it_is_said_to_be_for()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var (open, usual) = (Path.Combine(folder, "open.sock"), Path.Combine(folder, "usual.sock"));
        var isRoot = Environment.UserName == "root";
        File.SetUnixFileMode(folder, (UnixFileMode)0x1FF);
        using var weir = WeirProcess.Start($"listen: [{{ address: \"unix:{open}\", mode: \"606\"{(isRoot ? ", group: nogroup" : "")} }}, \"unix:{usual}\"]\n{(isRoot ? "user: nobody\n" : "")}sites: [{{ respond: {{ body: ok }} }}]\n", folder, WeirProcess.Shell("umask 022"));
        Assert.Equal((UnixFileMode)0x186, File.GetUnixFileMode(open));
        Assert.Equal((UnixFileMode)0x1ED, File.GetUnixFileMode(usual));
        Assert.EndsWith("ok", WeirProcess.Exchange(new UnixDomainSocketEndPoint(open), Get), StringComparison.Ordinal);
        if (!isRoot) return;
        Assert.Equal("nobody nogroup", Command.Run("stat", ["-c", "%U %G", open], folder, TimeSpan.FromSeconds(20)).Output.Trim());
        Assert.StartsWith("nobody ", Command.Run("stat", ["-c", "%U %G", usual], folder, TimeSpan.FromSeconds(20)).Output, StringComparison.Ordinal);
    }
}
