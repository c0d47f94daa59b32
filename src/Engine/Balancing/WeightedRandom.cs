// One at random, each as often as its weight says: no state that loops share.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Weighted random choice.</summary>
public sealed class WeightedRandom : Balancer
{
    private readonly Shares shares;

    public WeightedRandom()
        : this(Shares.None)
    {
    }

    private WeightedRandom(Shares shares) => this.shares = shares;

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new WeightedRandom(new Shares(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange) => shares.Pick(endpoints, exchange);
}
