// All ask at once for one thing that nobody has yet, and that the origin needs half a second for.

using System.Text.Json;

namespace Weir.Bench.SideBySide;

internal sealed record ColdScene() : Scene("cache-cold", "one cold object of 64 KiB, asked for by all at once; the origin takes 500 ms")
{
    private const int Most = 10_000;
    private const int MostQuick = 2_000;
    private const int MostRounds = 3;

    public override void Measure(Run run)
    {
        // A proxy that fetches for each would need a second descriptor for every client.
        var clients = (int)Math.Min(run.Settings.Quick ? MostQuick : Most, (IdleRow.DescriptorLimit() / 2) - 500);
        Peer[] peers = [.. run.Everybody.Where(p => p.Caches)];
        var samples = new List<(string Peer, double Fetches, double Last, double P50, long Answered, long Failures)>();
        for (var round = 1; round <= Math.Min(run.Settings.Rounds, MostRounds); round++)
        {
            for (var turn = 0; turn < peers.Length; turn++)
            {
                var peer = peers[(turn + round) % peers.Length];
                var proxy = run.Proxy(peer, Setup.Cache);
                var before = OriginCounts.Of(run, "slow");
                using var said = JsonDocument.Parse(Herd(run, proxy.Port, clients, $"/slow/65536/{peer.Name}-{round}"));
                double Number(string name) => said.RootElement.GetProperty(name).GetDouble();
                samples.Add((peer.Name, (OriginCounts.Of(run, "slow") - before).Requests, Number("max") / 1000, Number("p50") / 1000, (long)Number("requests"), (long)Number("errors")));
                Run.Say(FormattableString.Invariant($"{Name} {peer.Name} round {round}: {samples[^1].Fetches} fetches, {samples[^1].Answered} answered, the last after {samples[^1].Last:F0} ms, {samples[^1].Failures} failures, {Number("unready")} had not connected before"));
            }
        }

        run.Scenes.Add(Table($"{clients:N0} clients: {Title}", ["fetches at the origin", "p50, ms", "the last one answered after, ms", "failures"], peers.Select(p =>
        {
            var own = samples.Where(s => s.Peer == p.Name).ToArray();
            return ($"{p.Name} {run.Versions[p.Name]}", (IEnumerable<string>)[Number(Median.Of(own.Select(s => s.Fetches))), Number(Median.Of(own.Select(s => s.P50))), Number(Median.Of(own.Select(s => s.Last))), $"{own.Sum(s => s.Failures)}"]);
        })));
    }

    private static string Herd(Run run, int port, int clients, string path)
    {
        var process = run.Stage.StartLoad(["herd", "--port", $"{port}", "--connections", $"{clients}", "--sources", "4", "--path", path]);
        using var limit = new Timer(_ => run.Stage.Stop(process), null, TimeSpan.FromSeconds(150), Timeout.InfiniteTimeSpan);
        var line = process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("the clients did not come to their end");
        run.Stage.Stop(process);
        return line;
    }
}
