// The whole engine, unchanged, in a simulated world between simulated clients and origins.

using System.Net;
using Weir.Engine;
using Weir.Engine.Acceleration;
using Weir.Engine.Balancing;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Routing;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Simulation;

internal sealed class EngineWorld
{
    /// <summary>Milliseconds after the last answer at which nothing is under way any more.</summary>
    public const int IdleLookAfter = 4_000;

    public static readonly NetworkAddress Front = NetworkAddress.FromIp(IPAddress.Loopback, 8080);

    private readonly StringTarget said = new();

    public EngineWorld(int seed, Weather weather, int origins = 2, Balancing? balancing = null, ActiveCheck? active = null, TlsWhims? tls = null, TlsWhims? originTls = null, Func<ForwardPlan, CachePlan>? cache = null, AcceleratePlan? accelerate = null, IntegrityPlan? integrity = null)
    {
        balancing ??= new Balancing();
        World = new SimulatedWorld(seed, weather);
        var ground = new SimulatedGround(World, 2);
        (ClientLoop, ClientNetwork) = World.AddLoop();
        (OriginLoop, OriginNetwork) = World.AddLoop();
        Errors = new ErrorLog(said);
        Engine = new ProxyEngine(ground, Errors);
        Networks = [.. ground.Loops.Select(l => (SimulatedNetwork)ground.NetworkOf(l))];
        if (originTls is not null) (TowardsOrigins, OriginTls) = (new TlsLedger(World, originTls), new TlsLedger(World, originTls));
        var upstream = Upstream = new Upstream("u", "u", balancing.Balancer, 2) { Errors = Errors };
        var endpoints = new List<Endpoint>();
        for (var i = 0; i < origins; i++)
        {
            var address = NetworkAddress.FromIp(IPAddress.Parse("10.0.0.1"), 9000 + i);
            OriginSockets.Add(World.Listen(address));
            endpoints.Add(new Endpoint($"e{i}", address.ToString(), 2) { Addresses = [address], Weight = balancing.Weights.Length > i ? balancing.Weights[i] : 1, Tls = TowardsOrigins is null ? null : new SimulatedTlsClient(TowardsOrigins) });
        }

        upstream.SetEndpoints([.. endpoints], Settings = balancing.Settings with { KeepAlive = 5_000, Active = active ?? balancing.Settings.Active });
        Endpoints = [.. endpoints];
        var routes = new RouteTable<RoutePlan>();
        var times = new Timeouts { Header = 30_000, FirstByte = 60_000, Idle = 60_000, Body = 60_000, Write = 60_000, KeepAlive = 30_000, Connect = 20_000, Tunnel = 60_000, Total = balancing.Total };
        var forward = new ForwardPlan { Upstream = upstream, Retry = balancing.Retry, Hedge = balancing.Hedge };
        Cached = cache?.Invoke(forward);
        routes.Add(new RoutePlan { Name = "r", Forward = forward, Cache = Cached, Accelerate = accelerate, Integrity = integrity, Timeouts = times, MinRate = 0, Rewrite = balancing.Rewrite, RequestCoding = Requests = balancing.Requests, ResponseCoding = Responses = balancing.Responses }, []);
        var hosts = new HostTable<SitePlan> { Default = new SitePlan { Name = "s", Routes = routes, AccessLog = balancing.Log } };
        if (tls is not null) (FrontTls, ClientTls) = (new TlsLedger(World, tls), new TlsLedger(World, tls));
        var plan = new Plan
        {
            Upstreams = [upstream],
            Hops = new Hops("weir-sim"),
            Listeners = [new ListenerPlan { Name = "front", Address = Front, Hosts = hosts, Settings = new() { Timeouts = times }, Tls = FrontTls is null ? null : new SimulatedTlsServer(FrontTls) }],
        };
        if (!Engine.TryExecute(plan, out var trouble)) throw new InvalidOperationException(string.Join('\n', trouble));
        Engine.Start();
        World.Run(1);
    }

    public SimulatedWorld World { get; }

    /// <summary>The route's cache; null: it has none.</summary>
    public CachePlan? Cached { get; }

    public ProxyEngine Engine { get; }

    public ErrorLog Errors { get; }

    /// <summary>The networks of the engine's own loops.</summary>
    public SimulatedNetwork[] Networks { get; }

    /// <summary>All that the engine has said.</summary>
    public string Said
    {
        get
        {
            Errors.Drain();
            return said.Text;
        }
    }

    public Loop ClientLoop { get; }

    public Network ClientNetwork { get; }

    public Loop OriginLoop { get; }

