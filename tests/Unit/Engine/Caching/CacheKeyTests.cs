using System.Text;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Caching;

public class CacheKeyTests
{
    [Theory]
    [InlineData("a=1&b=2", "a=1&b=2")]
    [InlineData("b=2&a=1", "b=2&a=1")]
    public void A_query_counts_as_it_is_written(string query, string counted) => Assert.Equal($"http://front.example/x?{counted}", Url(new KeyRecipe([]), $"/x?{query}"));

    [Theory]
    [InlineData("b=2&a=1", "a=1&b=2")]
    [InlineData("b=2&a=1&b=1&a=0", "a=1&a=0&b=2&b=1")] // Those of one name stay as they stand.
    [InlineData("b&a=&=x", "=x&a=&b")]
    [InlineData("&&b=1&&", "b=1")]
    public void Sorted_by_name(string query, string counted) => Assert.Equal($"http://front.example/x?{counted}", Url(Query(true, null), $"/x?{query}"));

    [Theory]
    [InlineData("utm_source=a&q=1&utm_medium=b", "?q=1")]
    [InlineData("utm_source=a", "")]
    [InlineData("utm_source=a;q=evil&q=1", "?q=1")] // What some servers take for two parameters goes as one.
    [InlineData("%75tm_source=a&q=1", "?%75tm_source=a&q=1")]
    [InlineData("q=1&gclid=2&gclidx=3", "?q=1&gclidx=3")]
    [InlineData("", "")]
    public void Dropped_from_the_key_is_dropped_from_what_is_sent(string query, string counted)
    {
        var exchange = Request($"/x?{query}");
        Assert.True(Query(false, null, "utm_*", "gclid").TryMake(exchange, out var key));
        Assert.Equal($"http://front.example/x{counted}", key.Url.ToString());
        Assert.Equal(counted, exchange.Request.HasForwardedQuery ? $"?{exchange.Request.ForwardedQuery}" : "");
    }

    [Theory]
    [InlineData("page=1&x=2", "?page=1")]
    [InlineData("Page=1", "")]
    [InlineData("page=1&page=2", "?page=1&page=2")]
    public void Kept_alone(string query, string counted) => Assert.Equal($"http://front.example/x{counted}", Url(Query(false, ["page"]), $"/x?{query}"));

    [Fact]
    public void More_parameters_than_are_sorted_stay_as_they_stand()
    {
        var query = string.Join('&', Enumerable.Range(0, 129).Select(static i => $"p{200 - i}=1"));
        Assert.Equal($"http://front.example/x?{query}", Url(Query(true, null), $"/x?{query}"));
        var fewer = string.Join('&', Enumerable.Range(0, 128).Select(static i => $"p{200 - i}=1"));
        Assert.Equal($"http://front.example/x?{string.Join('&', fewer.Split('&').Order(StringComparer.Ordinal))}", Url(Query(true, null), $"/x?{fewer}"));
    }

    [Theory]
    [InlineData("Host: FRONT.example.", "http://front.example/x")]
    [InlineData("Host: front.example:80", "http://front.example/x")]
    [InlineData("Host: front.example:8080", "http://front.example:8080/x")]
    public void Host_and_port_as_they_count(string host, string url)
    {
        var exchange = Requests.Of("GET /x HTTP/1.1", host);
        Assert.True(new KeyRecipe([]).TryMake(exchange, out var key));
        Assert.Equal(url, key.Url.ToString());
        Assert.True(FillRequest.TryMake(exchange, new KeyRecipe([]), ByteRange.Of(Encoding.ASCII.GetBytes(url))));
        Assert.Equal(url[7..^2], exchange.Request.Authority.ToString());
    }

    [Fact]
    public void A_target_in_absolute_form_names_the_host_and_no_other_field_does()
    {
        var exchange = Requests.Of("GET http://front.example/x HTTP/1.1", "Host: front.example");
        Assert.True(new KeyRecipe([]).TryMake(exchange, out var key));
        Assert.Equal("http://front.example/x", key.Url.ToString());
    }

    [Theory]
    [InlineData("Accept-Language: de", "Accept-Language: en", false)]
    [InlineData("Accept-Language: de, en;q=0.5", "Accept-Language: en;q=0.5,de", true)]
    [InlineData("X-Other: 1", "X-Other: 2", true)]
    [InlineData("Cookie: theme=dark; session=1", "Cookie: session=2; theme=dark", true)]
    [InlineData("Cookie: theme=dark", "Cookie: theme=light", false)]
    [InlineData("Cookie: theme=dark", "X-Theme: dark", false)]
    [InlineData("Cookie: theme=a; theme=b", "Cookie: theme=a", false)]
    [InlineData("Cookie: theme", "Cookie: theme=", false)]
    [InlineData("User-Agent: Mozilla/5.0 (iPhone)", "User-Agent: Mozilla/5.0 (Linux; Android 14) Mobile", true)]
    [InlineData("User-Agent: Mozilla/5.0 (iPhone)", "User-Agent: Mozilla/5.0 (X11)", false)]
    [InlineData("User-Agent: Mozilla/5.0 (iPad)", "User-Agent: Mozilla/5.0 (Linux; Android 14)", true)]
    public void What_is_named_tells_keys_apart(string one, string other, bool same)
    {
        var recipe = new KeyRecipe([], new KeyParts(["accept-language"u8.ToArray()], ["theme"u8.ToArray()], byDevice: true));
        Assert.Equal(same, Extra(recipe, one) == Extra(recipe, other));
    }

