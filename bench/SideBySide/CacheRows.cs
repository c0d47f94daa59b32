// The cache under load: hits, misses, confirmations. Beside the processor's time stands how many of the requests the origin
// got, because a hit that is none is cheap to no purpose.

namespace Weir.Bench.SideBySide;

/// <param name="Name">The row.</param>
/// <param name="Title">What it does.</param>
/// <param name="Kind">The kind of paths that it asks for.</param>
/// <param name="Fetches">How many requests at the origin there may be for each; outside of it a sample does not count.</param>
/// <param name="Arguments">What the generator is told, beside for how long.</param>
internal sealed record CacheRow(string Name, string Title, string Kind, (double Least, double Most) Fetches, params IReadOnlyList<string> Arguments) : Row(Name, Title)
{
    /// <summary>How many different things are asked for in turns; more than connections, so that nobody waits for another's fetch.</summary>
    public const int Ring = 1000;

    // What nginx has to be told to keep for a second is stale now, whatever way it reckons.
    private static readonly TimeSpan Staleness = TimeSpan.FromMilliseconds(2500);

    // A request may find the cache about to forget, or a connection to the origin that has just ended.
    private const double Slack = 0.01;

    /// <summary>Whether each request asks for what nobody has asked for before.</summary>
    public bool IsAlwaysNew { get; init; }

    public override void Measure(Run run)
    {
        Peer[] peers = [.. run.Everybody.Where(p => p.Caches)];
        var numbers = 0L;
        string[] More() => IsAlwaysNew ? ["--from", $"{numbers += 100_000_000}"] : [];
        foreach (var peer in peers)
        {
            string[] load = [.. Arguments, "--seconds", "1"];
            run.Load(run.Proxy(peer, Setup.Cache).Port, TimeSpan.FromSeconds(60), [.. load, .. More()]);
            if (Kind != "stale") continue;
            Thread.Sleep(Staleness);
            run.Load(run.Proxy(peer, Setup.Cache).Port, TimeSpan.FromSeconds(60), [.. load, "--requests", $"{2 * Ring}"]);
        }

        for (var round = 1; round <= run.Settings.Rounds; round++)
        {
            for (var turn = 0; turn < peers.Length; turn++)
            {
                var peer = peers[(turn + round) % peers.Length];
                var before = OriginCounts.Of(run, Kind);
                var fetched = new OriginCounts();
                var isMeasured = run.Measure(Name, "", peer, Setup.Cache, round, 0, [.. Closed(run), .. Arguments, .. More()], report =>
                {
                    fetched = OriginCounts.Of(run, Kind) - before;
                    var each = fetched.Requests / (double)report.Requests;
                    if (report.Errors > 0) return $"{report.Errors} errors of {report.Requests}";
                    return each < Fetches.Least - Slack || each > Fetches.Most + Slack ? FormattableString.Invariant($"{each:F3} requests at the origin for each") : null;
                });
                if (!isMeasured || Fetches.Least == Fetches.Most) continue;
                var requests = run.Loads[^1].Load.Requests;
                run.Keep(new Figure(Name, "requests at the origin", peer.Name, round, fetched.Requests / (double)requests, "for each"));
                run.Keep(new Figure(Name, "of them confirmed by 304", peer.Name, round, 100.0 * fetched.Confirmed / Math.Max(fetched.Requests, 1), "%"));
            }
        }
    }
}
