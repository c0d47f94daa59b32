// A working set ten times the memory, and a scan in its middle: what each makes of the same requests, and what could be made.
// One connection, so that the order is the same for everybody; hits are what the origin was not asked for.

using System.Globalization;

namespace Weir.Bench.SideBySide;

internal sealed record ZipfScene() : Scene("cache-zipf", "a working set ten times the memory, by Zipf's law, with a scan in the middle")
{
    private const int MiB = 32;
    private const int QuickMiB = 8;
    private const int Requests = 400_000;
    private const int QuickRequests = 40_000;

    private static readonly TimeSpan SampleTime = TimeSpan.FromMilliseconds(500);

    public override void Measure(Run run)
    {
        var limit = run.Settings.Quick ? QuickMiB : MiB;
        var trace = new Trace(limit * 1048576L, run.Settings.Requests > 0 ? run.Settings.Requests : run.Settings.Quick ? QuickRequests : Requests);
        var file = Path.Combine(run.Stage.NewFolder("sequence"), "paths");
        File.WriteAllLines(file, trace.Paths());
        var rows = new List<(string Name, IEnumerable<string> Cells)>();
        foreach (var peer in run.Everybody.Where(p => p.Caches))
        {
            var setup = new Setup($"cache-{limit}") { CacheMiB = limit, IsCacheSized = true };
            Proxy proxy;
            try
            {
                proxy = Proxy.Start(run.Stage, peer, setup, run.Origin);
                proxy.Check();
            }
            catch (InvalidOperationException e)
            {
                Run.Say($"{peer.Name} is left out: {e.Message}");
                continue;
            }

            var (hits, held, cpu, errors) = Replay(run, proxy, trace, file);
            run.Stage.Stop(proxy.Process);
            rows.Add(Row(trace, $"{peer.Name} {run.Versions[peer.Name]}", hits, [Number(Median.Of(held)), Number(held.DefaultIfEmpty(0).Max()), Number(cpu), $"{errors}"]));
            Run.Say($"{Name} {rows[^1].Name}: {string.Join(' ', rows[^1].Cells)}");
        }

        var (few, bytes) = (trace.Belady(byBytes: false), trace.Belady(byBytes: true));
        var bound = trace.Bound();
        string[] nothing = ["", "", "", ""];
        rows.Add(Row(trace, "reckoned: least recently used", trace.Lru(), nothing));
        rows.Add(Row(trace, "reckoned: Bélády for requests", few, nothing));
        rows.Add(Row(trace, "reckoned: Bélády for bytes", bytes, nothing));
        rows.Add(("reckoned: nobody is better than", [Share(bound.Requests, trace.All.Requests.Sum()), "", "", Share(bound.Bytes, trace.All.Bytes.Sum()), "", "", .. nothing]));
        run.Scenes.Add(Table(FormattableString.Invariant($"{limit} MiB for {trace.Objects:N0} objects of {trace.Size / 1048576.0:F0} MiB, {trace.Ends[^1]:N0} requests"),
            ["hits", "in the scan", "after it", "bytes hit", "in the scan", "after it", "held, MiB", "at most", "CPU, µs per request", "errors"], rows));
    }

    private static (Hits Hits, List<double> Held, double Cpu, long Errors) Replay(Run run, Proxy proxy, Trace trace, string file)
    {
        var (hits, held, errors, from) = (new Hits(), new List<double>(), 0L, 0);
        var (empty, guard, before) = (Held(proxy), new Lock(), proxy.Cpu);
        using var sampling = new Timer(_ =>
        {
            lock (guard) held.Add((Held(proxy) - empty) / 1048576.0);
        }, null, SampleTime, SampleTime);
        for (var part = 0; part < Trace.Parts; part++)
        {
            var counted = OriginCounts.Of(run, "fresh");
            var report = run.Load(proxy.Port, TimeSpan.FromMinutes(10), "--connections", "1", "--sequence", file, "--from", $"{from}", "--requests", $"{trace.Ends[part] - from}");
            var fetched = OriginCounts.Of(run, "fresh") - counted;
            hits.Requests[part] = trace.All.Requests[part] - fetched.Requests;
            hits.Bytes[part] = trace.All.Bytes[part] - fetched.Bytes;
            errors += report.Errors;
            from = trace.Ends[part];
        }

        var cpu = (proxy.Cpu - before).Total / trace.Ends[^1];
        sampling.Change(Timeout.Infinite, Timeout.Infinite);
        lock (guard) return (hits, [.. held], cpu, errors);
    }

    // Files where it keeps files, else memory: what it has more than at its start is what it holds, and what it needs for that.
    private static long Held(Proxy proxy)
    {
        if (proxy.Peer.CacheFolder(proxy.Folder) is not { } folder) return proxy.Memory.Resident;
        var sum = 0L;
        foreach (var one in Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }) : [])
        {
            try
            {
                sum += one.Length;
            }
            catch (IOException)
            {
                // It was forgotten between the two looks.
            }
        }

        return sum;
    }

    private static (string Name, IEnumerable<string> Cells) Row(Trace trace, string name, Hits hits, IEnumerable<string> others) => (name,
    [
        Share(hits.Requests.Sum(), trace.All.Requests.Sum()), Share(hits.Requests[1], trace.All.Requests[1]), Share(hits.Requests[2], trace.All.Requests[2]),
        Share(hits.Bytes.Sum(), trace.All.Bytes.Sum()), Share(hits.Bytes[1], trace.All.Bytes[1]), Share(hits.Bytes[2], trace.All.Bytes[2]),
        .. others,
    ]);

    private static string Share(long part, long all) => (part / (double)all).ToString("P1", CultureInfo.InvariantCulture);
}
