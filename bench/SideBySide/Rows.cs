// The rows that are measured under load: what each sends, with which setups, and by what its processor time is counted.
// All peers take turns in every round, each round begins with another one, and a round without a record comes first.

namespace Weir.Bench.SideBySide;

/// <summary>One load of a row. The arguments are asked for when its turn comes; null: this peer has none.</summary>
internal sealed record Case(string Name, Setup Setup, Func<Run, Peer, IEnumerable<string>?> Arguments)
{
    /// <summary>Says what makes a report worth nothing; null: it counts.</summary>
    public Func<LoadReport, string?>? Check { get; init; }
}

internal abstract record Row(string Name, string Title)
{
    public abstract void Measure(Run run);

    public static IReadOnlyList<Row> All { get; } =
    [
        LoadRow.Simple("small", "13-byte answers, 64 kept connections", "request"),
        LoadRow.Simple("64k", "64 KiB answers, 64 kept connections", "request", "--path", "/bytes/65536"),
        LoadRow.Simple("download", "100 MiB downloads, one after the other", "100 MiB", "--path", "/bytes/104857600", "--connections", "1"),
        LoadRow.Simple("upload", "100 MiB uploads, one after the other", "100 MiB", "--upload", "104857600", "--connections", "1"),
        LoadRow.Simple("connect", "a new connection for each request, 64 at a time", "request", "--close", "--sources", "16"),
        new LoadRow("routes", "one route, and the last of 10,000 routes in 1,000 sites", "request", [Plain("one route"), new Case("10,000 routes", Setup.ManyRoutes, (run, _) => [.. Closed(run), "--host", Setup.ManyRoutes.LastHost, "--path", Setup.ManyRoutes.LastPath])]),
        new LoadRow("log", "access log off, and JSON lines to a file", "request", [Plain("off"), new Case("on", Setup.Logging, (run, peer) => peer.Name == "yarp" ? null : Closed(run))]),
        new TailRow(),
        new IdleRow("idle", "idle connections held, each has carried one request", Setup.Plain, 10_000),
        new StartRow(),
        new MemoryRow(),
        new AllocationRow(),
    ];

    /// <summary>Only when asked for, by "tls" all of them.</summary>
    public static IReadOnlyList<Row> Tls { get; } =
    [
        LoadRow.OverTls("tls-small", "TLS: 13-byte answers, 64 kept connections", "request", null),
        LoadRow.OverTls("tls-64k", "TLS: 64 KiB answers, 64 kept connections", "request", null, "--path", "/bytes/65536"),
        LoadRow.OverTls("tls-download", "TLS: 100 MiB downloads, one after the other", "100 MiB", null, "--path", "/bytes/104857600", "--connections", "1"),
        LoadRow.OverTls("tls-full", "full handshake, one request on it, 16 at a time", "connection", Handshakes.AreFull, "--close", "--connections", $"{Handshakes.AtOnce}", "--sources", "16"),
        LoadRow.OverTls("tls-resumed", "resumed handshake, one request on it, 16 at a time", "connection", Handshakes.AreResumed, "--resume", "--connections", $"{Handshakes.AtOnce}", "--sources", "16"),
        new IdleRow("tls-idle", "idle TLS connections held, each has carried one request", Setup.Tls, 4000),
    ];

    /// <summary>Only when asked for, by "cache" all of them and the scenes about keeping and compressing.</summary>
    public static IReadOnlyList<Row> Caching { get; } =
    [
        new CacheRow("cache-1k", "cache hits of 1 KiB, 64 kept connections", "fresh", (0, 0), "--path", "/fresh/1024/hit"),
        new CacheRow("cache-64k", "cache hits of 64 KiB, 64 kept connections", "fresh", (0, 0), "--path", "/fresh/65536/hit"),
        new CacheRow("cache-10m", "cache hits of 10 MiB, 4 kept connections", "fresh", (0, 0), "--path", "/fresh/10485760/hit", "--connections", "4"),
        new CacheRow("cache-vary", "cache hits of 1 KiB with Vary, 64 kept connections", "vary", (0, 0), "--path", "/vary/1024/hit"),
        new CacheRow("cache-miss", "cache misses of 1 KiB, each another URL and kept", "fresh", (1, 1), "--path", "/fresh/1024/miss-{n}") { IsAlwaysNew = true },
        new CacheRow("cache-pass", "1 KiB each another URL, not to be kept (no-store)", "nostore", (1, 1), "--path", "/nostore/1024/pass-{n}") { IsAlwaysNew = true },
        new CacheRow("cache-revalidate", "1 KiB kept, stale whenever asked for, confirmed by 304", "stale", (0, 1), "--path", "/stale/1024/ring-{n}", "--numbers", $"{CacheRow.Ring}"),
    ];

    /// <summary>What is only measured when asked for: each makes its own table.</summary>
    public static IReadOnlyList<Row> Scenes { get; } = [new SlowServerScene(), new RetryStormScene(), new ChoiceScene(), new ColdScene(), new ZipfScene(), new CompressionScene(), new HaulScene()];

