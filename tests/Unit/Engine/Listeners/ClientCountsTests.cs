using System.Net;
using Weir.Engine.Listeners;

namespace Weir.Tests.Unit.Engine.Listeners;

public class ClientCountsTests
{
    [Theory]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2::")]
    [InlineData("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::")]
    [InlineData("2001:db8:1:3::1", "2001:db8:1:3::")]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("::1", "::")]
    [InlineData("::ffff:192.0.2.1", "::ffff:192.0.2.1")] // Many clients each: IPv4's, a link's, and those behind a translation.
    [InlineData("fe80::1", "fe80::1")]
    [InlineData("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1")]
    [InlineData("64:ff9b:1:2::192.0.2.1", "64:ff9b:1:2::192.0.2.1")]
    public void A_client_is_counted_under(string address, string counted) => Assert.Equal(IPAddress.Parse(counted), ClientCounts.Of(IPAddress.Parse(address)));

    [Fact]
    public void Addresses_of_one_network_share_what_a_client_may_have()
    {
        var (connections, handshakes) = (new Occupancy { MostPerClient = 3 }, new HandshakeCounts { MostPerClient = 3 });
        var counted = new List<IPAddress?>();
        for (var i = 1; i <= 3; i++)
        {
            Assert.True(connections.TryEnter(At(i), out var one));
            Assert.True(handshakes.TryEnter(At(i), out _));
            counted.Add(one);
        }

        Assert.False(connections.TryEnter(At(4), out _));
        Assert.False(handshakes.TryEnter(At(4), out _));
        Assert.Equal((1, 1), (connections.Refused, handshakes.Total(HandshakeOutcome.Refused)));
        Assert.True(connections.TryEnter(IPAddress.Parse("2001:db8:0:1::1"), out _));
        Assert.True(handshakes.TryEnter(IPAddress.Parse("2001:db8:0:1::1"), out _));
        connections.Leave(counted[1]);
        handshakes.Leave(counted[1], HandshakeOutcome.Left);
        Assert.True(connections.TryEnter(At(5), out _));
        Assert.True(handshakes.TryEnter(At(5), out _));
    }

    [Fact]
    public void Without_a_limit_nothing_is_counted()
    {
        var counts = new ClientCounts();
        for (var i = 0; i < 10; i++) Assert.True(counts.TryEnter(At(1), 0, out var counted) && counted is null);
        Assert.True(counts.TryEnter(At(1), 1, out _));
    }

    private static IPAddress At(int i) => IPAddress.Parse($"2001:db8::{i}");
}
