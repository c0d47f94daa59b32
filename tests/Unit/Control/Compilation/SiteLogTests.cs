using Weir.Control.Compilation;
using Weir.Control.Configuration;

namespace Weir.Tests.Unit.Control.Compilation;

public class SiteLogTests
{
    [Theory]
    [InlineData("{ target: /tmp/l, format: combined }", "{ format: json }", "{ target: /tmp/l, format: json }")]
    [InlineData("{ target: /tmp/l, format: combined }", "/tmp/m", "{ target: /tmp/m, format: combined }")]
    [InlineData("{ target: /tmp/l, format: combined }", "off", "off")]
    [InlineData("/tmp/l", "{ format: combined }", "{ target: /tmp/l, format: combined }")]
    [InlineData("off", "{ format: combined }", "off")]
    [InlineData("off", "{ target: /tmp/m }", "{ target: /tmp/m, format: json }")]
    [InlineData("{}", "{ format: combined }", "{ target: stdout, format: combined }")]
    public void What_a_site_does_not_say_of_its_log_holds_as_outside(string outside, string site, string same)
    {
        var diagnostics = new Diagnostics();
        var config = ConfigLoader.Read("w", $"listen: \":80\"\naccess_log: {outside}\nsites:\n  - {{ hosts: [a], access_log: {site}, respond: 200 }}\n  - {{ hosts: [b], access_log: {same}, respond: 200 }}\n", diagnostics);
        Assert.True(config is not null, diagnostics.ToString());
        var plan = new PlanCompiler(new LiveThings(1), "w").Compile(config, diagnostics, 1024)!;
        Assert.Equal(same == "off", plan.Sites[0].AccessLog is null);
        Assert.Same(plan.Sites[1].AccessLog, plan.Sites[0].AccessLog);
    }
}
