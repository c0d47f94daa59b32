using Weir.Engine.Balancing;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Balancing;

public class PeakEwmaTests
{
    [Fact]
    public void Latency_times_load_for_its_weight_decides()
    {
        var members = Pool.Of(1, 1, 4);
        (members[0].Taken, members[1].Taken, members[2].Taken) = (1_000, 900, 3_000);
        Assert.Equal([0, 0, 10], Pool.Count(new PeakEwma(), members, 10));
        members[2].Begin();
        Assert.Equal([0, 10, 0], Pool.Count(new PeakEwma(), members, 10));
        members[1].Begin();
        Assert.Equal([10, 0, 0], Pool.Count(new PeakEwma(), members, 10));
    }

    [Fact]
    public void A_new_endpoint_gets_its_share_and_no_flood()
    {
        foreach (var count in (int[])[3, 100])
        {
            var members = Pool.Equal(count);
            foreach (var member in members) member.Taken = 1_000;
            members[1].Taken = 0;
            var (balancer, exchange) = (new PeakEwma().For(members), Pool.Exchange());
            for (var i = 0; i < count * 20; i++) members[balancer.Choose(members, exchange)].Begin();
            Assert.InRange(members[1].Active, 14, 24);
        }
    }

    [Fact]
    public void A_pool_of_which_nothing_is_known_shares_by_weight()
    {
        var members = Pool.Of(1, 2, 3);
        var counts = Pool.Count(new PeakEwma(), members, 6_000);
        for (var i = 0; i < 3; i++) Assert.InRange(counts[i], (1_000 * (i + 1)) - 20, (1_000 * (i + 1)) + 20);
    }

    [Fact]
    public void An_average_jumps_up_at_once_comes_down_with_time_and_is_forgotten()
    {
        var times = default(ResponseTime);
        Assert.Equal(0, times.At(5));
        times.Tell(1_000, 5);
        Assert.Equal(1_000, times.At(5));
        times.Tell(50_000, 6);
        Assert.Equal(50_000, times.At(6));
        times.Tell(1_000, 6); // The same moment: nothing has faded.
        Assert.Equal(50_000, times.At(6));
        Assert.Equal(50_000 / Math.E, times.At(10_006), 1.0);
        times.Tell(1_000, 10_006);
        Assert.Equal((50_000 / Math.E) + (1_000 * (1 - (1 / Math.E))), times.At(10_006), 1.0);
        Assert.Equal(times.At(10_006), times.At(10_000)); // A loop whose clock is behind.
        Assert.True(times.At(10_006 + ResponseTime.Forgotten - 1) > 0);
        Assert.Equal(0, times.At(10_006 + ResponseTime.Forgotten));
        times.Tell(0, 200_000);
        Assert.Equal(1, times.At(200_000)); // Told, so known.
    }

    [Fact]
    public void The_slowest_answer_told_by_several_loops_is_not_lost()
    {
        var endpoint = new Endpoint("http://a", "a", 1);
        var threads = Enumerable.Range(1, 4).Select(t => new Thread(() =>
        {
            for (var i = 1; i <= 2_000; i++) endpoint.Answered((t * 10_000) + i, 1);
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Assert.Equal(42_000, endpoint.Latency(1));
    }
}
