// Three origins, and what a proxy makes of them when one is slow, when all are overloaded, and when nothing is wrong. Each
// scene has its own contestants (a peer and how it is told to choose), takes turns among them, and makes its own table.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Weir.Bench.SideBySide;

/// <summary>A peer with a way to choose.</summary>
internal sealed record Contestant(string Peer, string Balance, string Name = "", string Retry = "", string Server = "")
{
    public string Title => $"{Peer} {(Name.Length > 0 ? Name : Balance.TrimEnd(';'))}";

    public Setup SetupFor(IReadOnlyList<int> origins) => new(Title.Replace(' ', '-').Replace('(', '-').TrimEnd(')')) { Three = new Three(origins, Balance, Retry, Server) };
}

internal abstract record Scene(string Name, string Title) : Row(Name, Title)
{
    protected static IReadOnlyList<Contestant> Choices { get; } =
    [
        new("weir", "round_robin"), new("weir", "least_requests"), new("weir", "power_of_two"), new("weir", "peak_ewma"),
        new("haproxy", "roundrobin"), new("haproxy", "leastconn"), new("haproxy", "random(2)"),
        new("nginx", "", "round robin"), new("nginx", "least_conn;"), new("nginx", "random two least_conn;"),
    ];

    /// <summary>Those whose peers take part and start; who does not start is left out, and it is said.</summary>
    protected static List<(Contestant Contestant, Peer Peer, Setup Setup)> Present(Run run, IEnumerable<Contestant> contestants, IReadOnlyList<int> origins, Func<Peer, Setup, bool> starts)
    {
        var present = new List<(Contestant, Peer, Setup)>();
        foreach (var one in contestants)
        {
            if (run.Peers.FirstOrDefault(p => p.Name == one.Peer) is not { } peer) continue;
            var setup = one.SetupFor(origins);
            try
            {
                if (starts(peer, setup)) present.Add((one, peer, setup));
            }
            catch (InvalidOperationException e)
            {
                Run.Say($"{one.Title} is left out: {e.Message}");
            }
        }

        return present;
    }

    /// <summary>What each origin has received so far, before the rate turned and since.</summary>
    protected static (long[] First, long[] Then) Counts(int port)
    {
        using var client = new HttpClient();
        using var answer = client.Send(new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}/counts"));
        using var json = JsonDocument.Parse(answer.Content.ReadAsStream());
        long[] Of(string name) => [.. json.RootElement.GetProperty(name).EnumerateArray().Select(e => e.GetInt64())];
        return (Of("first"), Of("then"));
    }

    protected static string Text(double value) => FormattableString.Invariant($"{value}");

    protected static string Number(double value) => value.ToString(Math.Abs(value) >= 100 ? "#,0" : Math.Abs(value) >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);

    protected static string Table(string title, IEnumerable<string> columns, IEnumerable<(string Name, IEnumerable<string> Cells)> rows)
    {
        var text = new StringBuilder();
        string[] names = [.. columns];
        text.Append(CultureInfo.InvariantCulture, $"| {title} | {string.Join(" | ", names)} |\n| --- |{string.Concat(names.Select(_ => " ---: |"))}\n");
        foreach (var (name, cells) in rows) text.Append(CultureInfo.InvariantCulture, $"| {name} | {string.Join(" | ", cells)} |\n");
        return text.ToString();
    }
}

