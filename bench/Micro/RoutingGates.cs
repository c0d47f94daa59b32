// From a host to a site, among a thousand; from a path to a route, alone and as the last of ten thousand.

using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Routing;

namespace Weir.Bench.Micro;

internal static class RoutingGates
{
    public static IEnumerable<Gate> All()
    {
        var table = new HostTable<string>();
        for (var i = 0; i < 1000; i++) table.TryAdd($"s{i}.test", $"site {i}");
        table.TryAdd("*.wild.test", "wild");
        var (exact, below) = (Encoding.ASCII.GetBytes("s999.test"), Encoding.ASCII.GetBytes("a.b.wild.test"));
        return
        [
            new Gate("site by name, of 1,000", 0, () => table.Find(exact)!.Length),
            new Gate("site by wildcard, of 1,000", 0, () => table.Find(below)!.Length),
            new Gate("route, of 1", 0, LastRoute(1)),
            new Gate("route, the last of 10,000", 0, LastRoute(10_000)),
        ];
    }

    private static Func<int> LastRoute(int count)
    {
        var table = new RouteTable<string>();
        for (var i = 1; i <= count; i++) table.Add($"/section{i % 100}/page{i}/**", $"route {i}", []);
        var (last, exchange) = ($"route {count}", Worlds.Exchange());
        exchange.Request.MatchedPath = ByteRange.Of(Encoding.ASCII.GetBytes($"/section{count % 100}/page{count}/comments/5"));
        return () => table.Find(exchange) == last ? 1 : throw new InvalidOperationException("the wrong route was found");
    }
}
