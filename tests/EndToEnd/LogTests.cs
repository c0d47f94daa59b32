// Where lines go, and what becomes of them when they cannot go there.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class LogTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    [InlineData("localhost")]
    public void Syslog_over_UDP_takes_access_records(string host)
    {
        using var syslog = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true, ReceiveTimeout = 20_000 };
        syslog.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\naccess_log: \"syslog:{host}:{((IPEndPoint)syslog.LocalEndPoint!).Port}\"\nsites: [{{ respond: 200 }}]\n");
        var wanted = new List<string>();
        var got = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            wanted.Add($"/{i}");
            Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange($"GET /{i} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        }

        var buffer = new byte[65536];
        while (got.Count < wanted.Count)
        {
            // RFC 5424: facility local0, severity informational, version 1; one record a message.
            var match = Regex.Match(Encoding.UTF8.GetString(buffer, 0, syslog.Receive(buffer)), "^<134>1 - - weir - access - (\\{[^\n]*\\})$");
            Assert.True(match.Success);
            got.Add(JsonDocument.Parse(match.Groups[1].Value).RootElement.GetProperty("uri").GetString()!);
        }

        Assert.Equal(wanted, got.Order());
    }

    [Fact]
    public void A_dead_syslog_is_said_and_counted_and_traffic_goes_on()
    {
        // Bound but not listened to would swallow them: a port that was just given back is refused by ICMP.
        int port;
        using (var gone = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
        {
            gone.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            port = ((IPEndPoint)gone.LocalEndPoint!).Port;
        }

        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\naccess_log: \"syslog:127.0.0.1:{port}\"\nsites: [{{ respond: 200 }}]\n");
        Eventually.Holds(
            () =>
            {
                Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
                return Dropped(weir) > 0;
            },
            () => weir.Said);
        Eventually.Holds(() => weir.Said.Contains($"warn access log: cannot write to syslog:127.0.0.1:{port}: Connection refused", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void A_full_disk_is_said_in_gathered_lines_every_record_is_counted_and_traffic_goes_on()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\naccess_log: /dev/full\nsites: [{ respond: 200 }]\n");
        for (var i = 1; i <= 20; i++)
        {
            // One batch each, so that the target fails twenty times.
            Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
            Eventually.Holds(() => Dropped(weir) == i, () => $"{Dropped(weir)} of {i} were counted");
        }

        const string Line = "warn access log: cannot write to /dev/full: No space left on device";
        Eventually.Holds(() => weir.Said.Contains(Line, StringComparison.Ordinal), () => weir.Said);
        Assert.True(Regex.Count(weir.Said, "cannot write") < 5, weir.Said);
    }

    [Fact]
    public void An_error_log_on_a_full_disk_stops_nothing()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nerror_log: /dev/full\naccess_log: stdout\nsites: [{ respond: 200 }]\n");
        weir.Configure("nonsense: 1\n");
        Assert.Equal(1, weir.Ask("reload").Code);
        Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains("\"status\":200", StringComparison.Ordinal), () => weir.Said);
        weir.Signal("TERM");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);
    }

    [Theory]
    [InlineData("info", "info warn error")]
    [InlineData("warn", "warn error")]
    [InlineData("error", "error")]
    public void The_error_log_takes_lines_of_its_level_and_graver_ones(string level, string taken)
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var log = Path.Combine(folder, "error.log");
        var configuration = $"listen: \"127.0.0.1:0\"\nerror_log: {{ target: {log}, level: {level} }}\naccess_log: /dev/full\nsites: [{{ respond: 200 }}]\n";
        using var weir = WeirProcess.Start(configuration, folder);
        Assert.Equal(0, weir.Ask("reload").Code); // Tells at info,
        weir.Exchange(Get);
        Eventually.Holds(() => Dropped(weir) == 1 && (level == "error" || Logged().Contains("warn", StringComparison.Ordinal)), Logged); // at warn,
        weir.Configure(configuration + "nonsense: 1\n");
        Assert.Equal(1, weir.Ask("reload").Code); // and at error.
        Eventually.Holds(() => Logged().Contains($"error reload: refused, the configuration in force stays: {weir.ConfigPath}:7:1: error: unknown key 'nonsense'", StringComparison.Ordinal), Logged);
        Assert.All(Logged().TrimEnd('\n').Split('\n'), static line => Assert.Matches("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z (info|warn|error) [a-z ]+: ", line));
        Assert.Equal(taken.Split(' ').Order(), Logged().TrimEnd('\n').Split('\n').Select(static line => line.Split(' ')[1]).Distinct().Order());
        Assert.DoesNotContain("nonsense", weir.Said, StringComparison.Ordinal);

        string Logged() => File.Exists(log) ? File.ReadAllText(log) : "";
    }

    [Fact]
    public void A_reload_changes_the_level_and_says_that_the_target_takes_a_restart()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nerror_log: { level: error }\nsites: [{ respond: 200 }]\n");
        Assert.Equal(0, weir.Ask("reload").Code);
        weir.Configure("listen: \"127.0.0.1:0\"\nerror_log: { level: info, target: stdout }\nsites: [{ respond: 200 }]\n");
        Assert.Contains("error_log.target has changed: it takes a restart", weir.Ask("reload").Output, StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains("info reload: the new configuration is in force", StringComparison.Ordinal), () => weir.Said);
        Assert.Equal(1, Regex.Count(weir.Said, "in force"));
    }

    [Fact]
    public void The_error_log_is_opened_anew_after_a_rotation()
    {
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var log = Path.Combine(folder, "error.log");
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nerror_log: {log}\nsites: [{{ respond: 200 }}]\n", folder);
        weir.Configure("first: 1\n");
        Assert.Equal(1, weir.Ask("reload").Code);
        Eventually.Holds(() => File.Exists(log) && File.ReadAllText(log).Contains("'first'", StringComparison.Ordinal), () => weir.Said);
        File.Move(log, log + ".1");
        weir.Signal("USR1");
        var n = 0;
        Eventually.Holds(
            () =>
            {
                weir.Configure($"second{n++}: 1\n");
                Assert.Equal(1, weir.Ask("reload").Code);
                return File.Exists(log);
            },
            () => weir.Said);
        Eventually.Holds(() => File.ReadAllText(log).Contains("'second", StringComparison.Ordinal), () => weir.Said);
        Assert.DoesNotContain("'first'", File.ReadAllText(log), StringComparison.Ordinal);
    }

    // Records dropped, as the control socket tells.
    private static long Dropped(WeirProcess weir)
    {
        var page = WeirProcess.Exchange(new UnixDomainSocketEndPoint(weir.ControlPath), "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        return long.Parse(Regex.Match(page, "^weir_log_dropped_total\\{[^}]*\\} (\\d+)$", RegexOptions.Multiline).Groups[1].Value, CultureInfo.InvariantCulture);
    }
}
