using CsCheck;
using Weir.Engine.Caching.Disk;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public class IndexShardTests
{
    [Fact]
    public void A_scan_leaves_what_is_in_use_alone()
    {
        var index = new EntryIndex(1);
        var random = new Random(7);
        var lookups = 0;
        var hits = 0;
        // 1,000 fit; 800 are asked for all the time, and a scan of 20,000 passes in the middle.
        for (var i = 0; i < 60_000; i++)
        {
            Ask(index, random.Next(800), 1000, ref lookups, ref hits, count: i >= 10_000);
            if (i is >= 20_000 and < 40_000) Ask(index, 1_000_000 + i, 1000, ref lookups, ref hits, count: false);
        }

        Assert.True(hits > lookups * 0.97, $"{hits} of {lookups}");
        Assert.True(index.Count <= 1000);
    }

    [Fact]
    public void Of_a_skewed_mix_more_is_found_than_in_the_order_of_arrival()
    {
        var (ours, fifo) = (new EntryIndex(1), new HashSet<int>());
        var order = new Queue<int>();
        var (lookups, hits, fifoHits) = (0, 0, 0);
        var random = new Random(11);
        for (var i = 0; i < 200_000; i++)
        {
            var key = (int)Math.Pow(20_000, random.NextDouble()); // About Zipf's.
            Ask(ours, key, 500, ref lookups, ref hits, count: true);
            if (!fifo.Add(key))
            {
                fifoHits++;
                continue;
            }

            order.Enqueue(key);
            if (order.Count > 500) fifo.Remove(order.Dequeue());
        }

        Assert.True(hits > fifoHits * 1.05, $"{hits} and {fifoHits} of {lookups}");
    }

    [Fact]
    public void What_has_run_out_goes_though_it_was_in_use()
    {
        var shard = new IndexShard(0);
        for (var i = 1; i <= 3; i++) Assert.True(shard.TryPut(Entry(i) with { Expiry = i == 1 ? 50u : 500u }, 0, out _));
        for (var n = 0; n < 3; n++) shard.TryGet(1, touch: true, out _);
        Assert.True(shard.TryEvict(100, out var victim));
        Assert.Equal((UInt128)1, victim.Hash);
    }

    [Fact]
    public void Who_comes_back_soon_enters_the_main_queue()
    {
        var shard = new IndexShard(0);
        for (var i = 1; i <= 20; i++) Assert.True(shard.TryPut(Entry(i), 0, out _));
        Assert.True(shard.TryEvict(0, out var victim));
        Assert.Equal((UInt128)1, victim.Hash);
        Assert.True(shard.TryPut(Entry(1), 0, out _));
        Assert.True(shard.TryGet(1, touch: false, out var entry));
        Assert.Equal(IndexQueue.Main, entry.Queue);
        Assert.True(shard.TryGet(2, touch: false, out entry));
        Assert.Equal(IndexQueue.Small, entry.Queue);
    }

    [Fact]
    public void It_does_as_a_dictionary_does() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 60], Gen.Int[1, 100]).List[0, 400].Sample(
            steps =>
            {
                var index = new EntryIndex(4);
                var model = new Dictionary<UInt128, IndexEntry>();
                var serial = 1UL;
                foreach (var (what, hash, size) in steps)
                {
                    var key = (UInt128)hash;
                    switch (what)
                    {
                        case 0 or 1:
                            var entry = Entry(hash) with { Size = size, Serial = serial++ };
                            Assert.True(index.TryPut(entry, index.Of(key).StampOf(key)));
                            model[key] = entry;
                            break;
                        case 2:
                            Assert.Equal(model.Remove(key), index.TryRemove(key, out _));
                            break;
                        case 3:
                            Assert.Equal(model.TryGetValue(key, out var known), index.TryGet(key, touch: true, out var found));
                            Assert.Equal((known.Serial, known.Size), (found.Serial, found.Size));
                            break;
                        case 4:
                            // Of another serial it is not taken.
                            Assert.False(index.TryTakeOut(key, serial + 1));
                            break;
                        default:
                            Assert.Equal(model.Count > 0, index.TryEvict(0, out var victim));
                            if (model.Count > 0) Assert.True(model.Remove(victim.Hash));
                            break;
                    }

                    Assert.Equal((model.Count, model.Values.Sum(static e => e.Size)), (index.Count, index.Bytes));
                }

                var all = new List<UInt128>();
                foreach (var shard in index.Shards) all.AddRange(shard.All().Select(static e => e.Hash));
                Assert.Equal(model.Keys.Order(), all.Order());
                var walked = new List<UInt128>();
                var room = new IndexEntry[3];
                foreach (var shard in index.Shards)
                {
                    var cursor = 0;
                    while (cursor < shard.Places) walked.AddRange(room[..shard.Copy(ref cursor, room)].Select(static e => e.Hash));
                }

                Assert.Equal(model.Keys.Order(), walked.Order());
            },
            iter: 500);

    private static IndexEntry Entry(int hash) => new() { Hash = (UInt128)hash, Serial = 1, Size = 1, Expiry = uint.MaxValue };

    private static void Ask(EntryIndex index, int key, int most, ref int lookups, ref int hits, bool count)
    {
        // Hashes are even.
        var hash = ((UInt128)(unchecked((ulong)key * 0x9E3779B97F4A7C15UL)) << 64) | (unchecked((ulong)key * 0xD1B54A32D192ED03UL));
        var isHit = index.TryGet(hash, touch: true, out _);
        if (count) lookups++;
        if (count && isHit) hits++;
        if (isHit) return;
        Assert.True(index.TryPut(new IndexEntry { Hash = hash, Serial = 1, Size = 1, Expiry = uint.MaxValue }, 0));
        while (index.Count > most) Assert.True(index.TryEvict(0, out _));
    }
}
