using CsCheck;
using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class WeightedRandomTests
{
    [Fact]
    public void Shares_follow_weights() =>
        Gen.Int[0, 100].Array[1, 30].Where(w => w.Sum() > 0).Sample(
            weights =>
            {
                var members = Pool.Of(weights);
                Pool.AssertShares(members, Pool.Count(new WeightedRandom(), members, 5_000));
            },
            iter: 50,
            seed: "0000KOIKNb42",
            threads: 1);

    [Fact]
    public void Without_one_that_is_away_the_others_keep_their_shares()
    {
        var members = Pool.Of(900, 1, 2, 3);
        members[0].IsAvailable = false;
        var counts = Pool.Count(new WeightedRandom(), members, 30_000);
        Pool.AssertShares(members[1..], counts[1..]);
    }
}
