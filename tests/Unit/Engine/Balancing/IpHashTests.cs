using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class IpHashTests
{
    [Fact]
    public void Clients_are_shared_by_weight_and_those_of_one_network_do_not_stay_together()
    {
        var members = Pool.Of(1, 2, 5);
        var chosen = Keyed.Choices(new IpHash(), members, 20_000);
        Pool.AssertShares(members, [.. Enumerable.Range(0, 3).Select(i => chosen.Count(c => c == i))]);
        Assert.Equal(3, chosen.Take(250).Distinct().Count());
    }

    [Fact]
    public void A_client_keeps_its_endpoint_and_comes_back_to_it() => Keyed.AssertAwayAndBack(() => new IpHash(), Pool.Equal(5), 2);

    [Fact]
    public void One_of_many_endpoints_is_not_asked_twice()
    {
        var members = Pool.Equal(200);
        var (balancer, exchange) = (new IpHash().For(members), Pool.Exchange());
        for (var c = 0; c < 200; c++)
        {
            var first = balancer.Choose(members, Keyed.From(c, exchange));
            Assert.NotEqual(first, balancer.Choose(members, Pool.After(Keyed.From(c, Pool.Exchange()), [members[first]])));
        }
    }
}
