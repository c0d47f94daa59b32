using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Cookies;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Policies.Cookies;

public class SplitCookieTests
{
    private static readonly Endpoint Server = new("http://10.0.0.1:80", "first", 1);

    [Fact]
    public void A_client_without_one_is_given_one() => Assert.Equal(["Set-Cookie: side=drawn; Path=/; HttpOnly; SameSite=Lax"], Answered("Set-Cookie: other=side=1; side=2"));

    [Fact]
    public void One_that_the_server_sets_itself_is_left_alone() => Assert.Empty(Answered("Set-Cookie: other=1", "Set-Cookie: side=login; HttpOnly"));

    private static string[] Answered(params string[] fields)
    {
        var exchange = Requests.Get("/");
        exchange.SplitValue = ByteRange.Of("drawn"u8.ToArray());
        CookieFormTests.Answer(exchange, Server, ["Cache-Control: no-store", .. fields]);
        Assert.True(new SplitCookie(new CookieForm("side")).Apply(exchange));
        return [.. exchange.Response.Fields.Added.ToArray().Select(static a => $"{a.Name}: {a.Value}")];
    }
}
