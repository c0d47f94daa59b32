using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Http1;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class LifetimeTests
{
    private static (LifetimeSource Source, long Seconds) Lifetime(CacheRules rules, int status, string lines)
    {
        var fields = Fields([.. lines.Split('|').Select(Dated)]);
        return Lifetimes.Of(fields, status, ResponseDirectives.Of(fields), rules, Noon);
    }

    // "Expires: @60": sixty seconds behind noon.
    private static string Dated(string line) => line.IndexOf('@', StringComparison.Ordinal) is var at and > 0 ? line[..at] + Date(int.Parse(line[(at + 1)..], System.Globalization.CultureInfo.InvariantCulture)) : line;

    [Theory]
    [InlineData("Cache-Control: max-age=60", LifetimeSource.MaxAge, 60)]
    [InlineData("Cache-Control: max-age=60, s-maxage=5", LifetimeSource.SharedMaxAge, 5)]
    [InlineData("Cache-Control: s-maxage=5|Cache-Control: max-age=60", LifetimeSource.SharedMaxAge, 5)]
    [InlineData("Cache-Control: max-age=0, s-maxage=3600|Expires: @-10", LifetimeSource.SharedMaxAge, 3600)]
    [InlineData("Cache-Control: max-age=60|Expires: @-7200|Date: @0", LifetimeSource.MaxAge, 60)]
    [InlineData("Cache-Control: max-age=60|Expires: 0", LifetimeSource.MaxAge, 60)]
    [InlineData("Cache-Control: max-age=0|Expires: @3600", LifetimeSource.MaxAge, 0)]
    [InlineData("Expires: @60", LifetimeSource.Expires, 60)]
    [InlineData("Expires: @60|Date: @10", LifetimeSource.Expires, 50)]
    [InlineData("Expires: @300|Date: @400", LifetimeSource.Expires, 0)]
    [InlineData("Expires: @60|Date: foo", LifetimeSource.Expires, 60)]
    [InlineData("Expires: 0|Date: @0", LifetimeSource.Expires, 0)]
    [InlineData("Expires: |Date: @0", LifetimeSource.Expires, 0)]
    [InlineData("Expires: @60|Expires: @30", LifetimeSource.Expires, 30)]
    [InlineData("Expires: @60|Expires: x", LifetimeSource.Expires, 0)]
    [InlineData("Expires: Sat, 31 Dec 9999 23:59:59 GMT", LifetimeSource.Expires, 0)] // It was a Friday.
    [InlineData("Expires: Fri, 31 Dec 9999 23:59:59 GMT", LifetimeSource.Expires, 2147483648)]
    [InlineData("X: y", LifetimeSource.None, 0)]
    [InlineData("Last-Modified: @-1000", LifetimeSource.None, 0)]
    [InlineData("CDN-Cache-Control: max-age=60", LifetimeSource.MaxAge, 60)]
    [InlineData("CDN-Cache-Control: max-age=60|Cache-Control: max-age=1, no-store|Expires: @-1", LifetimeSource.MaxAge, 60)]
    [InlineData("CDN-Cache-Control: max-age=1|Cache-Control: max-age=60", LifetimeSource.MaxAge, 1)]
    [InlineData("CDN-Cache-Control: none|Cache-Control: max-age=60|Expires: @60", LifetimeSource.None, 0)]
    [InlineData("CDN-Cache-Control: |Cache-Control: max-age=60", LifetimeSource.MaxAge, 60)]
    [InlineData("CDN-Cache-Control: max-age=5, &|Cache-Control: max-age=60", LifetimeSource.MaxAge, 60)]
    [InlineData("CDN-Cache-Control: max-age=5|CDN-Cache-Control: ,|Cache-Control: max-age=60", LifetimeSource.MaxAge, 60)]
    [InlineData("Weir-Cache-Control: max-age=7|CDN-Cache-Control: max-age=5|Cache-Control: max-age=60", LifetimeSource.MaxAge, 7)]
    [InlineData("Weir-Cache-Control: max-age =7|CDN-Cache-Control: max-age=5", LifetimeSource.MaxAge, 5)]
    public void Lifetimes_say_who_says_them(string lines, LifetimeSource source, long seconds) => Assert.Equal((source, seconds), Lifetime(CacheRules.Default, 200, lines));

    [Fact]
    public void A_connection_option_takes_no_directive_away()
    {
        var fields = Fields("Connection: cache-control", "Cache-Control: max-age=60, no-store");
        Weir.Engine.Http1.HeadFormat.DropHopByHop(fields);
        Assert.Equal(StoreReason.NoStore, StoreDecision.Judge(KnownMethod.Get, Request(), default, 200, fields, CacheRules.Default, Noon, Noon).Reason);
    }

    [Theory]
    [InlineData(200, "Last-Modified: @-1000|Date: @0", LifetimeSource.Heuristic, 100)]
    [InlineData(404, "Last-Modified: @-1000|Date: @0", LifetimeSource.Heuristic, 100)]
    [InlineData(501, "Last-Modified: @-1000", LifetimeSource.Heuristic, 100)]
    [InlineData(201, "Last-Modified: @-1000", LifetimeSource.None, 0)]
    [InlineData(403, "Last-Modified: @-1000", LifetimeSource.None, 0)]
    [InlineData(599, "Last-Modified: @-1000", LifetimeSource.None, 0)]
    [InlineData(599, "Last-Modified: @-1000|Cache-Control: public", LifetimeSource.Heuristic, 100)]
    [InlineData(200, "Last-Modified: @1000", LifetimeSource.Heuristic, 0)]
    [InlineData(200, "Last-Modified: @-99999999", LifetimeSource.Heuristic, 86400)]
    [InlineData(200, "Last-Modified: x", LifetimeSource.None, 0)]
    [InlineData(200, "Last-Modified: @-1000|Cache-Control: max-age=1", LifetimeSource.MaxAge, 1)]
    public void Guesses_are_made_where_they_are_asked_for(int status, string lines, LifetimeSource source, long seconds) =>
        Assert.Equal((source, seconds), Lifetime(CacheRules.Default with { HeuristicPercent = CacheRules.UsualHeuristicPercent }, status, lines));

    [Theory]
    [InlineData(200, "X: y", LifetimeSource.Default, 10)]
    [InlineData(301, "X: y", LifetimeSource.Default, 10)]
    [InlineData(404, "X: y", LifetimeSource.Status, 3)]
    [InlineData(404, "Cache-Control: max-age=60", LifetimeSource.MaxAge, 60)]
    [InlineData(410, "X: y", LifetimeSource.None, 0)]
    [InlineData(500, "X: y", LifetimeSource.None, 0)]
    public void Defaults_are_for_answers_that_say_nothing(int status, string lines, LifetimeSource source, long seconds)
    {
        var rules = CacheRules.Default with { DefaultLifetime = 10, StatusLifetimes = [new StatusLifetime(new StatusSet([(404, 404)]), 3)] };
        Assert.Equal((source, seconds), Lifetime(rules, status, lines));
    }

    [Theory]
    [InlineData(200, "Cache-Control: max-age=1", LifetimeSource.MaxAge, 5)]
    [InlineData(200, "Cache-Control: max-age=50", LifetimeSource.MaxAge, 20)]
    [InlineData(200, "Cache-Control: max-age=7", LifetimeSource.MaxAge, 7)]
    [InlineData(200, "X: y", LifetimeSource.None, 0)]
    public void Lifetimes_are_bounded(int status, string lines, LifetimeSource source, long seconds) =>
        Assert.Equal((source, seconds), Lifetime(CacheRules.Default with { LeastLifetime = 5, MostLifetime = 20 }, status, lines));

    [Theory]
    [InlineData(200, "Cache-Control: max-age=1", LifetimeSource.Override, 30)]
    [InlineData(200, "X: y", LifetimeSource.Override, 30)]
    [InlineData(503, "X: y", LifetimeSource.None, 0)]
    [InlineData(503, "Expires: @1", LifetimeSource.Override, 30)]
    public void An_override_takes_their_place(int status, string lines, LifetimeSource source, long seconds) =>
        Assert.Equal((source, seconds), Lifetime(CacheRules.Default with { OverrideLifetime = 30 }, status, lines));

    [Fact]
    public void An_override_leaves_what_may_not_be_stored()
    {
        var rules = CacheRules.Default with { OverrideLifetime = 30 };
        Assert.False(Judge(rules, 200, "Cache-Control: no-store").MayStore);
        Assert.False(Judge(rules, 200, "Cache-Control: private").MayStore);
        Assert.False(Judge(rules, 200, "Set-Cookie: a=b").MayStore);
        var verdict = Judge(rules, 200, "Cache-Control: no-cache");
        Assert.True(verdict.MayStore);
        Assert.False(verdict.Times.Has(StoredTraits.NoCache));
    }

    [Theory]
    [InlineData("X: y", 0, 0)]
    [InlineData("Age: 30", 0, 30)]
    [InlineData("Age: 30", 4, 34)]
    [InlineData("Date: @-7200", 0, 7200)]
    [InlineData("Date: @-10|Age: 25", 0, 25)]
    [InlineData("Date: @10|Age: 15", 0, 15)]
    [InlineData("Date: @-10|Age: 5", 3, 10)]
    [InlineData("Date: foo|Age: 5", 0, 5)]
    [InlineData("Age: 7200, 0", 0, 7200)] // The first counts, what is none is ignored (RFC 9111 §5.1).
    [InlineData("Age: 0, 7200", 0, 0)]
    [InlineData("Age: 0|Age: 7200", 0, 0)]
    [InlineData("Age: 7200|Age: 0", 0, 7200)]
    [InlineData("Age: abc", 0, 0)]
    [InlineData("Age: -7200", 0, 0)]
    [InlineData("Age: 7200.0", 0, 0)]
    [InlineData("Age: 7200;foo=bar", 0, 0)]
    [InlineData("Age: ", 0, 0)]
    [InlineData("Age: 2147483649", 0, 2147483648)]
    [InlineData("Age: 99999999999999999999999", 0, 2147483648)]
    public void Initial_ages(string lines, int delay, long age) => Assert.Equal(age, Lifetimes.InitialAge(Fields([.. lines.Split('|').Select(Dated)]), Noon.AddSeconds(-delay), Noon));

    [Fact]
    public void A_second_that_has_begun_makes_nothing_older()
    {
        Assert.Equal(0, Lifetimes.InitialAge(Fields("Date: " + Date(0)), Noon, Noon.AddMilliseconds(999)));
        Assert.Equal(1, Lifetimes.InitialAge(Fields("Date: " + Date(0)), Noon, Noon.AddMilliseconds(1000)));
    }

    [Fact]
    public void Ages_grow_with_the_clock_and_not_against_it()
    {
        var times = new StoredTimes(Noon, 10, 60, 5, 20, StoredTraits.None);
        Assert.Equal((10, 50, true), (times.Age(Noon), times.Remaining(Noon), times.IsFresh(Noon)));
        Assert.Equal((12, true), (times.Age(Noon.AddSeconds(2.9)), times.IsFresh(Noon.AddSeconds(49.9))));
        Assert.Equal((60, 0, false), (times.Age(Noon.AddSeconds(50)), times.Remaining(Noon.AddSeconds(50)), times.IsFresh(Noon.AddSeconds(50))));
        Assert.Equal((10, true), (times.Age(Noon.AddHours(-1)), times.IsFresh(Noon.AddHours(-1))));
        Assert.Equal(Noon.AddSeconds(70), times.UsefulUntil);
        Assert.False(times.Expired(Noon).IsFresh(Noon));
        Assert.Equal(DateTime.MaxValue, new StoredTimes(DateTime.MaxValue.AddDays(-1), 0, 1L << 31, 0, 0, default).UsefulUntil);
    }
}
