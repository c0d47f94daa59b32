// One run: who takes part, what is running, what was measured.

using System.Diagnostics;
using System.Text.Json;

namespace Weir.Bench.SideBySide;

internal sealed class Run
{
    private static readonly JsonSerializerOptions Names = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private const int LeastWarmUps = 10;
    private const int MostWarmUps = 24;
    private const int PlateauWarmUps = 4;

    private readonly Dictionary<(string Peer, string Setup), Proxy> proxies = [];

    public Run(Settings settings, Stage stage)
    {
        (Settings, Stage) = (settings, stage);
        foreach (var peer in Peer.All(settings).Where(p => settings.Peers.Contains(p.Name)))
        {
            if (peer.Version() is { } version)
            {
                Everybody.Add(peer);
                if (peer.Forwards) Peers.Add(peer);
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

    /// <summary>Those that take part in the rows about forwarding.</summary>
    public List<Peer> Peers { get; } = [];

    public List<Peer> Everybody { get; } = [];

    public Dictionary<string, string> Versions { get; } = [];

    public List<LoadSample> Loads { get; } = [];

    public List<Figure> Figures { get; } = [];

    /// <summary>Whether a sample did not pass its check.</summary>
    public bool HasFailed { get; private set; }

    public void Fail() => HasFailed = true;

    /// <summary>The tables of scenes, as Markdown.</summary>
    public List<string> Scenes { get; } = [];

    public static void Say(string text) => Console.Error.WriteLine($"bench: {text}");

    /// <summary>A peer's proxy with a setup: the running one, else a new one, checked and warm.</summary>
    public Proxy Proxy(Peer peer, Setup setup)
    {
        if (proxies.TryGetValue((peer.Name, setup.Name), out var proxy))
        {
            if (!proxy.Process.HasExited) return proxy;
            Say($"{peer.Name} ({setup.Name}) has ended and is started again");
            Stage.Stop(proxy.Process);
        }

        proxy = SideBySide.Proxy.Start(Stage, peer, setup, Origin);
        proxy.Check();
        WarmUp(proxy);
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

    /// <summary>Measures a peer under load and keeps the sample, but one that does not pass its check. A peer that somebody ended meanwhile is measured again.</summary>
    /// <returns>Whether it counts.</returns>
    public bool Measure(string row, string @case, Peer peer, Setup setup, int round, double bytesPerUnit, IEnumerable<string> arguments, Func<LoadReport, string?>? check = null)
    {
        var proxy = Proxy(peer, setup);
        var sample = Sample(row, @case, proxy, round, bytesPerUnit, arguments);
        if (proxy.Process.HasExited) sample = Sample(row, @case, Proxy(peer, setup), round, bytesPerUnit, arguments);
        if (sample.Load.Requests == 0) throw new InvalidOperationException($"{peer.Name} ({setup.Name}) answers nothing");
        if (check?.Invoke(sample.Load) is { } mistake)
        {
            Say($"{row} {peer.Name} round {round}, which does not count: {mistake}");
            HasFailed = true;
            return false;
        }

        Loads.Add(sample);
        Say(FormattableString.Invariant($"{row,-12} {@case,-24} {peer.Name,-8} round {round}: {sample.Total,9:F2} µs each, {sample.UnitsPerSecond,9:F1}/s, p50 {sample.Load.P50:F0} p99 {sample.Load.P99:F0} µs{(sample.Load.Errors > 0 ? $", {sample.Load.Errors} ERRORS" : "")}"));
        return true;
    }

    /// <summary>One measurement, which is not kept.</summary>
    public LoadSample Sample(string row, string @case, Proxy proxy, int round, double bytesPerUnit, IEnumerable<string> arguments)
    {
        var (before, busy, started) = (proxy.Cpu, Processes.BusyTime(Stage.ProxyCpu), Stopwatch.GetTimestamp());
        var report = Load(proxy.Port, TimeSpan.FromSeconds(Settings.Seconds + 60), arguments);
        var cpu = proxy.Cpu - before;
        var others = (Processes.BusyTime(Stage.ProxyCpu) - busy - cpu.Total) / Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        var memory = proxy.Memory;
        return new LoadSample(row, @case, proxy.Peer.Name, round, report, cpu.User, cpu.Kernel, memory.Resident, memory.Private)
        {
            OthersShare = Math.Max(others, 0),
            Units = bytesPerUnit > 0 ? report.Bytes / bytesPerUnit : report.Requests,
        };
    }

    // What is compiled as it runs gets faster for a long while, by steps with plateaus between them, and only where it has
    // the processor to itself for a moment: short loads with pauses, until several in a row find nothing better.
    private void WarmUp(Proxy proxy)
    {
        string[] load = [.. proxy.Setup.LoadArguments, "--host", proxy.Setup.LastHost, "--path", proxy.Setup.LastPath, "--seconds", "1"];
        Load(proxy.Port, TimeSpan.FromSeconds(60), load);
        if (!proxy.Peer.IsCompiledAsItRuns) return;
        var (best, worse) = (double.MaxValue, 0);
        for (var i = 0; i < MostWarmUps && (i < LeastWarmUps || worse < PlateauWarmUps); i++)
        {
            Thread.Sleep(1000);
            var cost = Sample("", "", proxy, 0, 0, load).Total;
            worse = cost < 0.95 * best ? 0 : worse + 1;
            best = Math.Min(best, cost);
        }
    }

    public void Keep(Figure figure)
    {
        Figures.Add(figure);
        Say(FormattableString.Invariant($"{figure.Row,-12} {figure.Case,-24} {figure.Peer,-8} {figure.Value:F2} {figure.Unit}"));
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
