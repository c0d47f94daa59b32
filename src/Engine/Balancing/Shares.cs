// Weights made ready for choices at random: one table (the alias method) in which a pick costs the same however many
// endpoints there are. What is away is picked again, which keeps the shares of the others true to their weights.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>The weights of a set of endpoints. Immutable but for the turn of equals.</summary>
internal sealed class Shares
{
    /// <summary>Pools up to this size are looked at whole.</summary>
    public const int SmallPool = 16;

    // After so many picks of somebody who is away, those who are left are counted.
    private const int Picks = 8;

    private readonly int[] weights;
    private readonly int[] weighted; // Those with a weight.
    private readonly (long Keep, int Other)[] slots;
    private readonly long total;
    private uint turn;

    public Shares(ReadOnlySpan<IBalanced> endpoints)
    {
        weights = new int[endpoints.Length];
        for (var i = 0; i < weights.Length; i++) weights[i] = endpoints[i].Weight;
        weighted = [.. Enumerable.Range(0, weights.Length).Where(i => weights[i] > 0)];
        foreach (var i in weighted) total += weights[i];
        slots = Slots();
    }

    public static Shares None { get; } = new([]);

    public ReadOnlySpan<int> Weights => weights;

    public long Total => total;

    /// <summary>Whether an endpoint may be asked.</summary>
    public bool IsOpen(ReadOnlySpan<IBalanced> endpoints, int i, Exchange exchange) => weights[i] > 0 && Balancer.IsOpen(endpoints[i], exchange);

    /// <summary>One at random, each as often as its weight says.</summary>
    public int Pick(ReadOnlySpan<IBalanced> endpoints, Exchange exchange, int except = -1)
    {
        if (slots.Length == 0) return -1;
        var random = exchange.Loop.Random;
        for (var i = 0; i < Picks; i++)
        {
            // One draw for both: 32 bits for the slot, 31 for the place in it.
            var draw = (ulong)random.NextInt64();
            var slot = (int)(((draw >> 31) * (ulong)slots.Length) >> 32);
            var choice = (long)(((draw & int.MaxValue) * (ulong)total) >> 31) < slots[slot].Keep ? weighted[slot] : slots[slot].Other;
            if (choice != except && IsOpen(endpoints, choice, exchange)) return choice;
        }

        long left = 0;
        foreach (var i in weighted)
        {
            if (i != except && IsOpen(endpoints, i, exchange)) left += weights[i];
        }

        if (left == 0) return -1;
        var at = random.NextInt64(left);
        var last = -1;
        foreach (var i in weighted)
        {
            if (i == except || !IsOpen(endpoints, i, exchange)) continue; // One may have gone since it was counted.
            last = i;
            if ((at -= weights[i]) < 0) break;
        }

        return last;
    }

    /// <summary>Who is compared: everybody in a small pool, else so many picks.</summary>
    public ReadOnlySpan<int> Gather(ReadOnlySpan<IBalanced> endpoints, Exchange exchange, Span<int> into, int picks)
    {
        var count = 0;
        if (weights.Length <= SmallPool)
        {
            foreach (var i in weighted)
            {
                if (IsOpen(endpoints, i, exchange)) into[count++] = i;
            }

            return into[..count];
        }

        for (; count < picks; count++)
        {
            var pick = Pick(endpoints, exchange, count == 0 ? -1 : into[count - 1]);
            if (pick < 0) break;
            into[count] = pick;
        }

        return into[..count];
    }

    /// <summary>The cheapest. Among equals the first pick of a large pool; in a small one they take turns by weight.</summary>
    public int Least(ReadOnlySpan<int> candidates, ReadOnlySpan<double> costs)
    {
        if (candidates.IsEmpty) return -1;
        var (best, equals) = (0, 0L);
        for (var i = 0; i < candidates.Length; i++)
        {
            if (costs[i] < costs[best]) (best, equals) = (i, 0);
            if (costs[i] <= costs[best]) equals += weights[candidates[i]];
        }

        if (weights.Length > SmallPool || equals == weights[candidates[best]]) return candidates[best];
        // Steps of the golden ratio: whatever the weights, turns fall evenly and heavy ones are not bunched.
        var at = (long)(((ulong)unchecked(Interlocked.Increment(ref turn) * 0x9E3779B9u) * (ulong)equals) >> 32);
        for (var i = best; i < candidates.Length; i++)
        {
            if (costs[i] <= costs[best] && (at -= weights[candidates[i]]) < 0) return candidates[i];
        }

        return candidates[best];
    }

    // Each slot is as wide as the mean weight: it keeps its own endpoint up to its weight, and a heavier one fills the rest.
    private (long Keep, int Other)[] Slots()
    {
        var made = new (long Keep, int Other)[weighted.Length];
        var rest = new long[weighted.Length];
        var (light, heavy) = (new Stack<int>(), new Stack<int>());
        for (var s = 0; s < rest.Length; s++)
        {
            rest[s] = (long)weights[weighted[s]] * rest.Length;
            (rest[s] < total ? light : heavy).Push(s);
        }

        while (light.TryPop(out var s))
        {
            var filler = heavy.Pop(); // The widths sum up to the slots': where one is too light, another is heavy enough.
            made[s] = (rest[s], weighted[filler]);
            rest[filler] -= total - rest[s];
            (rest[filler] < total ? light : heavy).Push(filler);
        }

        foreach (var s in heavy) made[s] = (total, weighted[s]);
        return made;
    }
}
