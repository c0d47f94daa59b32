// One after the other, each as often as its weight says. A position is one atomic step that all loops share; it is mapped
// onto a schedule in which the turns of a heavy endpoint are spread out instead of bunched.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Weighted round robin.</summary>
public sealed class RoundRobin : Balancer
{
    // Weights are scaled down to schedules of at most this many turns, and one more for each that would have none.
    private const int LongestSchedule = 4096;

    private readonly Lock making = new();
    private Schedule schedule = new([], []);
    private int position = -1;

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, ulong tried, Exchange exchange)
    {
        if (endpoints.Length == 1) return (tried & 1) == 0 && endpoints[0].IsAvailable && endpoints[0].Weight > 0 ? 0 : -1;
        var turns = CurrentSchedule(endpoints).Turns;
        if (turns.Length == 0) return -1;
        // The turn of one that is away is over: its share is everybody's, not its neighbour's.
        for (var i = 0; i < turns.Length; i++)
        {
            var choice = turns[(uint)Interlocked.Increment(ref position) % (uint)turns.Length];
            if (May(endpoints, tried, choice)) return choice;
        }

        // Other loops took turns meanwhile: whoever they passed over was not looked at.
        foreach (var choice in turns)
        {
            if (May(endpoints, tried, choice)) return choice;
        }

        return -1;
    }

    private static bool May(ReadOnlySpan<IBalanced> endpoints, ulong tried, int choice) => (choice >= 64 || (tried & (1UL << choice)) == 0) && endpoints[choice].IsAvailable;

    /// <summary>The order of turns for these weights: each time the endpoint that is furthest behind its share.</summary>
    internal static int[] Spread(ReadOnlySpan<int> weights)
    {
        long total = 0;
        foreach (var weight in weights) total += weight;
        if (total == 0) return [];
        var divisor = GreatestDivisor(weights);
        var length = total / divisor;
        if (length > LongestSchedule)
        {
            divisor = (int)((total + LongestSchedule - 1) / LongestSchedule);
            length = 0;
            foreach (var weight in weights) length += Turns(weight, divisor);
        }

        var turns = new int[length];
        var current = new long[weights.Length];
        for (var t = 0; t < turns.Length; t++)
        {
            var best = -1;
            for (var i = 0; i < weights.Length; i++)
            {
                if (weights[i] == 0) continue;
                current[i] += Turns(weights[i], divisor);
                if (best < 0 || current[i] > current[best]) best = i;
            }

            turns[t] = best;
            current[best] -= length;
        }

        return turns;
    }

    private static int Turns(int weight, int divisor) => weight == 0 ? 0 : Math.Max(1, weight / divisor);

    private static int GreatestDivisor(ReadOnlySpan<int> weights)
    {
        var divisor = 0;
        foreach (var weight in weights)
        {
            var (a, b) = (divisor, weight);
            while (b != 0) (a, b) = (b, a % b);
            divisor = a;
        }

        return Math.Max(1, divisor);
    }

    private Schedule CurrentSchedule(ReadOnlySpan<IBalanced> endpoints)
    {
        var now = Volatile.Read(ref schedule);
        if (now.Fits(endpoints)) return now;
        // A change of weights is rare; whoever sees it first makes the new schedule, off the way of nobody for long.
        lock (making)
        {
            var weights = new int[endpoints.Length];
            for (var i = 0; i < weights.Length; i++) weights[i] = endpoints[i].Weight;
            now = new Schedule(weights, Spread(weights));
            Volatile.Write(ref schedule, now);
            return now;
        }
    }

    private sealed record Schedule(int[] Weights, int[] Turns)
    {
        public bool Fits(ReadOnlySpan<IBalanced> endpoints)
        {
            if (endpoints.Length != Weights.Length) return false;
            for (var i = 0; i < Weights.Length; i++)
            {
                if (endpoints[i].Weight != Weights[i]) return false;
            }

            return true;
        }
    }
}
