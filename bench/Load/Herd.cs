// Many clients that ask for one thing at once: each has its connection, on which it has been answered before, so that what
// is measured is the answer and not how connections are accepted.

using System.Diagnostics;

namespace Weir.Bench.Load;

internal static class Herd
{
    private const int AtOnce = 32;

    /// <summary>Runs to the end.</summary>
    /// <returns>One line of JSON; times count from the moment the first of them asked.</returns>
    public static string Run(Work work)
    {
        var generator = new Generator(work with { Requests = work.Connections });
        generator.RunOneEach(AtOnce, work.HeadFor("/"));
        var unready = generator.Errors;
        generator.Restart();
        var started = Stopwatch.GetTimestamp();
        generator.RunOneEach(int.MaxValue, work.Head, started);
        return FormattableString.Invariant(
            $$"""{"requests":{{generator.Done}},"seconds":{{Stopwatch.GetElapsedTime(started).TotalSeconds:F6}},"errors":{{generator.Errors}},"unready":{{unready}},"bytes":{{generator.Bytes}},"p50":{{generator.Us(0.5)}},"p99":{{generator.Us(0.99)}},"max":{{generator.Us(1)}}}""");
    }
}
