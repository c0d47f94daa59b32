using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class VaryRuleTests
{
    private static byte[] Names(params string[] vary)
    {
        var into = new byte[VaryRule.MostNameBytes];
        return into[..VaryRule.WriteNames(Fields([.. vary.Select(v => "Vary: " + v)]), into)];
    }

    private static byte[] Values(byte[] names, FieldBlock request)
    {
        var into = new byte[VaryRule.MostValueBytes];
        Assert.True(VaryRule.TryWriteValues(names, request, into, out var length));
        return into[..length];
    }

    [Theory]
    [InlineData("Foo", "foo")]
    [InlineData("Foo, Bar,,foo", "bar,foo")]
    [InlineData("b|A|C, a", "a,b,c")]
    [InlineData("a, aa, A, b, ab", "a,aa,ab,b")]
    [InlineData(", ", "")]
    [InlineData("a, *", "")]
    public void Names_are_gathered(string vary, string names) => Assert.Equal(names, Encoding.ASCII.GetString(Names(vary.Split('|'))));

    [Theory]
    [InlineData("Foo", "Foo: 1", "Foo: 1", true)]
    [InlineData("Foo", "Foo: 1", "Foo: 2", false)]
    [InlineData("Foo", "Foo: 1", "", false)]
    [InlineData("Foo", "", "Foo: 1", false)]
    [InlineData("Foo", "", "Foo:", false)]
    [InlineData("Foo", "Foo: 1|Other: 2", "Foo: 1|Other: 3", true)]
    [InlineData("Foo, Bar", "Foo: 1|Bar: abc", "Bar: abc|Foo: 1", true)]
    [InlineData("Foo, Bar", "Foo: 1|Bar: abc", "Foo: 2|Bar: abc", false)]
    [InlineData("Foo, Bar, Baz", "Foo: 1|Baz: 789", "Foo: 1|Baz: 789", true)]
    [InlineData("Foo, Bar, Baz", "Foo: 1|Baz: 789", "Foo: 1|Bar: 789", false)]
    [InlineData("Foo", "Foo: 1, 2", "Foo: 1|Foo: 2", true)]
    [InlineData("Foo", "Foo: 1,2", "Foo:  1 ,\t2 ", true)]
    [InlineData("Foo", "Foo: 1,2", "Foo: 2,1", false)]
    [InlineData("Foo", "Foo: a b", "Foo: a  b", false)]
    [InlineData("Foo", "Foo: a", "Foo: A", false)]
    [InlineData("Foo", "Foo: 1,2", "Foo: 1,,2", false)]
    [InlineData("Foo", "Foo: \"1, 2\"", "Foo: \"1,2\"", false)]
    [InlineData("Foo", "Foo: \"1\", \"2\"", "Foo: \"1\",\"2\"", true)]
    [InlineData("Foo", "Foo: \"1,2\"", "Foo: \"1|Foo: 2\"", false)]
    [InlineData("Foo", "Foo: \"1, 2", "Foo: \"1,2", false)]
    [InlineData("Cookie", "Cookie: a=b,c", "Cookie: a=b, c", false)]
    [InlineData("User-Agent", "User-Agent: a, b", "User-Agent: a,b", false)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language: de, en", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language: eN, De", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language:  en ,   de", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language: de|Accept-Language: en", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de;q=0.5", "Accept-Language: de ; Q=0.500,en;q=1.0", true)]
    [InlineData("Accept-Language", "Accept-Language: en, de;q=0.5", "Accept-Language: en;q=0.5, de", false)]
    [InlineData("Accept-Language", "Accept-Language: en, de;q=0.5", "Accept-Language: en, de", false)]
    [InlineData("Accept-Language", "Accept-Language: en, de", "Accept-Language: en, de, fr;q=0", false)]
    [InlineData("Accept-Language", "Accept-Language: en;q=0.5", "Accept-Language: en;500", false)]
    [InlineData("Accept-Language", "Accept-Language: en, en;q=0", "Accept-Language: en;q=0, en", false)]
    [InlineData("Accept-Language", "Accept-Language: en, de;q=x", "Accept-Language: de;q=x, en", false)]
    [InlineData("Accept-Language", "Accept-Language:", "", false)]
    [InlineData("Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: BR,GZip", true)]
    [InlineData("Accept-Encoding", "Accept-Encoding: gzip", "Accept-Encoding: gzip;q=0", false)]
    [InlineData("Accept-Encoding", "Accept-Encoding: *;q=0, gzip", "Accept-Encoding: gzip;q=1, *;q=0.0", true)]
    [InlineData("Accept", "Accept: text/html, a/b", "Accept: a/b, text/html", false)]
    public void Requests_match(string vary, string one, string other, bool expected)
    {
        var names = Names(vary);
        var (first, second) = (Request(Lines(one)), Request(Lines(other)));
        Assert.Equal(expected, VaryRule.Matches(names, Values(names, first), second));
        Assert.Equal(expected, VaryRule.Matches(names, Values(names, second), first));
        Assert.True(VaryRule.Matches(names, Values(names, first), first));
    }

    [Fact]
    public void What_is_sent_on_counts()
    {
        var names = Names("Foo, User-Agent");
        var values = Values(names, Request("Foo: 1"));
        var request = Request("Foo: 2", "User-Agent: x");
        request.Drop(KnownField.UserAgent);
        request.Set(KnownField.Other, ByteRange.Of("foo"u8.ToArray()), ByteRange.Of("1"u8.ToArray()));
        Assert.True(VaryRule.Matches(names, values, request));
        request.Add(KnownField.UserAgent, ByteRange.Of("User-Agent"u8.ToArray()), ByteRange.Of("y"u8.ToArray()));
        Assert.False(VaryRule.Matches(names, values, request));
    }

    [Fact]
    public void Many_languages_are_compared_as_they_stand()
    {
        var names = Names("Accept-Language");
        string Languages(IEnumerable<int> numbers) => "Accept-Language: " + string.Join(", ", numbers.Select(n => $"l{n}"));
        Assert.True(VaryRule.Matches(names, Values(names, Request(Languages(Enumerable.Range(0, 32).Reverse()))), Request(Languages(Enumerable.Range(0, 32)))));
        Assert.False(VaryRule.Matches(names, Values(names, Request(Languages(Enumerable.Range(0, 33).Reverse()))), Request(Languages(Enumerable.Range(0, 33)))));
        Assert.True(VaryRule.Matches(names, Values(names, Request(Languages(Enumerable.Range(0, 33)))), Request(Languages(Enumerable.Range(0, 33)))));
    }

    [Fact]
    public void A_key_has_its_bounds()
    {
        var names = Names("a");
        var into = new byte[VaryRule.MostValueBytes];
        Assert.True(VaryRule.TryWriteValues(names, Request("a: " + new string('x', VaryRule.MostValueBytes - 3)), into, out _));
        Assert.False(VaryRule.TryWriteValues(names, Request("a: " + new string('x', VaryRule.MostValueBytes - 2)), into, out _));
    }

    [Fact]
    public void Nothing_matches_all()
    {
        Assert.Empty(Values([], Request("a: b")));
        Assert.True(VaryRule.Matches(default, default, Request("a: b")));
    }

    private static string[] Lines(string lines) => lines.Length == 0 ? [] : lines.Split('|');
}
