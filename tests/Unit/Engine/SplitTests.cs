using Weir.Engine;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine;

public class SplitTests
{
    private const int Clients = 20_000;

    [Fact]
    public void Shares_are_as_the_weights_say_and_a_client_stays_on_its_side()
    {
        var split = Make(HashKey.ClientIp, false, ("api", 95), ("canary", 5));
        var sides = Sides(split);
        AssertShare(sides, "canary", 0.05);
        Assert.Equal(sides, Sides(split));
    }

    [Fact]
    public void Three_sides_share_as_their_weights_say()
    {
        var sides = Sides(Make(HashKey.ClientIp, false, ("a", 5), ("b", 3), ("c", 2)));
        AssertShare(sides, "a", 0.5);
        AssertShare(sides, "b", 0.3);
        AssertShare(sides, "c", 0.2);
    }

    [Fact]
    public void A_side_that_grows_keeps_its_clients_and_takes_only_what_it_grows_by()
    {
        var before = Sides(Make(HashKey.ClientIp, false, ("api", 95), ("canary", 5)));
        var after = Sides(Make(HashKey.ClientIp, false, ("canary", 10), ("api", 90))); // Whatever their order.
        for (var i = 0; i < Clients; i++) Assert.True(before[i] == after[i] || after[i] == "canary");
        AssertShare(after, "canary", 0.1);
        // And back.
        var back = Sides(Make(HashKey.ClientIp, false, ("api", 95), ("canary", 5)));
        Assert.Equal(before, back);
    }

    [Fact]
    public void A_third_side_takes_from_both_and_moves_nobody_between_them()
    {
        var before = Sides(Make(HashKey.ClientIp, false, ("a", 60), ("b", 40)));
        var after = Sides(Make(HashKey.ClientIp, false, ("a", 60), ("b", 40), ("c", 10)));
        for (var i = 0; i < Clients; i++) Assert.True(before[i] == after[i] || after[i] == "c");
    }

    [Fact]
    public void A_side_without_a_weight_is_nobodys() => Assert.All(Sides(Make(HashKey.ClientIp, false, ("a", 1), ("b", 0))), side => Assert.Equal("a", side));

    [Fact]
    public void By_request_each_is_drawn_anew()
    {
        var split = Make(null, false, ("a", 70), ("b", 30));
        var exchange = Requests.Get("/");
        AssertShare([.. Enumerable.Range(0, Clients).Select(_ => split.Choose(exchange).Name)], "b", 0.3);
        Assert.True(exchange.SplitValue.IsEmpty);
    }

    [Fact]
    public void A_client_without_the_cookie_is_given_one_with_which_it_stays()
    {
        var split = Make(new HashKey(KeySource.Cookie, "side"u8.ToArray()), true, ("a", 70), ("b", 30));
        var sides = new List<string>();
        var exchange = Requests.Get("/");
        for (var i = 0; i < 2_000; i++)
        {
            exchange.End();
            Requests.Of(exchange, "GET / HTTP/1.1", "Host: a");
            var side = split.Choose(exchange).Name;
            Assert.Matches("^[A-Za-z0-9_-]{22}$", exchange.SplitValue.ToString());
            var again = Requests.Get("/", $"Cookie: other=1; side={exchange.SplitValue}");
            Assert.Equal(side, split.Choose(again).Name);
            Assert.True(again.SplitValue.IsEmpty);
            Assert.True(split.IsFixed(again));
            Assert.False(split.IsFixed(exchange));
            sides.Add(side);
        }

        AssertShare([.. sides], "b", 0.3);
    }

    [Fact]
    public void Only_with_fallback_a_side_that_is_away_leaves_its_clients_to_the_others()
    {
        foreach (var fallsBack in new[] { false, true })
        {
            var split = Make(HashKey.ClientIp, fallsBack, ("a", 1), ("b", 1));
            var before = Sides(split);
            var b = split.Sides[1].Route.Forward!.Upstream;
            foreach (var endpoint in b.Endpoints) endpoint.Absence.Mark(Away.Unhealthy, "it fails");
            var without = Sides(split);
            if (fallsBack) Assert.All(without, side => Assert.Equal("a", side));
            else Assert.Equal(before, without);
            foreach (var endpoint in split.Sides[0].Route.Forward!.Upstream.Endpoints) endpoint.Absence.Mark(Away.Unhealthy, "it fails");
            Assert.Equal(before, Sides(split)); // Nobody is better off elsewhere.
            foreach (var endpoint in b.Endpoints) endpoint.Absence.Clear(Away.Unhealthy);
            if (!fallsBack) Assert.Equal(before, Sides(split));
        }
    }

    [Fact]
    public void A_choice_allocates_nothing()
    {
        var split = Make(HashKey.ClientIp, true, ("a", 1), ("b", 2), ("c", 3));
        var exchange = Requests.Get("/");
        split.Choose(exchange);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) split.Choose(exchange);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static Split Make(HashKey? key, bool fallsBack, params (string Name, int Weight)[] sides)
    {
        var split = new Split(key, gives: true, fallsBack);
        split.Sides = [.. sides.Select(s => new SplitSide(s.Name, s.Weight, new RoutePlan { Name = s.Name, Forward = new ForwardPlan { Upstream = One(s.Name) } }))];
        return split;
    }

    private static Upstream One(string name)
    {
        var upstream = new Upstream(name, name, new RoundRobin(), 1);
        upstream.SetEndpoints([new Endpoint($"http://{name}", name, 1)], new UpstreamSettings());
        return upstream;
    }

    private static string[] Sides(Split split)
    {
        var exchange = Requests.Get("/");
        var sides = new string[Clients];
        for (var i = 0; i < Clients; i++)
        {
            exchange.ClientAddress = new System.Net.IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i]);
            sides[i] = split.Choose(exchange).Name;
        }

        return sides;
    }

    // Within six standard deviations of independent draws.
    private static void AssertShare(string[] sides, string name, double share)
    {
        var slack = 6 * Math.Sqrt(sides.Length * share * (1 - share));
        Assert.InRange(sides.Count(s => s == name), (sides.Length * share) - slack, (sides.Length * share) + slack);
    }
}