    public Network OriginNetwork { get; }

    public Upstream Upstream { get; }

    public UpstreamSettings Settings { get; }

    /// <summary>What becomes of requests' bodies; null: nothing.</summary>
    public RequestCodingPlan? Requests { get; }

    /// <summary>What becomes of responses' bodies; null: nothing.</summary>
    public ResponseCodingPlan? Responses { get; }

    public Endpoint[] Endpoints { get; }

    public List<SimulatedListenSocket> OriginSockets { get; } = [];

    /// <summary>The engines of the front's side; null: it speaks no TLS.</summary>
    public TlsLedger? FrontTls { get; }

    /// <summary>The engines of the clients.</summary>
    public TlsLedger? ClientTls { get; }

    /// <summary>The engines of ours towards the origins; null: they are spoken to without TLS.</summary>
    public TlsLedger? TowardsOrigins { get; }

    /// <summary>The engines of the origins.</summary>
    public TlsLedger? OriginTls { get; }

    /// <summary>Takes, for ever, whoever connects to an origin.</summary>
    public void Accept(SimulatedListenSocket socket, Action<Transport> take) => AcceptAsync(OriginNetwork.Accept(socket), take).Detach();

    private async LoopTask AcceptAsync(Acceptor acceptor, Action<Transport> take)
    {
        var waiter = new Waiter(OriginLoop);
        while (true)
        {
            await waiter.FirstOf(acceptor.Acceptable, long.MaxValue);
            while (acceptor.TryAccept(out _) is { } transport) take(transport);
            acceptor.Acceptable.Clear();
        }
    }

    /// <summary>What an origin speaks over; null: there is no connection.</summary>
    public async LoopTask<Transport?> WelcomeAsync(Transport accepted) =>
        OriginTls is null ? accepted : await AgreeAsync(accepted, new SimulatedTlsServer(OriginTls).Accept(accepted), new Waiter(OriginLoop));

    /// <summary>Handshakes of clients that came to nothing.</summary>
    public int FailedHandshakes { get; private set; }

    /// <summary>Connects to the front as a client does, with TLS where it is spoken; null: there is no connection.</summary>
    public async LoopTask<Transport?> ConnectAsync()
    {
        var opened = ClientNetwork.Connect(Front, out _)!;
        var waiter = new Waiter(ClientLoop);
        await waiter.FirstOf(opened.Writable, long.MaxValue);
        if (opened.ConnectError() != 0) return null;
        if (ClientTls is null) return opened;
        var agreed = await AgreeAsync(opened, new SimulatedTlsClient(ClientTls).Connect(opened), waiter);
        if (agreed is null) FailedHandshakes++;
        return agreed;
    }

    /// <summary>A handshake; null, and closed: there is no connection.</summary>
    public static async LoopTask<Transport?> AgreeAsync(Transport opened, TlsEngine engine, Waiter waiter)
    {
        while (true)
        {
            switch (engine.Handshake())
            {
                case TlsStatus.Done:
                    return new TlsTransport(opened, engine);
                case TlsStatus.WantRead:
                    await waiter.FirstOf(opened.Readable, long.MaxValue);
                    break;
                case TlsStatus.WantWrite:
                    await waiter.FirstOf(opened.Writable, long.MaxValue);
                    break;
                case TlsStatus.Suspended:
                    await waiter.FirstOf(engine.Resumed, long.MaxValue);
                    engine.Resumed.Clear();
                    break;
                default:
                    engine.Free();
                    opened.Close();
                    return null;
            }
        }
    }

    /// <summary>What must hold while connections are idle: they hold no buffer.</summary>
    public IEnumerable<string> HeldWhileIdle()
    {
        foreach (var worker in Engine.Workers)
        {
            if (worker.Records.Active == 0 && worker.Buffers.Leased != 0) yield return $"loop {worker.Loop.Index}: {worker.Buffers.Leased} buffers held by {worker.Connections} idle connections";
        }
    }

