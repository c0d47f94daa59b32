using CsCheck;
using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class ConsistentHashTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(100)]
    [InlineData(1_000)]
    public void The_one_that_goes_takes_no_more_than_its_keys_along(int count)
    {
        foreach (var gone in (int[])[0, count / 2, count - 1])
        {
            var (moved, needless) = Keyed.Without(gone, Unbounded, Pool.Equal(count), 100_000);
            Assert.InRange(moved, 0.5 / count, (1.2 / count) + (count == 1_000 ? 0.0002 : 0)); // Of a hundred keys each, a sample strays.
            Assert.Equal(0, needless);
        }
    }

    [Fact]
    public void Keys_are_shared_by_weight()
    {
        var members = Pool.Of(1, 2, 0, 7);
        var chosen = Keyed.Choices(Unbounded(), members, 50_000);
        for (var i = 0; i < 4; i++) Assert.InRange(chosen.Count(c => c == i), 5_000 * members[i].Weight * 0.85, 5_000 * members[i].Weight * 1.15);
    }

    [Fact]
    public void While_one_is_away_only_its_keys_move() => Keyed.AssertAwayAndBack(Unbounded, Pool.Equal(8), 3);

    [Theory]
    [InlineData(5)]
    [InlineData(100)]
    public void Nobody_is_over_its_bound_whatever_the_keys(int count) =>
        Gen.Select(Gen.Int[1, 3].Array[count], Gen.Int[101, 200], Gen.Int[1, 4]).Sample(
            (weights, load, keys) =>
            {
                var members = Pool.Of(weights);
                var (balancer, exchange) = (new ConsistentHash(HashKey.ClientIp, load).For(members), Pool.Exchange());
                for (var i = 0; i < 1_000; i++)
                {
                    var choice = balancer.Choose(members, Keyed.From(i % keys, exchange));
                    members[choice].Begin();
                    Assert.True(members[choice].Active <= ConsistentHash.Bound(i + 1, weights[choice], weights.Sum(), load));
                }
            },
            iter: 20,
            threads: 1);

    [Fact]
    public void A_key_stays_where_there_is_room()
    {
        var members = Pool.Equal(50);
        foreach (var member in members) member.Begin(10);
        Assert.Equal(Keyed.Choices(Unbounded(), members, 500), Keyed.Choices(new ConsistentHash(HashKey.ClientIp, 125), members, 500));
    }

    private static ConsistentHash Unbounded() => new(HashKey.ClientIp, ConsistentHash.Unbounded);
}