/// <summary>One of three origins needs ten times as long; the two others could carry everything.</summary>
internal sealed record SlowServerScene() : Scene("slow-server", "three origins of 4 slots, 2 ms, 2 ms and 20 ms; 1,000 requests a second, due at fixed moments")
{
    public override void Measure(Run run)
    {
        var (origins, process) = run.Stage.StartSlowOrigins("--service", "2000,2000,20000", "--slots", "4");
        var proxies = new Dictionary<string, Proxy>();
        var present = Present(run, Choices, origins, (peer, setup) => proxies.TryAdd(setup.Name, Proxy.Start(run.Stage, peer, setup, origins[0])));
        string[] load = ["--rate", "1000", "--connections", "256", "--seconds"];
        foreach (var (_, _, setup) in present) run.Load(proxies[setup.Name].Port, TimeSpan.FromSeconds(30), [.. load, "0.5"]);
        var samples = new List<(string Title, LoadReport Report, double SlowShare)>();
        for (var round = 0; round < run.Settings.Rounds; round++)
        {
            for (var turn = 0; turn < present.Count; turn++)
            {
                var (one, _, setup) = present[(turn + round) % present.Count];
                var before = Counts(origins[0]).First;
                var report = run.Load(proxies[setup.Name].Port, TimeSpan.FromSeconds(60), [.. load, Text(run.Settings.Seconds)]);
                long[] counts = [.. Counts(origins[0]).First.Zip(before, (b, a) => b - a)];
                samples.Add((one.Title, report, counts[2] / (double)counts.Sum()));
                Run.Say(FormattableString.Invariant($"{Name} {one.Title} round {round + 1}: p50 {report.P50 / 1000:F1} p99 {report.P99 / 1000:F1} p99.9 {report.P999 / 1000:F1} ms, {samples[^1].SlowShare:P1} to the slow one{(report.Errors > 0 ? $", {report.Errors} ERRORS" : "")}"));
            }
        }

        foreach (var proxy in proxies.Values) run.Stage.Stop(proxy.Process);
        run.Stage.Stop(process);
        run.Scenes.Add(Table(Title, ["p50, ms", "p99, ms", "p99.9, ms", "to the slow one", "errors"], present.Select(p => p.Contestant.Title).Select(title =>
        {
            var own = samples.Where(s => s.Title == title).ToArray();
            double M(Func<LoadReport, double> value) => Median.Of(own.Select(s => value(s.Report)));
            return (title, (IEnumerable<string>)[Number(M(r => r.P50) / 1000), Number(M(r => r.P99) / 1000), Number(M(r => r.P999) / 1000), Median.Of(own.Select(s => s.SlowShare)).ToString("P1", CultureInfo.InvariantCulture), $"{own.Sum(s => s.Report.Errors)}"]);
        })));
    }
}

/// <summary>
/// All origins answer 503 to what is beyond their capacity, five times of which is offered for a while, and then half of it.
/// Every measurement has a proxy of its own: what one learnt in a storm, the next must not know.
/// </summary>
internal sealed record RetryStormScene() : Scene("retry-storm", "three origins that take 200 requests a second each and answer 503 beyond; 3,000 a second for 3 s, then 300")
{
    private const int MostRounds = 3;

    private static readonly IReadOnlyList<Contestant> Retrying =
    [
        new("weir", "round_robin", "retry on 503", "retry: { attempts: 3, on: [connect, reset, timeout, 502, 503, 504] }"),
        new("weir", "round_robin", "retry on 503, passive off", "retry: { attempts: 3, on: [connect, reset, timeout, 502, 503, 504] }\n    health: { passive: off }"),
        new("haproxy", "roundrobin", "retry-on 503", "retries 3\n    option redispatch 1\n    retry-on conn-failure empty-response response-timeout 503"),
        new("nginx", "", "next_upstream http_503", "proxy_next_upstream error timeout http_503;"),
        new("nginx", "", "next_upstream http_503, max_fails=0", "proxy_next_upstream error timeout http_503;", " max_fails=0"),
    ];

