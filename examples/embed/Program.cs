// A proxy in a program of one's own: an answer written in C#, on a port of the system's choosing. `embed` prints the port.

using System.Net;
using System.Text;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Routing;
using Weir.Engine.Transports;

var errors = new ErrorLog(new StreamTarget(Console.OpenStandardError()));
var engine = new ProxyEngine(new KernelGround(1, errors), errors);
var routes = new RouteTable<RoutePlan>();
routes.Add("/hello/*", new RoutePlan { Name = "hello", Answer = new Hello() }, []);
var hosts = new HostTable<SitePlan> { Default = new SitePlan { Name = "all", Routes = routes } };
var listener = new ListenerPlan { Name = "front", Address = NetworkAddress.FromIp(IPAddress.Loopback, 0), Hosts = hosts };
if (!engine.TryExecute(new Plan { Listeners = [listener], Upstreams = [], Hops = new Hops("embed") }, out var trouble)) throw new InvalidOperationException(string.Join('\n', trouble));
engine.Start();
Console.WriteLine(engine.Addresses[0].Address.Port);
Console.In.ReadToEnd(); // Until its input ends.
engine.Drain();
engine.Stop();

/// <summary>Greets whoever the path names.</summary>
internal sealed class Hello : Answer
{
    private static readonly ByteRange Plain = ByteRange.Of("text/plain"u8.ToArray());

    public override LoopTask<Fault> PrepareAsync(Exchange exchange)
    {
        OwnResponse.Begin(exchange, 200, Encoding.UTF8.GetBytes($"hello, {exchange.Request.MatchedPath.ToString()[7..]}\n"), Plain);
        return new LoopTask<Fault>(Fault.None);
    }
}
