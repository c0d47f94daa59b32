// The runs: one target after the other, on one thread, from one seed. The same program, target, seed and number of
// executions do the same again.

using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Weir.Tests.Fuzz;

/// <summary>Loaded beside the instrumented assemblies; everything that uses these begins here.</summary>
public static class Run
{
    private const string Usage = "fuzz TARGET SECONDS [SEED] | fuzz TARGET --runs N [SEED] | fuzz TARGET --input BASE64; targets: all";

    // An execution that takes longer is a failure: every input must be done with at once.
    private const int MostSeconds = 30;

    private static readonly Coverage Coverage = new();
    private static byte[] current = [];
    private static string about = "";
    private static long started;

    public static int Start(string[] args, Dictionary<string, List<int>> branches)
    {
        Coverage.Clear(); // Marks need somewhere to go before the first instrumented line runs.
        Target[] targets = [.. WireTargets.All, .. ExchangeTargets.All, .. ProxyTargets.All, .. CacheRulesTargets.All, new CookieTarget(), new DecoderTarget(), new CodingTarget(), new DictionaryTarget(), new DnsTarget(), new ConfigurationTarget()];
        var chosen = targets.Where(t => args.Length > 0 && (args[0] == "all" || args[0] == t.Name)).ToArray();
        if (chosen.Length == 0 || args.Length < 2)
        {
            Console.Error.WriteLine($"{Usage} {string.Join(' ', targets.Select(t => t.Name))}");
            return 2;
        }

        if (args[1] == "--input")
        {
            chosen[0].Check(Convert.FromBase64String(args[2]));
            Console.WriteLine($"{chosen[0].Name}: holds");
            return 0;
        }

        var counts = args[1] == "--runs";
        var limit = long.Parse(args[counts ? 2 : 1], CultureInfo.InvariantCulture);
        var seed = args.Length > (counts ? 3 : 2) ? int.Parse(args[^1], CultureInfo.InvariantCulture) : 1;
        new Thread(Watch) { IsBackground = true }.Start();
        var clean = chosen.Count(target => One(target, counts ? limit : long.MaxValue, counts ? TimeSpan.MaxValue : TimeSpan.FromSeconds(limit), seed, branches));
        Console.WriteLine($"{clean} clean, {chosen.Length - clean} failed");
        return clean == chosen.Length ? 0 : 1;
    }

    private static bool One(Target target, long most, TimeSpan time, int seed, Dictionary<string, List<int>> branches)
    {
        var corpus = new List<byte[]>();
        var examples = new Queue<byte[]>(target.Examples.Select(Encoding.Latin1.GetBytes));
        var mutator = new Mutator(new Random(seed), target);
        var clock = Stopwatch.StartNew();
        var executions = 0L;
        var slowest = 0L;
        Coverage.Clear();
        while (executions < most && clock.Elapsed < time)
        {
            var isExample = examples.TryDequeue(out var example);
            var input = isExample ? example! : mutator.Next(corpus);
            executions++;
            about = $"{target.Name}: seed {seed}, execution {executions:N0}";
            current = input;
            var began = Stopwatch.GetTimestamp();
            Volatile.Write(ref started, began);
            Coverage.Begin();
            try
            {
                target.Check(input);
            }
            catch (Exception failure)
            {
                Volatile.Write(ref started, 0);
                Console.WriteLine($"{about}: {failure.Message}\n{Convert.ToBase64String(Shorten(target, input, failure))}\n{failure.GetType().Name}\n{failure.StackTrace}");
                return false;
            }

            slowest = Math.Max(slowest, Stopwatch.GetTimestamp() - began);
            if (Coverage.TakeNew() || isExample) corpus.Add(input);
        }

        Volatile.Write(ref started, 0);
        var covered = branches.Where(b => target.Covers.Any(c => b.Key.StartsWith(c, StringComparison.Ordinal))).SelectMany(b => b.Value).ToArray();
        Console.WriteLine($"{target.Name,-10} {executions,11:N0} executions in {clock.Elapsed.TotalSeconds:N0} s: {Coverage.Edges:N0} edges; {covered.Count(Coverage.Reached):N0} of {covered.Length:N0} branches of {string.Join(", ", target.Covers.Select(c => c.TrimEnd('.').Split('.')[^1]))}; corpus {corpus.Count:N0}, longest {corpus.Max(c => c.Length):N0} bytes; slowest {Stopwatch.GetElapsedTime(0, slowest).TotalMilliseconds:N0} ms; clean");
        return true;
    }

    // Takes parts out for as long as it fails in the same way.
    private static byte[] Shorten(Target target, byte[] input, Exception failure)
    {
        for (var size = Math.Max(1, input.Length / 2); size > 0; size /= 2)
        {
            for (var at = 0; at + size <= input.Length;)
            {
                byte[] shorter = [.. input[..at], .. input[(at + size)..]];
                if (FailsLike(target, shorter, failure)) input = shorter;
                else at += size;
            }
        }

        return input;
    }

    private static bool FailsLike(Target target, byte[] input, Exception failure)
    {
        try
        {
            target.Check(input);
            return false;
        }
        catch (Exception again)
        {
            return again.GetType() == failure.GetType() && again.TargetSite == failure.TargetSite && Kind(again) == Kind(failure);
        }
    }

    // What broke, without the particulars.
    private static string Kind(Exception failure) => failure is BrokenException ? failure.Message.Split(':')[0] : "";

    private static void Watch()
    {
        while (true)
        {
            Thread.Sleep(1000);
            var began = Volatile.Read(ref started);
            if (began == 0 || Stopwatch.GetElapsedTime(began).TotalSeconds < MostSeconds || Volatile.Read(ref started) != began) continue;
            Console.WriteLine($"{about}: takes longer than {MostSeconds} s\n{Convert.ToBase64String(current)}");
            Environment.Exit(1);
        }
    }
}
