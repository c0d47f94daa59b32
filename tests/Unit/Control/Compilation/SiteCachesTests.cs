using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Compilation;

// RFC 9111 §4.4: by whichever route of its site a thing is changed, what is kept of it is forgotten.
public class SiteCachesTests
{
    private const string Reads = "{ match: { path: /a, methods: [GET] }, cache: { store: one }, proxy: \"ORIGIN\" }";

    [Theory]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "POST /a", 2)]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "DELETE /a", 2)]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "POST /names?a", 2)] // By its Location.
    [InlineData(Reads, "{ proxy: { split: [{ weight: 1, proxy: \"ORIGIN\" }, { weight: 0, proxy: \"http://127.0.0.1:1\" }] } }", "PUT /a", 2)]
    [InlineData(Reads, "{ cache: { store: two }, proxy: \"ORIGIN\" }", "POST /a", 2)]
    [InlineData("{ match: { path: /a, methods: [GET] }, cache: { key: { query: { drop: [x] } } }, proxy: \"ORIGIN\" }", "{ cache: true, proxy: \"ORIGIN\" }", "POST /a?x=1", 2)]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "OPTIONS /a", 1)]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "PROPFIND /a", 1)]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "POST /b", 1)]
    [InlineData(Reads, "{ proxy: \"ORIGIN\" }", "POST /fails?a", 1)]
    public void What_another_route_changes_is_forgotten(string reads, string writes, string change, int fetches)
    {
        using var origin = new RawOrigin(static (stream, head) =>
        {
            var fields = head.Contains(" /fails", StringComparison.Ordinal) ? "HTTP/1.1 500 No" : head.Contains(" /names", StringComparison.Ordinal) ? "HTTP/1.1 201 Made\r\nLocation: /a" : "HTTP/1.1 200 OK\r\nCache-Control: max-age=60";
            RawOrigin.Send(stream, $"{fields}\r\nContent-Length: 0\r\n\r\n");
            return true;
        });
        using var running = new Running($"listen: \"127.0.0.1:0\"\nloops: 1\nerror_log: {{ target: /dev/null }}\ncaches: {{ one: 16MiB, two: 16MiB, default: 16MiB }}\nsites: [{{ routes: [{reads}, {writes}] }}]\n".Replace("ORIGIN", origin.Url, StringComparison.Ordinal));
        Ask(running, "GET /a");
        Ask(running, "GET /a");
        Ask(running, change);
        Ask(running, "GET /a");
        Assert.Equal(fetches, origin.Received.Count(static head => head.StartsWith("GET /a ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("cache: false, ", false)]
    [InlineData("", false)]
    [InlineData("cache: true, ", true)]
    public void Where_a_site_keeps_nothing_nobody_looks(string cache, bool looks)
    {
        var made = new List<RoutePlan>();
        var compiler = new PlanCompiler(new LiveThings(1), "weir-unit", (plan, _) => made.AddRange(plan is RoutePlan route ? [route] : []));
        var diagnostics = new Diagnostics();
        var config = ConfigLoader.Read("weir.yaml", $"listen: \":80\"\nsites: [{{ routes: [{{ match: /a, {cache}proxy: \"http://127.0.0.1:1\" }}, {{ proxy: \"http://127.0.0.1:1\" }}] }}]\n", diagnostics, static _ => null);
        Assert.NotNull(compiler.Compile(config!, diagnostics, 1024));
        Assert.All(made, route => Assert.Equal(looks, route.Kept is not null));
    }

    private static void Ask(Running running, string line)
    {
        using var client = new TcpClient();
        client.Connect(IPEndPoint.Parse(running.Proxy.Engine.Addresses[0].Address.ToString()!));
        var stream = client.GetStream();
        stream.Write(Encoding.ASCII.GetBytes($"{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
        using var reader = new StreamReader(stream, Encoding.Latin1);
        Assert.StartsWith("HTTP/1.1 ", reader.ReadToEnd(), StringComparison.Ordinal);
    }
}
