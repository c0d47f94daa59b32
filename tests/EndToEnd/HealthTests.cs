// Active checks of real servers by the built program.

using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public partial class HealthTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Fact]
    public void An_unhealthy_server_gets_no_requests_until_it_is_well_again()
    {
        var answer = "200 OK";
        using var ill = new RawOrigin((stream, head) =>
        {
            if (!head.StartsWith("GET /healthz?deep=1 HTTP/1.1\r\n", StringComparison.Ordinal)) return RawOrigin.Hello(stream, head);
            RawOrigin.Send(stream, $"HTTP/1.1 {Volatile.Read(ref answer)}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall i\r\n6\r\ns well\r\n0\r\n\r\n");
            return false;
        });
        using var well = new RawOrigin((stream, head) =>
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well");
            return true;
        });
        string Configuration(string health) => $$"""
            listen: "127.0.0.1:0"
            access_log: off
            upstreams: { api: { endpoints: ["{{ill.Url}}", "{{well.Url}}"]{{health}} } }
            sites: [{ proxy: api }]
            """;
        var health = ", health: { active: { path: \"/healthz?deep=1\", body: all is well, interval: 100ms, rise: 3, fall: 2 } }";
        using var weir = WeirProcess.Start(Configuration(health));
        Eventually.Holds(() => Checks(weir, ill, "passed") > 0 && Checks(weir, well, "passed") > 0, () => Metrics(weir));
        Assert.Matches(@"127\.0\.0\.1:\d+ +available .* passed \d+s ago\n", weir.Ask("status").Output);

        Volatile.Write(ref answer, "503 Service Unavailable");
        Eventually.Holds(() => weir.Said.Contains($"api: 127.0.0.1:{ill.Port} is away: 2 checks in a row failed, the last: GET /healthz?deep=1 answered 503", StringComparison.Ordinal), () => weir.Said);
        Assert.Equal(0, Served(weir, ill, 20));
        var status = weir.Ask("status").Output;
        Assert.Contains("unhealthy: 2 checks in a row failed, the last: GET /healthz?deep=1 answered 503\n", status, StringComparison.Ordinal);
        Assert.Contains("\"last_check\": {", weir.Ask("status", "--json").Output, StringComparison.Ordinal);
        Assert.True(Checks(weir, ill, "status") >= 2);

        Volatile.Write(ref answer, "204 No Content"); // Of which no body is read: it fails as well.
        Eventually.Holds(() => Checks(weir, ill, "body") > 0, () => Metrics(weir));
        Assert.Equal(0, Served(weir, ill, 20));

        Volatile.Write(ref answer, "200 OK");
        Eventually.Holds(() => weir.Said.Contains($"api: 127.0.0.1:{ill.Port} is back", StringComparison.Ordinal), () => weir.Said);
        Assert.InRange(Served(weir, ill, 20), 8, 12);

        // Gone for good, and then nobody asks any more.
        ill.Dispose();
        Eventually.Holds(() => Checks(weir, ill, "refused") > 0, () => Metrics(weir));
        Eventually.Holds(() => weir.Ask("status").Output.Contains("Connection refused\n", StringComparison.Ordinal), () => weir.Ask("status").Output);
        weir.Configure(Configuration(""));
        Assert.Equal(0, weir.Ask("reload").Code);
        Eventually.Holds(() => weir.Said.Contains($"api: 127.0.0.1:{ill.Port} is not checked any more, and taken as healthy", StringComparison.Ordinal), () => weir.Said);
        Assert.DoesNotContain("weir_health_checks_total{", Metrics(weir), StringComparison.Ordinal);
        for (var i = 0; i < 4; i++) Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal); // Kept connections to it live on, or the other answers.
        weir.Signal("TERM");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(10)));
        Assert.Equal(0, weir.ExitCode);
    }

    [Fact]
    public void A_connection_is_enough_for_a_server_of_another_protocol()
    {
        using var origin = new RawOrigin();
        using var weir = WeirProcess.Start($$"""
            listen: "127.0.0.1:0"
            upstreams: { api: { endpoints: "http://127.0.0.1:{{origin.Port}}", health: { active: { tcp: true, interval: 100ms } } } }
            sites: [{ proxy: api }]
            """);
        Eventually.Holds(() => Checks(weir, origin, "passed") > 3, () => Metrics(weir));
        Assert.Empty(origin.Received);
    }

    // How many of these requests one server was given.
    private static int Served(WeirProcess weir, RawOrigin by, int requests)
    {
        var before = by.Received.Count(r => r.StartsWith("GET / ", StringComparison.Ordinal));
        for (var i = 0; i < requests; i++) Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
        return by.Received.Count(r => r.StartsWith("GET / ", StringComparison.Ordinal)) - before;
    }

    private static int Checks(WeirProcess weir, RawOrigin origin, string outcome) =>
        ChecksPattern().Matches(Metrics(weir)).Where(m => m.Groups[1].Value == $"127.0.0.1:{origin.Port}" && m.Groups[2].Value == outcome).Sum(m => int.Parse(m.Groups[3].Value, CultureInfo.InvariantCulture));

    private static string Metrics(WeirProcess weir) => WeirProcess.Exchange(new UnixDomainSocketEndPoint(weir.ControlPath), "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

    [GeneratedRegex("weir_health_checks_total\\{upstream=\"api\",endpoint=\"([^\"]+)\",outcome=\"(\\w+)\"\\} (\\d+)\n")]
    private static partial Regex ChecksPattern();
}
