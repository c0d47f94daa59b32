using CsCheck;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Engine.Observe;

public class HistogramTests
{
    [Fact]
    public void A_bucket_ends_at_its_bound_and_the_next_begins_behind_it()
    {
        for (var i = 0; i < Histogram.Bounds.Length; i++)
        {
            Assert.Equal(i, BucketOf(Histogram.Bounds[i]));
            Assert.Equal(i + 1, BucketOf(Histogram.Bounds[i] + 1));
        }

        Assert.Equal(0, BucketOf(0));
        Assert.Equal(Histogram.Bounds.Length, BucketOf(long.MaxValue));
    }

    [Fact]
    public void The_bounds_rise() => Assert.Equal(Histogram.Bounds.ToArray().Distinct().Order(), Histogram.Bounds.ToArray());

    [Fact]
    public void Counts_and_sums_of_several_loops_add_up() =>
        Gen.Select(Gen.Int[0, 2], Gen.OneOf(Gen.Long[0, 2_000], Gen.Long[0, 100_000_000])).List[0, 60].Sample(
            values =>
            {
                var traffic = new Traffic("site", 3);
                foreach (var (loop, microseconds) in values) traffic.Of(loop).Count(200 + (int)(microseconds % 400), microseconds, 3, 5, 1, microseconds % 2 == 0);
                var total = traffic.Total();
                Assert.Equal(values.Sum(v => v.Item2), total.DurationSum);
                Assert.Equal(Enumerable.Range(0, Histogram.Bounds.Length + 1).Select(i => (long)values.Count(v => Histogram.Bounds.ToArray().Count(b => b < v.Item2) == i)), total.Buckets);
                Assert.Equal(Enumerable.Range(0, 6).Select(i => (long)values.Count(v => (200 + (v.Item2 % 400)) / 100 == i)), total.Classes);
                Assert.Equal((values.Count * 3L, values.Count * 5L, (long)values.Count, values.LongCount(v => v.Item2 % 2 == 0)), (total.BytesIn, total.BytesOut, total.Retries, total.Faults));
                Assert.Equal(values.Count, total.Requests);
            },
            iter: 1_000);

    [Fact]
    public void A_status_that_is_none_is_counted_without_a_class()
    {
        var traffic = new Traffic("site", 1);
        foreach (var status in new[] { 0, 99, 600, 999, -1 }) traffic.Of(0).Count(status, 1, 0, 0, 0, faulty: false);
        Assert.Equal([5, 0, 0, 0, 0, 0], traffic.Total().Classes);
    }

    private static int BucketOf(long microseconds)
    {
        var histogram = new Histogram();
        histogram.Record(microseconds);
        var buckets = new long[Histogram.Bounds.Length + 1];
        Assert.Equal(microseconds, histogram.AddTo(buckets));
        return Array.IndexOf(buckets, 1);
    }
}
