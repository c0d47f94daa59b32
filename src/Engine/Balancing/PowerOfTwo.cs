// Two different endpoints at random by weight; of these the one with fewer requests under way for its weight. Equals go to
// the first pick, so that idle endpoints share by weight.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>The better of two random choices.</summary>
public sealed class PowerOfTwo : Balancer
{
    private readonly Shares shares;

    public PowerOfTwo()
        : this(Shares.None)
    {
    }

    private PowerOfTwo(Shares shares) => this.shares = shares;

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new PowerOfTwo(new Shares(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        var first = shares.Pick(endpoints, exchange);
        var second = first < 0 ? -1 : shares.Pick(endpoints, exchange, except: first);
        if (second < 0) return first;
        var weights = shares.Weights;
        return (long)endpoints[second].Active * weights[first] < (long)endpoints[first].Active * weights[second] ? second : first;
    }
}