    /// <summary>What must hold at every moment where there are limits.</summary>
    /// <param name="bounds">The limits.</param>
    /// <param name="underWay">What the origins themselves count; where clients leave, they are behind.</param>
    public IEnumerable<string> BeyondLimits(Bounds bounds, int[] underWay)
    {
        if (bounds.UpstreamSlots > 0 && Upstream.Door.Taken > bounds.UpstreamSlots) yield return $"{Upstream.Door.Taken} requests under way";
        if (bounds.UpstreamSlots > 0 && underWay.Sum() > bounds.UpstreamSlots) yield return $"{underWay.Sum()} requests at the origins";
        if (bounds.Connections > 0 && Upstream.Connections.Count > bounds.Connections) yield return $"{Upstream.Connections.Count} connections";
        if (bounds.Connections > 0 && Endpoints.Sum(e => e.Connections) > bounds.Connections) yield return $"{Endpoints.Sum(e => e.Connections)} connections open";
        for (var i = 0; i < Endpoints.Length; i++)
        {
            var endpoint = Endpoints[i];
            if (bounds.EndpointSlots > 0 && endpoint.Active > bounds.EndpointSlots) yield return $"{endpoint.Name}: {endpoint.Active} requests under way";
            if (bounds.EndpointSlots > 0 && underWay.Length > i && underWay[i] > bounds.EndpointSlots) yield return $"{endpoint.Name}: {underWay[i]} requests at the origin";
            if (bounds.EndpointConnections > 0 && endpoint.Held > bounds.EndpointConnections) yield return $"{endpoint.Name}: {endpoint.Held} connections";
        }

        if (Upstream.Door.QueueLength > bounds.Queue) yield return $"{Upstream.Door.QueueLength} wait";
    }

    /// <summary>What must hold when everything has come to rest.</summary>
    public IEnumerable<string> Leftovers()
    {
        Errors.Drain();
        if (said.Text.Contains("mistake of ours", StringComparison.Ordinal)) yield return said.Text;
        foreach (var worker in Engine.Workers)
        {
            if (worker.Buffers.Leased != 0) yield return $"loop {worker.Loop.Index}: {worker.Buffers.Leased} buffers leaked";
            if (worker.Coders.Coders.AtWork != 0) yield return $"loop {worker.Loop.Index}: {worker.Coders.Coders.AtWork} coders leaked";
            if (worker.Records.Active != 0) yield return $"loop {worker.Loop.Index}: {worker.Records.Active} exchanges never ended";
            if (worker.Connections != 0) yield return $"loop {worker.Loop.Index}: {worker.Connections} connections left";
        }

        if (Engine.Transfers.Parts != 0 || Upstream.Parts.Now != 0) yield return $"{Engine.Transfers.Parts} and {Upstream.Parts.Now} parts counted that are gone";
        if (Engine.Transfers.Running.Any()) yield return "accelerated answers counted that are gone";
        if (FrontTls is { Live: not 0 }) yield return $"{FrontTls.Live} TLS engines leaked";
        if (FrontTls is { Suspended: not 0 }) yield return $"{FrontTls.Suspended} handshakes suspended for ever";
        if (TowardsOrigins is { Live: not 0 }) yield return $"{TowardsOrigins.Live} TLS engines towards origins leaked";
        if (Engine.Handshakes.Active != 0) yield return $"{Engine.Handshakes.Active} handshakes counted that are gone";
        if (Engine.Occupancy.Connections != 0) yield return $"{Engine.Occupancy.Connections} connections counted that are gone";
        if (Upstream.Door.Taken != 0) yield return $"{Upstream.Door.Taken} slots held by nobody";
        if (Upstream.Door.QueueLength != 0) yield return $"{Upstream.Door.QueueLength} exchanges wait for ever";
        if (Upstream.Connections.Count != 0) yield return $"{Upstream.Connections.Count} connections counted that are gone";
        foreach (var endpoint in Endpoints)
        {
            if (endpoint.Held != 0) yield return $"{endpoint.Name}: {endpoint.Held} connections held by nobody";
            if (endpoint.Active != 0) yield return $"{endpoint.Name}: {endpoint.Active} exchanges counted that are gone";
            if (endpoint.Connections != 0) yield return $"{endpoint.Name}: {endpoint.Connections} connections counted that are gone";
        }
    }

    /// <summary>How the upstream shares and retries.</summary>
    internal sealed record Balancing
    {
        public Balancer Balancer { get; init; } = new RoundRobin();

        public int[] Weights { get; init; } = [];

        public UpstreamSettings Settings { get; init; } = new();

        public RetryPlan Retry { get; init; } = new();

        public HedgePlan? Hedge { get; init; }

        public long Total { get; init; } = Timeouts.None;

        public AccessLog? Log { get; init; }

        public RequestCodingPlan? Requests { get; init; }

        public ResponseCodingPlan? Responses { get; init; }

        public IRequestPolicy[] Rewrite { get; init; } = [];
    }

    internal sealed class StringTarget : LogTarget
    {
        public string Text { get; private set; } = "";

        public override void Reopen()
        {
        }

        protected override void Write(ReadOnlySpan<byte> lines) => Text += System.Text.Encoding.UTF8.GetString(lines);
    }
}
