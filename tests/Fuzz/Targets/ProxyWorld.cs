// The whole engine over a simulated network, between one client and one origin that are played here byte by byte. It lives
// on from execution to execution; at the end of each nothing may be left.

using System.Net;
using Weir.Engine;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Fuzz;

internal sealed class ProxyWorld
{
    private static readonly NetworkAddress Front = NetworkAddress.FromIp(IPAddress.Loopback, 8080);

    // Turns of the loops in one look at the world; a sound one needs a few hundred.
    private const int MostSteps = 200_000;

    private readonly SimulatedWorld world = new(1, new Weather { MostDelay = 0, MostDelivered = 1 << 20, Window = 1 << 20 });
    private readonly ProxyEngine engine;
    private readonly Plan plan;
    private readonly ErrorLog errors;
    private readonly Said said = new();
    private readonly Network clients;
    private readonly Acceptor origin;

    public ProxyWorld(string configuration)
    {
        var ground = new Ground(world);
        (_, clients) = world.AddLoop();
        var (_, origins) = world.AddLoop();
        origin = origins.Accept(world.Listen(NetworkAddress.FromIp(IPAddress.Parse("10.0.0.1"), 9000)));
        errors = new ErrorLog(said);
        engine = new ProxyEngine(ground, errors);
        plan = Trial.Compile(configuration);
        if (!engine.TryExecute(plan, out var trouble)) throw new InvalidOperationException(string.Join('\n', trouble));
        engine.Start();
        world.Run(1);
    }

    /// <summary>The connections the proxy has made to the origin in this execution.</summary>
    public List<Peer> Origins { get; } = [];

    /// <summary>Begins an execution: all chance in it follows from a seed.</summary>
    public Peer Begin(ref Draw draw)
    {
        world.Random = new Random(draw.Below(int.MaxValue));
        world.Weather = world.Weather with { SplitsWrites = draw.Below(4) == 0, MostDelivered = draw.Below(4) == 0 ? 7 : 1 << 20 };
        return new Peer(clients.Connect(Front, out _)!);
    }

    /// <summary>Lets a moment pass; whoever has sent something, or connected, is looked at.</summary>
    public bool Step(Peer client, long milliseconds = 1)
    {
        if (!world.Run(milliseconds, world.Steps + MostSteps)) throw new BrokenException("livelock: the world never comes to rest");
        var moved = client.Receive();
        while (origin.TryAccept(out _) is { } transport)
        {
            Origins.Add(new Peer(transport));
            moved = true;
        }

        foreach (var peer in Origins) moved |= peer.Receive();
        return moved;
    }

    /// <summary>Ends an execution: everybody leaves, and nothing is left.</summary>
    public void End(Peer client)
    {
        client.Transport.Close(reset: true);
        foreach (var peer in Origins) peer.Transport.Close(reset: true);
        Origins.Clear();
        // A sweep comes every second.
        world.Run(2_500, world.Steps + MostSteps);
        errors.Drain();
        if (said.Text.Contains("mistake of ours", StringComparison.Ordinal)) throw new BrokenException($"mistake of ours: {said.Text}");
        said.Text = "";
        var worker = engine.Workers[0];
        if (worker.Buffers.Leased + worker.Records.Active + worker.Connections + engine.Occupancy.Connections != 0) throw new BrokenException($"left: {worker.Buffers.Leased} buffers, {worker.Records.Active} exchanges, {worker.Connections} connections");
        foreach (var upstream in plan.Upstreams)
        {
            foreach (var endpoint in upstream.Endpoints)
            {
                if (endpoint.Active + endpoint.Connections != 0) throw new BrokenException($"left: {endpoint.Active} exchanges, {endpoint.Connections} connections to the origin");
            }
        }
    }

    private sealed class Ground : Engine.Ground
    {
        private readonly SimulatedWorld world;
        private readonly Loop loop;
        private readonly Network network;

        public Ground(SimulatedWorld world)
        {
            this.world = world;
            (loop, network) = world.AddLoop();
        }

        public override IReadOnlyList<Loop> Loops => [loop];

        public override Network NetworkOf(Loop loop) => network;

        public override ListenSocket[]? Bind(ListenerPlan listener, out string trouble)
        {
            trouble = "";
            return [world.Listen(listener.Address)];
        }

        public override void Start()
        {
        }

        public override void Stop()
        {
        }
    }

    private sealed class Said : LogTarget
    {
        public string Text { get; set; } = "";

        public override void Reopen()
        {
        }

        protected override void Write(ReadOnlySpan<byte> lines) => Text += System.Text.Encoding.UTF8.GetString(lines);
    }
}

/// <summary>One played end of a connection: what came, and what is still to be sent.</summary>
internal sealed class Peer(Transport transport)
{
    private readonly byte[] room = new byte[4096];
    private byte[] rest = [];

    public Transport Transport => transport;

    /// <summary>What came, as Latin-1.</summary>
    public System.Text.StringBuilder Came { get; } = new();

    /// <summary>The other side ended its direction in order.</summary>
    public bool Ended { get; private set; }

    public bool Broke { get; private set; }

    /// <summary>How much of <see cref="Came"/> was read by whoever plays.</summary>
    public int Read { get; set; }

    public bool IsTunnel { get; set; }

    public bool Receive()
    {
        if (Ended || Broke) return false;
        var moved = Push();
        while (true)
        {
            var got = transport.TryRead(room);
            if (got.Status == IoStatus.Some) Came.Append(Trial.Text(room.AsSpan(0, got.Count)));
            Ended = got.Status == IoStatus.End;
            Broke = got.Status == IoStatus.Reset;
            if (got.Status == IoStatus.WouldBlock) return moved;
            moved = true;
            if (got.Status != IoStatus.Some) return true;
        }
    }

    public void Send(ReadOnlySpan<byte> bytes)
    {
        rest = [.. rest, .. bytes];
        Push();
    }

    public void Send(string text) => Send(System.Text.Encoding.Latin1.GetBytes(text));

    private bool Push()
    {
        var moved = false;
        while (rest.Length > 0)
        {
            var taken = transport.TryWrite(rest);
            if (taken.Status == IoStatus.Reset) rest = [];
            if (taken.Status != IoStatus.Some) return moved;
            rest = rest[taken.Count..];
            moved = true;
        }

        return moved;
    }
}
