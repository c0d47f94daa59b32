// A ring of points, about 512 an endpoint: a key belongs to the first point behind it, so that an endpoint that comes or goes
// moves its own keys only. Load is bounded (Mirrokni et al., Consistent Hashing with Bounded Loads, 2018): an endpoint takes no
// request beyond so many percent of its share of those under way; its keys go on along the ring until there is room.
//
// What is under way in all is summed up at each choice for up to 32 endpoints; for more the sum is at most 1 ms old, and
// summed anew before anybody is found full on the whole of a walk. Loops that choose at the same moment do not see each
// other: each may be one request off.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Consistent hashing with bounded load.</summary>
public sealed class ConsistentHash : Balancer
{
    /// <summary>Load is not bounded.</summary>
    public const int Unbounded = 0;

    private const int ExactPool = 32;
    private const int LongestWalk = 128;

    private readonly HashKey key;
    private readonly int load;
    private readonly Ring? ring;
    private long sum; // Under way in all, and the low half of the ms at which that was.

    /// <param name="key">What is hashed.</param>
    /// <param name="load">Percent of its share that an endpoint takes: over 100, or <see cref="Unbounded"/>.</param>
    public ConsistentHash(HashKey key, int load)
        : this(key, load, null)
    {
    }

    private ConsistentHash(HashKey key, int load, Ring? ring) => (this.key, this.load, this.ring) = (key, load, ring);

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new ConsistentHash(key, load, new Ring(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        var shares = ring!.Shares;
        if (shares.Total == 0) return -1;
        // A request without the key is nobody's: it begins anywhere.
        if (!key.TryHash(exchange, out var hash)) hash = (ulong)exchange.Loop.Random.NextInt64();
        var active = load == Unbounded ? 0 : Sum(endpoints, exchange, anew: endpoints.Length <= ExactPool);
        var choice = Walk(endpoints, hash, active, exchange);
        if (choice >= 0) return choice;
        if (load != Unbounded && endpoints.Length > ExactPool) choice = Walk(endpoints, hash, Sum(endpoints, exchange, anew: true), exchange);
        return choice >= 0 ? choice : LeastLoaded(endpoints, exchange);
    }

    /// <summary>How many requests an endpoint of this weight may have where so many are under way, the new one included.</summary>
    internal static long Bound(long active, int weight, long total, int load) => ((active * load * weight) + (100 * total) - 1) / (100 * total);

    private int Walk(ReadOnlySpan<IBalanced> endpoints, ulong hash, long active, Exchange exchange)
    {
        var (shares, owners) = (ring!.Shares, ring.Owners);
        var at = ring.After((uint)(hash >> 32));
        for (var step = 0; step < LongestWalk; step++)
        {
            var choice = owners[at];
            if (++at == owners.Length) at = 0;
            if (load != Unbounded && endpoints[choice].Active >= Bound(active + 1, shares.Weights[choice], shares.Total, load)) continue;
            if (shares.IsOpen(endpoints, choice, exchange)) return choice;
        }

        return -1;
    }

    // So long a walk finds nobody where most are away: whoever is left then, full or not.
    private int LeastLoaded(ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        var (shares, best) = (ring!.Shares, -1);
        for (var i = 0; i < endpoints.Length; i++)
        {
            if (!shares.IsOpen(endpoints, i, exchange)) continue;
            if (best < 0 || (long)endpoints[i].Active * shares.Weights[best] < (long)endpoints[best].Active * shares.Weights[i]) best = i;
        }

        return best;
    }

    private long Sum(ReadOnlySpan<IBalanced> endpoints, Exchange exchange, bool anew)
    {
        var now = (uint)exchange.Loop.Now;
        var known = Volatile.Read(ref sum);
        if (!anew && (uint)known == now) return known >> 32;
        long active = 0;
        foreach (var endpoint in endpoints) active += endpoint.Active;
        if (endpoints.Length > ExactPool) Volatile.Write(ref sum, (active << 32) | now);
        return active;
    }

    /// <summary>The points; immutable.</summary>
    private sealed class Ring
    {
        private const int PointsEach = 1024; // Of the mean weight rounded up to a power of two: 512 to 1,024.

        private readonly uint[] points;
        private readonly int[] firsts; // By the upper bits of a hash: the first point that has them.
        private readonly int shift;

        public Ring(ReadOnlySpan<IBalanced> endpoints)
        {
            Shares = new Shares(endpoints);
            var places = HashKey.Places(endpoints);
            var weights = Shares.Weights;
            var weighted = 0;
            foreach (var weight in weights) weighted += weight > 0 ? 1 : 0;
            // An endpoint's points are the first of a series of its own, and as many as its weight alone says but for the
            // scale, which changes by halves: others that come and go leave them where they are.
            var scale = weighted == 0 ? 1 : (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)((Shares.Total + weighted - 1) / weighted));
            var count = 0L;
            foreach (var weight in weights) count += Count(weight, scale);
            var ordered = new ulong[count];
            Owners = new int[count];
            var made = 0;
            for (var i = 0; i < weights.Length; i++)
            {
                var (series, last) = (places[i], made + Count(weights[i], scale));
                while (made < last)
                {
                    series = HashKey.Mix(series);
                    (ordered[made], Owners[made]) = (series, i);
                    made++;
                }
            }

            // By all 64 bits: points that share the upper ones stand in the same order whoever else is there.
            Array.Sort(ordered, Owners);
            points = Array.ConvertAll(ordered, static p => (uint)(p >> 32));
            var bits = Math.Max(1, System.Numerics.BitOperations.Log2((uint)points.Length | 1));
            shift = 32 - bits;
            firsts = new int[1 << bits];
            for (int bucket = 0, at = 0; bucket < firsts.Length; bucket++)
            {
                while (at < points.Length && points[at] >> shift < (uint)bucket) at++;
                firsts[bucket] = at;
            }
        }

        public Shares Shares { get; }

        /// <summary>Whose the points are, in their order.</summary>
        public int[] Owners { get; }

        /// <summary>The first point at or behind a hash.</summary>
        public int After(uint hash)
        {
            var at = firsts[hash >> shift];
            while (at < points.Length && points[at] < hash) at++;
            return at == points.Length ? 0 : at;
        }

        private static int Count(int weight, long scale) => weight == 0 ? 0 : (int)Math.Max(1, (long)PointsEach * weight / scale);
    }
}
