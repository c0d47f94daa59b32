// YARP as its template makes it, told by arguments:
//   yarp PORT ORIGIN [--sites N --routes M] [--log FOLDER]
// Kestrel's own access log is W3C lines in files; JSON lines it has none of.

using System.Globalization;
using Yarp.ReverseProxy.Configuration;

var (port, origin) = (args[0], args[1]);
var sites = Number("--sites");
var routes = Number("--routes");
var folder = Array.IndexOf(args, "--log") is >= 0 and var at ? args[at + 1] : null;

var builder = WebApplication.CreateBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
builder.WebHost.ConfigureKestrel(static kestrel =>
{
    kestrel.Limits.MaxRequestBodySize = null;
    kestrel.Limits.MinRequestBodyDataRate = null;
    kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(5);
});
if (folder is not null)
{
    builder.Services.AddW3CLogging(options =>
    {
        options.LogDirectory = folder;
        options.FileSizeLimit = null;
    });
}

builder.Services.AddReverseProxy().LoadFromMemory(
    sites == 0 ? [new RouteConfig { RouteId = "all", ClusterId = "origin", Match = new RouteMatch { Path = "{**rest}" } }] : Routes().ToArray(),
    [new ClusterConfig { ClusterId = "origin", Destinations = new Dictionary<string, DestinationConfig> { ["one"] = new() { Address = $"http://127.0.0.1:{origin}" } } }]);
var app = builder.Build();
if (folder is not null) app.UseW3CLogging();
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
