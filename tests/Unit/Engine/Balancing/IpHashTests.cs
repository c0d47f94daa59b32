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
    public void An_endpoint_beyond_those_that_can_be_marked_is_not_asked_twice_in_a_row()
    {
        var members = Pool.Equal(200);
        var (balancer, exchange) = (new IpHash().For(members), Pool.Exchange());
        for (var c = 0; c < 200; c++)
        {
            exchange.Place.EndpointState = null;
            var first = balancer.Choose(members, 0, Keyed.From(c, exchange));
            exchange.Place.EndpointState = members[first];
            Assert.NotEqual(first, balancer.Choose(members, first < 64 ? 1UL << first : 0, exchange));
        }
    }
}
