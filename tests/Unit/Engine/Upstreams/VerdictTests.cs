using Weir.Engine.Balancing;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;
using Weir.Tests.Unit.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Upstreams;

/// <summary>What becomes of endpoints for how they answer, and who is asked then.</summary>
public sealed class VerdictTests
{
    private readonly Upstream upstream = new("u", "u", new RoundRobin(), 1);

    [Fact]
    public void Failures_in_a_row_eject_and_a_success_between_begins_anew()
    {
        var endpoints = Set(4, new PassiveHealth { Failures = 3, EjectFor = 1_000 });
        Fail(endpoints[0], 2, 0);
        upstream.Tell(endpoints[0], null, 0);
        Fail(endpoints[0], 2, 0);
        Assert.True(endpoints[0].IsAvailable);
        Fail(endpoints[0], 1, 0);
        Assert.Equal(Away.Ejected, endpoints[0].Absence.Now);
        Assert.Contains("3 failures in a row, the last: it answered 503", endpoints[0].Absence.ReasonOf(Away.Ejected), StringComparison.Ordinal);
    }

    [Fact]
    public void Failures_further_apart_than_the_window_are_not_in_a_row()
    {
        var endpoints = Set(4, new PassiveHealth { Failures = 2, Within = 1_000 });
        Fail(endpoints[0], 1, 0);
        Fail(endpoints[0], 1, 1_001);
        Assert.True(endpoints[0].IsAvailable);
        Fail(endpoints[0], 1, 2_001);
        Assert.False(endpoints[0].IsAvailable);
    }

    [Fact]
    public void Each_ejection_lasts_longer_up_to_the_most_and_the_first_failure_after_one_is_enough()
    {
        var endpoints = Set(4, new PassiveHealth { Failures = 3, EjectFor = 1_000, MostEjectFor = 3_000 });
        Fail(endpoints[0], 3, 0);
        AssertReturns(endpoints[0], 1_000);
        Fail(endpoints[0], 1, 1_000);
        AssertReturns(endpoints[0], 3_000);
        Fail(endpoints[0], 1, 3_000);
        AssertReturns(endpoints[0], 6_000); // Not 4 s.
        upstream.Tell(endpoints[0], null, 6_000);
        Fail(endpoints[0], 3, 10_000); // Well for longer than the most: anew.
        AssertReturns(endpoints[0], 11_000);
    }

    [Fact]
    public void No_more_than_the_share_are_ejected()
    {
        var endpoints = Set(4, new PassiveHealth { Failures = 1, MostEjected = 50 });
        for (var i = 0; i < 4; i++) Fail(endpoints[i], 1, i * 2_000);
        Assert.Equal(2, endpoints.Count(e => !e.IsAvailable));
        var single = Set(1, new PassiveHealth { Failures = 1 });
        Fail(single[0], 10, 0);
        Assert.True(single[0].IsAvailable);
    }

    [Fact]
    public void Nobody_is_ejected_while_all_others_fail_too()
    {
        var endpoints = Set(3, new PassiveHealth { Failures = 2, MostEjected = 100 });
        for (var i = 0; i < 10; i++)
        {
            foreach (var endpoint in endpoints) Fail(endpoint, 1, i * 900);
        }

        Assert.All(endpoints, e => Assert.True(e.IsAvailable));
        Fail(endpoints[0], 1, 9_099);
        Fail(endpoints[1], 1, 9_099);
        Assert.Equal([true, true, true], endpoints.Select(e => e.IsAvailable)); // The third failed a second ago.
        Fail(endpoints[0], 1, 9_101);
        Fail(endpoints[1], 1, 9_101);
        Assert.Equal([false, false, true], endpoints.Select(e => e.IsAvailable));
    }

    [Fact]
    public void Where_the_last_one_fails_who_has_been_out_the_longest_takes_its_place()
    {
        var endpoints = Set(3, new PassiveHealth { Failures = 2 });
        Fail(endpoints[0], 2, 0);
        Fail(endpoints[1], 2, 2_000);
        Fail(endpoints[2], 2, 4_000);
        Assert.Equal([true, false, false], endpoints.Select(e => e.IsAvailable));
        Fail(endpoints[0], 1, 5_500); // It was not well after all: the next one.
        Assert.Equal([false, true, false], endpoints.Select(e => e.IsAvailable));
        Fail(endpoints[1], 1, 5_600);
        Assert.Equal([false, false, true], endpoints.Select(e => e.IsAvailable));
        Fail(endpoints[2], 1, 5_700);
        Assert.Equal([false, false, true], endpoints.Select(e => e.IsAvailable)); // The others failed just now.
    }

