// The narrowest place of a direction, shared by all connections: one packet after the other, and a queue before it that
// drops what finds it full.

namespace Weir.Engine.Transports.Simulation.Links;

/// <summary>The shared bottleneck of one direction of a link.</summary>
/// <param name="bandwidth">Bytes in a second; 0: it is as wide as it needs to be.</param>
/// <param name="queue">Microseconds that the last in the queue waits at most.</param>
internal sealed class Bottleneck(double bandwidth, double queue)
{
    private double freeAt;

    /// <summary>Takes a packet.</summary>
    /// <param name="bytes">Its size.</param>
    /// <param name="now">When it comes, in microseconds.</param>
    /// <param name="leaves">When its last byte has left.</param>
    /// <returns>False where the queue is full.</returns>
    public bool TryTake(int bytes, double now, out double leaves)
    {
        leaves = now;
        if (bandwidth <= 0) return true;
        if (freeAt - now > queue) return false;
        leaves = freeAt = Math.Max(freeAt, now) + (bytes * 1e6 / bandwidth);
        return true;
    }
}
