using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Weir.Control.Metrics;
using Weir.Engine.Observe;

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
        using var running = new Running("""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            access_log: /dev/null
            sites: [{ proxy: "http://127.0.0.1:1" }]
            """);
        Assert.Equal(MetricsPage.All.Select(m => m.Name).Order(), Read(running).Heads.Select(h => h.Name).Order());
    }

    [Fact]
    public void Labels_come_back_whatever_they_hold()
    {
        using var running = new Running();
        var names = new HashSet<string>();
        Gen.OneOf(Gen.OneOf('"', '\\', '\n', '{', '}', ',', '=', ' ', 'n'), Gen.Char['a', 'z'], Gen.OneOf('é', '漢')).Array[0, 8].Sample(
            name =>
            {
                names.Add(new string(name));
                running.Serve([.. names.Select(n => new SiteRecord(n, 1))]);
            },
            iter: 50,
            threads: 1);
        var read = Read(running).Samples.Where(s => s.Name == "weir_site_faults_total").Select(s => s.Labels["site"]).ToArray();
        Assert.Equal(names.Order(StringComparer.Ordinal), read.Order(StringComparer.Ordinal));
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
                  - { match: /a, proxy: { endpoints: ["http://127.0.0.1:1"], connect_retries: 0 } }
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
