// From a host to a site, among a thousand.

using System.Text;
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
        ];
    }
}
