using Weir.Engine.Caching;

namespace Weir.Tests.Unit.Engine.Caching;

public class RetentionTests
{
    [Fact]
    public void What_is_kept_never_weighs_more_than_the_limit_and_the_sums_are_right()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var random = new Random(seed);
            var retention = new Retention { Limit = 10_000 };
            var kept = new HashSet<Thing>();
            for (var step = 0; step < 2_000; step++)
            {
                var leaving = new List<Retained>();
                var one = kept.ElementAtOrDefault(random.Next(Math.Max(1, kept.Count)));
                switch (random.Next(5))
                {
                    case 0 when one is not null:
                        retention.Remove(one);
                        kept.Remove(one);
                        break;
                    case 1 when one is not null:
                        retention.Touch([one]);
                        break;
                    case 2 when one is not null:
                        one.Size = random.Next(1, 4_000);
                        retention.Reweigh(one, leaving);
                        break;
                    default:
                        var added = new Thing((ulong)random.NextInt64()) { Size = random.Next(20) == 0 ? random.Next(1, 12_000) : random.Next(1, 500) };
                        kept.Add(added);
                        retention.Add(added, leaving);
                        break;
                }

                foreach (var left in leaving) Assert.True(kept.Remove((Thing)left), "left twice");
                Assert.True(retention.Weight <= retention.Limit);
                Assert.Equal(kept.Count, retention.Count);
                Assert.Equal(kept.Sum(k => k.Weight), retention.Weight);
            }
        }
    }

    [Fact]
    public void A_scan_passes_through_and_what_is_used_stays()
    {
        var (ours, lru) = (0, 0);
        var retention = new Retention { Limit = 100_000 };
        var there = new Dictionary<ulong, Thing>();
        var (used, order) = (new Dictionary<ulong, LinkedListNode<ulong>>(), new LinkedList<ulong>());
        var random = new Random(7);
        for (var step = 0; step < 60_000; step++)
        {
            var isScan = step is > 30_000 and < 40_000;
            var hash = Mixed(isScan ? 1_000_000 + (ulong)step : (ulong)Math.Pow(10_000, random.NextDouble()));
            if (there.TryGetValue(hash, out var hit))
            {
                if (!isScan && step > 30_000) ours++;
                retention.Touch([hit]);
            }
            else
            {
                var leaving = new List<Retained>();
                retention.Missed(hash);
                there[hash] = new Thing(hash) { Size = 100 };
                retention.Add(there[hash], leaving);
                foreach (var left in leaving) there.Remove(left.Hash);
            }

            if (used.Remove(hash, out var node))
            {
                if (!isScan && step > 30_000) lru++;
                order.Remove(node);
            }

            used[hash] = order.AddLast(hash);
            if (order.Count <= 1_000) continue;
            used.Remove(order.First!.Value);
            order.RemoveFirst();
        }

        Assert.True(ours > lru * 1.05, $"{ours} hits, {lru} of one that keeps the last");
    }

    [Fact]
    public void The_sketch_tells_what_is_frequent_from_what_is_not()
    {
        var sketch = new FrequencySketch();
        for (var i = 0; i < 10; i++) sketch.Count(Mixed(1));
        for (var i = 0UL; i < 2_000; i++) sketch.Count(Mixed(1_000 + i));
        Assert.InRange(sketch.Frequency(Mixed(1)), 10, 15);
        Assert.True(Enumerable.Range(0, 1_000).Average(i => sketch.Frequency(Mixed(100_000 + (ulong)i))) < 1);
    }

    private static ulong Mixed(ulong of) => System.IO.Hashing.XxHash3.HashToUInt64(BitConverter.GetBytes(of));

    private sealed class Thing : Retained
    {
        public Thing(ulong hash) => Hash = hash;

        public long Size { get; set; }

        public override bool IsKept => true;

        public override long Weight => Size;
    }
}
