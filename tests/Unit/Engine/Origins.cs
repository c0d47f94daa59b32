// Endpoints in a simulated world that take connections and say nothing, and a loop that connects to them.

using System.Net;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine;

internal sealed class Origins
{
    private static readonly NetworkAddress Address = NetworkAddress.FromIp(IPAddress.Parse("10.0.0.1"), 9000);

    private readonly Acceptor acceptor;
    private readonly Connector connector;
    private readonly Exchange exchange;
    private readonly MemoryStream said = new();

    public Origins(UpstreamSettings? settings = null, TlsClient? tls = null)
    {
        (Loop, var network) = World.AddLoop();
        var (_, originNetwork) = World.AddLoop();
        acceptor = originNetwork.Accept(World.Listen(Address));
        Endpoint = new Endpoint("http://10.0.0.1:9000", "10.0.0.1:9000", 1) { Addresses = [Address], Settings = settings ?? new UpstreamSettings(), Tls = tls };
        var buffers = new BufferPool(new MemoryBudget(1 << 24));
        connector = new Connector(Loop, network, buffers, new ErrorLog(new StreamTarget(said)));
        exchange = new Exchange(Loop, buffers);
        exchange.TotalDeadline = Timeouts.None;
    }

    public SimulatedWorld World { get; } = new(1, new Weather { MostDelay = 1 });

    public Loop Loop { get; }

    public Endpoint Endpoint { get; }

    public EndpointPool Pool => Endpoint.Pool(0);

    /// <summary>A new connection, lent for its first exchange, and the origin's end of it.</summary>
    public (ClientConnection Connection, Transport Far) Connect()
    {
        Lent? lent = null;
        ConnectAsync().Detach();
        Wait(10);
        return ((ClientConnection)lent!.Value.Stream!, acceptor.TryAccept(out _)!);

        async LoopTask ConnectAsync() => lent = await connector.ConnectAsync(Endpoint, exchange, exchange.Flow, null, 1_000);
    }

    /// <summary>Begins a connection; gives what it has become so far.</summary>
    public Func<Lent?> Begin(long timeout = 1_000, Signal? gone = null)
    {
        Lent? lent = null;
        ConnectAsync().Detach();
        Wait(10);
        return () => lent;

        async LoopTask ConnectAsync() => lent = await connector.ConnectAsync(Endpoint, exchange, exchange.Flow, gone, timeout);
    }

    /// <summary>The origin's end of the next connection.</summary>
    public Transport? Accept() => acceptor.TryAccept(out _);

    /// <summary>Several connections, all lent.</summary>
    public ClientConnection[] Connect(int count) => [.. Enumerable.Range(0, count).Select(_ => Connect().Connection)];

    /// <summary>An exchange on the connection has ended well.</summary>
    public void GiveBack(ClientConnection connection) => Pool.ExchangeEnded(connection, reusable: true, Loop);

    public ClientConnection? Take() => (ClientConnection?)connector.TryTakeIdle(Endpoint);

    /// <summary>Time passes, and the loop has seen it.</summary>
    public void Wait(long milliseconds)
    {
        World.Run(milliseconds);
        Loop.Turn(mayWait: false);
    }
}
