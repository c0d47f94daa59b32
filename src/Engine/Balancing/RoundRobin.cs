// One after the other, each as often as its weight says. A position is one atomic step that all loops share; it is mapped
// onto a schedule in which the turns of a heavy endpoint are spread out instead of bunched.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Weighted round robin.</summary>
public sealed class RoundRobin : Balancer
{
    // Weights are scaled down to schedules of at most this many turns, and one more for each that would have none.
    private const int LongestSchedule = 4096;

    private readonly Position position;
    private readonly int[] turns;

    public RoundRobin()
        : this([], new Position())
    {
    }

    private RoundRobin(int[] turns, Position position) => (this.turns, this.position) = (turns, position);

    /// <remarks>Goes on where the one before stood, so that a change of weights does not begin anew with the first.</remarks>
    public override Balancer For(ReadOnlySpan<IBalanced> endpoints)
    {
        var weights = new int[endpoints.Length];
        for (var i = 0; i < weights.Length; i++) weights[i] = endpoints[i].Weight;
        return new RoundRobin(Spread(weights), position);
    }

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        if (turns.Length == 0) return -1;
        // The turn of one that is away is over: its share is everybody's, not its neighbour's.
        for (var i = 0; i < turns.Length; i++)
        {
            var choice = turns[turns.Length == 1 ? 0 : position.Next() % (uint)turns.Length];
            if (IsOpen(endpoints[choice], exchange)) return choice;
        }

        // Other loops took turns meanwhile: whoever they passed over was not looked at.
        foreach (var choice in turns)
        {
            if (IsOpen(endpoints[choice], exchange)) return choice;
        }

        return -1;
    }

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

    /// <summary>Whose turn it is, counted by all loops.</summary>
    private sealed class Position
    {
        private int taken = -1;

        public uint Next() => (uint)Interlocked.Increment(ref taken);
    }
}
