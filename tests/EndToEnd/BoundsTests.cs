// Limits of an upstream and its queue on the built program, before an origin that answers when it is told to.

using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class BoundsTests : IDisposable
{
    private readonly SemaphoreSlim answers = new(0);
    private readonly RawOrigin origin;

    public BoundsTests() => origin = new RawOrigin(Respond);

    public void Dispose()
    {
        answers.Release(100);
        origin.Dispose();
        answers.Dispose();
    }

    [Fact]
    public void Beyond_the_limit_one_waits_beyond_the_queue_one_is_refused()
    {
        using var weir = Start("requests: 1, queue: 1, queue_timeout: 20s");
        using var first = Ask(weir);
        Arrived(1);
        using var second = Ask(weir);
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "1");
        var refused = Read(Ask(weir));
        Assert.StartsWith("HTTP/1.1 503 ", refused, StringComparison.Ordinal);
        Assert.Contains("\r\nRetry-After: 20\r\n", refused, StringComparison.Ordinal);
        Assert.Single(origin.Received);
        answers.Release(2);
        Assert.StartsWith("HTTP/1.1 200 ", Read(first), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", Read(second), StringComparison.Ordinal);
        Metric(weir, "weir_upstream_queue_refusals_total{upstream=\"app\",reason=\"full\"}", "1");
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "0");
        Metric(weir, "weir_upstream_queue_seconds_count{upstream=\"app\"}", "1");
        Eventually.Holds(() => weir.Said is var said && said.Contains("\"queue_us\":", StringComparison.Ordinal) && said.Contains("\"ending\":\"PQ\"", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void Who_waits_too_long_is_refused()
    {
        using var weir = Start("endpoint_requests: 1, queue_timeout: 300ms");
        using var first = Ask(weir);
        Arrived(1);
        var refused = Read(Ask(weir));
        Assert.StartsWith("HTTP/1.1 503 ", refused, StringComparison.Ordinal);
        Assert.Contains("\r\nRetry-After: 1\r\n", refused, StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains("\"ending\":\"pQ\"", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void A_client_that_leaves_while_it_waits_leaves_the_queue()
    {
        using var weir = Start("requests: 1, queue: 1, queue_timeout: 20s");
        using var first = Ask(weir);
        Arrived(1);
        using (Ask(weir)) Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "1");
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "0");
        using var third = Ask(weir);
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "1");
        answers.Release(2);
        Read(first);
        Assert.StartsWith("HTTP/1.1 200 ", Read(third), StringComparison.Ordinal);
        Assert.Equal(2, origin.Received.Length);
        Eventually.Holds(() => weir.Said.Contains("\"ending\":\"CQ\"", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void A_route_of_high_priority_goes_first()
    {
        using var weir = Start("requests: 1, queue_timeout: 20s");
        using var first = Ask(weir);
        Arrived(1);
        using var low = Ask(weir, "/low");
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "1");
        using var high = Ask(weir, "/high");
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "2");
        answers.Release(3);
        foreach (var stream in new[] { first, low, high }) Assert.StartsWith("HTTP/1.1 200 ", Read(stream), StringComparison.Ordinal);
        Assert.Equal(["/", "/high", "/low"], origin.Received.Select(r => r.Split(' ')[1]));
    }

    [Fact]
    public void A_reload_that_takes_the_limit_away_lets_everybody_in()
    {
        using var weir = Start("requests: 1, queue_timeout: 20s");
        using var first = Ask(weir);
        Arrived(1);
        using var second = Ask(weir);
        using var third = Ask(weir);
        Metric(weir, "weir_upstream_queue_length{upstream=\"app\"}", "2");
        weir.Configure(Configuration("requests: 10"));
        Assert.Equal(0, weir.Ask("reload").Code);
        Arrived(3);
    }

    [Fact]
    public void A_tunnel_keeps_its_place_until_it_ends()
    {
        using var weir = Start("requests: 1, queue: 0");
        using (var tunnel = weir.Connect())
        {
            tunnel.Write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"u8);
            Assert.StartsWith("HTTP/1.1 101 ", Head(tunnel), StringComparison.Ordinal);
            Assert.StartsWith("HTTP/1.1 503 ", Read(Ask(weir)), StringComparison.Ordinal);
        }

        answers.Release(50);
        Eventually.Holds(() => Read(Ask(weir)).StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal), () => "the tunnel's place is never free");
    }

    // Each loop would keep idle connections of its own, and there may be one in all.
    [Fact]
    public void One_connection_serves_all_loops_and_endpoints()
    {
        using var other = new RawOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\naccess_log: off\nupstreams: {{ app: {{ endpoints: [\"{origin.Url}\", \"{other.Url}\"], limits: {{ connections: 1, queue_timeout: 20s }} }} }}\nsites: [{{ proxy: app }}]\n");
        answers.Release(90);
        for (var i = 0; i < 40; i++) Assert.StartsWith("HTTP/1.1 200 ", Read(Ask(weir)), StringComparison.Ordinal);
        Assert.NotEmpty(other.Received);
        Assert.NotEmpty(origin.Received);
        var open = Regex.Matches(Metrics(weir), "^weir_endpoint_connections\\{.*\\} (\\d+)$", RegexOptions.Multiline).Sum(m => int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
        Assert.InRange(open, 0, 1);
    }

    private bool Respond(NetworkStream stream, string head)
    {
        if (head.StartsWith("GET /tunnel", StringComparison.Ordinal))
        {
            RawOrigin.Send(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            return stream.ReadByte() >= 0;
        }

        answers.Wait(TimeSpan.FromSeconds(30));
        return RawOrigin.Hello(stream, head);
    }

    private WeirProcess Start(string limits) => WeirProcess.Start(Configuration(limits));

    private string Configuration(string limits) => $$"""
        listen: "127.0.0.1:0"
        access_log: stdout
        upstreams: { app: { endpoints: ["{{origin.Url}}"], limits: { {{limits}} } } }
        sites: [{ routes: [{ match: /high, priority: high, proxy: app }, { match: /low, priority: low, proxy: app }, { proxy: app }] }]

        """;

    private void Arrived(int requests) => Eventually.Holds(() => origin.Received.Length == requests, () => $"{origin.Received.Length} requests reached the origin");

    private static NetworkStream Ask(WeirProcess weir, string path = "/")
    {
        var stream = weir.Connect();
        stream.Write(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        return stream;
    }

    private static string Read(NetworkStream stream)
    {
        using (stream) return WeirProcess.ReadToEnd(stream);
    }

    private static string Head(NetworkStream stream)
    {
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) head.Append((char)stream.ReadByte());
        return head.ToString();
    }

    private static string Metrics(WeirProcess weir) => WeirProcess.Exchange(new UnixDomainSocketEndPoint(weir.ControlPath), "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

    private static void Metric(WeirProcess weir, string series, string value)
    {
        var page = "";
        Eventually.Holds(() => (page = Metrics(weir)).Contains($"\n{series} {value}\n", StringComparison.Ordinal), () => $"{series} is never {value}: {page}");
    }
}
