using System.Net;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Memory;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine.Policies.Rewrite;

public class HiddenOriginTests
{
    [Theory]
    [InlineData("a=b; Domain=origin.internal; Path=/", "a=b; Path=/")]
    [InlineData("a=b; domain=.internal", "a=b")]
    [InlineData("a=b;DOMAIN = origin.internal ;Secure", "a=b;Secure")]
    [InlineData("a=b; Domain\t=\tOrigin.Internal", "a=b")]
    [InlineData("a=b; Domain=other; Domain=origin.internal; Secure; Domain=origin.internal", "a=b; Domain=other; Secure")]
    [InlineData("a=b; Domain=other", "a=b; Domain=other")]
    [InlineData("a=b; Domain; Domain=", "a=b; Domain; Domain=")]
    public void A_cookie_does_not_name_the_origins_domain(string cookie, string expected)
    {
        var fields = Hidden($"Set-Cookie: {cookie}");
        Assert.Equal(cookie != expected, fields.IsDropped(0));
        Assert.Equal(expected, fields.IsDropped(0) ? Assert.Single(fields.Added.ToArray()).Value.ToString() : cookie);
    }

    [Fact]
    public void Every_location_points_here()
    {
        var fields = Hidden("Location: /a", "Location: http://origin.internal:9000/b", "Location: http://origin.internal:9000/c");
        Assert.Equal([false, true, true], Enumerable.Range(0, 3).Select(fields.IsDropped));
        Assert.Equal(["http://front.example/b", "http://front.example/c"], fields.Added.ToArray().Select(a => a.Value.ToString()));
    }

    // What is left of a response's fields.
    private static FieldBlock Hidden(params string[] lines)
    {
        var (loop, network) = new SimulatedWorld(1).AddLoop();
        var exchange = new Exchange(loop, new BufferPool(new MemoryBudget(1 << 20)));
        var endpoint = new Endpoint("http://origin.internal:9000", "origin.internal:9000", 1);
        exchange.Request.Authority = ByteRange.Of("front.example"u8.ToArray());
        exchange.Place.EndpointState = endpoint;
        exchange.Origin = new ClientConnection(network.Connect(NetworkAddress.FromIp(IPAddress.Loopback, 9000), out _)!, exchange.Buffers, endpoint.Pool(0));
        var bytes = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");
        var head = new ResponseHead();
        head.Clear();
        Assert.Equal(ParseStatus.Done, ResponseParser.Parse(bytes, HeadLimits.Default, KnownMethod.Get, head, out _));
        var fields = exchange.Response.Fields;
        fields.Reset(bytes, 0, head.Fields);

        new HideOrigin().Apply(exchange);
        return fields;
    }
}
