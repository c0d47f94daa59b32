using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using Weir.Control.Admin;
using Weir.Control.Metrics;
using Weir.Engine.Caching.Disk;
using Weir.Engine.Observe;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Metrics;

public sealed class MetricsPageTests
{
    private const string Labels = """\{(?<label>[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,(?!\})|(?=\})))+\}""";

    [Fact]
    public void Every_line_is_well_formed_and_every_metric_is_headed_once()
    {
        using var running = new Running();
        var page = Read(running);
        Assert.Equal(page.Heads.Distinct(), page.Heads);
        foreach (var (name, type) in page.Heads) Assert.Equal((name, type), (name, Array.Find(MetricsPage.All, m => m.Name == name).Type));
        Assert.Equal(page.Samples.Select(s => s.Series).Distinct(), page.Samples.Select(s => s.Series));
    }

    [Fact]
    public void Every_metric_of_the_table_appears()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "[]");
        var made = new TestCertificates(Directory.CreateTempSubdirectory("weir-unit-").FullName);
        made.Issue("a", ["a.test"], extensions: [new X509AuthorityInformationAccessExtension(["http://127.0.0.1:1/"], null)]);
        using var running = new Running($$"""
            listen: ["127.0.0.1:0", { address: "0.0.0.0:0", tls: true }]
            loops: 1
            error_log: { target: /dev/null }
            access_log: /dev/null
            state: {{Directory.CreateDirectory(Path.Combine(made.Folder, "state")).FullName}}
            acme: { issuers: ["https://127.0.0.1:1/"] }
            caches: { default: { memory: 16MiB, disk: 16MiB } }
            sites: [{ hosts: [b.test], tls: auto, respond: 200 }, { tls: { certificate: "{{made.At("a.pem")}}", key: "{{made.At("a.key")}}", ocsp: off }, routes: [{ proxy: { endpoints: ["http://127.0.0.1:1"], discover: { file: "{{file}}" }, health: { active: /healthz }, sticky: { secret: "0123456789abcdef" } }, mirror: "https://127.0.0.1:2", cache: true }] }]
            """);
        File.Delete(file);
        Assert.Equal(MetricsPage.All.Select(m => m.Name).Order(), Read(running).Heads.Select(h => h.Name).Order());
    }

    [Fact]
    public void A_disk_that_another_has_is_told_as_not_available()
    {
        var folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;
        var configuration = $$"""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            caches: { default: { memory: 16MiB, disk: 16MiB, folder: {{folder}} } }
            sites: [{ proxy: "http://127.0.0.1:1", cache: true }]
            """;
        using (var first = new Running(configuration))
        using (var second = new Running(configuration))
        {
            Assert.Equal(1, Assert.Single(Read(first).Samples, s => s.Name == "weir_cache_disk_available").Value);
            Assert.Equal(0, Assert.Single(Read(second).Samples, s => s.Name.StartsWith("weir_cache_disk_", StringComparison.Ordinal)).Value);
            using var json = JsonDocument.Parse(StatusPage.Write(second.Proxy));
            Assert.Contains("its disk cannot be used now", StatusTable.Write(json.RootElement, DateTimeOffset.UtcNow), StringComparison.Ordinal);
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Every_reason_of_a_disk_has_a_word()
    {
        Assert.Equal(Enum.GetValues<DiskMiss>().Length, DiskCounts.MissWords.Length);
        Assert.Equal(Enum.GetValues<DiskRefusal>().Length, DiskCounts.RefusalWords.Length);
    }

    [Fact]
    public void Labels_come_back_whatever_they_hold()
    {
        using var running = new Running();
        var names = new HashSet<string>();
        Gen.OneOf(Gen.OneOf('"', '\\', '\n', '{', '}', ',', '=', ' ', 'n'), Gen.Char['a', 'z'], Gen.OneOf('é', '漢')).Array[1, 8].Sample(
            name =>
            {
                names.Add(new string(name));
                running.Serve([.. names.Select(n => new SiteRecord(n, 1))]);
            },
            iter: 50,
            threads: 1);
        var read = Read(running).Samples.Where(s => s.Name == "weir_site_faults_total").Select(s => s.Labels["site"]).ToArray();
        Assert.Equal(names.Append("").Order(StringComparer.Ordinal), read.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Buckets_rise_and_the_last_holds_all()
    {
        using var running = new Running();
        var counted = new SiteRecord("counted", 1);
        running.Serve(counted);
        var traffic = counted.Traffic.Of(0);
        Gen.Select(Gen.Int[0, 599], Gen.OneOf(Gen.Long[0, 2_000], Gen.Long[0, 100_000_000])).List[0, 100].Sample(
            counts =>
            {
                foreach (var (status, microseconds) in counts) traffic.Count(status, microseconds, 0, 0, 0, faulty: false);
                var own = Read(running).Samples.Where(s => s.Labels.GetValueOrDefault("site") == "counted").ToArray();
                var buckets = own.Where(s => s.Name == "weir_site_duration_seconds_bucket").ToArray();
                var bounds = buckets.Select(b => b.Labels["le"] == "+Inf" ? double.PositiveInfinity : double.Parse(b.Labels["le"], CultureInfo.InvariantCulture)).ToArray();
                Assert.Equal(Histogram.Bounds.ToArray().Select(b => b / 1e6).Append(double.PositiveInfinity), bounds);
                Assert.Equal(buckets.Select(b => b.Value).Order(), buckets.Select(b => b.Value));
                var count = Assert.Single(own, s => s.Name == "weir_site_duration_seconds_count").Value;
                Assert.Equal(count, buckets[^1].Value);
                Assert.Equal(count, own.Where(s => s.Name == "weir_site_requests_total").Sum(s => s.Value));
                var total = counted.Traffic.Total();
                Assert.Equal(total.Requests, count);
                Assert.Equal(total.DurationSum / 1e6, Assert.Single(own, s => s.Name == "weir_site_duration_seconds_sum").Value);
            },
            iter: 20,
            threads: 1);
    }

    [Fact]
    public void Things_that_share_a_name_share_no_series()
    {
        using var running = new Running("""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            access_log: { target: /dev/null, format: combined }
            upstreams:
              sockets: { endpoints: ["http://unix:/run/a.sock", "http://unix:/run/b.sock"] }
            sites:
              - hosts: [a.example]
                access_log: { target: /dev/null, format: json }
                routes:
                  - { match: /a, proxy: { endpoints: ["http://127.0.0.1:1"], retry: off } }
                  - { match: /b, proxy: { endpoints: ["http://127.0.0.1:1"], idle_connections: 7 } }
                  - { match: /c, proxy: sockets }
              - proxy: "http://127.0.0.1:1"
            """);
        var page = Read(running);
        Assert.Empty(page.Samples.GroupBy(s => s.Series).Where(g => g.Count() > 1).Select(g => g.Key));
        running.Configuration = running.Configuration.Replace("combined", "\"{status}\"", StringComparison.Ordinal);
        Assert.True(running.Proxy.Reload().Done);
        Assert.Empty(Read(running).Samples.GroupBy(s => s.Series).Where(g => g.Count() > 1).Select(g => g.Key));
    }

    [Fact]
    public void What_is_refused_before_a_site_is_found_is_counted_without_one()
    {
        using var running = new Running("""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            timeouts: { header: 50ms }
            sites: [{ hosts: [a.example], respond: 204 }]
            """);
        Assert.StartsWith("HTTP/1.1 400 ", Ask(running, "nonsense\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 421 ", Ask(running, "GET / HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 408 ", Ask(running, "GET / HT"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 204 ", Ask(running, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        var counted = new Dictionary<string, double> { [" 200 2xx"] = 0, [" 400 4xx"] = 1, [" 408 4xx"] = 1, [" 421 4xx"] = 1, ["a.example 200 2xx"] = 0, ["a.example 204 2xx"] = 1 };
        Eventually.Holds(() => Counted(running).Count == counted.Count, () => MetricsPage.Write(running.Proxy)); // A response is read before it is counted.
        Assert.Equal(counted, Counted(running));
        Assert.Equal(3, Read(running).Samples.Single(s => s is { Name: "weir_site_faults_total" } && s.Labels["site"].Length == 0).Value);

        static Dictionary<string, double> Counted(Running running) =>
            Read(running).Samples.Where(s => s.Name == "weir_site_requests_total").ToDictionary(s => $"{s.Labels["site"]} {s.Labels["code"]} {s.Labels["class"]}", s => s.Value);
    }

    [Fact]
    public void Bytes_and_connections_of_an_endpoint_are_told()
    {
        using var origin = new Running("""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            sites: [{ respond: { status: 299, body: hello } }]
            """);
        using var running = new Running($$"""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            sites: [{ proxy: "http://{{origin.Proxy.Engine.Addresses[0].Address}}" }]
            """);
        for (var i = 0; i < 3; i++) Assert.EndsWith("hello", Ask(running, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrequest"), StringComparison.Ordinal);
        Eventually.Holds(() => Of("weir_site_sent_bytes_total") == 15, () => MetricsPage.Write(running.Proxy));
        foreach (var kind in new[] { "upstream", "endpoint" })
        {
            Assert.Equal((21, 15), (Of($"weir_{kind}_received_bytes_total"), Of($"weir_{kind}_sent_bytes_total")));
            Assert.Equal(3, Read(running).Samples.Single(s => s.Name == $"weir_{kind}_requests_total" && s.Labels["code"] == "other").Value); // 299 is nobody's.
        }

        Assert.Equal((1, 1, 2, 1), (Of("weir_endpoint_connections"), Of("weir_endpoint_connections_opened_total"), Of("weir_endpoint_connections_reused_total"), Of("weir_endpoint_connections_idle")));

        double Of(string name) => Read(running).Samples.Single(s => s.Name == name && s.Labels.GetValueOrDefault("site") != "").Value;
    }

    private static string Ask(Running running, string request)
    {
        using var client = new TcpClient();
        client.Connect(IPAddress.Loopback, running.Proxy.Engine.Addresses[0].Address.Port);
        client.ReceiveTimeout = 20_000;
        client.GetStream().Write(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
        return reader.ReadToEnd();
    }

    // Reads the page as a scraper does: every line must be understood, and the samples of a metric stand together under its head.
    private static Page Read(Running running)
    {
        var text = MetricsPage.Write(running.Proxy);
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        var page = new Page([], []);
        var lines = text.Split('\n')[..^1];
        for (var i = 0; i < lines.Length; i++)
        {
            var help = Regex.Match(lines[i], @"^# HELP (weir_[a-z_]+) (.+)\z");
            if (help.Success)
            {
                var name = help.Groups[1].Value;
                var type = Regex.Match(lines[++i], $@"^# TYPE {name} (counter|gauge|histogram)\z");
                Assert.True(type.Success, lines[i]);
                Assert.True(type.Groups[1].Value == "counter" == name.EndsWith("_total", StringComparison.Ordinal), name);
                page.Heads.Add((name, type.Groups[1].Value));
                continue;
            }

            var sample = Regex.Match(lines[i], $@"^(?<name>[a-z_]+)(?:{Labels})? (?<value>[0-9.E+-]+)\z");
            Assert.True(sample.Success, lines[i]);
            var (metric, kind) = page.Heads[^1];
            var suffix = sample.Groups["name"].Value[metric.Length..];
            Assert.StartsWith(metric, sample.Groups["name"].Value, StringComparison.Ordinal);
            Assert.True(kind == "histogram" ? suffix is "_bucket" or "_sum" or "_count" : suffix.Length == 0, lines[i]);
            var labels = sample.Groups["label"].Captures.Select(c => c.Value.TrimEnd(',').Split('=', 2)).ToDictionary(l => l[0], l => Unescape(l[1][1..^1]));
            page.Samples.Add(new Sample(lines[i][..lines[i].LastIndexOf(' ')], sample.Groups["name"].Value, labels, double.Parse(sample.Groups["value"].Value, CultureInfo.InvariantCulture)));
        }

        return page;
    }

    private static string Unescape(string value) => Regex.Replace(value, @"\\(.)", m => m.Groups[1].Value == "n" ? "\n" : m.Groups[1].Value);

    private sealed record Page(List<(string Name, string Type)> Heads, List<Sample> Samples);

    private sealed record Sample(string Series, string Name, Dictionary<string, string> Labels, double Value);
}
