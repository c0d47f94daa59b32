// Which packets are lost: each by itself, or in bursts, as a channel that is good or bad (Gilbert 1960): while it is bad all
// is lost, and a burst lasts a number of packets that is geometrically distributed.

namespace Weir.Engine.Transports.Simulation.Links;

/// <summary>The losses of one direction of a link.</summary>
internal sealed class LossProcess
{
    private readonly Random random;
    private readonly double enter;
    private readonly double leave;
    private bool isBad;

    /// <param name="random">Where chance comes from.</param>
    /// <param name="loss">The share of packets that are lost.</param>
    /// <param name="burst">The mean length of a burst.</param>
    public LossProcess(Random random, double loss, double burst)
    {
        this.random = random;
        // Lost in the long run: enter ÷ (enter + leave). Without memory the next packet's fate is as the last one's.
        leave = burst <= 1 ? 1 - loss : 1 / burst;
        enter = loss <= 0 ? 0 : burst <= 1 ? loss : Math.Min(1, loss * leave / (1 - loss));
    }

    /// <summary>Whether the next packet is lost.</summary>
    public bool Next()
    {
        if (enter <= 0) return false;
        isBad = random.NextDouble() < (isBad ? 1 - leave : enter);
        return isBad;
    }
}
