using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Upstreams;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Policies.Rewrite;

public class HideOriginTests
{
    // The endpoint is http://app.internal:9000/base; the client asked for http://www.front.example:8080.
    [Theory]
    [InlineData("http://app.internal:9000/base/x?y#z", "http://www.front.example:8080/x?y#z")]
    [InlineData("http://app.internal:9000/base", "http://www.front.example:8080")]
    [InlineData("http://app.internal:9000/base/", "http://www.front.example:8080/")]
    [InlineData("http://app.internal:9000/base?q", "http://www.front.example:8080?q")]
    [InlineData("http://app.internal:9000/basement/x", "http://www.front.example:8080/basement/x")]
    [InlineData("http://app.internal:9000/base.bad.example/", "http://www.front.example:8080/base.bad.example/")]
    [InlineData("http://app.internal:9000", "http://www.front.example:8080")]
    [InlineData("http://APP.Internal:9000/x", "http://www.front.example:8080/x")]
    [InlineData("HTTP://app.internal:9000/x", "http://www.front.example:8080/x")]
    [InlineData("https://app.internal:9000/x", "http://www.front.example:8080/x")]
    [InlineData("http://app.internal:9001/x", "http://app.internal:9001/x")]
    [InlineData("http://app.internal/x", "http://app.internal/x")]
    [InlineData("http://app.internal:9000.bad.example/x", "http://app.internal:9000.bad.example/x")]
    [InlineData("http://user@app.internal:9000/x", "http://user@app.internal:9000/x")]
    [InlineData("https://login.example/?back=http://app.internal:9000/x", "https://login.example/?back=http://app.internal:9000/x")]
    [InlineData("/x?back=http://app.internal:9000/x", "/x?back=http://app.internal:9000/x")]
    [InlineData("/base/x", "/base/x")]
    [InlineData("", "")]
    public void A_location_that_names_the_endpoint_names_this_place_instead(string from, string to)
    {
        Assert.Equal($"Location: {to}", Apply($"Location: {from}"));
        Assert.Equal($"Content-Location: {to}", Apply($"Content-Location: {from}"));
    }

    [Theory]
    [InlineData("5; url=http://app.internal:9000/base/x", "5; url=http://www.front.example:8080/x")]
    [InlineData("0;URL='http://app.internal:9000/x'", "0;URL='http://www.front.example:8080/x'")]
    [InlineData("0; url=\"http://app.internal:9000\"", "0; url=\"http://www.front.example:8080\"")]
    [InlineData("5; url=https://login.example/?back=http://app.internal:9000/x", "5; url=https://login.example/?back=http://app.internal:9000/x")]
    [InlineData("5", "5")]
    public void So_does_a_refresh(string from, string to) => Assert.Equal($"Refresh: {to}", Apply($"Refresh: {from}"));

    [Theory]
    [InlineData("a=1; Domain=app.internal; Path=/x; Secure", "a=1; Path=/x; Secure")]
    [InlineData("a=1;domain=.APP.internal", "a=1")]
    [InlineData("a=1; Domain=internal; HttpOnly", "a=1; HttpOnly")]
    [InlineData("a=1; Domain=pp.internal", "a=1; Domain=pp.internal")]
    [InlineData("a=1; Domain=other.example", "a=1; Domain=other.example")]
    [InlineData("a=1; Domain=front.example", "a=1; Domain=front.example")]
    [InlineData("a=app.internal; Path=/", "a=app.internal; Path=/")]
    [InlineData("a=1; Path=/base", "a=1; Path=/")]
    [InlineData("a=1; path=/base/x; Domain=app.internal", "a=1; path=/x")]
    [InlineData("a=1; Path=/base/", "a=1; Path=/")]
    [InlineData("a=1; Path=/basement", "a=1; Path=/basement")]
    [InlineData("a=Domain=app.internal", "a=Domain=app.internal")]
    [InlineData("a=1; Domain=", "a=1; Domain=")]
    [InlineData(";Domain=app.internal; Path=/", "; Path=/")]
    [InlineData("a=1; Domain=app.internal; Domain\t= .App.Internal ;Secure", "a=1;Secure")]
    [InlineData("a", "a")]
    public void A_cookie_of_the_endpoint_becomes_one_of_the_place_that_was_asked(string from, string to) =>
        Assert.Equal($"Set-Cookie: {to}", Apply($"Set-Cookie: {from}"));

