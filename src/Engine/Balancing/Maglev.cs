// A table of 65,537 slots that the endpoints fill in turns, each in an order of its own (Eisenbud et al., Maglev, NSDI 2016):
// a key finds its endpoint in one step, shares are nearly exact, and where an endpoint comes or goes few keys of the others
// move. Where the endpoint is away for a while its keys, and only they, go on to the same other one each time.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Hashing by a lookup table.</summary>
public sealed class Maglev : Balancer
{
    private readonly HashKey key;
    private readonly MaglevTable? table;

    public Maglev(HashKey key)
        : this(key, null)
    {
    }

    private Maglev(HashKey key, MaglevTable? table) => (this.key, this.table) = (key, table);

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new Maglev(key, new MaglevTable(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange) => table!.Choose(key, endpoints, exchange);
}

/// <summary>The table; immutable.</summary>
internal sealed class MaglevTable
{
    public const int Size = 65_537; // A prime: every step through it reaches every slot.

    // Slots further on that are asked before all endpoints are.
    private const int Steps = 16;

    private readonly Shares shares;
    private readonly ulong[] places;
    private readonly int[] slots;

    public MaglevTable(ReadOnlySpan<IBalanced> endpoints)
    {
        shares = new Shares(endpoints);
        places = HashKey.Places(endpoints);
        slots = shares.Total == 0 ? [] : Fill(shares.Weights, places);
    }

    public ReadOnlySpan<int> Slots => slots;

    /// <summary>The key's endpoint. A request without the key is nobody's, and goes anywhere by weight.</summary>
    public int Choose(HashKey key, ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        if (slots.Length == 0) return -1;
        if (!key.TryHash(exchange, out var hash)) return shares.Pick(endpoints, exchange);
        var at = hash;
        for (var step = 0; step <= Steps; step++)
        {
            var choice = slots[(int)(at % Size)];
            if (shares.IsOpen(endpoints, choice, exchange)) return choice;
            at = HashKey.Mix(at);
        }

        return Highest(endpoints, hash, exchange);
    }

    // Who is left when most are away: for each key the one whose hash with it is highest.
    private int Highest(ReadOnlySpan<IBalanced> endpoints, ulong hash, Exchange exchange)
    {
        var (best, highest) = (-1, 0UL);
        for (var i = 0; i < places.Length; i++)
        {
            var score = HashKey.Mix(hash ^ places[i]);
            if ((best < 0 || score > highest) && shares.IsOpen(endpoints, i, exchange)) (best, highest) = (i, score);
        }

        return best;
    }

    // The heaviest takes a slot each round, the others whenever their weights have added up to its.
    private static int[] Fill(ReadOnlySpan<int> weights, ulong[] places)
    {
        var slots = new int[Size];
        Array.Fill(slots, -1);
        var heaviest = 0;
        foreach (var weight in weights) heaviest = Math.Max(heaviest, weight);
        var at = new int[weights.Length];
        var step = new int[weights.Length];
        var credit = new long[weights.Length];
        for (var i = 0; i < at.Length; i++)
        {
            at[i] = (int)(places[i] % Size);
            step[i] = (int)(HashKey.Mix(places[i]) % (Size - 1)) + 1;
        }

        for (var filled = 0; filled < Size;)
        {
            for (var i = 0; i < at.Length && filled < Size; i++)
            {
                credit[i] += weights[i];
                if (credit[i] < heaviest) continue;
                credit[i] -= heaviest;
                while (slots[at[i]] >= 0) at[i] = (at[i] + step[i]) % Size;
                slots[at[i]] = i;
                filled++;
            }
        }

        return slots;
    }
}
