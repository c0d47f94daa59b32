// Three origins of unequal weight under load; two of them fail in every way there is, by a script from a seed. What must
// hold whatever the script is:
//   1. GET and PUT do not fail while no byte of their answer has been passed on; afterwards a failure is a clear break.
//   2. POST fails only where an origin had read it, and none is read twice.
//   3. Nothing looks whole that is not, in either direction.
//   4. Nothing but checks comes to an origin that the proxy says is away.
//   5. Within seconds of the recovery every origin has its share again.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

[Collection(nameof(Alone))]
public sealed class FaultScriptTests(ITestOutputHelper told)
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("WEIR_LONG") is { Length: > 0 };
    private static readonly string[] Faults = ["killed", "restarted", "hung", "refusing", "reset", "503", "slow"];

    [Fact]
    public void Idempotent_requests_survive_two_of_three_origins_failing_in_every_order()
    {
        var seed = Environment.GetEnvironmentVariable("WEIR_SEED") is { Length: > 0 } asked ? int.Parse(asked, CultureInfo.InvariantCulture) : 0;
        string[][] scripts = IsLong
            ? [.. Faults.SelectMany(one => Faults.Select(other => (string[])[one, other]))]
            : [.. Enumerable.Range(0, 3).Select(i => new Random((seed * 1000) + i).GetItems(Faults, 4))];
        RunAll(scripts.Select((script, i) => (seed + i, script, "round_robin")));
    }

    [Fact]
    public void Long_scripts_from_seeds_hold_for_every_balancer()
    {
        Assert.SkipUnless(IsLong, "with ./test --long");
        RunAll(from balance in (string[])["round_robin", "least_requests", "power_of_two", "random"]
               from seed in Enumerable.Range(1, 5)
               select (seed, new Random(seed).GetItems((string[])[.. Faults, "closing", "slow body"], 10), balance));
    }

    // All of them, whatever becomes of the first: which hold and which do not says more than one.
    private void RunAll(IEnumerable<(int Seed, string[] Faults, string Balance)> scripts)
    {
        var wrong = new List<string>();
        foreach (var (seed, faults, balance) in scripts)
        {
            using var play = new Play(seed, faults, balance);
            var found = play.Run();
            told.WriteLine($"seed {seed}, {balance}: {found.Count} times wrong\n{play.Story}");
            if (found.Count > 0) wrong.Add($"seed {seed}, {balance}: {found.Count} times\n{string.Join('\n', found.Take(20))}\n{play.Story}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>One script against a proxy of its own.</summary>
    private sealed class Play(int seed, string[] faults, string balance) : IDisposable
    {
        private const int Clients = 12;

        // What is chosen before a verdict may arrive behind it, and a read may be noted late on a busy machine.
        private static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(200);
        private static readonly TimeSpan Settling = TimeSpan.FromSeconds(6);

        private readonly Random dice = new(seed);
        private readonly FaultyOrigin[] origins = [new(), new(), new()];
        private readonly List<long> cuts = [];
        private readonly StringBuilder story = new();
        private readonly long started = Stopwatch.GetTimestamp();

        public string Story => story.ToString();

        /// <summary>Plays it.</summary>
        /// <returns>What did not hold.</returns>
        public List<string> Run()
        {
            var wrong = new List<string>();
            using var proxy = ProxyUnderFaults.Start(origins, balance);
            Seen[] seen;
            using (var load = new SteadyLoad(proxy.End, Clients, seed, TimeSpan.FromMilliseconds(2)))
            {
                Follow();
                if (Settle(load) is { } unsettled) wrong.Add(unsettled);
                load.Dispose();
                seen = load.Seen;
            }

            Judge(seen, proxy.AwaySpans(), wrong);
            return wrong;
        }

        public void Dispose()
        {
            foreach (var origin in origins) origin.Dispose();
        }

        // Two fail, one after the other, and then in any other way, until all are used up; then both recover, in any order.
        private void Follow()
        {
            var well = dice.Next(3);
            int[] sick = [.. Enumerable.Range(0, 3).Where(i => i != well).OrderBy(_ => dice.Next())];
            Pause(300, 600);
            for (var i = 0; i < faults.Length; i++)
            {
                Strike(sick[i % 2], faults[i]);
                Pause(0, i % 2 == 0 ? 600 : 1200);
            }

            Pause(500, 1500);
            foreach (var one in sick.OrderBy(_ => dice.Next()))
            {
                Strike(one, "good");
                Pause(0, 500);
            }
        }

        private void Strike(int index, string fault)
        {
            var origin = origins[index];
            Tell($"origin {index} {fault}");
            origin.Delay = TimeSpan.FromMilliseconds(dice.Next(2) == 0 ? 100 : ProxyUnderFaults.PerTry.TotalMilliseconds * 2);
            cuts.Add(Stopwatch.GetTimestamp());
            switch (fault)
            {
                case "restarted":
                    origin.Manner = Manner.Killed;
                    Pause(20, 400);
                    cuts.Add(Stopwatch.GetTimestamp());
                    origin.Manner = Manner.Good;
                    break;
                case "reset":
                    origin.Manner = dice.Next(3) == 0 ? Manner.ResetsAfterHead : Manner.ResetsInBody;
                    break;
                default:
                    origin.Manner = fault switch
                    {
                        "good" => Manner.Good,
                        "killed" => Manner.Killed,
                        "hung" => Manner.Hung,
                        "refusing" => Manner.Refusing,
                        "503" => Manner.Unavailable,
                        "slow" => Manner.Slow,
                        "slow body" => Manner.SlowBody,
                        "closing" => Manner.Closing,
                        _ => throw new InvalidOperationException(fault),
                    };
                    break;
            }
        }

        // Windows of a second and more, until one shows every origin its share.
        private string? Settle(SteadyLoad load)
        {
            var recovered = Stopwatch.StartNew();
            double[] shares;
            do
            {
                int[] before = [.. origins.Select(o => o.Consumed.Length)];
                var until = load.Seen.Length + 1500;
                Eventually.Holds(() => load.Seen.Length >= until, () => "the load stands still");
                int[] counts = [.. origins.Select((o, i) => o.Consumed.Length - before[i])];
                shares = [.. counts.Select((c, i) => c * 6.0 / counts.Sum() / (i + 1))];
                if (shares.All(s => s is > 0.8 and < 1.2))
                {
                    Tell($"every origin has its share {recovered.Elapsed.TotalSeconds:F1} s after the recovery");
                    return null;
                }
            }
            while (recovered.Elapsed < Settling);
            return $"{recovered.Elapsed.TotalSeconds:F0} s after the recovery the origins have {string.Join(", ", shares.Select(s => s.ToString("P0", CultureInfo.InvariantCulture)))} of their shares";
        }

        private void Judge(Seen[] seen, IReadOnlyList<AwaySpan> spans, List<string> wrong)
        {
            var read = origins.SelectMany(o => o.Consumed).GroupBy(c => c.Id).ToDictionary(g => g.Key, g => g.Count());
            HashSet<long> unread = [.. origins.SelectMany(o => o.Unread)];
            HashSet<long> broken = [.. origins.SelectMany(o => o.Broken)];
            foreach (var one in seen)
            {
                var times = read.GetValueOrDefault(one.Id);
                var may = one.Sight switch
                {
                    Sight.Whole => true,
                    Sight.Broken => broken.Contains(one.Id),
                    Sight.Refused or Sight.Nothing => one.Method == "POST" && (times > 0 || unread.Contains(one.Id) || IsAtACut(one)),
                    _ => false,
                };
                if (!may) wrong.Add($"{At(one.Ended)} {one.Method} {one.Id}: {one.Sight} {one.Status} {one.Detail} after {Stopwatch.GetElapsedTime(one.Began, one.Ended).TotalMilliseconds:F0} ms, read {times} times");
                if (one.Method == "POST" && times > 1) wrong.Add($"{At(one.Ended)} POST {one.Id} was read {times} times");
            }

            wrong.AddRange(origins.SelectMany(o => o.Wrong));
            for (var i = 0; i < origins.Length; i++) wrong.AddRange(WhileAway(i, spans));
            foreach (var group in seen.GroupBy(s => (s.Method, s.Sight)).OrderBy(g => g.Key)) Tell($"{group.Count(),6} {group.Key.Method} {group.Key.Sight}");
            Tell($"{read.Values.Sum() - read.Count} requests were read again; {spans.Count} times somebody was away, {spans.Sum(s => Stopwatch.GetElapsedTime(s.From, Math.Max(s.From, s.To)).TotalSeconds):F1} s in all; p99 {Percentile(seen, 0.99):F0} ms, most {Percentile(seen, 1):F0} ms");
        }

        // A connection that waits to be accepted while its origin goes dies with what was sent on it, and nobody sees that.
        private bool IsAtACut(Seen one) =>
            cuts.Any(c => one.Began <= c + (Margin.TotalSeconds / 10 * Stopwatch.Frequency) && one.Ended >= c);

        private IEnumerable<string> WhileAway(int index, IReadOnlyList<AwaySpan> spans)
        {
            var margin = (long)(Margin.TotalSeconds * Stopwatch.Frequency);
            AwaySpan[] own = [.. spans.Where(s => s.Origin.Equals(origins[index].End))];
            return origins[index].Consumed.Where(c => own.Any(s => c.At > s.From + margin && c.At < s.To)).Select(c => $"{At(c.At)} {c.Method} {c.Id} came to origin {index}, which was away");
        }

        private static double Percentile(Seen[] seen, double share)
        {
            double[] times = [.. seen.Select(s => Stopwatch.GetElapsedTime(s.Began, s.Ended).TotalMilliseconds).Order()];
            return times[Math.Min((int)(times.Length * share), times.Length - 1)];
        }

        private void Pause(int least, int most) => Thread.Sleep(dice.Next(least, most)); // The script's own pace, not a wait for something.

        private void Tell(string what) => story.AppendLine(CultureInfo.InvariantCulture, $"  {At(Stopwatch.GetTimestamp())} {what}");

        private string At(long moment) => Stopwatch.GetElapsedTime(started, moment).TotalSeconds.ToString("F3", CultureInfo.InvariantCulture);
    }
}
