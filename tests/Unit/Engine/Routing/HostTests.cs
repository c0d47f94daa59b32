using System.Text;
using CsCheck;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Routing;

namespace Weir.Tests.Unit.Engine.Routing;

public class HostTests
{
    private static readonly string[] Labels = ["a", "b", "ab", "example", "com"];

    [Theory]
    [InlineData("example.com", "exact")]
    [InlineData("EXAMPLE.com", "exact")]
    [InlineData("example.com.", "exact")]
    [InlineData("Example.Com.:8080", "exact")]
    [InlineData("example.com:80", "exact")]
    [InlineData("www.example.com", "wildcard")]
    [InlineData("a.b.example.com.", "wildcard")]
    [InlineData("in.api.example.com", "longer")]
    [InlineData("api.example.com", "wildcard")]
    [InlineData("example.org", "default")]
    [InlineData("xexample.com", "default")]
    [InlineData("com", "default")]
    [InlineData("[::1]:8080", "six")]
    [InlineData("192.0.2.7:81", "four")]
    public void A_host_finds_its_site_however_it_is_written(string host, string site)
    {
        var hosts = new HostTable<SitePlan> { Default = Site("default") };
        foreach (var (name, written) in new[] { ("exact", "example.com"), ("wildcard", "*.example.com"), ("longer", "*.api.example.com"), ("six", "[::1]"), ("four", "192.0.2.7") }) Assert.True(hosts.TryAdd(written, Site(name)));
        Assert.Equal(site, Requests.Find(Requests.Of("GET / HTTP/1.1", $"Host: {host}"), hosts).Site!.Name);
        Assert.Equal(site, Requests.Find(Requests.Of($"GET http://{host}/ HTTP/1.1", $"Host: {host}"), hosts).Site!.Name);
    }

    [Fact]
    public void Without_a_default_another_host_is_misdirected()
    {
        var hosts = new HostTable<SitePlan>();
        hosts.TryAdd("a.example", Site("a"));
        var (site, _, fault) = Requests.Find(Requests.Of("GET / HTTP/1.1", "Host: b.example"), hosts);
        Assert.Equal((null, 421), (site, fault.Status));
        Assert.Equal(421, Requests.Find(Requests.Of("GET / HTTP/1.0"), hosts).Fault.Status);
    }

    [Fact]
    public void A_host_that_is_there_is_not_added_again()
    {
        var hosts = new HostTable<string>();
        Assert.True(hosts.TryAdd("a.example", "first"));
        Assert.True(hosts.TryAdd("*.a.example", "wild"));
        Assert.False(hosts.TryAdd("a.example", "second"));
        Assert.False(hosts.TryAdd("*.a.example", "second"));
        Assert.Equal("first", hosts.Find("a.example"u8));
    }

    [Fact]
    public void Any_table_finds_what_the_rule_says()
    {
        var name = Gen.OneOf(Labels).Array[1, 4].Select(labels => string.Join('.', labels));
        var written = Gen.Select(Gen.Bool, name, (wild, host) => wild ? "*." + host : host);
        Gen.Select(written.List[0, 12], Gen.Bool, name.Array[1, 8]).Sample(
            (hosts, hasDefault, asked) =>
            {
                var table = new HostTable<string> { Default = hasDefault ? "default" : null };
                foreach (var host in hosts) Assert.Equal(table.Find(Encoding.ASCII.GetBytes(host)) != host || host[0] == '*', table.TryAdd(host, host) || host[0] == '*');
                foreach (var host in asked)
                {
                    var expected = hosts.Contains(host) ? host : hosts.Where(h => h[0] == '*' && host.EndsWith(h[1..], StringComparison.Ordinal)).MaxBy(h => h.Length) ?? table.Default;
                    Assert.Equal(expected, table.Find(Encoding.ASCII.GetBytes(host)));
                }
            },
            iter: 3_000);
    }

    private static SitePlan Site(string name)
    {
        var routes = new RouteTable<RoutePlan>();
        routes.Add(new RoutePlan { Name = "all" }, []);
        return new SitePlan { Name = name, Routes = routes };
    }
}
