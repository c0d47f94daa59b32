// A proxy that runs in this process, for what reports about it: it listens on ports that the system chose.

using System.Text;
using Weir.Control;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Observe;

namespace Weir.Tests.Unit.Control;

internal sealed class Running : IDisposable
{
    public const string Plain = """
        listen: "127.0.0.1:0"
        loops: 1
        error_log: { target: /dev/null }
        sites: [{ respond: 200 }]
        """;

    public Running(string configuration = Plain)
    {
        Configuration = configuration;
        var diagnostics = new Diagnostics();
        Proxy = RunningProxy.TryStart(into => ConfigLoader.Read("weir.yaml", Configuration, into, static _ => null), diagnostics, 1024)
            ?? throw new InvalidOperationException(diagnostics.ToString());
    }

    public RunningProxy Proxy { get; }

    /// <summary>What the next reload finds.</summary>
    public string Configuration { get; set; }

    /// <summary>Makes these, and no others, the sites of the plan in force: their names may be any.</summary>
    public void Serve(params SiteRecord[] sites)
    {
        var plan = Proxy.Engine.Plan!;
        var routes = plan.Sites[0].Routes;
        if (!Proxy.Engine.TryExecute(plan with { Sites = [.. sites.Select(s => new SitePlan { Name = s.Traffic.Name, Routes = routes, Record = s })] }, out var trouble)) throw new InvalidOperationException(string.Join('\n', trouble));
    }

    public void Dispose()
    {
        Proxy.Stop(new CancellationToken(canceled: true));
        Proxy.Dispose();
    }
}