    [Fact]
    public void A_share_of_failures_ejects_where_there_were_enough_attempts()
    {
        var endpoints = Set(4, new PassiveHealth { Failures = 0, ErrorPercent = 50, AtLeast = 10, Within = 10_000 });
        for (var i = 0; i < 4; i++)
        {
            upstream.Tell(endpoints[0], null, 0);
            Fail(endpoints[0], 1, 0);
        }

        Assert.True(endpoints[0].IsAvailable);
        upstream.Tell(endpoints[0], null, 0);
        Fail(endpoints[0], 1, 0);
        Assert.False(endpoints[0].IsAvailable);
    }

    [Fact]
    public void One_much_slower_than_the_others_is_ejected()
    {
        var endpoints = Set(4, new PassiveHealth { LatencyFactor = 5 });
        foreach (var endpoint in endpoints) endpoint.Answered(10_000, 0);
        upstream.LookAgain(0);
        Assert.All(endpoints, e => Assert.True(e.IsAvailable));
        endpoints[2].Answered(51_000, 0);
        upstream.LookAgain(0);
        Assert.Equal([2], Enumerable.Range(0, 4).Where(i => !endpoints[i].IsAvailable));
    }

    [Fact]
    public void A_breaker_of_an_endpoint_opens_closes_and_opens_again_at_once()
    {
        var endpoints = Set(2, null, s => s with { Breaker = new BreakerSettings(50, 10_000, 4, 1_000, OfUpstream: false, OfEndpoints: true) });
        Fail(endpoints[0], 3, 0);
        Assert.True(endpoints[0].IsAvailable);
        Fail(endpoints[0], 1, 0);
        Assert.Equal(Away.Broken, endpoints[0].Absence.Now);
        upstream.LookAgain(1_000);
        Assert.True(endpoints[0].IsAvailable);
        Fail(endpoints[0], 1, 1_000);
        Assert.False(endpoints[0].IsAvailable);
        upstream.LookAgain(2_000);
        upstream.Tell(endpoints[0], null, 2_000);
        Fail(endpoints[0], 3, 2_000);
        Assert.True(endpoints[0].IsAvailable);
    }

    [Fact]
    public void Backups_stand_in_tier_by_tier_and_step_back()
    {
        var endpoints = Set(4, null, tiers: [0, 0, 1, 2]);
        Assert.Equal([0, 1], Asked(endpoints));
        endpoints[0].Absence.Mark(Away.Unhealthy, "");
        Assert.Equal([1], Asked(endpoints));
        endpoints[1].Absence.Mark(Away.Unhealthy, "");
        Assert.Equal([2], Asked(endpoints));
        endpoints[2].Absence.Mark(Away.Unhealthy, "");
        Assert.Equal([3], Asked(endpoints));
        endpoints[0].Absence.Clear(Away.Unhealthy);
        Assert.Equal([0], Asked(endpoints));
    }

    [Fact]
    public void One_exchange_goes_on_to_the_next_tier()
    {
        var endpoints = Set(3, null, tiers: [0, 1, 2]);
        var exchange = Pool.Exchange();
        Assert.Equal(endpoints, Enumerable.Range(0, 3).Select(_ => upstream.Choose(exchange)));
        Assert.Null(upstream.Choose(exchange));
    }

    [Theory]
    [InlineData(0, new[] { 0, 1 }, false)] // Somebody is left.
    [InlineData(60, new[] { 0, 1, 2, 3 }, true)]
    [InlineData(50, new[] { 0, 1 }, false)] // Half is enough.
    public void Below_its_share_health_is_ignored(int panic, int[] asked, bool isPanicking)
    {
        var endpoints = Set(4, null, s => s with { Panic = panic });
        endpoints[2].Absence.Mark(Away.Unhealthy, "");
        endpoints[3].Absence.Mark(Away.Ejected, "");
        Assert.Equal(asked, Asked(endpoints));
        Assert.Equal(isPanicking, upstream.IsPanicking);
    }

