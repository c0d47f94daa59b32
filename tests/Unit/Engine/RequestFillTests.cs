using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Routing;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine;

public sealed class RequestFillTests
{
    [Theory]
    [InlineData("X_Forwarded_For: 6.6.6.6")]
    [InlineData("X.Forwarded.For: 6.6.6.6")]
    [InlineData("X!Real!IP: 6.6.6.6")]
    [InlineData("x+forwarded~port: 443")]
    public void A_name_that_some_server_reads_as_a_known_one_is_not_passed_on(string field) =>
        Assert.True(Requests.Get("/", field).Request.Fields.IsDropped(1));

    [Theory]
    [InlineData("X-Tenant: a")]
    [InlineData("X_Tenant: a")]
    [InlineData("X.Y: a")]
    public void Other_names_pass(string field) => Assert.False(Requests.Get("/", field).Request.Fields.IsDropped(1));

    [Theory]
    [InlineData("X-Forwarded-Prefix: /evil")]
    [InlineData("x_forwarded.User: root")]
    [InlineData("X-Forwarded-Client-Cert: a")]
    public void The_whole_family_of_forwarded_fields_is_dropped_where_nobody_vouches_for_it(string field)
    {
        var exchange = Requests.Get("/", field, "X-Forwardedness: 1");
        new Weir.Engine.Policies.Rewrite.ForwardedFields(Weir.Engine.Policies.Rewrite.ForwardedForm.None, new Hops("unit")).Apply(exchange);
        Assert.True(exchange.Request.Fields.IsDropped(1));
        Assert.False(exchange.Request.Fields.IsDropped(2));
    }

    [Theory]
    [InlineData("Expect")]
    [InlineData("Max-Forwards")]
    public void What_is_obeyed_here_cannot_be_nominated_away(string name) =>
        Assert.False(Requests.Of("POST / HTTP/1.1", "Host: a", "Content-Length: 1", $"{name}: 100-continue", $"Connection: {name}").Request.Fields.IsDropped(2));

    [Theory]
    [InlineData("OPTIONS http://a HTTP/1.1", "")]
    [InlineData("OPTIONS http://a?x HTTP/1.1", "/")]
    [InlineData("GET http://a HTTP/1.1", "/")]
    [InlineData("GET http://a?x HTTP/1.1", "/")]
    public void Only_options_without_path_and_query_asks_the_server_as_a_whole(string start, string path) =>
        Assert.Equal(path, Requests.Of(start, "Host: a").Request.Path.ToString());

    [Theory]
    [InlineData("TRACE")]
    [InlineData("CONNECT")]
    public void Some_methods_have_no_content(string method)
    {
        var routes = new RouteTable<RoutePlan>();
        var upstream = new Weir.Engine.Upstreams.Upstream("u", "u", new Weir.Engine.Balancing.RoundRobin(), 1);
        routes.Add(new RoutePlan { Name = "all", Forward = new ForwardPlan { Upstream = upstream, AllowsConnect = true } }, []);
        var target = method == "CONNECT" ? "a:80" : "/";
        Assert.Equal(FaultCause.Malformed, Requests.Find(Requests.Of($"{method} {target} HTTP/1.1", "Host: a:80", "Content-Length: 1"), routes).Fault.Cause);
        Assert.Equal(FaultCause.None, Requests.Find(Requests.Of($"{method} {target} HTTP/1.1", "Host: a:80"), routes).Fault.Cause);
    }

    [Fact]
    public void The_method_of_a_refused_head_is_known()
    {
        var head = new RequestHead();
        head.Clear();
        Assert.Equal(ParseStatus.Bad, RequestParser.Parse("HEAD / HTTP/2.0\r\n\r\n"u8, HeadLimits.Default, head, out _));
        Assert.Equal(KnownMethod.Head, head.KnownMethod); // Its answer has no content.
    }
}
