using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Exchanges;
using Weir.Engine.Routing;

namespace Weir.Tests.Unit.Engine.Routing;

public class ConditionTests
{
    [Fact]
    public void Get_includes_head_and_methods_have_their_case()
    {
        var get = new MethodCondition(["GET"u8.ToArray()]);
        Assert.True(get.Holds(Requests.Of("HEAD / HTTP/1.1", "Host: a")));
        Assert.False(get.Holds(Requests.Of("get / HTTP/1.1", "Host: a")));
        Assert.False(new MethodCondition(["HEAD"u8.ToArray()]).Holds(Requests.Get("/")));
    }

    [Theory]
    [InlineData("x-tenant", "blue", true)]
    [InlineData("X-TENANT", "blue", true)]
    [InlineData("x-tenant", "Blue", false)]
    [InlineData("x-tenant", "green", true)]
    [InlineData("x-tenant", "red", false)]
    [InlineData("accept", "text/html", true)]
    [InlineData("cookie", "a=b", false)]
    public void A_field_is_compared_without_its_white_space_and_any_line_will_do(string name, string value, bool holds)
    {
        var exchange = Requests.Get("/", "X-Tenant:\t blue \t", "Accept:text/html", "X-Tenant: green");
        Assert.Equal(holds, new HeaderCondition(Encoding.ASCII.GetBytes(name), Exactly(value)).Holds(exchange));
    }

    [Theory]
    [InlineData("a", "1", true)]
    [InlineData("a", "2", true)]
    [InlineData("A", "1", false)]
    [InlineData("b", "", true)]
    [InlineData("c", "", true)]
    [InlineData("d", "x=y", true)]
    [InlineData("e", "%20", true)]
    [InlineData("e", " ", false)]
    [InlineData("f", "", false)]
    public void A_parameter_is_compared_as_it_is_written(string name, string value, bool holds) =>
        Assert.Equal(holds, new QueryCondition(Encoding.ASCII.GetBytes(name), Exactly(value)).Holds(Requests.Get("/?a=1&b&c=&&a=2&d=x=y&e=%20")));

    [Theory]
    [InlineData("a", "1", true)]
    [InlineData("b", "2=3", true)]
    [InlineData("c", "\"q\"", true)]
    [InlineData("d", "", true)]
    [InlineData("e", "5", true)]
    [InlineData("bare", "", false)]
    [InlineData("A", "1", false)]
    public void A_cookie_is_found_in_any_line(string name, string value, bool holds) =>
        Assert.Equal(holds, new CookieCondition(Encoding.ASCII.GetBytes(name), Exactly(value)).Holds(Requests.Get("/", "Cookie: a=1;b=2=3 ; c=\"q\"; bare; =x", "Cookie: d=; e=5")));

    [Theory]
    [InlineData("192.0.2.1", true)]
    [InlineData("192.0.3.1", false)]
    [InlineData("2001:db8::7", true)]
    [InlineData("2001:db9::7", false)]
    [InlineData(null, false)]
    public void A_client_is_in_one_of_several_networks(string? client, bool holds)
    {
        var exchange = Requests.Get("/");
        exchange.ClientAddress = client is null ? null : IPAddress.Parse(client);
        var condition = new ClientCondition([IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("2001:db8::/32")]);
        Assert.Equal(holds, condition.Holds(exchange));
        Assert.Equal(!holds, new NotCondition(condition).Holds(exchange));
    }

    [Fact]
    public void An_expression_sees_bytes_however_many()
    {
        var test = new ValueTest(null, new Regex("^(?:a+\u00e9)\\z", RegexOptions.NonBacktracking));
        foreach (var length in new[] { 1, 511, 512, 513, 5_000 })
        {
            byte[] value = [.. Enumerable.Repeat((byte)'a', length), 0xE9];
            Assert.True(test.Holds(value));
            value[^1] = (byte)'e';
            Assert.False(test.Holds(value));
        }
    }

    private static ValueTest Exactly(string value) => new(Encoding.ASCII.GetBytes(value), null);
}
