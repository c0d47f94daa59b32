using System.Net;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Listeners;
using Weir.Engine.Policies.Rewrite;

namespace Weir.Tests.Unit.Engine.Listeners;

public class ClientIdentityTests
{
    // The peer is 192.0.2.1.
    private static readonly TrustedProxies Trusted = new([IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")]);

    [Theory]
    [InlineData("X-Forwarded-For: 203.0.113.9", "203.0.113.9 http")]
    [InlineData("X-Forwarded-For: 6.6.6.6, 203.0.113.9", "203.0.113.9 http")]
    [InlineData("X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9 http")]
    [InlineData("X-Forwarded-For: 6.6.6.6|X-Forwarded-For: 203.0.113.9|X-Forwarded-For: 10.1.1.1,, ", "203.0.113.9 http")]
    [InlineData("X-Forwarded-For: 10.1.1.1, 10.1.1.2", "10.1.1.1 http")]
    [InlineData("X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9 http")]
    [InlineData("X-Forwarded-For: 2001:db8::9", "2001:db8::9 http")]
    [InlineData("X-Forwarded-For: [2001:db8::9]", "2001:db8::9 http")]
    [InlineData("X-Forwarded-For: 6.6.6.6, [2001:db8::9]:4711, [fd00::1]:80", "2001:db8::9 http")]
    [InlineData("X-Forwarded-For: ::ffff:10.1.1.1", "10.1.1.1 http")]
    // What cannot be read ends the search: who said it is known, and no more.
    [InlineData("X-Forwarded-For: 6.6.6.6, unknown", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 6.6.6.6, unknown, 10.1.1.1", "10.1.1.1 http")]
    [InlineData("X-Forwarded-For: 6.6.6.6, _hidden", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 10", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 1.2.3", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 1.2.3.4.5", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 1.2.3.010", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 0x7f.0.0.1", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 1.2.3.256", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 1.2.3.4:", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: 1.2.3.4:123456", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: [1.2.3.4]", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: [2001:db8::9", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: [2001:db8::9]x", "192.0.2.1 http")]
    [InlineData("X-Forwarded-For: fe80::1%eth0", "192.0.2.1 http")]
    // The scheme beside the client's address.
    [InlineData("X-Forwarded-Proto: https", "192.0.2.1 https")]
    [InlineData("X-Forwarded-Proto: HTTPS|X-Forwarded-For: 203.0.113.9", "203.0.113.9 https")]
    [InlineData("X-Forwarded-Proto: wss|X-Forwarded-For: 203.0.113.9", "203.0.113.9 https")]
    [InlineData("X-Forwarded-Proto: gopher|X-Forwarded-For: 203.0.113.9", "203.0.113.9 http")]
    [InlineData("X-Forwarded-Proto: https|X-Forwarded-For: 203.0.113.9, 10.1.1.1", "203.0.113.9 https")]
    [InlineData("X-Forwarded-Proto: http, https, http|X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9 https")]
    [InlineData("X-Forwarded-Proto: https, http|X-Forwarded-For: 6.6.6.6, 203.0.113.9", "203.0.113.9 http")]
    [InlineData("X-Forwarded-Proto: https, http|X-Forwarded-For: unknown", "192.0.2.1 http")]
    [InlineData("X-Forwarded-Proto: http, https, http|X-Forwarded-For: 10.1.1.1, 10.1.1.2", "10.1.1.1 https")]
    // RFC 7239.
    [InlineData("Forwarded: for=203.0.113.9", "203.0.113.9 http")]
    [InlineData("Forwarded: For=203.0.113.9;Proto=HTTPS;by=10.1.1.1;host=\"a:80\"", "203.0.113.9 https")]
    [InlineData("Forwarded: proto=https; for=\"[2001:db8::9]:4711\"", "2001:db8::9 https")]
    [InlineData("Forwarded: for=\"203.0.113.9:_port\"", "203.0.113.9 http")]
    [InlineData("Forwarded: for=6.6.6.6;proto=https, for=203.0.113.9;proto=http", "203.0.113.9 http")]
    [InlineData("Forwarded: for=6.6.6.6, for=203.0.113.9;proto=https, for=10.1.1.1;proto=http", "203.0.113.9 https")]
    [InlineData("Forwarded: for=6.6.6.6|Forwarded: for=203.0.113.9;proto=https|Forwarded: for=10.1.1.1", "203.0.113.9 https")]
    [InlineData("Forwarded: for=unknown;proto=https", "192.0.2.1 https")]
    [InlineData("Forwarded: for=6.6.6.6, for=\"_hidden\";proto=https, for=10.1.1.1", "10.1.1.1 https")]
    [InlineData("Forwarded: proto=https", "192.0.2.1 https")]
    [InlineData("Forwarded: 203.0.113.9", "192.0.2.1 http")]
    [InlineData("Forwarded: for=203.0.113.9;for=6.6.6.6", "192.0.2.1 http")]
    [InlineData("Forwarded: for=203.0.113.9 proto=https", "192.0.2.1 http")]
    [InlineData("Forwarded: for=", "192.0.2.1 http")]
    [InlineData("Forwarded: for=\"203.0.113.9", "192.0.2.1 http")]
    [InlineData("Forwarded: for=\"203.0.113.\\9\"", "192.0.2.1 http")]
    // A quote that a client leaves open hides nothing of what a proxy appends; a comma within quotes makes no element.
    [InlineData("Forwarded: for=\"6.6.6.6, for=203.0.113.9;proto=https", "203.0.113.9 https")]
    [InlineData("Forwarded: for=203.0.113.9;host=\"a, for=6.6.6.6\"", "192.0.2.1 http")]
    [InlineData("Forwarded: for=203.0.113.9;host=\"a\\\", for=6.6.6.6;x=\\\"b\"", "192.0.2.1 http")]
    // Both: X-Forwarded is read, and of Forwarded nothing.
    [InlineData("Forwarded: for=6.6.6.6;proto=https|X-Forwarded-For: 203.0.113.9", "203.0.113.9 http")]
    [InlineData("X-Forwarded-Proto: https|Forwarded: for=6.6.6.6;proto=http", "192.0.2.1 https")]
    [InlineData("X-Forwarded-For: unknown|Forwarded: for=6.6.6.6;proto=https", "192.0.2.1 http")]
    public void A_trusted_proxy_says_who_asks_and_how(string fields, string found)
    {
        Assert.Equal(found, Found(fields, Trusted));
        Assert.Equal("192.0.2.1 http", Found(fields, TrustedProxies.None));
        Assert.Equal("192.0.2.1 http", Found(fields, new TrustedProxies([IPNetwork.Parse("10.0.0.0/8")], Unix: true)));
    }

    [Fact]
    public void A_peer_over_a_unix_socket_is_trusted_where_that_is_said()
    {
        const string Fields = "X-Forwarded-For: 203.0.113.9|X-Forwarded-Proto: https";
        Assert.Equal(" http", Found(Fields, Trusted, overUnix: true));
        Assert.Equal("203.0.113.9 https", Found(Fields, new TrustedProxies([], Unix: true), overUnix: true));
        Assert.Equal("203.0.113.9 https", Found(Fields, Trusted with { Unix = true }, overUnix: true));
    }

    [Fact]
    public void No_more_than_32_hops_are_looked_at()
    {
        static string Chain(int proxies) => $"X-Forwarded-For: 203.0.113.9{string.Concat(Enumerable.Range(1, proxies).Select(i => $", 10.0.0.{i}"))}";
        Assert.Equal("203.0.113.9 http", Found(Chain(31), Trusted));
        Assert.Equal("10.0.0.1 http", Found(Chain(32), Trusted));
        Assert.Equal("10.0.0.2 http", Found(Chain(33), Trusted));
    }

    [Theory]
    [InlineData("", ForwardedForm.XForwarded, "X-Forwarded-For: 192.0.2.1|X-Forwarded-Proto: http|X-Forwarded-Host: front.example")]
    [InlineData("", ForwardedForm.Rfc7239, "Forwarded: for=192.0.2.1;host=\"front.example\";proto=http")]
    [InlineData("X-Forwarded-For: 203.0.113.9|X-Forwarded-Proto: https", ForwardedForm.XForwarded, "X-Forwarded-For: 203.0.113.9, 192.0.2.1|X-Forwarded-Host: front.example")]
    [InlineData("X-Forwarded-For: 203.0.113.9|X-Forwarded-Proto: https", ForwardedForm.Rfc7239, "Forwarded: for=203.0.113.9;proto=https, for=192.0.2.1;host=\"front.example\";proto=http")]
    [InlineData("Forwarded: for=203.0.113.9;proto=https", ForwardedForm.Rfc7239, "Forwarded: for=203.0.113.9;proto=https, for=192.0.2.1;host=\"front.example\";proto=http")]
    [InlineData("Forwarded: for=\"[2001:db8::9]\";proto=https", ForwardedForm.XForwarded, "X-Forwarded-For: 2001:db8::9, 192.0.2.1|X-Forwarded-Proto: https|X-Forwarded-Host: front.example")]
    [InlineData("X-Forwarded-For: 2001:db8::9|Forwarded: for=6.6.6.6", ForwardedForm.Rfc7239, "Forwarded: for=\"[2001:db8::9]\";proto=http, for=192.0.2.1;host=\"front.example\";proto=http")]
    [InlineData("X-Forwarded-For: 203.0.113.9|Forwarded: for=6.6.6.6", ForwardedForm.XForwarded, "X-Forwarded-For: 203.0.113.9, 192.0.2.1|X-Forwarded-Proto: http|X-Forwarded-Host: front.example")]
    public void The_origin_is_told_the_same_in_the_form_it_is_to_have(string fields, ForwardedForm form, string told)
    {
        var exchange = Requests.Get("/", Lines(fields));
        ClientIdentity.Find(exchange, Trusted);
        Assert.True(new ForwardedFields(form, new Hops("weir-unit")).Apply(exchange).IsContinue);
        var sent = exchange.Request.Fields;
        Assert.Equal(told, string.Join('|', sent.Added.ToArray().Select(a => $"{a.Name}: {a.Value}").Where(l => !l.StartsWith("Via", StringComparison.Ordinal))));
        for (var i = 0; i < sent.Index.Count; i++) Assert.True(sent.IsDropped(i) || !fields.Contains("6.6.6.6", StringComparison.Ordinal) || !sent.Value(i).SequenceEqual("for=6.6.6.6"u8));
    }

    private static string Found(string fields, TrustedProxies trusted, bool overUnix = false)
    {
        var exchange = Requests.Get("/", Lines(fields));
        if (overUnix) exchange.Ends = new ConnectionEnds(null, 0, 0);
        ClientIdentity.Find(exchange, trusted);
        return $"{exchange.ClientAddress} {(exchange.Request.IsSecure ? "https" : "http")}";
    }

    private static string[] Lines(string fields) => fields.Length == 0 ? [] : fields.Split('|');
}
