using Weir.Engine.Caching.Rules;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class ValidationTests
{
    private const string Monday = "Mon, 23 Nov 2026 12:00:00 GMT";
    private const string Tuesday = "Tue, 24 Nov 2026 12:00:00 GMT";

    [Theory]
    [InlineData("ETag: \"a\"", "ETag: \"a\"", true)]
    [InlineData("ETag: \"a\"", "ETag: \"b\"", false)]
    [InlineData("ETag: \"a\"", "ETag: W/\"a\"", true)]
    [InlineData("ETag: W/\"a\"", "ETag: W/\"a\"", true)]
    [InlineData("ETag: W/\"a\"", "ETag: \"a\"", false)] // A strong validator names what has the same (RFC 9111 §4.3.4).
    [InlineData("ETag: W/\"a\"", "ETag: W/\"b\"", false)]
    [InlineData("Last-Modified: " + Monday, "ETag: \"a\"", false)]
    [InlineData("Last-Modified: " + Monday, "ETag: W/\"a\"|Last-Modified: " + Monday, true)]
    [InlineData("ETag: \"a\"|Last-Modified: " + Monday, "ETag: \"a\"|Last-Modified: " + Tuesday, true)]
    [InlineData("Last-Modified: " + Monday, "Last-Modified: " + Monday, true)]
    [InlineData("Last-Modified: " + Monday, "Last-Modified: Monday, 23-Nov-26 12:00:00 GMT", true)]
    [InlineData("Last-Modified: " + Monday, "Last-Modified: " + Tuesday, false)]
    [InlineData("ETag: \"a\"", "Last-Modified: " + Monday, false)]
    [InlineData("ETag: \"a\"", "X: y", true)]
    public void A_304_speaks_of_what_has_its_validators(string stored, string notModified, bool expected) =>
        Assert.Equal(expected, Validation.Confirms(Stored(stored.Split('|')), Fields(notModified.Split('|'))));

    [Theory]
    [InlineData(200, "X: y", HeadEffect.Update)]
    [InlineData(200, "ETag: \"a\"|Content-Length: 5", HeadEffect.Update)]
    [InlineData(200, "ETag: W/\"a\"", HeadEffect.Stale)]
    [InlineData(200, "ETag: \"b\"", HeadEffect.Stale)]
    [InlineData(200, "Content-Length: 6", HeadEffect.Stale)]
    [InlineData(200, "Last-Modified: " + Tuesday, HeadEffect.Stale)]
    [InlineData(200, "Last-Modified: " + Monday, HeadEffect.Update)]
    [InlineData(404, "X: y", HeadEffect.Stale)]
    [InlineData(410, "ETag: \"a\"", HeadEffect.Stale)]
    [InlineData(304, "ETag: \"b\"", HeadEffect.None)]
    [InlineData(500, "ETag: \"b\"", HeadEffect.None)]
    public void A_head_unmasks_what_is_stored(int status, string head, HeadEffect expected) =>
        Assert.Equal(expected, Validation.OfHead(Stored("ETag: \"a\"", "Last-Modified: " + Monday), 5, status, Fields(head.Split('|'))));

    [Fact]
    public void A_length_that_is_not_known_yet_unmasks_nothing() => Assert.Equal(HeadEffect.Update, Validation.OfHead(Stored("a: b"), -1, 200, Fields("Content-Length: 6")));
}
