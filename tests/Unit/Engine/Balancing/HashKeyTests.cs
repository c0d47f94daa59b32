using System.Net;
using System.Text;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Balancing;

public class HashKeyTests
{
    [Theory]
    [InlineData(KeySource.Header, "x-user", "X-User: anna", "x-user: bert", "X-Other: anna")]
    [InlineData(KeySource.Header, "cookie", "Cookie: a=1", "Cookie: a=2", "X-Other: 1")]
    [InlineData(KeySource.Cookie, "id", "Cookie: a=b; id=1", "Cookie: id=2", "Cookie: idx=1; id")]
    [InlineData(KeySource.Cookie, "id", "Cookie: id=1", "Cookie: id=2", "Cookie: id=")]
    public void A_field_or_a_cookie_is_a_key_where_it_has_a_value(KeySource source, string name, string one, string other, string none)
    {
        var key = new HashKey(source, Encoding.ASCII.GetBytes(name));
        Assert.True(key.TryHash(Requests.Get("/", one), out var first));
        Assert.True(key.TryHash(Requests.Get("/x?y", one, "X-More: 1"), out var again));
        Assert.True(key.TryHash(Requests.Get("/", other), out var second));
        Assert.Equal(first, again);
        Assert.NotEqual(first, second);
        Assert.False(key.TryHash(Requests.Get("/", none), out _));
    }

    [Fact]
    public void A_parameter_or_the_path_is_a_key()
    {
        var query = new HashKey(KeySource.Query, "id"u8.ToArray());
        Assert.True(query.TryHash(Requests.Get("/a?x=1&id=7"), out var first));
        Assert.True(query.TryHash(Requests.Get("/b?id=7&id=8"), out var again));
        Assert.Equal(first, again);
        Assert.False(query.TryHash(Requests.Get("/a?xid=7"), out _));
        Assert.False(query.TryHash(Requests.Get("/a"), out _));
        var path = new HashKey(KeySource.Path, []);
        Assert.True(path.TryHash(Requests.Get("/a?1"), out first));
        Assert.True(path.TryHash(Requests.Get("/a?2"), out again));
        Assert.True(path.TryHash(Requests.Get("/b"), out var other));
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void An_address_counts_whole_and_an_ipv4_one_is_the_same_on_either_family()
    {
        Assert.Equal(Of("192.0.2.1"), Of("::ffff:192.0.2.1"));
        Assert.NotEqual(Of("192.0.2.1"), Of("192.0.2.2"));
        Assert.NotEqual(Of("2001:db8::1"), Of("2001:db8::2"));
        Assert.False(HashKey.ClientIp.TryHash(Pool.Exchange(), out _)); // Over a Unix socket there is none.
    }

    [Fact]
    public void A_hash_is_the_same_for_ever() => Assert.Equal(5567838116510432981UL, HashKey.Hash("a stable key, longer than a word"u8));

    private static ulong Of(string address)
    {
        var exchange = Pool.Exchange();
        exchange.ClientAddress = IPAddress.Parse(address);
        Assert.True(HashKey.ClientIp.TryHash(exchange, out var hash));
        return hash;
    }
}
