// An engine's ground in a simulated world: its loops turn when the world does.

using Weir.Engine.Loops;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Engine;

/// <summary>Loops in a simulated world. Made before any other loop of that world.</summary>
public sealed class SimulatedGround : Ground
{
    private readonly SimulatedWorld world;
    private readonly List<Loop> loops = [];
    private readonly List<Network> networks = [];

    /// <param name="world">The world.</param>
    /// <param name="count">How many loops.</param>
    /// <param name="place">Where they stand.</param>
    public SimulatedGround(SimulatedWorld world, int count, string place = "")
    {
        this.world = world;
        for (var i = 0; i < count; i++)
        {
            var (loop, network) = world.AddLoop(place);
            loops.Add(loop);
            networks.Add(network);
        }
    }

    public override IReadOnlyList<Loop> Loops => loops;

    public override Network NetworkOf(Loop loop) => networks[loop.Index];

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
