// One measurement: a world with a client, an origin, and between them a link, or an engine with one on either side. The
// engine is the one that serves, and its plan is compiled from a configuration's text.

using System.Net;
using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Control.Laboratory;

internal static class Experiment
{
    private const string Client = "client", Hop = "hop", Origin = "origin";

    // Of the world's time; a file that takes longer is given up.
    private const long Longest = 30L * 24 * 3_600_000;
    private const long Step = 10_000;
    private const long MostSteps = 20_000_000_000;

    private static readonly NetworkAddress HopAddress = NetworkAddress.FromIp(IPAddress.Parse("10.0.0.2"), 8080);
    private static readonly NetworkAddress OriginAddress = NetworkAddress.FromIp(IPAddress.Parse("10.0.0.3"), 80);

    /// <summary>The configuration of the hop of a journey.</summary>
    public static string Configuration(Journey journey) => $"""
        listen: "{HopAddress}"
        loops: 1
        sites:
          - routes:
              - proxy: "http://{OriginAddress}"
                {journey.Route}

        """;

    public static Run Measure(Journey journey, long size, int seed)
    {
        var world = new SimulatedWorld(seed);
        var said = new Said();
        using var hop = journey.IsDirect ? null : new HopUnderTest(world, said);
        if (hop is not null && !hop.TryStart(Configuration(journey), out var trouble)) return new Run { Trouble = trouble };
        var (clientLoop, clientNetwork) = world.AddLoop(Client);
        var (originLoop, originNetwork) = world.AddLoop(Origin);
        var haul = world.Join(journey.IsDirect ? Client : Hop, Origin, journey.Haul);
        if (hop is not null) world.Join(Client, Hop, journey.Near);
        var origin = new LabOrigin(originLoop, originNetwork, world.Listen(OriginAddress), size);
        origin.Serve();
        world.Run(1);
        var client = new LabClient(clientLoop, clientNetwork, hop is null ? OriginAddress : HopAddress, size, () => world.Now);
        client.RunAsync().Detach();
        for (var waited = 0L; !client.IsDone && waited < Longest && world.Run(Step, MostSteps); waited += Step)
        {
        }

        var way = haul.From(Origin);
        return new Run
        {
            Trouble = client.IsDone ? client.Trouble : $"the file did not come within 30 days{said.Last}",
            Seconds = client.Total / 1e6,
            FirstByte = client.FirstByte / 1e6,
            Connections = haul.Connections,
            Twice = Math.Max(0, way.Arrived - origin.Heads - size),
            Resets = haul.Resets,
            Breaks = client.Breaks,
            LostShare = way.Packets == 0 ? 0 : (double)way.Lost / way.Packets,
            Progress = [.. client.Progress.Select(static p => (p.At / 1e6, p.Bytes))],
        };
    }

    // The engine, and what its plan stands on.
    private sealed class HopUnderTest : IDisposable
    {
        private readonly SimulatedWorld world;
        private readonly ProxyEngine engine;
        private readonly LiveThings live;

        public HopUnderTest(SimulatedWorld world, Said said)
        {
            this.world = world;
            var errors = new ErrorLog(said, () => world.Now / 1000);
            engine = new ProxyEngine(new SimulatedGround(world, 1, Hop), errors);
            live = new LiveThings(1, errors, engine.Forget);
        }

        public bool TryStart(string configuration, out string trouble)
        {
            var diagnostics = new Diagnostics();
            var config = ConfigLoader.Read("hop", configuration, diagnostics, static _ => null);
            var compiler = new PlanCompiler(live, "weir-lab");
            var plan = config is null ? null : compiler.Compile(config, diagnostics, 1024);
            List<string> unbound = [];
            if (plan is null || !engine.TryExecute(plan, out unbound, compiler.Apply))
            {
                trouble = plan is null ? diagnostics.ToString() : string.Join('\n', unbound);
                return false;
            }

            trouble = "";
            engine.Start();
            return true;
        }

        public void Dispose()
        {
            engine.Drain();
            world.Run(1_000);
            engine.Stop();
            world.Run(1_000);
            live.Close();
        }
    }

    // What the engine has to say, for a measurement that comes to nothing.
    private sealed class Said : LogTarget
    {
        public string Last { get; private set; } = "";

        public override void Reopen()
        {
        }

        protected override void Write(ReadOnlySpan<byte> lines) => Last = $": {Encoding.UTF8.GetString(lines).TrimEnd().Split('\n')[^1]}";
    }
}
