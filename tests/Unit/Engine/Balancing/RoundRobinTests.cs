using CsCheck;
using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class RoundRobinTests
{
    private static readonly Gen<int[]> Weights = Gen.Int[0, 20].Array[1, 8];

    [Fact]
    public void Each_gets_exactly_its_share_and_its_turns_are_spread() =>
        Gen.Select(Weights, Gen.Int[1, 3]).Sample(
            (weights, rounds) =>
            {
                var balancer = new RoundRobin().For(Of(weights));
                var total = weights.Sum();
                var chosen = new int[weights.Length];
                for (var turn = 1; turn <= total * rounds; turn++)
                {
                    chosen[Choose(balancer, Of(weights))]++;
                    for (var i = 0; i < weights.Length; i++) Assert.InRange(chosen[i] - ((double)turn * weights[i] / total), -2, 2);
                }

                Assert.Equal(weights.Select(w => w * rounds), chosen);
                if (total == 0) Assert.Equal(-1, Choose(balancer, Of(weights)));
            },
            iter: 1_000);

    [Fact]
    public void The_share_of_one_that_is_away_goes_to_all_others()
    {
        var endpoints = Of([1, 1, 1, 1], down: 2);
        var balancer = new RoundRobin().For(endpoints);
        var chosen = new int[4];
        for (var i = 0; i < 300; i++) chosen[Choose(balancer, endpoints)]++;
        Assert.All(new[] { 0, 2, 3 }, i => Assert.InRange(chosen[i], 99, 101));
    }

    [Fact]
    public void A_heavy_endpoint_is_not_asked_in_a_row()
    {
        Assert.Equal([0, 1, 0, 2, 0, 0, 0], Rotate(RoundRobin.Spread([5, 1, 1]), [0, 1, 0, 2, 0, 0, 0]));
        Assert.Equal([0, 1], RoundRobin.Spread([7, 7]));
        Assert.Equal([1], RoundRobin.Spread([0, 300]));
    }

    [Fact]
    public void New_weights_hold_from_the_next_choice_on() =>
        Gen.Select(Weights, Gen.Int[0, 50], Weights).Sample(
            (before, turns, after) =>
            {
                if (after.Sum() == 0) return;
                var balancer = new RoundRobin().For(Of(before));
                for (var i = 0; i < turns; i++) Choose(balancer, Of(before));
                balancer = balancer.For(Of(after));
                var chosen = new int[after.Length];
                for (var i = 0; i < after.Sum(); i++) chosen[Choose(balancer, Of(after))]++;
                Assert.Equal(after, chosen);
            },
            iter: 1_000);

    [Fact]
    public void Each_is_tried_once_until_nobody_is_left() =>
        Gen.Select(Weights, Gen.Int[0, 255]).Sample(
            (weights, down) =>
            {
                var endpoints = Of(weights, down);
                var balancer = new RoundRobin().For(endpoints);
                var exchange = Pool.Exchange();
                var order = new List<int>();
                while (balancer.Choose(endpoints, exchange) is >= 0 and var choice)
                {
                    order.Add(choice);
                    exchange.Tried.Add(endpoints[choice]);
                }

                Assert.Equal(Enumerable.Range(0, weights.Length).Where(i => weights[i] > 0 && (down & (1 << i)) == 0), order.Order());
            },
            iter: 1_000);

    [Fact]
    public void Nobody_and_one()
    {
        Assert.Equal(-1, First([]));
        Assert.Equal(0, First(Of([3])));
        var one = Of([3]);
        Assert.Equal(-1, new RoundRobin().For(one).Choose(one, Pool.After(Pool.Exchange(), one)));
        Assert.Equal(-1, First(Of([0])));
        Assert.Equal(-1, First(Of([3], down: 1)));
        Assert.Equal(-1, First(Of([0, 0])));
    }

    [Fact]
    public void A_hundred_endpoints_are_asked_in_turns()
    {
        var endpoints = Of([.. Enumerable.Repeat(1, 100)]);
        var balancer = new RoundRobin().For(endpoints);
        var chosen = new int[100];
        for (var i = 0; i < 300; i++) chosen[Choose(balancer, endpoints)]++;
        Assert.All(chosen, count => Assert.Equal(3, count));
    }

    [Fact]
    public void A_schedule_is_bounded_and_nearly_true_whatever_the_weights() =>
        Gen.OneOf(Gen.Int[1, 100], Gen.Int[1, 10_000], Gen.Int[1, 1_000_000]).Array[2, 8].Sample(
            weights =>
            {
                var turns = RoundRobin.Spread(weights);
                Assert.InRange(turns.Length, 2, 4096 + weights.Length);
                var total = weights.Sum(w => (double)w);
                for (var i = 0; i < weights.Length; i++)
                {
                    var share = turns.Count(t => t == i);
                    Assert.InRange(share, 1, turns.Length);
                    Assert.InRange((double)share / turns.Length, (weights[i] / total) - 0.005, (weights[i] / total) + 0.005);
                }
            },
            iter: 200);

    [Fact]
    public void Loops_that_choose_at_once_share_one_order()
    {
        var endpoints = Of([1, 2, 3]);
        var balancer = new RoundRobin().For(endpoints);
        var chosen = new int[3];
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < 6_000; i++) Interlocked.Increment(ref chosen[Choose(balancer, endpoints)]);
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Assert.Equal([4_000, 8_000, 12_000], chosen);
    }

    private static readonly ThreadLocal<Weir.Engine.Exchanges.Exchange> Anything = new(Pool.Exchange);

    private static int Choose(Balancer balancer, IBalanced[] endpoints) => balancer.Choose(endpoints, Anything.Value!);

    private static int First(IBalanced[] endpoints) => Choose(new RoundRobin().For(endpoints), endpoints);

    private static IBalanced[] Of(int[] weights, int down = 0) => [.. weights.Select((weight, i) => new Fixed(weight, (down & (1 << i)) == 0))];

    // A schedule is a circle: turned so that it begins as the expected one, where it can be.
    private static int[] Rotate(int[] turns, int[] expected) =>
        Enumerable.Range(0, turns.Length).Select(by => turns[by..].Concat(turns[..by]).ToArray()).FirstOrDefault(t => t.SequenceEqual(expected)) ?? turns;

    private sealed class Fixed(int weight, bool isAvailable) : IBalanced
    {
        public int Weight => weight;

        public bool IsAvailable => isAvailable;

        public int Active => 0;
    }
}
