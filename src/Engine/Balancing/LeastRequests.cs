// The endpoint with the fewest requests under way for its weight. Up to 16 endpoints all are looked at and equals take turns
// by weight. Of more, eight picks by weight are looked at: with probability 1 - (1 - q)^8 the choice is among the least
// loaded share q of the weights (0.9 for a quarter, 0.996 for a half), at a cost that does not grow; an idle endpoint is
// picked as often as its weight says.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Fewest requests under way per weight.</summary>
public sealed class LeastRequests : Balancer
{
    private const int Picks = 8;

    private readonly Shares shares;

    public LeastRequests()
        : this(Shares.None)
    {
    }

    private LeastRequests(Shares shares) => this.shares = shares;

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new LeastRequests(new Shares(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        var candidates = shares.Gather(endpoints, exchange, stackalloc int[Shares.SmallPool], Picks);
        Span<double> costs = stackalloc double[Shares.SmallPool];
        for (var i = 0; i < candidates.Length; i++) costs[i] = (double)endpoints[candidates[i]].Active / shares.Weights[candidates[i]];
        return shares.Least(candidates, costs);
    }
}
