// A quantile of a stream of values in one word: each value moves the estimate a little, up or down in the proportion of the
// quantile, so that it comes to rest where that share of the values is below it.

namespace Weir.Engine.Upstreams;

/// <summary>An estimate that follows. Told by all loops; now and then one overwrites another's step, which is one value lost.</summary>
/// <param name="percent">The share of the values below it.</param>
public sealed class Quantile(int percent)
{
    /// <summary>Before so many values nothing is known.</summary>
    public const int Least = 100;

    // Of the estimate, for each value.
    private const double Step = 0.02;

    private double estimate;
    private int count;

    /// <summary>The estimate; 0: not known yet.</summary>
    public double Now => Volatile.Read(ref count) < Least ? 0 : Volatile.Read(ref estimate);

    public void Tell(double value)
    {
        var before = Volatile.Read(ref estimate);
        if (count < Least) count++;
        if (before <= 0)
        {
            Volatile.Write(ref estimate, Math.Max(1, value));
            return;
        }

        // Wide steps until there are enough to be careful with.
        var step = before * (count < Least ? 5 * Step : Step);
        Volatile.Write(ref estimate, Math.Max(1, value > before ? before + (step * percent / 100) : before - (step * (100 - percent) / 100)));
    }
}
