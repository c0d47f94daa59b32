// One request served by the real server side of HTTP/1.1 over a simulated connection. The handler is the test's.

using System.Diagnostics;
using System.Net;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Unit.Engine;

internal static class Served
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Looks at an exchange from within its handler, which then answers 200.</summary>
    public static void Look(string request, Action<Exchange> look) => By(new Looking(look), request);

    /// <summary>Sends a request that asks for the connection to be closed; gives all that came back.</summary>
    public static string By(IExchangeHandler handler, string request)
    {
        var world = new SimulatedWorld(1, new Weather { MostDelay = 1, SplitsWrites = false });
        var (serverLoop, serverNetwork) = world.AddLoop();
        var (_, clientNetwork) = world.AddLoop();
        var address = NetworkAddress.FromIp(IPAddress.Loopback, 80);
        var acceptor = serverNetwork.Accept(world.Listen(address));
        var client = clientNetwork.Connect(address, out _)!;
        world.Run(10);
        var buffers = new BufferPool(new MemoryBudget(1 << 24));
        Exception? bug = null;
        new ServerHost(serverLoop, buffers, handler, found => bug = found).Serve(acceptor.TryAccept(out _)!);

        var unsent = Encoding.Latin1.GetBytes(request).AsMemory();
        var got = new List<byte>();
        var since = Stopwatch.StartNew();
        for (var room = new byte[4096]; bug is null;)
        {
            if (unsent.Length > 0 && client.TryWrite(unsent.Span) is { Status: IoStatus.Some } written) unsent = unsent[written.Count..];
            // Virtual time passes; what runs on other threads, as a reload does, takes real time.
            world.Run(5);
            var read = client.TryRead(room);
            if (read.Status == IoStatus.Some) got.AddRange(room[..read.Count]);
            else if (read.Status != IoStatus.WouldBlock) break;
            else if (since.Elapsed > Patience) throw new TimeoutException($"no end of the answer: {Encoding.Latin1.GetString([.. got])}");
            else if (since.ElapsedMilliseconds > 50) Thread.Sleep(1);
        }

        client.Close();
        world.Run(5_000);
        if (bug is not null) throw new InvalidOperationException("the handler failed: " + bug.Message, bug);
        Assert.Equal(0, buffers.Leased);
        return Encoding.Latin1.GetString([.. got]);
    }

    private sealed class Looking(Action<Exchange> look) : IExchangeHandler
    {
        public async LoopTask HandleAsync(Exchange exchange)
        {
            look(exchange);
            OwnResponse.Begin(exchange, 200, default, default);
            exchange.Client.StartResponse(exchange.Response, exchange.Request);
            await Relay.SendAnswerAsync(exchange, exchange.OwnBody, exchange.Client.ResponseBody);
        }
    }
}
