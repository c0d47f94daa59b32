// yarp LISTEN ORIGIN: forwards everything from one loopback port to another.
using Yarp.ReverseProxy.Configuration;

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.ListenLocalhost(int.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture));
    kestrel.Limits.MaxRequestBodySize = null;
});
var route = new RouteConfig { RouteId = "r", ClusterId = "c", Match = new RouteMatch { Path = "{**all}" } };
var cluster = new ClusterConfig { ClusterId = "c", Destinations = new Dictionary<string, DestinationConfig> { ["o"] = new() { Address = $"http://127.0.0.1:{args[1]}/" } } };
builder.Services.AddReverseProxy().LoadFromMemory([route], [cluster]);
var app = builder.Build();
app.MapReverseProxy();
app.Run();
