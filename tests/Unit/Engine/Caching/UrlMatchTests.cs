using System.Text;
using Weir.Engine.Caching;

namespace Weir.Tests.Unit.Engine.Caching;

public class UrlMatchTests
{
    private static readonly byte[] Url = "https://a.example/app/v1/main.js?x=1"u8.ToArray();

    [Theory]
    [InlineData("/app/*/main.js", "https://a.example/app/v2/main.js", true)]
    [InlineData("/app/*/main.js", "https://a.example/app/v2/x/main.js?y", true)] // '*' is anything, '/' too; a query that is not spoken of is any.
    [InlineData("/app/*/main.js", "https://a.example/app/main.js", false)]
    [InlineData("/app/*/main.js", "https://a.example/app/v2/main.jsx", false)]
    [InlineData("/APP/*", "https://a.example/app/", false)]
    [InlineData("/*", "https://a.example/", true)]
    [InlineData("/*.*.*.js", "https://a.example/a.b.c.js", true)]
    [InlineData("/*.*.*.js", "https://a.example/a.b.js", false)]
    [InlineData("/app", "https://a.example/app?q", true)]
    [InlineData("/app?q=*", "https://a.example/app?q=3", true)]
    [InlineData("/app?q=*", "https://a.example/app", false)]
    [InlineData("/app?", "https://a.example/app", true)]
    [InlineData("/app?", "https://a.example/app?q", false)]
    [InlineData("main*.js", "https://a.example/app/v1/main.2.js", true)] // Where the dictionary lies.
    [InlineData("main*.js", "https://a.example/main.2.js", false)]
    [InlineData("https://a.example/app/*", "https://a.example/app/1", true)]
    [InlineData("/a\\*b", "https://a.example/a*b", true)]
    [InlineData("/a\\*b", "https://a.example/axb", false)]
    [InlineData("/a\\?b", "https://a.example/a", false)]
    public void A_pattern_holds_for_what_it_says(string pattern, string url, bool holds)
    {
        Assert.True(UrlMatch.TryParse(Encoding.ASCII.GetBytes(pattern), Url, out var match));
        Assert.Equal(holds, match.Holds(Encoding.ASCII.GetBytes(url)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("https://b.example/app/*")]
    [InlineData("https://a.example.evil/app/*")]
    [InlineData("https://a.example")]
    [InlineData("http://a.example/app/*")]
    [InlineData("https://*/app/*")]
    [InlineData("//b.example/app/*x:y")]
    [InlineData("/app/:name.js")]
    [InlineData("/app/{a}?.js")]
    [InlineData("/app/(a|b).js")]
    [InlineData("/app/*?")]
    [InlineData("/app/**")]
    [InlineData("/app/*+")]
    [InlineData("/a b")]
    [InlineData("/a#b")]
    [InlineData("/a\\")]
    [InlineData("?q=1")]
    public void What_says_more_than_is_read_here_is_no_pattern(string pattern) => Assert.False(UrlMatch.TryParse(Encoding.ASCII.GetBytes(pattern), Url, out _));

    [Fact]
    public void Patterns_and_what_they_are_compared_with_have_limits()
    {
        Assert.True(UrlMatch.TryParse(Encoding.ASCII.GetBytes("/" + new string('a', UrlMatch.MostBytes - 1)), Url, out _));
        Assert.False(UrlMatch.TryParse(Encoding.ASCII.GetBytes("/" + new string('a', UrlMatch.MostBytes)), Url, out _));
        Assert.True(UrlMatch.TryParse("/*"u8, Url, out var match));
        Assert.True(match.Holds(Encoding.ASCII.GetBytes("https://a.example/" + new string('a', UrlMatch.MostCompared - 1))));
        Assert.False(match.Holds(Encoding.ASCII.GetBytes("https://a.example/" + new string('a', UrlMatch.MostCompared))));
    }

    [Theory]
    [InlineData("match=\"/app/*\"", true)]
    [InlineData("match=\"/app/*\", match-dest=(\"script\" \"style\"), id=\"x\", type=raw", true)]
    [InlineData("type=raw, match=\"/app/*\";p=1", true)]
    [InlineData("match=\"/no\", match=\"/app/*\"", true)]
    [InlineData("match=\"/app/*\", match=\"/no\"", false)]
    [InlineData("match=\"/\\\"\", match=\"/app/*\"", true)]
    [InlineData("match=\"/app/*\", type=\"raw\"", false)]
    [InlineData("match=\"/app/*\", type=zstd", false)]
    [InlineData("match=/app/*", false)]
    [InlineData("match", false)]
    [InlineData("id=\"x\"", false)]
    [InlineData("match=\"/app/*\", ,", false)]
    [InlineData("match=\"/app/*\" x", false)]
    [InlineData("", false)]
    public void Use_as_dictionary_is_read_as_structured_fields_are(string value, bool isOne)
    {
        Assert.Equal(isOne, UseAsDictionary.TryParse(Encoding.ASCII.GetBytes(value), Url, out var match) && match.Holds("https://a.example/app/2"u8));
        Assert.Equal(isOne, UseAsDictionary.TryRead(Encoding.ASCII.GetBytes($"ETag: \"x\"\r\nuse-as-dictionary: {value}\r\n"), Url, out match) && match.Holds("https://a.example/app/2"u8));
        Assert.False(UseAsDictionary.TryRead(Encoding.ASCII.GetBytes($"Use-As-Dictionary: {value}\r\nUse-As-Dictionary: {value}\r\n"), Url, out _) && value.Length > 0);
    }
}
