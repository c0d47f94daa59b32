using Weir.Engine.Balancing;
using Weir.Engine.Forwarding;
using Weir.Engine.Mirroring;
using Weir.Engine.Routing;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Mirroring;

public class MirrorPlanTests
{
    private static readonly MirrorPlan Plan = new() { Forward = new ForwardPlan { Upstream = new Upstream("s", "s", new RoundRobin(), 1) } };

    [Theory]
    [InlineData(MirrorPlan.Whole, 20_000, 20_000)]
    [InlineData(MirrorPlan.Whole / 10, 1_700, 2_300)]
    [InlineData(MirrorPlan.Whole / 200, 50, 150)]
    [InlineData(0, 0, 0)]
    public void A_share_of_the_requests_is_picked(int share, int least, int most)
    {
        var exchange = Requests.Get("/");
        var plan = Plan with { Share = share };
        Assert.InRange(Enumerable.Range(0, 20_000).Count(_ => plan.Picks(exchange)), least, most);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1", true)]
    [InlineData("HEAD / HTTP/1.1", true)]
    [InlineData("POST / HTTP/1.1", false)]
    [InlineData("PUT / HTTP/1.1", true)]
    public void Methods_may_be_chosen(string start, bool picked)
    {
        var exchange = Requests.Of(start, "Host: h");
        Assert.Equal(picked, (Plan with { Methods = new MethodCondition(["GET"u8.ToArray(), "PUT"u8.ToArray()]) }).Picks(exchange));
        Assert.True(Plan.Picks(exchange));
    }

    [Fact]
    public void What_may_become_a_tunnel_is_never_picked()
    {
        Assert.False(Plan.Picks(Requests.Of("CONNECT h:443 HTTP/1.1", "Host: h:443")));
        Assert.False(Plan.Picks(Requests.Get("/", "Connection: upgrade", "Upgrade: websocket")));
    }
}