    [Fact]
    public void That_health_is_ignored_is_said_once_and_so_is_its_end()
    {
        var file = Path.GetTempFileName();
        upstream.Errors = new ErrorLog(new FileTarget(file));
        var endpoints = Set(2, null);
        foreach (var endpoint in endpoints) endpoint.Absence.Mark(Away.Unhealthy, "sick");
        endpoints[0].Absence.Clear(Away.Unhealthy);
        upstream.Errors.Drain(last: true);
        Assert.Equal(["e0 is away: sick", "e1 is away: sick", "too few servers are available; whoever is not drained is asked", "e0 is back", "enough servers are available again"],
            File.ReadAllLines(file).Select(l => l[(l.IndexOf("u: ", StringComparison.Ordinal) + 3)..]));
        File.Delete(file);
    }

    [Fact]
    public void Without_panic_only_those_are_asked_against_whom_only_their_answers_speak_and_with_it_nobody_who_is_drained()
    {
        var endpoints = Set(2, null, s => s with { Panic = UpstreamSettings.NoPanic });
        endpoints[0].Absence.Mark(Away.Unreachable, "");
        Assert.Equal([1], Asked(endpoints));
        endpoints[1].Absence.Mark(Away.Unhealthy, "");
        Assert.Equal([0], Asked(endpoints));
        endpoints[0].Absence.Mark(Away.Broken, "");
        Assert.Empty(Asked(endpoints));
        Set(endpoints, new UpstreamSettings());
        Assert.Equal([0, 1], Asked(endpoints));
        foreach (var endpoint in endpoints) endpoint.Absence.Mark(Away.Drained, "");
        Assert.Empty(Asked(endpoints));
    }

    [Fact]
    public void One_that_comes_back_takes_a_tenth_at_first_and_its_share_at_the_end()
    {
        var endpoints = Set(2, null, s => s with { SlowStart = 1_000 });
        var (exchange, taken) = (Pool.Exchange(), 0);
        int Taken()
        {
            taken = 0;
            for (var i = 0; i < 1_000; i++)
            {
                if (upstream.Choose(exchange) == endpoints[0]) taken++;
                exchange.Tried.Clear();
            }

            return taken;
        }

        Assert.Equal(500, Taken());
        endpoints[0].Absence.Mark(Away.Unhealthy, "");
        Assert.Equal(0, Taken());
        endpoints[0].Absence.Clear(Away.Unhealthy);
        Assert.InRange(Taken(), 20, 90);
        Assert.True(endpoints[0].IsStarting);
        endpoints[1].Absence.Mark(Away.Unhealthy, "");
        Assert.Equal(1_000, Taken()); // Nobody else is there.
    }

    private static void AssertReturns(Endpoint endpoint, long at)
    {
        endpoint.LookAgain(at - 1);
        Assert.False(endpoint.IsAvailable);
        endpoint.LookAgain(at);
        Assert.True(endpoint.IsAvailable);
    }

    private void Fail(Endpoint endpoint, int times, long now)
    {
        for (var i = 0; i < times; i++) upstream.Tell(endpoint, "it answered 503", now);
    }

    private Endpoint[] Set(int count, PassiveHealth? passive, Func<UpstreamSettings, UpstreamSettings>? with = null, int[]? tiers = null)
    {
        var endpoints = Enumerable.Range(0, count).Select(i => new Endpoint($"e{i}", $"e{i}", 1) { Tier = tiers?[i] ?? 0 }).ToArray();
        var settings = new UpstreamSettings { Passive = passive };
        Set(endpoints, with?.Invoke(settings) ?? settings);
        return endpoints;
    }

    private void Set(Endpoint[] endpoints, UpstreamSettings settings) => upstream.SetEndpoints(endpoints, settings);

    private int[] Asked(Endpoint[] endpoints) =>
        [.. Enumerable.Range(0, 40).Select(_ => upstream.Choose(Pool.Exchange())).OfType<Endpoint>().Distinct().Select(e => Array.IndexOf(endpoints, e)).Order()];
}
