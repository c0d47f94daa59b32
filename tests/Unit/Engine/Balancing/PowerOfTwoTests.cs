using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class PowerOfTwoTests
{
    [Fact]
    public void Idle_endpoints_share_by_weight()
    {
        var members = Pool.Of(1, 2, 3, 10);
        Pool.AssertShares(members, Pool.Count(new PowerOfTwo(), members, 30_000));
    }

    [Fact]
    public void Of_two_the_less_loaded_for_its_weight_is_chosen_always()
    {
        var members = Pool.Of(1, 3);
        members[0].Begin(2);
        members[1].Begin(5);
        Assert.Equal([0, 1_000], Pool.Count(new PowerOfTwo(), members, 1_000));
        members[1].Begin(2);
        Assert.Equal([1_000, 0], Pool.Count(new PowerOfTwo(), members, 1_000));
    }

    [Fact]
    public void The_most_loaded_of_many_is_never_chosen()
    {
        var members = Pool.Equal(100);
        members[42].Begin();
        Assert.Equal(0, Pool.Count(new PowerOfTwo(), members, 20_000)[42]);
    }

    [Fact]
    public void Load_that_stays_is_spread_far_evener_than_at_random()
    {
        var members = Pool.Equal(100);
        var (balancer, exchange) = (new PowerOfTwo().For(members), Pool.Exchange());
        for (var i = 0; i < 10_000; i++) members[balancer.Choose(members, exchange)].Begin();
        Assert.All(members, m => Assert.InRange(m.Active, 95, 104));
    }
}
