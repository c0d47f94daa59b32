using Weir.Engine.Caching.Rules;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class ReuseDecisionTests
{
    [Theory]
    [InlineData("max-age=60", 0, "", Reuse.Fresh)]
    [InlineData("max-age=60", 59.9, "", Reuse.Fresh)]
    [InlineData("max-age=60", 60, "", Reuse.Validate)]
    [InlineData("max-age=60, no-cache", 0, "", Reuse.Validate)]
    [InlineData("max-age=60", 1, "no-cache", Reuse.Asked)]
    [InlineData("max-age=60", 1, "no-store", Reuse.Asked)]
    [InlineData("max-age=60", 1, "max-age=0", Reuse.Asked)]
    [InlineData("max-age=60", 0, "max-age=0", Reuse.Asked)]
    [InlineData("max-age=60", 10, "max-age=10", Reuse.Fresh)]
    [InlineData("max-age=60", 10.1, "max-age=10", Reuse.Asked)]
    [InlineData("max-age=60", 10, "min-fresh=50", Reuse.Fresh)]
    [InlineData("max-age=60", 10.1, "min-fresh=50", Reuse.Asked)]
    [InlineData("max-age=60, immutable", 10, "max-age=0", Reuse.Fresh)] // RFC 8246 §2
    [InlineData("max-age=60, immutable", 10, "no-cache", Reuse.Asked)]
    [InlineData("max-age=60, immutable", 60, "", Reuse.Validate)]
    [InlineData("max-age=60", 70, "max-stale=10", Reuse.Stale)]
    [InlineData("max-age=60", 70.1, "max-stale=10", Reuse.Validate)]
    [InlineData("max-age=60", 9999, "max-stale", Reuse.Stale)]
    [InlineData("max-age=60", 9999, "max-stale, max-stale=10", Reuse.Validate)]
    [InlineData("max-age=60", 70, "max-stale=10, max-age=60", Reuse.Validate)]
    [InlineData("max-age=60", 70, "max-stale=10, min-fresh=1", Reuse.Validate)]
    [InlineData("max-age=60, must-revalidate", 61, "max-stale", Reuse.Validate)]
    [InlineData("max-age=60, proxy-revalidate", 61, "max-stale", Reuse.Validate)]
    [InlineData("s-maxage=60", 61, "max-stale", Reuse.Validate)]
    [InlineData("max-age=60, stale-while-revalidate=10", 59, "", Reuse.Fresh)]
    [InlineData("max-age=60, stale-while-revalidate=10", 60, "", Reuse.Behind)]
    [InlineData("max-age=60, stale-while-revalidate=10", 69.9, "", Reuse.Behind)]
    [InlineData("max-age=60, stale-while-revalidate=10", 70, "", Reuse.Validate)]
    [InlineData("max-age=60, stale-while-revalidate=10", 65, "max-age=60", Reuse.Validate)]
    [InlineData("max-age=60, stale-while-revalidate=10", 65, "min-fresh=1", Reuse.Validate)]
    [InlineData("max-age=60, stale-while-revalidate=10", 65, "no-cache", Reuse.Asked)]
    [InlineData("max-age=60, stale-while-revalidate=10, must-revalidate", 65, "", Reuse.Validate)]
    [InlineData("s-maxage=60, stale-while-revalidate=10", 65, "", Reuse.Behind)]
    [InlineData("max-age=60, stale-if-error=10", 65, "", Reuse.Validate)]
    public void Uses(string response, double seconds, string request, Reuse expected)
    {
        var times = Judge(200, "Cache-Control: " + response, "ETag: \"a\"").Times;
        Assert.Equal(expected, ReuseDecision.Judge(times, request.Length > 0 ? Asked("Cache-Control: " + request) : default, Noon.AddSeconds(seconds)));
    }

    [Theory]
    [InlineData("max-age=60", 30, "", true)]
    [InlineData("max-age=60", 60, "", false)]
    [InlineData("max-age=60, stale-if-error=10", 69, "", true)]
    [InlineData("max-age=60, stale-if-error=10", 70, "", false)]
    [InlineData("max-age=60", 69, "stale-if-error=10", true)]
    [InlineData("max-age=60", 70, "stale-if-error=10", false)]
    [InlineData("max-age=60, must-revalidate", 61, "stale-if-error=10", false)]
    [InlineData("max-age=60, must-revalidate, stale-if-error=10", 61, "", false)]
    [InlineData("s-maxage=60", 61, "stale-if-error=10", false)]
    [InlineData("s-maxage=60, stale-if-error=10", 61, "", true)]
    [InlineData("max-age=60, no-cache, stale-if-error=10", 1, "", false)]
    [InlineData("max-age=60, stale-if-error=10", 1, "no-cache", false)]
    public void Stands_in_for_an_origin_that_failed(string response, double seconds, string request, bool expected)
    {
        var times = Judge(200, "Cache-Control: " + response, "ETag: \"a\"").Times;
        Assert.Equal(expected, ReuseDecision.MayStandIn(times, request.Length > 0 ? Asked("Cache-Control: " + request) : default, Noon.AddSeconds(seconds)));
    }

    [Fact]
    public void Failures_are_those_of_the_rfc()
    {
        Assert.All([500, 502, 503, 504], s => Assert.True(ReuseDecision.IsFailure(s)));
        Assert.All([200, 304, 404, 429, 501, 505], s => Assert.False(ReuseDecision.IsFailure(s)));
    }

    [Theory]
    [InlineData(Reuse.Asked, "Pragma: no-cache")]
    [InlineData(Reuse.Asked, "Pragma: foo, No-Cache")]
    [InlineData(Reuse.Fresh, "Pragma: foo")]
    [InlineData(Reuse.Fresh, "Pragma: no-cache", "Cache-Control: max-age=60")]
    [InlineData(Reuse.Asked, "Cache-Control: max-age=60", "Cache-Control: no-cache")]
    public void Pragma_counts_where_there_is_no_cache_control(Reuse expected, params string[] lines) =>
        Assert.Equal(expected, ReuseDecision.Judge(Judge(200, "Cache-Control: max-age=60").Times, Asked(lines), Noon));

    [Fact]
    public void Request_directives_may_be_ignored()
    {
        var rules = CacheRules.Default with { HonorsRequestDirectives = false };
        var times = Judge(200, "Cache-Control: max-age=60").Times;
        Assert.Equal(Reuse.Fresh, ReuseDecision.Judge(times, RequestDirectives.Read(Request("Cache-Control: no-cache"), rules), Noon));
        Assert.Equal(Reuse.Fresh, ReuseDecision.Judge(times, RequestDirectives.Read(Request("Pragma: no-cache"), rules), Noon));
    }

    [Fact]
    public void What_an_operator_drops_of_a_request_does_not_count()
    {
        var request = Request("Cache-Control: no-cache");
        request.Drop(Weir.Wire.Fields.KnownField.CacheControl);
        Assert.Equal(Reuse.Fresh, ReuseDecision.Judge(Judge(200, "Cache-Control: max-age=60").Times, RequestDirectives.Read(request, CacheRules.Default), Noon));
    }
}
