// The rows that need no throughput: connections held, starts, memory at rest, allocations.

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Weir.Bench.SideBySide;

/// <summary>Private memory of a connection that has carried one request and waits for the next.</summary>
internal sealed record IdleRow(string Name, string Title, Setup Setup, int Most) : Row(Name, Title)
{
    public override void Measure(Run run)
    {
        // A proxy may set aside a second descriptor for each client.
        var count = (int)Math.Min(Most, (DescriptorLimit() / 2) - 500);
        foreach (var peer in run.Peers.Where(p => p.SpeaksTls || !Setup.IsTls))
        {
            var proxy = Proxy.Start(run.Stage, peer, Setup, run.Origin);
            run.Load(proxy.Port, TimeSpan.FromSeconds(30), [.. Setup.LoadArguments, "--seconds", "1"]);
            Thread.Sleep(500);
            var before = proxy.Memory;
            var holder = run.Stage.StartLoad(["hold", "--port", $"{proxy.Port}", "--connections", $"{count}", "--sources", "4", .. Setup.LoadArguments]);
            using var limit = new Timer(_ => run.Stage.Stop(holder), null, TimeSpan.FromSeconds(70), Timeout.InfiniteTimeSpan);
            using var said = JsonDocument.Parse(holder.StandardOutput.ReadLine() ?? throw new InvalidOperationException("connections could not be held"));
            if (said.RootElement.GetProperty("errors").GetInt64() > 0) throw new InvalidOperationException($"{peer.Name} does not hold {count} connections: {said.RootElement}");
            Thread.Sleep(1500);
            var after = proxy.Memory;
            run.Keep(new Figure(Name, $"private memory, {count:N0} held", peer.Name, 1, (after.Private - before.Private) / (double)count, "B per connection"));
            run.Keep(new Figure(Name, $"resident memory, {count:N0} held", peer.Name, 1, (after.Resident - before.Resident) / (double)count, "B per connection"));
            run.Stage.Stop(holder);
            run.Stage.Stop(proxy.Process);
        }
    }

    public static long DescriptorLimit() =>
        long.Parse(File.ReadLines("/proc/self/limits").First(l => l.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[4], CultureInfo.InvariantCulture);
}

/// <summary>From the start of the process to the first answer. The harness's own wrappers count with everybody.</summary>
internal sealed record StartRow() : Row("start", "from start to the first answer, the harness's own share included")
{
    public override void Measure(Run run)
    {
        for (var round = 1; round <= run.Settings.Rounds; round++)
        {
            var started = Stopwatch.GetTimestamp();
            var nothing = run.Stage.Start(run.Stage.ProxyCpu, "/dev/null", "true");
            nothing.WaitForExit();
            run.Keep(new Figure(Name, "", "(nothing)", round, Stopwatch.GetElapsedTime(started).TotalMilliseconds, "ms"));
            run.Stage.Stop(nothing);
            foreach (var peer in run.Peers)
            {
                var proxy = Proxy.Start(run.Stage, peer, Setup.Plain, run.Origin);
                run.Keep(new Figure(Name, "", peer.Name, round, proxy.StartTime.TotalMilliseconds, "ms"));
                run.Stage.Stop(proxy.Process);
            }
        }
    }
}

/// <summary>Memory of a fresh process that has answered once; all its processes together.</summary>
internal sealed record MemoryRow() : Row("memory", "memory at rest, one request after the start, all processes together")
{
    public override void Measure(Run run)
    {
        foreach (var peer in run.Peers)
        {
            var proxy = Proxy.Start(run.Stage, peer, Setup.Plain, run.Origin);
            Thread.Sleep(500);
            var memory = proxy.Memory;
            run.Keep(new Figure(Name, "resident", peer.Name, 1, memory.Resident / 1048576.0, "MiB"));
            run.Keep(new Figure(Name, "private", peer.Name, 1, memory.Private / 1048576.0, "MiB"));
            run.Stage.Stop(proxy.Process);
        }
    }
}

/// <summary>
/// What Weir allocates on the managed heap, by its own metrics; what asking for those costs is taken off. A load of one
/// request for each connection tells the connections' share from the requests'. Everything goes ahead once unrecorded, so
/// that pools are as full as they get.
/// </summary>
internal sealed record AllocationRow() : Row("alloc", "Weir's managed allocations in steady state, over 100,000 requests")
{
    private const int Requests = 100_000;

    public override void Measure(Run run)
    {
        if (run.Peers.FirstOrDefault(p => p.Name == "weir") is not { } weir) return;
        foreach (var connections in (int[])[1, 64, 1024])
        {
            var proxy = run.Proxy(weir, Setup.Plain);
            Allocated(run, proxy, connections, Requests);
            var opening = Allocated(run, proxy, connections, connections);
            var all = Allocated(run, proxy, connections, Requests);
            run.Keep(new Figure(Name, $"{connections} connections", weir.Name, 1, Math.Max(all - opening, 0) / (Requests - connections), "B per request"));
            run.Keep(new Figure(Name, $"{connections} connections, opening one", weir.Name, 1, Math.Max(opening, 0) / connections, "B per connection"));
        }
    }

    private static double Allocated(Run run, Proxy proxy, int connections, int requests)
    {
        var asked = Allocated(proxy);
        var asking = Allocated(proxy) - asked;
        var before = asked + asking;
        run.Load(proxy.Port, TimeSpan.FromSeconds(120), "--requests", $"{requests}", "--connections", $"{connections}");
        return Allocated(proxy) - before - asking;
    }

    private static double Allocated(Proxy proxy)
    {
        const string Metric = "weir_process_allocated_bytes_total ";
        using var client = new HttpClient();
        using var answer = client.Send(new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{proxy.Admin}/metrics"));
        using var reader = new StreamReader(answer.Content.ReadAsStream());
        var line = reader.ReadToEnd().Split('\n').FirstOrDefault(l => l.StartsWith(Metric, StringComparison.Ordinal)) ?? throw new InvalidOperationException("weir's metrics do not say what it allocates");
        return double.Parse(line[Metric.Length..], CultureInfo.InvariantCulture);
    }
}
