// Requests made from text by the real parser, outside any connection: for rooms that only look at an exchange.

using System.Net;
using System.Text;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Routing;
using Weir.Engine.Transports;
using Weir.Tests.Unit.Loops;
using Weir.Wire.Http1;

namespace Weir.Tests.Unit.Engine;

internal static class Requests
{
    /// <summary>An exchange whose request is this head; fields are given as whole lines.</summary>
    public static Exchange Of(string start, params string[] fields) => Of(new Exchange(new Loop(new ManualPoller()), new BufferPool(new MemoryBudget(1 << 24))), start, fields);

    /// <summary>The same, over an exchange that there is already.</summary>
    public static Exchange Of(Exchange exchange, string start, params string[] fields)
    {
        var bytes = Encoding.Latin1.GetBytes($"{start}\r\n{string.Concat(fields.Select(f => f + "\r\n"))}\r\n");
        var head = new RequestHead();
        head.Clear();
        var status = RequestParser.Parse(bytes, HeadLimits.Default, head, out var fault);
        if (status != ParseStatus.Done) throw new ArgumentException($"{start}: {status} {fault}");
        RequestFill.From(exchange, head, bytes, 0);
        exchange.Ends = new ConnectionEnds(IPAddress.Parse("192.0.2.1"), 40_000, 80);
        return exchange;
    }

    public static Exchange Get(string target, params string[] fields) => Of($"GET {target} HTTP/1.1", ["Host: front.example", .. fields]);

    /// <summary>Finds site and route as a listener with these hosts does.</summary>
    public static (SitePlan? Site, RoutePlan? Route, Fault Fault) Find(Exchange exchange, HostTable<SitePlan> hosts)
    {
        var listener = new ListenerPlan { Name = "front", Address = NetworkAddress.None, Hosts = hosts };
        return Pipeline.Find(exchange, new Plan { Listeners = [listener], Upstreams = [], Hops = new Hops("weir-unit") }, listener);
    }

    public static (RoutePlan? Route, Fault Fault) Find(Exchange exchange, RouteTable<RoutePlan> routes)
    {
        var (_, route, fault) = Find(exchange, new HostTable<SitePlan> { Default = new SitePlan { Name = "default", Routes = routes } });
        return (route, fault);
    }
}