    [Fact]
    public void Every_location_is_looked_at() =>
        Assert.Equal("Location: /a\nLocation: http://www.front.example:8080/b\nLocation: http://www.front.example:8080/c", Apply("Location: /a", "Location: http://app.internal:9000/b", "Location: http://app.internal:9000/c"));

    [Fact]
    public void A_domain_that_covers_the_place_that_was_asked_stays_though_it_covers_the_endpoint_too() =>
        Assert.Equal("Set-Cookie: a=1; Domain=example.com", Apply(Requests.Of("GET / HTTP/1.1", "Host: www.example.com"), "app.example.com:9000", "", "Set-Cookie: a=1; Domain=example.com"));

    [Fact]
    public void Every_cookie_is_looked_at_and_their_order_stays() =>
        Assert.Equal("Set-Cookie: z\nSet-Cookie: a=1\nSet-Cookie: b=2\nSet-Cookie: c=3", Apply("Set-Cookie: z", "Set-Cookie: a=1; Domain=app.internal", "Set-Cookie: b=2", "Set-Cookie: c=3; Domain=app.internal"));

    [Theory]
    [InlineData("app.internal:80", "http://app.internal/x")]
    [InlineData("app.internal:80", "http://app.internal:80/x")]
    [InlineData("app.internal", "http://app.internal:80/x")]
    [InlineData("app.internal", "http://app.internal/x")]
    public void A_port_of_80_need_not_be_said(string endpoint, string location) =>
        Assert.Equal("Location: http://front.example/x", Apply(Requests.Get("/"), endpoint, "", $"Location: {location}"));

    [Fact]
    public void Where_the_client_named_no_host_a_path_is_left() =>
        Assert.Equal("Location: /x\nContent-Location: /", Apply(Requests.Of("GET / HTTP/1.0"), "app.internal:9000", "", "Location: http://app.internal:9000/x", "Content-Location: http://app.internal:9000"));

    [Fact]
    public void What_names_the_software_is_dropped() =>
        Assert.Equal("Date: now\nX-Mine: 1", Apply("Server: x", "x-powered-by: y", "Date: now", "X-AspNet-Version: 4", "X-AspNetMvc-Version: 5", "X-Runtime: 0.1", "X-Generator: z", "Via: 1.1 inner", "X-Mine: 1"));

    [Fact]
    public void An_answer_of_our_own_is_left_alone()
    {
        var exchange = Requests.Get("/");
        Assert.Equal("Server: x", Apply(exchange, null, "", "Server: x"));
    }

    private static string Apply(params string[] fields) => Apply(Requests.Of("GET / HTTP/1.1", "Host: www.front.example:8080"), "app.internal:9000", "/base", fields);

    private static string Apply(Exchange exchange, string? endpoint, string prefix, params string[] fields)
    {
        var bytes = Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\n{string.Concat(fields.Select(f => f + "\r\n"))}\r\n");
        var head = new ResponseHead();
        head.Clear();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(bytes, HeadLimits.Default, KnownMethod.Get, head, out _));
        var sent = exchange.Response.Fields;
        sent.Reset(bytes, 0, head.Fields);
        if (endpoint is not null)
        {
            exchange.Place.EndpointState = new Endpoint($"http://{endpoint}", endpoint, 1) { PathPrefix = Encoding.ASCII.GetBytes(prefix) };
            exchange.Origin = new Origins().Connect().Connection;
        }

        new HideOrigin().Apply(exchange);
        var kept = Enumerable.Range(0, sent.Index.Count).Where(i => !sent.IsDropped(i)).Select(i => $"{Encoding.ASCII.GetString(sent.Name(i))}: {Encoding.ASCII.GetString(sent.Value(i))}");
        return string.Join('\n', kept.Concat(sent.Added.ToArray().Select(a => $"{a.Name}: {a.Value}")));
    }
}
