// YARP as its template makes it, told by arguments:
//   yarp PORT ORIGIN [--sites N --routes M]
// It has no access log of JSON lines to files; that row goes without it.

using System.Globalization;
using Yarp.ReverseProxy.Configuration;

var (port, origin) = (args[0], args[1]);
var sites = Number("--sites");
var routes = Number("--routes");

var builder = WebApplication.CreateBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
builder.WebHost.ConfigureKestrel(static kestrel =>
{
    kestrel.Limits.MaxRequestBodySize = null;
    kestrel.Limits.MinRequestBodyDataRate = null;
    kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(5);
});
builder.Services.AddReverseProxy().LoadFromMemory(
    sites == 0 ? [new RouteConfig { RouteId = "all", ClusterId = "origin", Match = new RouteMatch { Path = "{**rest}" } }] : Routes().ToArray(),
    [new ClusterConfig { ClusterId = "origin", Destinations = new Dictionary<string, DestinationConfig> { ["one"] = new() { Address = $"http://127.0.0.1:{origin}" } } }]);
var app = builder.Build();
app.MapReverseProxy();
app.Run();

IEnumerable<RouteConfig> Routes()
{
    for (var s = 0; s < sites; s++)
    {
        for (var r = 0; r < routes; r++)
        {
            yield return new RouteConfig { RouteId = $"s{s}r{r}", ClusterId = "origin", Match = new RouteMatch { Hosts = [$"s{s}.test"], Path = $"/r{r}/{{**rest}}" } };
        }
    }
}

int Number(string name) => Array.IndexOf(args, name) is >= 0 and var i ? int.Parse(args[i + 1], CultureInfo.InvariantCulture) : 0;
