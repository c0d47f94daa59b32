using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Control.Compilation;

public class IdentityTests
{
    private readonly PlanCompiler compiler = new(new LiveThings(1), "weir-unit");

    [Theory]
    [InlineData("proxy: \"http://127.0.0.1:1/a\"", "proxy: \"http://127.0.0.1:1/b\"")]
    [InlineData("proxy: \"http://127.0.0.1:1/a\"", "proxy: { endpoints: [{ url: \"http://127.0.0.1:1\", weight: 3 }], idle_connections: 7, timeouts: { keep_alive: 1s }, connection_age: 1m }")]
    [InlineData("proxy: named", "proxy: changed")]
    public void What_is_said_of_a_server_may_change_and_it_stays_the_same_one(string first, string next)
    {
        var (before, after) = (Execute(first), Execute(next));
        Assert.Same(Assert.Single(Endpoints(before)), Assert.Single(Endpoints(after)));
        Assert.Same(before.Upstreams[0], after.Upstreams[0]);
    }

    [Theory]
    [InlineData("http://127.0.0.1:443", "", "https://127.0.0.1", "")]
    [InlineData("https://127.0.0.1", "", "https://127.0.0.1", ", tls: { server_name: other.test }")]
    [InlineData("https://127.0.0.1", "", "https://127.0.0.1", ", tls: { min_version: 1.3 }")]
    [InlineData("https://127.0.0.1", "", "https://127.0.0.1", ", tls: { verify: off }")]
    public void Who_is_spoken_to_in_another_way_is_another_one(string first, string with, string next, string nextWith)
    {
        var before = Assert.Single(Endpoints(Execute($"proxy: {{ endpoints: [\"{first}\"]{with} }}")));
        Assert.Same(before, Assert.Single(Endpoints(Execute($"proxy: {{ endpoints: [{{ url: \"{first}/path\", weight: 2 }}]{with} }}"))));
        var after = Assert.Single(Endpoints(Execute($"proxy: {{ endpoints: [\"{next}\"]{nextWith} }}")));
        Assert.NotSame(before, after);
        Assert.Equal(before.Addresses, after.Addresses);
    }

    [Fact]
    public void Endpoints_that_differ_in_their_path_only_are_two_and_stay_the_same_two()
    {
        var before = Endpoints(Execute("proxy: [\"http://127.0.0.1:1/a\", \"http://127.0.0.1:1/b\", \"http://127.0.0.1:2\"]"));
        Assert.Equal(["/a", "/b", ""], before.Select(e => Encoding.ASCII.GetString(e.PathPrefix)));
        var after = Endpoints(Execute("proxy: [\"http://127.0.0.1:1/c\", \"http://127.0.0.1:1/d\", \"http://127.0.0.1:2/e\"]"));
        Assert.Equal(before, after);
        Assert.Equal(3, after.Distinct().Count());
        Assert.Equal(["/c", "/d", "/e"], after.Select(e => Encoding.ASCII.GetString(e.PathPrefix)));
    }

    [Fact]
    public void Lists_of_the_same_servers_that_differ_otherwise_are_two_and_equal_ones_are_one()
    {
        const string Lists = "routes: [{ match: /a, proxy: \"http://127.0.0.1:1/a\" }, { match: /b, proxy: \"http://127.0.0.1:1/b\" }, { match: /c, proxy: \"http://127.0.0.1:1/a\" }, { match: /d, proxy: { endpoints: [\"http://127.0.0.1:1/a\"], idle_connections: 1 } }]";
        var before = Execute(Lists);
        Assert.Equal(["http://127.0.0.1:1", "http://127.0.0.1:1 #2", "http://127.0.0.1:1 #3"], before.Upstreams.Select(u => u.Name));
        Assert.Equal(["/a", "/b", "/a"], Endpoints(before).Select(e => Encoding.ASCII.GetString(e.PathPrefix)));
        Assert.Equal(before.Upstreams, Execute(Lists.Replace("1/b", "1/z", StringComparison.Ordinal)).Upstreams);
    }

    [Fact]
    public void The_same_server_in_two_upstreams_is_two_endpoints()
    {
        var plan = Execute("routes: [{ match: /a, proxy: named }, { match: /b, proxy: other }]");
        Assert.Equal(2, Endpoints(plan).Distinct().Count());
    }

    private static Endpoint[] Endpoints(Plan plan) => [.. plan.Upstreams.SelectMany(u => u.Endpoints.ToArray())];

    private Plan Execute(string site)
    {
        var text = $"listen: \":80\"\nupstreams: {{ named: \"{(site.EndsWith("changed", StringComparison.Ordinal) ? "http://127.0.0.1:1/y" : "http://127.0.0.1:1/x")}\", other: \"http://127.0.0.1:1\" }}\nsites: [{{ {site.Replace("changed", "named", StringComparison.Ordinal)} }}]\n";
        var diagnostics = new Diagnostics();
        var plan = ConfigLoader.Read("weir.yaml", text, diagnostics, static _ => null) is { } config ? compiler.Compile(config, diagnostics, 1024) : null;
        Assert.True(plan is not null, diagnostics.ToString());
        compiler.Apply();
        return plan;
    }
}
