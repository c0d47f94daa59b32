using CsCheck;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Balancing;

/// <summary>What holds for every algorithm.</summary>
public class BalancerTests
{
    public static TheoryData<string> All => [.. Balancers.Keys];

    private static readonly Dictionary<string, Func<Balancer>> Balancers = new()
    {
        ["round_robin"] = () => new RoundRobin(),
        ["random"] = () => new WeightedRandom(),
        ["power_of_two"] = () => new PowerOfTwo(),
        ["least_requests"] = () => new LeastRequests(),
        ["peak_ewma"] = () => new PeakEwma(),
        ["ip_hash"] = () => new IpHash(),
        ["consistent_hash"] = () => new ConsistentHash(HashKey.ClientIp, 125),
        ["maglev"] = () => new Maglev(HashKey.ClientIp),
    };

    [Theory]
    [MemberData(nameof(All))]
    public void Who_was_tried_is_away_or_has_no_weight_is_never_chosen_and_somebody_is_while_anybody_is_left(string name)
    {
        var balancer = Balancers[name];
        Gen.Select(Gen.Int[0, 3].Array[0, 40], Gen.Int[0, 39].Array[0, Tried.Most], Gen.ULong).Sample(
            (weights, tried, away) =>
            {
                var members = Pool.Of(weights);
                for (var i = 0; i < members.Length; i++) members[i].IsAvailable = (away & (1UL << i)) == 0;
                var choice = balancer().For(members).Choose(members, Pool.After(Keyed.From(1, Pool.Exchange()), tried.Where(t => t < members.Length).Select(t => members[t])));
                var left = Enumerable.Range(0, members.Length).Where(i => weights[i] > 0 && members[i].IsAvailable && !tried.Contains(i)).ToArray();
                if (left.Length == 0) Assert.Equal(-1, choice);
                else Assert.Contains(choice, left);
            },
            iter: 500,
            threads: 1);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void One_of_a_thousand_that_is_left_is_found(string name)
    {
        var members = Pool.Equal(1_000);
        foreach (var member in members) member.IsAvailable = false;
        members[700].IsAvailable = true;
        Assert.Equal(700, Balancers[name]().For(members).Choose(members, Keyed.From(1, Pool.Exchange())));
        members[700].IsAvailable = false;
        Assert.Equal(-1, Balancers[name]().For(members).Choose(members, Pool.Exchange()));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Loops_choose_at_once(string name)
    {
        var members = Pool.Of(1, 2, 3, 4);
        var balancer = Balancers[name]().For(members);
        var failed = 0;
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            var exchange = Keyed.From(1, Pool.Exchange());
            for (var i = 0; i < 5_000; i++)
            {
                members[2].IsAvailable = i % 2 == 0; // Comes and goes while others look.
                var choice = balancer.Choose(members, exchange);
                if (choice is < 0 or > 3)
                {
                    Interlocked.Increment(ref failed);
                    continue;
                }

                members[choice].Begin();
                members[choice].End();
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Assert.Equal(0, failed);
        Assert.All(members, m => Assert.Equal(0, m.Active));
    }
}
