using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Http1;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class StoreDecisionTests
{
    [Theory]
    [InlineData(200, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(299, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(302, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(404, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(416, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(500, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(599, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(103, "Cache-Control: max-age=60", StoreReason.Interim)]
    [InlineData(304, "Cache-Control: max-age=60", StoreReason.NotModified)]
    [InlineData(206, "Cache-Control: max-age=60", StoreReason.Partial)]
    [InlineData(200, "Cache-Control: max-age=60, no-store", StoreReason.NoStore)]
    [InlineData(200, "Cache-Control: max-age=60, private", StoreReason.Private)]
    [InlineData(200, "Cache-Control: max-age=60, private=\"a\"", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: max-age=60, must-understand", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: max-age=60, must-understand, no-store", StoreReason.Stored)]
    [InlineData(599, "Cache-Control: max-age=60, must-understand", StoreReason.NotUnderstood)]
    [InlineData(299, "Cache-Control: max-age=60, must-understand, no-store", StoreReason.NotUnderstood)]
    [InlineData(200, "Cache-Control: max-age=60, must-understand=1, no-store", StoreReason.NoStore)]
    [InlineData(200, "Cache-Control: max-age=60|Vary: *", StoreReason.VaryAny)]
    [InlineData(200, "Cache-Control: max-age=60|Vary: a, *", StoreReason.VaryAny)]
    [InlineData(200, "Cache-Control: max-age=60|Vary: |Vary: *", StoreReason.VaryAny)]
    [InlineData(200, "Cache-Control: max-age=60|Vary: a b", StoreReason.VaryAny)]
    [InlineData(200, "Cache-Control: max-age=60|Vary: a, b", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: max-age=60|Set-Cookie: a=b", StoreReason.SetCookie)]
    [InlineData(200, "Cache-Control: public, max-age=60|Set-Cookie: a=b", StoreReason.SetCookie)]
    [InlineData(200, "Cache-Control: max-age=60, no-cache=\"set-cookie\"|Set-Cookie: a=b", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: max-age=60, private=\"set-cookie\"|Set-Cookie: a=b", StoreReason.Stored)]
    [InlineData(200, "X: y", StoreReason.NoLifetime)]
    [InlineData(200, "ETag: \"a\"", StoreReason.NoLifetime)]
    [InlineData(200, "Cache-Control: public|ETag: \"a\"", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: public", StoreReason.StaleAtOnce)]
    [InlineData(200, "Cache-Control: no-cache|ETag: \"a\"", StoreReason.Stored)]
    [InlineData(599, "Cache-Control: no-cache|ETag: \"a\"", StoreReason.NoLifetime)]
    [InlineData(599, "Cache-Control: no-cache, public|ETag: \"a\"", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: no-cache, max-age=60", StoreReason.StaleAtOnce)]
    [InlineData(200, "Cache-Control: max-age=0", StoreReason.StaleAtOnce)]
    [InlineData(200, "Cache-Control: max-age=0, stale-if-error=60", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: max-age=0, must-revalidate, stale-if-error=60", StoreReason.StaleAtOnce)]
    [InlineData(200, "Cache-Control: max-age=0|Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", StoreReason.Stored)]
    [InlineData(200, "Cache-Control: max-age=0|Last-Modified: yesterday", StoreReason.StaleAtOnce)]
    [InlineData(200, "Expires: 0", StoreReason.StaleAtOnce)]
    [InlineData(200, "Cache-Control: max-age=60|Content-Range: bytes 0-1/2", StoreReason.Stored)] // It means nothing there (RFC 9110 §14.4).
    public void What_may_be_stored(int status, string lines, StoreReason expected) => Assert.Equal(expected, Judge(status, lines.Split('|')).Reason);

    [Theory]
    [InlineData("Cache-Control: max-age=60", StoreReason.Authorization)]
    [InlineData("Cache-Control: max-age=60, proxy-revalidate", StoreReason.Authorization)]
    [InlineData("Cache-Control: max-age=60, public", StoreReason.Stored)]
    [InlineData("Cache-Control: max-age=60, must-revalidate", StoreReason.Stored)]
    [InlineData("Cache-Control: s-maxage=60", StoreReason.Stored)]
    [InlineData("Cache-Control: public|CDN-Cache-Control: max-age=60", StoreReason.Authorization)]
    public void Answers_to_who_says_who_he_is(string lines, StoreReason expected) =>
        Assert.Equal(expected, StoreDecision.Judge(KnownMethod.Get, Request("Authorization: Basic eDp5"), default, 200, Fields(lines.Split('|')), CacheRules.Default, Noon, Noon).Reason);

    [Theory]
    [InlineData(KnownMethod.Head, false, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(KnownMethod.Put, true, "Cache-Control: max-age=60", StoreReason.Method)]
    [InlineData(KnownMethod.Options, true, "Cache-Control: max-age=60", StoreReason.Method)]
    [InlineData(KnownMethod.Other, true, "Cache-Control: max-age=60", StoreReason.Method)]
    [InlineData(KnownMethod.Post, false, "Cache-Control: max-age=60", StoreReason.PostLocation)]
    [InlineData(KnownMethod.Post, true, "Cache-Control: max-age=60", StoreReason.Stored)]
    [InlineData(KnownMethod.Post, true, "Cache-Control: public|ETag: \"a\"", StoreReason.PostLocation)]
    public void Methods_are_told_apart(KnownMethod method, bool isLocatedAtTarget, string lines, StoreReason expected) =>
        Assert.Equal(expected, StoreDecision.Judge(method, Request(), default, 200, Fields(lines.Split('|')), CacheRules.Default, Noon, Noon, isLocatedAtTarget).Reason);

    [Fact]
    public void A_request_may_forbid_it()
    {
        var fields = Fields("Cache-Control: max-age=60");
        Assert.Equal(StoreReason.RequestNoStore, StoreDecision.Judge(KnownMethod.Get, Request(), Asked("Cache-Control: no-store"), 200, fields, CacheRules.Default, Noon, Noon).Reason);
        var deaf = CacheRules.Default with { HonorsRequestDirectives = false };
        var asked = RequestDirectives.Read(Request("Cache-Control: no-store"), deaf);
        Assert.True(StoreDecision.Judge(KnownMethod.Get, Request(), asked, 200, fields, deaf, Noon, Noon).MayStore);
    }

    [Fact]
    public void An_operator_may_allow_more()
    {
        Assert.True(Judge(CacheRules.Default with { StoresSetCookie = true }, 200, "Cache-Control: max-age=60", "Set-Cookie: a=b").MayStore);
        Assert.True(Judge(CacheRules.Default with { StoresPartial = true }, 206, "Cache-Control: max-age=60, must-understand", "Content-Range: bytes 0-1/2").MayStore);
    }

    [Fact]
    public void A_vary_has_its_bounds()
    {
        string Names(int count) => "Vary: " + string.Join(", ", Enumerable.Range(0, count).Select(i => $"n{i}"));
        Assert.True(Judge(200, "Cache-Control: max-age=60", Names(VaryRule.MostNames)).MayStore);
        Assert.Equal(StoreReason.VaryTooMuch, Judge(200, "Cache-Control: max-age=60", Names(VaryRule.MostNames + 1)).Reason);
        Assert.True(Judge(200, "Cache-Control: max-age=60", "Vary: " + new string('a', VaryRule.MostNameBytes)).MayStore);
        Assert.Equal(StoreReason.VaryTooMuch, Judge(200, "Cache-Control: max-age=60", "Vary: " + new string('a', VaryRule.MostNameBytes + 1)).Reason);
    }

    [Theory]
    [InlineData("Cache-Control: max-age=60", 0, 0, StoredTraits.None)]
    [InlineData("Cache-Control: max-age=60, stale-while-revalidate=5, stale-if-error=9", 5, 9, StoredTraits.None)]
    [InlineData("Cache-Control: max-age=60, stale-while-revalidate=5, stale-if-error=9, must-revalidate", 0, 0, StoredTraits.NeverStale)]
    [InlineData("Cache-Control: max-age=60, stale-while-revalidate=5, stale-if-error=9, proxy-revalidate", 0, 0, StoredTraits.NeverStale)]
    [InlineData("Cache-Control: s-maxage=60", 0, 0, StoredTraits.NeverStale)]
    [InlineData("Cache-Control: s-maxage=60, stale-while-revalidate=5", 5, 0, StoredTraits.NeverStale)]
    [InlineData("Cache-Control: max-age=60, immutable", 0, 0, StoredTraits.Immutable)]
    [InlineData("Cache-Control: max-age=60|ETag: \"a\"", 0, 0, StoredTraits.HasValidator)]
    [InlineData("Cache-Control: max-age=60, no-cache, stale-if-error=9|ETag: \"a\"", 0, 0, StoredTraits.HasValidator | StoredTraits.NoCache | StoredTraits.NeverStale)]
    [InlineData("Cache-Control: max-age=60, no-cache=\"a\"", 0, 0, StoredTraits.None)]
    public void What_is_kept_beside_it(string lines, long behind, long failing, StoredTraits traits)
    {
        var times = Judge(200, lines.Split('|')).Times;
        Assert.Equal((60, behind, failing, traits), (times.Lifetime, times.StaleWhileRevalidate, times.StaleIfError, times.Traits));
    }

    [Theory]
    [InlineData("Cache-Control: max-age=60", 7, 8)]
    [InlineData("Cache-Control: max-age=60, stale-while-revalidate=1, stale-if-error=2", 1, 2)]
    [InlineData("Cache-Control: max-age=60, must-revalidate", 0, 0)]
    [InlineData("Cache-Control: s-maxage=60", 0, 0)]
    public void Operators_allow_stale_use_where_nothing_forbids_it(string lines, long behind, long failing)
    {
        var times = Judge(CacheRules.Default with { StaleWhileRevalidate = 7, StaleIfError = 8 }, 200, lines.Split('|')).Times;
        Assert.Equal((behind, failing), (times.StaleWhileRevalidate, times.StaleIfError));
    }

    [Fact]
    public void Every_reason_has_words_and_a_token()
    {
        var reasons = Enum.GetValues<StoreReason>();
        Assert.Equal(reasons.Length, reasons.Select(StoreReasons.Words).Distinct().Count());
        Assert.Equal(reasons.Length, reasons.Select(r => System.Text.Encoding.ASCII.GetString(StoreReasons.Token(r))).Distinct().Count());
        Assert.All(reasons, r => Assert.True(Weir.Wire.Bytes.Ascii.IsToken(StoreReasons.Token(r))));
    }
}
