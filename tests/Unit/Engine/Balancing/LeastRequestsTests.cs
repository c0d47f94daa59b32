using CsCheck;
using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class LeastRequestsTests
{
    [Fact]
    public void In_a_small_pool_nobody_has_fewer_for_its_weight() =>
        Gen.Select(Gen.Int[1, 5], Gen.Int[0, 9]).Array[1, 16].Sample(
            pool =>
            {
                var members = Pool.Of([.. pool.Select(p => p.Item1)]);
                for (var i = 0; i < pool.Length; i++) members[i].Begin(pool[i].Item2);
                var choice = new LeastRequests().For(members).Choose(members, Pool.Exchange());
                Assert.All(members, m => Assert.True((double)m.Active / m.Weight >= (double)members[choice].Active / members[choice].Weight));
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Equals_take_turns_by_weight_wherever_the_busy_ones_stand()
    {
        var members = Pool.Of(1, 1, 1, 2, 1);
        members[0].Begin();
        members[1].Begin();
        var counts = Pool.Count(new LeastRequests(), members, 4_000);
        Assert.Equal([0, 0], counts[..2]);
        Assert.InRange(counts[2], 990, 1_010);
        Assert.InRange(counts[3], 1_980, 2_020);
        Assert.InRange(counts[4], 990, 1_010);
    }

    [Fact]
    public void Load_that_stays_follows_the_weights_exactly()
    {
        var members = Pool.Of(1, 2, 5);
        var (balancer, exchange) = (new LeastRequests().For(members), Pool.Exchange());
        for (var i = 0; i < 800; i++) members[balancer.Choose(members, exchange)].Begin();
        Assert.Equal([100, 200, 500], members.Select(m => m.Active));
    }

    [Fact]
    public void Of_a_thousand_the_choice_is_among_the_less_loaded_and_nobody_starves()
    {
        var members = Pool.Equal(1_000);
        for (var i = 0; i < 500; i++) members[i].Begin();
        var counts = Pool.Count(new LeastRequests(), members, 50_000);
        Assert.InRange(counts[..500].Sum(), 0, 400); // One of 256 looks at loaded ones only.
        Assert.All(counts[500..], c => Assert.InRange(c, 40, 180));
    }
}
