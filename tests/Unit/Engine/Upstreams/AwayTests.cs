using Weir.Engine.Balancing;
using Weir.Engine.Upstreams;
using Weir.Tests.Unit.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Upstreams;

public sealed class AwayTests
{
    private readonly Endpoint first = new("a", "a", 1);
    private readonly Endpoint second = new("b", "b", 1);
    private readonly Upstream upstream = new("u", "u", new RoundRobin(), 1);

    public AwayTests() => upstream.SetEndpoints([first, second], new UpstreamSettings { AwayFor = 1_000 });

    [Fact]
    public void One_that_could_not_be_connected_to_is_asked_last_for_a_while()
    {
        first.ConnectFailed("it refused", 5_000, isItsFault: true);
        for (var i = 0; i < 10; i++)
        {
            var exchange = Pool.Exchange();
            Assert.Same(second, upstream.Choose(exchange));
            Assert.Same(first, upstream.Choose(exchange));
            Assert.Null(upstream.Choose(exchange));
        }

        first.LookAgain(5_999);
        Assert.False(first.IsAvailable);
        first.LookAgain(6_000);
        Assert.True(first.IsAvailable);
    }

    [Fact]
    public void Where_all_were_away_each_is_still_asked()
    {
        first.ConnectFailed("it refused", 0, isItsFault: true);
        second.ConnectFailed("it refused", 0, isItsFault: true);
        var asked = Enumerable.Range(0, 4).Select(_ => upstream.Choose(Pool.Exchange())).ToHashSet();
        Assert.Equal(2, asked.Count);
    }

    [Fact]
    public void Running_out_of_our_own_makes_nobody_away()
    {
        first.ConnectFailed("it refused", 0, isItsFault: false);
        Assert.True(first.IsAvailable);
    }
}
