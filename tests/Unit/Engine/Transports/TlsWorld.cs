// Two ends of one connection with TLS on it, on two loops of a simulated world.

using System.Net;
using Weir.Engine.Loops;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Unit.Engine.Transports;

internal sealed class TlsWorld
{
    private readonly SimulatedTransport[] beneath;
    private TlsEngine[] engines = [];

    /// <param name="seed">The world's.</param>
    /// <param name="weather">The network's.</param>
    public TlsWorld(int seed, Weather weather)
    {
        World = new SimulatedWorld(seed, weather);
        var (clientLoop, clientNetwork) = World.AddLoop();
        var (_, serverNetwork) = World.AddLoop();
        _ = clientLoop;
        var address = NetworkAddress.FromIp(IPAddress.Loopback, 443);
        var acceptor = serverNetwork.Accept(World.Listen(address));
        var client = clientNetwork.Connect(address, out _)!;
        World.Run(1_000_000);
        beneath = [(SimulatedTransport)client, (SimulatedTransport)acceptor.TryAccept(out _)!];
    }

    public SimulatedWorld World { get; }

    /// <summary>The client's end, and the server's.</summary>
    public TlsTransport[] Ends { get; private set; } = [];

    /// <summary>What troubles an engine; nothing: empty.</summary>
    public string Trouble => string.Join(", ", engines.Select(static e => e.TroubleText));

    public SimulatedTransport Beneath(int side) => beneath[side];

    /// <summary>Where OpenSSL speaks: the next write takes new keys, and the peer is asked to do the same before it writes on.</summary>
    public void RenewKeys(int side)
    {
        if (engines[side] is OpenSslEngine engine) OpenSslPair.RenewKeys(engine);
    }

    /// <summary>Agrees with the stand-in.</summary>
    public TlsLedger Agree(TlsWhims whims)
    {
        var ledger = new TlsLedger(World, whims);
        Agree(new SimulatedTlsClient(ledger).Connect(beneath[0]), new SimulatedTlsServer(ledger).Accept(beneath[1]));
        return ledger;
    }

    /// <summary>Steps both handshakes as their signals tell, until both are done.</summary>
    public void Agree(TlsEngine client, TlsEngine server)
    {
        engines = [client, server];
        var status = new[] { TlsStatus.WantWrite, TlsStatus.WantRead };
        for (var i = 0; i < 10_000 && !status.All(static s => s == TlsStatus.Done); i++)
        {
            for (var side = 0; side < 2; side++)
            {
                if (MayGoOn(status[side], side, engines[side])) status[side] = engines[side].Handshake();
                Assert.True(status[side] != TlsStatus.Failed, $"side {side}: {engines[side].Trouble} {engines[side].TroubleText}");
            }

            World.Run(5);
        }

        Assert.All(status, static s => Assert.Equal(TlsStatus.Done, s));
        Ends = [new TlsTransport(beneath[0], client), new TlsTransport(beneath[1], server)];
    }

    private bool MayGoOn(TlsStatus status, int side, TlsEngine engine) => status switch
    {
        TlsStatus.WantRead => beneath[side].Readable.IsSet,
        TlsStatus.WantWrite => beneath[side].Writable.IsSet,
        TlsStatus.Suspended => engine.Resumed.IsSet,
        _ => false,
    };
}
