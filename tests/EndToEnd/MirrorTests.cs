using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class MirrorTests
{
    [Fact]
    public void A_mirror_is_sent_the_same_bytes_and_a_mark()
    {
        using var primary = new Heard();
        using var shadow = new Heard();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nvia: me\nupstreams: {{ shadow: \"{shadow.Url}/base\" }}\nsites:\n  - routes:\n      - match: /api/**\n        rewrite: {{ strip_prefix: /api }}\n        request_headers: {{ set: {{ x-tenant: blue }}, remove: [cookie] }}\n        proxy: \"{primary.Url}\"\n        mirror: shadow\n");
        var body = RandomNumberGenerator.GetHexString(60_000, lowercase: true);
        var answers = weir.Exchange(
            "GET /api/a%2Fb?c HTTP/1.1\r\nHost: a.example\r\nCookie: secret\r\nX-Mirrored: 1\r\nConnection: x-one\r\nX-One: 1\r\n\r\n" +
            $"POST /api/length HTTP/1.1\r\nHost: a.example\r\nContent-Length: {body.Length}\r\n\r\n{body}" +
            $"PUT /api/chunked HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" +
            "DELETE /api/last HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        Assert.Equal(4, answers.Split("HTTP/1.1 200 OK\r\n").Length - 1);
        Eventually.Holds(() => shadow.All.Length == 4, () => $"the mirror heard {shadow.All.Length}: {weir.Said}");

        Assert.Equal("GET /a%2Fb?c HTTP/1.1\r\nHost: a.example\r\nVia: 1.1 me\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a.example\r\nx-tenant: blue\r\n\r\n", primary.All.Single(a => a.StartsWith("GET", StringComparison.Ordinal)));
        Assert.EndsWith(body, primary.All.Single(a => a.StartsWith("POST", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.All(shadow.All, heard => Assert.Contains("\r\nX-Mirrored: 1\r\n", heard, StringComparison.Ordinal));
        Assert.Equal(primary.All.Order(StringComparer.Ordinal), shadow.All.Select(Unmarked).Order(StringComparer.Ordinal));
        Eventually.Holds(() => Metrics(weir).Contains("weir_mirror_requests_total{upstream=\"shadow\",outcome=\"answered\"} 4\n", StringComparison.Ordinal), () => Metrics(weir));
        Assert.Contains("weir_upstream_requests_total{upstream=\"shadow\",class=\"2xx\",code=\"200\"} 4\n", Metrics(weir), StringComparison.Ordinal);
        Assert.Contains("weir_site_requests_total{site=\"default\",class=\"2xx\",code=\"200\"} 4\n", Metrics(weir), StringComparison.Ordinal);
    }

    [Fact]
    public void Clients_are_answered_while_a_mirror_is_silent_or_gone()
    {
        using var primary = new RawOrigin();
        using var silent = new RawOrigin((stream, _) =>
        {
            Thread.Sleep(Timeout.Infinite);
            return false;
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites:\n  - routes:\n      - {{ match: /silent, proxy: \"{primary.Url}\", mirror: {{ proxy: \"{silent.Url}\", most: 3 }} }}\n      - {{ proxy: \"{primary.Url}\", mirror: \"http://127.0.0.1:1\" }}\n");
        for (var i = 0; i < 50; i++)
        {
            Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange("GET /silent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
            Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange("GET /gone HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        }

        Assert.Equal(100, primary.Received.Length);
        Assert.InRange(silent.Received.Length, 1, 3 * Environment.ProcessorCount);
    }

    private static string Metrics(WeirProcess weir) => WeirProcess.Exchange(new UnixDomainSocketEndPoint(weir.ControlPath), "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

    private static string Unmarked(string request) => request.Replace("X-Mirrored: 1\r\n", "", StringComparison.Ordinal).Replace(" /base/", " /", StringComparison.Ordinal);

    /// <summary>An origin that keeps each request whole: its head, and its body as it was framed.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly List<string> all = [];
        private readonly RawOrigin origin;

        public Heard() => origin = new RawOrigin((stream, head) =>
        {
            var whole = head + Body(stream, head);
            lock (all) all.Add(whole);
            return RawOrigin.Hello(stream, head);
        });

        public string Url => origin.Url;

        public string[] All
        {
            get
            {
                lock (all) return [.. all];
            }
        }

        public void Dispose() => origin.Dispose();

        // Chunks may be cut differently: what they hold is kept.
        private static string Body(NetworkStream stream, string head)
        {
            if (head.Split("Content-Length: ") is [_, var rest]) return Read(stream, int.Parse(rest.Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture));
            if (!head.Contains("Transfer-Encoding: chunked\r\n", StringComparison.Ordinal)) return "";
            var body = "";
            while (true)
            {
                var line = "";
                while (!line.EndsWith("\r\n", StringComparison.Ordinal)) line += Read(stream, 1);
                var piece = Read(stream, Convert.ToInt32(line[..^2], 16) + 2);
                if (piece.Length == 2) return body;
                body += piece[..^2];
            }
        }

        private static string Read(NetworkStream stream, int count)
        {
            var bytes = new byte[count];
            stream.ReadExactly(bytes);
            return Encoding.Latin1.GetString(bytes);
        }
    }
}
