using Weir.Engine.Answers;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Answers;

public class RedirectAnswerTests
{
    [Theory]
    [InlineData("//evil.example/", "/evil.example/")]
    [InlineData("///evil.example", "/evil.example")]
    [InlineData("/usual//path", "/usual//path")]
    public async Task What_a_request_puts_at_the_front_names_no_other_host(string target, string location)
    {
        var exchange = Requests.Get(target);
        exchange.Request.MatchedPath = exchange.Request.Path;
        Assert.Equal(Fault.None, await new RedirectAnswer(308, new Template(new Template.Part(Placeholder.Path, []))).PrepareAsync(exchange));
        Assert.Equal(location, exchange.Response.Fields.Added[^1].Value.ToString());
    }

    [Fact]
    public async Task What_the_operator_writes_is_meant()
    {
        var exchange = Requests.Get("/a");
        await new RedirectAnswer(308, Template.Literal("//cdn.example/")).PrepareAsync(exchange);
        Assert.Equal("//cdn.example/", exchange.Response.Fields.Added[^1].Value.ToString());
    }
}