    public override void Measure(Run run)
    {
        var samples = new List<(string Title, LoadReport Report, double Storm, double Calm)>();
        for (var round = 0; round < Math.Min(run.Settings.Rounds, MostRounds); round++)
        {
            var (origins, process) = run.Stage.StartSlowOrigins("--service", "100000,100000,100000", "--slots", "20", "--refuse");
            Present(run, Retrying, origins, (peer, setup) =>
            {
                var title = Retrying.Single(r => r.SetupFor(origins).Name == setup.Name).Title;
                var proxy = Proxy.Start(run.Stage, peer, setup, origins[0]);
                var before = Counts(origins[0]);
                var report = run.Load(proxy.Port, TimeSpan.FromSeconds(60), "--rate", "3000", "--seconds", "3", "--then-rate", "300", "--then-seconds", "5", "--connections", "512", "--any-status");
                var after = Counts(origins[0]);
                run.Stage.Stop(proxy.Process);
                var storm = (after.First.Sum() - before.First.Sum()) / (double)report.First;
                var calm = (after.Then.Sum() - before.Then.Sum()) / (double)Math.Max(report.Requests + report.Errors - report.First, 1);
                samples.Add((title, report, storm, calm));
                Run.Say(FormattableString.Invariant($"{Name} {title} round {round + 1}: {storm:F2} at the origins for each offered, then {calm:F2}; {report.FirstGood / 3.0:F0}/s good, failures p99 {report.FailedP99 / 1000:F1} ms, recovery {report.Recovery:F1} s, {report.Errors} without an answer"));
                return true;
            });
            run.Stage.Stop(process);
        }

        run.Scenes.Add(Table(Title, ["at the origins ÷ offered", "then", "good, 1/s", "failures p50, ms", "failures p99, ms", "good p99, ms", "99 % good again after, s", "no answer"], samples.Select(s => s.Title).Distinct().Select(title =>
        {
            var own = samples.Where(s => s.Title == title).ToArray();
            double M(Func<LoadReport, double> value) => Median.Of(own.Select(s => value(s.Report)));
            var recovery = M(r => r.Recovery < 0 ? double.PositiveInfinity : r.Recovery);
            return (title, (IEnumerable<string>)[Number(Median.Of(own.Select(s => s.Storm))), Number(Median.Of(own.Select(s => s.Calm))), Number(M(r => r.FirstGood / 3.0)), Number(M(r => r.FailedP50) / 1000), Number(M(r => r.FailedP99) / 1000), Number(M(r => r.P99) / 1000), double.IsFinite(recovery) ? Number(recovery) : "never", $"{own.Sum(s => s.Report.Errors)}"]);
        })));
    }
}

/// <summary>Nobody is slow: what the choice itself costs, against the same peer's turns.</summary>
internal sealed record ChoiceScene() : Scene("choice-cpu", "13-byte answers of three origins, 64 kept connections")
{
    private const int LeastRounds = 5;

    public override void Measure(Run run)
    {
        int[] origins = [run.Origin, run.Stage.StartOrigin(), run.Stage.StartOrigin()];
        var present = Present(run, Choices, origins, (peer, setup) => run.Proxy(peer, setup) is not null);
        for (var round = 1; round <= (run.Settings.Quick ? run.Settings.Rounds : Math.Max(run.Settings.Rounds, LeastRounds)); round++)
        {
            for (var turn = 0; turn < present.Count; turn++)
            {
                var (one, peer, setup) = present[(turn + round) % present.Count];
                run.Measure(Name, one.Title, peer, setup, round, 0, Closed(run));
            }
        }

        foreach (var (_, _, setup) in present) run.End(setup);
        LoadSample[] Of(string title) => [.. run.Loads.Where(s => s.Row == Name && s.Case == title)];
        run.Scenes.Add(Table(Title, ["CPU, µs per request", "÷ round robin", "requests a second", "p99, µs", "others %", "errors"], present.Select(p =>
        {
            var (own, turns) = (Of(p.Contestant.Title), Of(present.First(q => q.Peer == p.Peer).Contestant.Title));
            double M(Func<LoadSample, double> value) => Median.Of(own.Select(value));
            var ratio = Median.Of(own.Join(turns, a => a.Round, b => b.Round, (a, b) => a.Total / b.Total));
            return (p.Contestant.Title, (IEnumerable<string>)[Number(M(s => s.Total)), ratio.ToString("F3", CultureInfo.InvariantCulture), Number(M(s => s.UnitsPerSecond)), Number(M(s => s.Load.P99)), Number(M(s => s.OthersShare) * 100), $"{own.Sum(s => s.Load.Errors)}"]);
        })));
    }
}
