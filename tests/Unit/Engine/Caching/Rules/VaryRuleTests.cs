using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using static Weir.Tests.Unit.Engine.Caching.Rules.Said;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class VaryRuleTests
{
    private static byte[] Key(VaryRule rule, FieldBlock request)
    {
        var into = new byte[VaryRule.MostKeyBytes];
        Assert.True(rule.TryWriteKey(request, into, out var length));
        return into[..length];
    }

    [Theory]
    [InlineData("Foo", "foo")]
    [InlineData("Foo, Bar,,foo", "bar, foo")]
    [InlineData("b|A|C, a", "a, b, c")]
    [InlineData(", ", "")]
    public void Names_are_gathered(string vary, string names)
    {
        var rule = VaryRule.Of(Fields([.. vary.Split('|').Select(v => "Vary: " + v)]));
        Assert.Equal(names, rule.Names);
        Assert.Equal(names.Length == 0, rule.IsNone);
        Assert.Equal(rule, VaryRule.Of(Encoding.ASCII.GetBytes(names)));
    }

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
        var rule = VaryRule.Of(Fields("Vary: " + vary));
        var (first, second) = (Request(Lines(one)), Request(Lines(other)));
        Assert.Equal(expected, rule.Matches(second, Key(rule, first)));
        Assert.Equal(expected, rule.Matches(first, Key(rule, second)));
        Assert.True(rule.Matches(first, Key(rule, first)));
    }

    // An origin that forgets to say so would have its answer given to who cannot read it. RFC 9842 §6.2.
    [Theory]
    [InlineData("dcz", "", "accept-encoding, available-dictionary")]
    [InlineData("gzip, DCB", "Accept-Encoding", "accept-encoding, available-dictionary")]
    [InlineData("dcb", "Origin", "accept-encoding, available-dictionary, origin")]
    [InlineData("dcz", "*", "")]
    [InlineData("br", "", "accept-encoding")]
    [InlineData("identity", "", "")]
    [InlineData("br", "*", "")]
    public void What_has_a_coding_varies_by_it(string coding, string vary, string names) =>
        Assert.Equal(names, VaryRule.Of(Fields(vary.Length == 0 ? [] : ["Vary: " + vary]), coding: Encoding.ASCII.GetBytes(coding)).Names);

    [Fact]
    public void What_is_sent_on_counts()
    {
        var rule = VaryRule.Of(Fields("Vary: Foo, User-Agent"));
        var key = Key(rule, Request("Foo: 1"));
        var request = Request("Foo: 2", "User-Agent: x");
        request.Drop(KnownField.UserAgent);
        request.Set(KnownField.Other, ByteRange.Of("foo"u8.ToArray()), ByteRange.Of("1"u8.ToArray()));
        Assert.True(rule.Matches(request, key));
        request.Add(KnownField.UserAgent, ByteRange.Of("User-Agent"u8.ToArray()), ByteRange.Of("y"u8.ToArray()));
        Assert.False(rule.Matches(request, key));
    }

    [Fact]
    public void Many_languages_are_compared_as_they_stand()
    {
        var rule = VaryRule.Of(Fields("Vary: Accept-Language"));
        string Languages(IEnumerable<int> numbers) => "Accept-Language: " + string.Join(", ", numbers.Select(n => $"l{n}"));
        Assert.True(rule.Matches(Request(Languages(Enumerable.Range(0, 32))), Key(rule, Request(Languages(Enumerable.Range(0, 32).Reverse())))));
        Assert.False(rule.Matches(Request(Languages(Enumerable.Range(0, 33))), Key(rule, Request(Languages(Enumerable.Range(0, 33).Reverse())))));
        Assert.True(rule.Matches(Request(Languages(Enumerable.Range(0, 33))), Key(rule, Request(Languages(Enumerable.Range(0, 33))))));
    }

    [Fact]
    public void A_key_has_its_bounds()
    {
        var rule = VaryRule.Of(Fields("Vary: a"));
        var into = new byte[VaryRule.MostKeyBytes];
        Assert.True(rule.TryWriteKey(Request("a: " + new string('x', VaryRule.MostKeyBytes - 3)), into, out _));
        Assert.False(rule.TryWriteKey(Request("a: " + new string('x', VaryRule.MostKeyBytes - 2)), into, out _));
    }

    [Fact]
    public void Nothing_is_a_key_too()
    {
        Assert.Empty(Key(VaryRule.None, Request("a: b")));
        Assert.True(VaryRule.None.Matches(Request(), default));
    }

    private static string[] Lines(string lines) => lines.Length == 0 ? [] : lines.Split('|');
}