    [Theory]
    [InlineData("X-Forwarded-Host: a", "X-Forwarded-Host: b", false)]
    [InlineData("X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b", false)]
    [InlineData("X-Forwarded-Port: 1", "X-Forwarded-Port: 2", false)]
    [InlineData("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", true)]
    [InlineData("Forwarded: for=192.0.2.1;host=a", "Forwarded: for=192.0.2.2;host=a", true)]
    [InlineData("Forwarded: for=192.0.2.1;host=a", "Forwarded: for=192.0.2.1;host=b", false)]
    [InlineData("Forwarded: host=\"a,for=1\"", "Forwarded: host=\"a,for=2\"", false)]
    public void What_a_trusted_proxy_says_of_the_target_tells_keys_apart(string one, string other, bool same)
    {
        var recipe = new KeyRecipe([]);
        Assert.Equal(same, Extra(recipe, one, trusted: true) == Extra(recipe, other, trusted: true));
    }

    [Fact]
    public void Too_much_for_a_key_is_no_key()
    {
        var recipe = new KeyRecipe([], new KeyParts(["x-long"u8.ToArray()], null, byDevice: false));
        Assert.True(recipe.TryMake(Request("/x", $"X-Long: {new string('a', KeyParts.Most - 4)}"), out _));
        Assert.False(recipe.TryMake(Request("/x", $"X-Long: {new string('a', KeyParts.Most)}"), out _));
    }

    [Fact]
    public void A_fetch_goes_without_what_no_key_tells()
    {
        string[] unkeyed = ["X-Original-URL: /admin", "X_Rewrite_URL: /admin", "X-HTTP-Method-Override: POST", "X-Host: evil", "True-Client-IP: 10.0.0.1", "x-middleware-subrequest: 1"];
        var exchange = Request("/x", [.. unkeyed, "X-Mine: 1", "Cookie: theme=dark; session=1; theme=light"]);
        var recipe = new KeyRecipe([], new KeyParts(["x-host"u8.ToArray()], ["theme"u8.ToArray()], byDevice: true));
        Assert.True(FillRequest.TryMake(exchange, recipe, ByteRange.Of("http://front.example/x"u8.ToArray())));
        var sent = Sent(exchange);
        Assert.Equal(["Cookie: theme=dark; theme=light", "Host: front.example", "X-Device-Type: desktop", "X-Host: evil", "X-Mine: 1"], sent.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Without_cookies_that_count_none_is_sent()
    {
        var exchange = Request("/x", "Cookie: session=1", "X-Device-Type: evil");
        Assert.True(FillRequest.TryMake(exchange, new KeyRecipe([], new KeyParts([], [], byDevice: true)), ByteRange.Of("http://front.example/x"u8.ToArray())));
        Assert.Equal(["Host: front.example", "X-Device-Type: desktop"], Sent(exchange));
    }

    private static Exchange Request(string target, params string[] fields)
    {
        var exchange = Requests.Get(target, fields);
        exchange.Request.ForwardedPath = exchange.Request.Path;
        exchange.Request.ForwardedQuery = exchange.Request.Query;
        exchange.Request.HasForwardedQuery = exchange.Request.HasQuery;
        return exchange;
    }

    private static KeyRecipe Query(bool sorts, string[]? keep, params string[] drop) =>
        new([], null, new QueryRule(sorts, keep is null ? null : [.. keep.Select(Encoding.ASCII.GetBytes)], [.. drop.Select(Encoding.ASCII.GetBytes)]));

    private static string Url(KeyRecipe recipe, string target)
    {
        Assert.True(recipe.TryMake(Request(target), out var key));
        return key.Url.ToString();
    }

    private static string Extra(KeyRecipe recipe, string field, bool trusted = false)
    {
        var exchange = Request("/x", field);
        exchange.IsFromTrustedProxy = trusted;
        Assert.True(recipe.TryMake(exchange, out var key));
        return key.Extra.ToString();
    }

    private static string[] Sent(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        var lines = Enumerable.Range(0, fields.Index.Count).Where(i => !fields.IsDropped(i)).Select(i => $"{Encoding.Latin1.GetString(fields.Name(i))}: {Encoding.Latin1.GetString(fields.Value(i))}").ToList();
        foreach (ref readonly var field in fields.Added) lines.Add($"{field.Name}: {field.Value}");
        return [.. lines];
    }
}
