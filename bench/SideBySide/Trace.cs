// A sequence of requests, the same for everybody, and what could be made of it by one who knows it to its end. Most of it is
// a mix by Zipf's law over objects of mixed sizes, ten times what fits; in its middle every other request is for something
// that is asked for once and never again: a scan. What is counted is the mix; the scan's own requests are lost to anybody.

namespace Weir.Bench.SideBySide;

/// <summary>Hits and bytes that came from the cache, in each part of the sequence: before the scan, in it, and after it.</summary>
internal sealed record Hits(long[] Requests, long[] Bytes)
{
    public Hits() : this(new long[Trace.Parts], new long[Trace.Parts])
    {
    }
}

internal sealed class Trace
{
    public const int Parts = 3;

    private const int Seed = 20261125;
    private const double Exponent = 0.95;
    private const double Spread = 1.4;
    private const int Least = 256;
    private const int Most = 1 << 20;
    private const int MeanSize = 32 * 1024;

    private readonly int[] order;
    private readonly int[] sizes;
    private readonly int mixed;

    /// <param name="limit">The memory everybody has.</param>
    /// <param name="requests">How many in all.</param>
    public Trace(long limit, int requests)
    {
        var dice = new Random(Seed);
        Limit = limit;
        mixed = (int)(10 * limit / MeanSize);
        var scanned = requests / 10;
        sizes = new int[mixed + scanned];
        for (var i = 0; i < sizes.Length; i++)
        {
            // Log-normal; its mean is that of the sizes.
            var normal = Math.Sqrt(-2 * Math.Log(1 - dice.NextDouble())) * Math.Cos(2 * Math.PI * dice.NextDouble());
            sizes[i] = (int)Math.Clamp(MeanSize * Math.Exp((Spread * normal) - (Spread * Spread / 2)), Least, Most);
        }

        var sums = new double[mixed];
        var sum = 0.0;
        for (var i = 0; i < mixed; i++) sums[i] = sum += Math.Pow(i + 1, -Exponent);
        var (from, until, next) = (requests * 2 / 5, requests * 3 / 5, mixed);
        order = new int[requests];
        Ends = [from, until, requests];
        for (var i = 0; i < requests; i++)
        {
            if (i >= from && i < until && i % 2 == 1 && next < sizes.Length)
            {
                order[i] = next++;
                continue;
            }

            var at = Array.BinarySearch(sums, dice.NextDouble() * sum);
            order[i] = Math.Min(at < 0 ? ~at : at, mixed - 1);
        }

        All = Count((_, _) => true);
    }

    public long Limit { get; }

    /// <summary>Where each part ends.</summary>
    public int[] Ends { get; }

    /// <summary>The requests of the mix, and their bytes.</summary>
    public Hits All { get; }

    public int Objects => mixed;

    public long Size => sizes.Take(mixed).Sum(s => (long)s);

    /// <summary>The paths, in their order; ranks are scattered, so that neighbours in fame are none in name.</summary>
    public IEnumerable<string> Paths() => order.Select(o => $"/{(o < mixed ? "fresh" : "scan")}/{sizes[o]}/z{unchecked((uint)o * 2654435761u)}");

    /// <summary>
    /// Bélády's, with sizes approximated: who knows the future forgets what has the most bytes times the longest time until it
    /// is asked for again, or does not keep the new one where that is it. A real store could do as well; with sizes, finding the very best is hard.
    /// </summary>
    public Hits Belady(bool byBytes)
    {
        var upcoming = Upcoming();
        var (kept, place, used) = (new List<int>(), new Dictionary<int, int>(), 0L);
        var due = new int[sizes.Length];
        double Worth(int one, int now) => byBytes ? due[one] - (double)now : (due[one] - (double)now) * sizes[one];
        var hits = new bool[order.Length];
        void Forget(int one)
        {
            var at = place[one];
            (kept[at], place[kept[^1]]) = (kept[^1], at);
            kept.RemoveAt(kept.Count - 1);
            place.Remove(one);
            used -= sizes[one];
        }

        for (var i = 0; i < order.Length; i++)
        {
            var one = order[i];
            hits[i] = place.ContainsKey(one);
            due[one] = upcoming[i];
            if (upcoming[i] == int.MaxValue)
            {
                if (hits[i]) Forget(one);
                continue;
            }

            if (!hits[i])
            {
                place[one] = kept.Count;
                kept.Add(one);
                used += sizes[one];
            }

            while (used > Limit)
            {
                var (worst, most) = (-1, double.MinValue);
                foreach (var other in kept)
                {
                    var worth = Worth(other, i);
                    if (worth > most) (worst, most) = (other, worth);
                }

                Forget(worst);
            }
        }

        return Count((i, _) => hits[i]);
    }

    /// <summary>The least recently used goes first, by the bytes of bodies alone.</summary>
    public Hits Lru()
    {
        var (line, places, used) = (new LinkedList<int>(), new LinkedListNode<int>?[sizes.Length], 0L);
        return Count((_, one) =>
        {
            var isHit = places[one] is not null;
            if (places[one] is { } node) line.Remove(node);
            else used += sizes[one];
            places[one] = line.AddFirst(one);
            while (used > Limit)
            {
                var last = line.Last!.Value;
                line.RemoveLast();
                places[last] = null;
                used -= sizes[last];
            }

            return isHit;
        });
    }

    /// <summary>
    /// What nobody can be better than: an object between two of its requests takes its bytes for so long, and only the sum of
    /// it all over the whole sequence is held to the limit, not each moment (the lower bound on misses of Berger, Beckmann and
    /// Harchol-Balter, "Practical Bounds on Optimal Caching with Variable Object Sizes").
    /// </summary>
    /// <returns>Hits of the whole sequence, and bytes, each at its own best.</returns>
    public (long Requests, long Bytes) Bound()
    {
        var upcoming = Upcoming();
        var room = (double)Limit * order.Length;
        (double Area, int Size, int Length)[] spans = [.. Enumerable.Range(0, order.Length).Where(i => upcoming[i] != int.MaxValue).Select(i => ((double)sizes[order[i]] * (upcoming[i] - i), sizes[order[i]], upcoming[i] - i))];
        long Best(IEnumerable<(double Area, int Size, int Length)> inOrder, Func<int, int> value)
        {
            var (sum, best) = (0.0, 0L);
            foreach (var span in inOrder)
            {
                sum += span.Area;
                best += value(span.Size);
                if (sum > room) break;
            }

            return best;
        }

        return (Best(spans.OrderBy(s => s.Area), _ => 1), Best(spans.OrderBy(s => s.Length), size => size));
    }

    // For each request when its object is asked for again.
    private int[] Upcoming()
    {
        var (upcoming, last) = (new int[order.Length], new int[sizes.Length]);
        Array.Fill(last, int.MaxValue);
        for (var i = order.Length - 1; i >= 0; i--) (upcoming[i], last[order[i]]) = (last[order[i]], i);
        return upcoming;
    }

    private Hits Count(Func<int, int, bool> isHit)
    {
        var hits = new Hits();
        for (var (i, part) = (0, 0); i < order.Length; i++)
        {
            while (i >= Ends[part]) part++;
            if (!isHit(i, order[i]) || order[i] >= mixed) continue;
            hits.Requests[part]++;
            hits.Bytes[part] += sizes[order[i]];
        }

        return hits;
    }
}
