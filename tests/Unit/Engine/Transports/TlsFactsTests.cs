using System.Net;
using System.Text;
using Weir.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Transports;

public sealed class TlsFactsTests
{
    private static readonly object Site = new();
    private static readonly object Other = new();

    [Theory]
    [InlineData("a.test", true)]
    [InlineData("b.a.test", false)]
    [InlineData("x.w.test", true)]
    [InlineData("*.w.test", true)]
    [InlineData("w.test", false)]
    [InlineData("y.x.w.test", false)]
    [InlineData(".w.test", false)]
    [InlineData("192.0.2.7", true)]
    [InlineData("192.0.2.8", false)]
    [InlineData("[2001:db8::1]", true)]
    [InlineData("2001:db8::1", false)]
    [InlineData("", false)]
    public void A_certificate_covers_what_it_names(string host, bool covered)
    {
        var names = new CertificateNames(["A.test", "*.w.test"], [IPAddress.Parse("192.0.2.7"), IPAddress.Parse("2001:db8::1")]);
        Assert.Equal(covered, names.Cover(Encoding.ASCII.GetBytes(host)));
    }

    [Theory]
    [InlineData("a.test", "a.test", true, true)] // Whatever the certificate covers.
    [InlineData("a.test", "b.test", false, true)]
    [InlineData("a.test", "c.test", false, false)]
    [InlineData("a.test", "c.test", true, false)]
    [InlineData("", "c.test", true, true)] // Asked for no name: its own site.
    [InlineData("", "b.test", false, true)]
    [InlineData("", "c.test", false, false)]
    [InlineData("a.test", "", true, true)] // HTTP/1.0 need not name a host.
    [InlineData("a.test", "", false, false)]
    public void A_connection_carries_its_own_name_and_what_every_certificate_covers(string asked, string host, bool isSameSite, bool may)
    {
        var facts = Facts(asked);
        Assert.Equal(may, facts.MayCarry(Encoding.ASCII.GetBytes(host), isSameSite ? Site : Other, null, isTrusted: false));
        Assert.True(facts.MayCarry(Encoding.ASCII.GetBytes(host), isSameSite ? Site : Other, null, isTrusted: true));
        Assert.False(facts.MayCarry(Encoding.ASCII.GetBytes(host), isSameSite ? Site : Other, "a certificate", isTrusted: true));
    }

    [Fact]
    public void What_is_asked_of_clients_must_have_been_asked()
    {
        var facts = new TlsFacts { ServerName = "a.test"u8.ToArray(), Site = Site, Demands = "one" };
        Assert.True(facts.MayCarry("a.test"u8, Site, "one", isTrusted: false));
        Assert.False(facts.MayCarry("a.test"u8, Site, "another", isTrusted: false));
        Assert.False(facts.MayCarry("a.test"u8, Site, null, isTrusted: false));
    }

    private static TlsFacts Facts(string asked) => new()
    {
        ServerName = Encoding.ASCII.GetBytes(asked),
        Site = Site,
        Names = [new CertificateNames(["a.test", "b.test", "c.test"], []), new CertificateNames(["b.test"], [])],
    };
}