    /// <summary>What is one table.</summary>
    public static IEnumerable<Row> Tabled => All.Concat(Tls).Concat(Caching);

    /// <summary>The row of a name, or all of a group.</summary>
    public static IReadOnlyList<Row> Called(string name) =>
        name == "tls" ? Tls : name == "cache" ? [.. Caching, .. Scenes.Where(s => IsAboutCaching(s.Name))] : [Tabled.Concat(Scenes).FirstOrDefault(r => r.Name == name) ?? throw new FormatException($"unknown row {name}\n{Settings.Usage}")];

    /// <summary>Whether a row of this name, or group, is about keeping answers or compressing them, which has peers of its own.</summary>
    public static bool IsAboutCaching(string name) => name is "cache" or "compress" || name.StartsWith("cache-", StringComparison.Ordinal);

    protected static IEnumerable<string> Closed(Run run) => ["--seconds", FormattableString.Invariant($"{run.Settings.Seconds}")];

    private static Case Plain(string name) => new(name, Setup.Plain, (run, _) => Closed(run));
}

internal sealed record LoadRow(string Name, string Title, string Unit, IReadOnlyList<Case> Cases) : Row(Name, Title)
{
    public const double BytesPerDownload = 100 * 1024 * 1024;

    public static LoadRow Simple(string name, string title, string unit, params string[] arguments) =>
        new(name, title, unit, [new Case("", Setup.Plain, (run, _) => [.. Closed(run), .. arguments])]);

    /// <summary>Over TLS; a peer that does not speak it here has no part.</summary>
    public static LoadRow OverTls(string name, string title, string unit, Func<LoadReport, string?>? check, params string[] arguments) =>
        new(name, title, unit, [new Case("", Setup.Tls, (run, peer) => peer.SpeaksTls ? [.. Setup.Tls.LoadArguments, .. Closed(run), .. arguments] : null) { Check = check }]);

    /// <summary>Counted by what was moved, not by how often.</summary>
    public bool IsByBytes => Unit == "100 MiB";

    public override void Measure(Run run)
    {
        foreach (var peer in run.Peers)
        {
            foreach (var one in Cases)
            {
                if (one.Arguments(run, peer) is { } arguments) run.Load(run.Proxy(peer, one.Setup).Port, TimeSpan.FromSeconds(60), arguments);
            }
        }

        for (var round = 1; round <= run.Settings.Rounds; round++)
        {
            for (var turn = 0; turn < run.Peers.Count; turn++)
            {
                var peer = run.Peers[(turn + round) % run.Peers.Count];
                foreach (var one in Cases)
                {
                    if (one.Arguments(run, peer) is { } arguments) run.Measure(Name, one.Name, peer, one.Setup, round, IsByBytes ? BytesPerDownload : 0, arguments, one.Check);
                }
            }
        }

        foreach (var one in Cases.Where(c => c.Setup != Setup.Plain)) run.End(one.Setup);
    }
}

/// <summary>What the rows about handshakes must have seen.</summary>
internal static class Handshakes
{
    public const int AtOnce = 16;

    public static string? AreFull(LoadReport report) =>
        report.Errors == 0 && report.Resumed == 0 && report.Handshakes == report.Requests ? null : $"not every connection was a full handshake: {Said(report)}";

    /// <summary>Each client's first handshake is a full one.</summary>
    public static string? AreResumed(LoadReport report) =>
        report.Errors == 0 && report.Handshakes == report.Requests && report.Resumed == report.Requests - AtOnce ? null : $"not every connection but the first {AtOnce} was resumed and brought a new ticket: {Said(report)}";

    private static string Said(LoadReport report) =>
        $"{report.Requests} answered, {report.Errors} errors, {report.Handshakes} handshakes, {report.Resumed} of them resumed, {report.Ticketless} without a new ticket";
}

/// <summary>Tails at a fixed rate: 70 % of what each can do, and 70 % of what nginx can do for everybody.</summary>
internal sealed record TailRow() : Row("p99", "open loop, 64 connections, latency from the moment a request was due")
{
    public override void Measure(Run run)
    {
        foreach (var peer in run.Peers.Where(p => !PeaksOf(run, p.Name).Any()))
        {
            for (var round = 0; round < 2; round++) run.Measure("small", "", peer, Setup.Plain, round, 0, Closed(run));
        }

        new LoadRow(Name, Title, "request",
        [
            new Case("70 % of own peak", Setup.Plain, (r, peer) => Open(r, peer.Name)),
            new Case("70 % of nginx's peak", Setup.Plain, (r, _) => r.Peers.Any(p => p.Name == "nginx") ? Open(r, "nginx") : null),
        ]).Measure(run);
    }

    private static IEnumerable<double> PeaksOf(Run run, string peer) => run.Loads.Where(s => s.Row == "small" && s.Peer == peer).Select(s => s.UnitsPerSecond);

    private static IEnumerable<string> Open(Run run, string peer) => [.. Closed(run), "--rate", FormattableString.Invariant($"{0.7 * Median.Of(PeaksOf(run, peer)):F0}")];
}
