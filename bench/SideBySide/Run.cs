// One run: who takes part, what is running, what was measured.

using System.Diagnostics;
using System.Text.Json;

namespace Weir.Bench.SideBySide;

internal sealed class Run
{
    private static readonly JsonSerializerOptions Names = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly Dictionary<(string Peer, string Setup), Proxy> proxies = [];

    public Run(Settings settings, Stage stage)
    {
        (Settings, Stage) = (settings, stage);
        foreach (var peer in Peer.All(settings).Where(p => settings.Peers.Contains(p.Name)))
        {
            if (peer.Version() is { } version)
            {
                Peers.Add(peer);
                Versions[peer.Name] = version;
            }
            else
            {
                Say($"{peer.Name} is not here: left out");
            }
        }

        Origin = stage.StartOrigin();
    }

    public Settings Settings { get; }

    public Stage Stage { get; }

    public int Origin { get; }

    public List<Peer> Peers { get; } = [];

    public Dictionary<string, string> Versions { get; } = [];

    public List<LoadSample> Loads { get; } = [];

    public List<Figure> Figures { get; } = [];

    public static void Say(string text) => Console.Error.WriteLine($"bench: {text}");

    /// <summary>A peer's proxy with a setup: the running one, else a new one.</summary>
    public Proxy Proxy(Peer peer, Setup setup)
    {
        if (proxies.TryGetValue((peer.Name, setup.Name), out var proxy)) return proxy;
        proxy = SideBySide.Proxy.Start(Stage, peer, setup, Origin);
        proxy.Check();
        Load(proxy.Port, TimeSpan.FromSeconds(60), "--seconds", $"{peer.WarmUpSeconds}", "--host", setup.LastHost, "--path", setup.LastPath);
        return proxies[(peer.Name, setup.Name)] = proxy;
    }

    public void End(Setup setup)
    {
        foreach (var (key, proxy) in proxies.Where(p => p.Key.Setup == setup.Name).ToArray())
        {
            Stage.Stop(proxy.Process);
            proxies.Remove(key);
        }
    }

    /// <summary>Sends load and waits for its end.</summary>
    /// <param name="port">Where to.</param>
    /// <param name="atMost">How long it may take.</param>
    /// <param name="arguments">What else the generator is told.</param>
    public LoadReport Load(int port, TimeSpan atMost, params IEnumerable<string> arguments)
    {
        var process = Stage.StartLoad(["run", "--port", $"{port}", .. arguments]);
        using var limit = new Timer(_ => Stage.Stop(process), null, atMost, Timeout.InfiniteTimeSpan);
        var line = process.StandardOutput.ReadLine();
        if (line is null) throw new InvalidOperationException("the generator did not come to its end");
        process.WaitForExit(1000);
        Stage.Stop(process);
        return JsonSerializer.Deserialize<LoadReport>(line, Names)!;
    }

    /// <summary>Measures a peer under load and keeps the sample.</summary>
    public LoadSample Measure(string row, string @case, Proxy proxy, int round, double bytesPerUnit, params IEnumerable<string> arguments)
    {
        var before = proxy.Cpu;
        var report = Load(proxy.Port, TimeSpan.FromSeconds(Settings.Seconds + 60), arguments);
        var cpu = proxy.Cpu - before;
        var memory = proxy.Memory;
        var sample = new LoadSample(row, @case, proxy.Peer.Name, round, report, cpu.User, cpu.Kernel, memory.Resident, memory.Private)
        {
            Units = bytesPerUnit > 0 ? report.Bytes / bytesPerUnit : report.Requests,
        };
        Loads.Add(sample);
        Say(FormattableString.Invariant($"{row,-9} {@case,-24} {proxy.Peer.Name,-8} round {round}: {sample.Total,9:F2} µs each, {sample.UnitsPerSecond,9:F1}/s, p50 {report.P50:F0} p99 {report.P99:F0} µs{(report.Errors > 0 ? $", {report.Errors} ERRORS" : "")}"));
        return sample;
    }

    public void Keep(Figure figure)
    {
        Figures.Add(figure);
        Say(FormattableString.Invariant($"{figure.Row,-9} {figure.Case,-24} {figure.Peer,-8} {figure.Value:F2} {figure.Unit}"));
    }

    /// <summary>All that was measured, as JSON, with the machine it was measured on.</summary>
    public string ToJson()
    {
        var machine = new
        {
            Processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "?",
            Kernel = Environment.OSVersion.Version.ToString(),
            ProxyCpu = Stage.ProxyCpu,
            LoadCpu = Stage.LoadCpu,
            OriginCpu = Stage.OriginCpu,
        };
        return JsonSerializer.Serialize(new { At = DateTime.UtcNow, Machine = machine, Versions, Settings.Rounds, Settings.Seconds, Loads, Figures }, Names);
    }
}
