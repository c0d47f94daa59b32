// How many attempts may be made again: a share of the requests of about the last ten seconds, and a few a second besides, so
// that retries help while little fails and never multiply an outage. Requests are counted by each loop for itself; the
// account is made up only when somebody asks for a retry.

namespace Weir.Engine.Upstreams;

/// <summary>The retries that an upstream may cause. Any thread.</summary>
/// <param name="loops">How many loops there are.</param>
/// <param name="reserve">What may be retried a second however few requests there are.</param>
public sealed class RetryBudget(int loops, int reserve = RetryBudget.Reserve)
{
    /// <summary>The reserve of retries.</summary>
    public const int Reserve = 10;

    private const double Memory = 10_000; // ms
    private const int Apart = 16; // Longs: each loop's counter on a cache line of its own.

    private readonly Lock taking = new();
    private readonly long[] begun = new long[loops * Apart];
    private double left = reserve * Memory / 1000;
    private long seen;
    private long at = -1;
    private long refused;

    /// <summary>Retries that were not made because the budget was used up.</summary>
    public long Refused => Volatile.Read(ref refused);

    /// <summary>A request begins. That loop only.</summary>
    public void Begin(int loop) => begun[loop * Apart]++;

    /// <summary>Takes one retry out of the budget, if there is one.</summary>
    /// <param name="now">Milliseconds.</param>
    /// <param name="percent">Retries a hundred requests.</param>
    public bool TryTake(long now, int percent)
    {
        lock (taking)
        {
            var total = 0L;
            for (var i = 0; i < begun.Length; i += Apart) total += Volatile.Read(ref begun[i]);
            var elapsed = at < 0 ? 0 : Math.Max(0, now - at);
            // Of what came in a longer time, the part that is remembered.
            var requests = (total - seen) * Math.Min(1, Memory / Math.Max(1, elapsed));
            left = (left * Math.Exp(-elapsed / Memory)) + (reserve * Math.Min(elapsed, Memory) / 1000) + (requests * percent / 100);
            (seen, at) = (total, Math.Max(at, now)); // Loops' clocks differ by a turn: no time is given twice.
            if (left < 1)
            {
                Interlocked.Increment(ref refused);
                return false;
            }

            left--;
            return true;
        }
    }
}
