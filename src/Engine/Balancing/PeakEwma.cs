// The endpoint whose next answer is expected first: its latency times the requests it would have, for its weight. Up to 16
// endpoints all are compared, of more two picks. Whose latency is not known is taken for as fast as the mean of those it is
// compared with: a new endpoint gets its share, and not everybody at once.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Least expected latency.</summary>
public sealed class PeakEwma : Balancer
{
    private const int Picks = 2;

    private readonly Shares shares;

    public PeakEwma()
        : this(Shares.None)
    {
    }

    private PeakEwma(Shares shares) => this.shares = shares;

    public override bool NeedsLatency => true;

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new PeakEwma(new Shares(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange)
    {
        var candidates = shares.Gather(endpoints, exchange, stackalloc int[Shares.SmallPool], Picks);
        Span<double> costs = stackalloc double[Shares.SmallPool];
        var (sum, known, now) = (0.0, 0, exchange.Loop.Now);
        for (var i = 0; i < candidates.Length; i++)
        {
            costs[i] = endpoints[candidates[i]].Latency(now);
            sum += costs[i];
            if (costs[i] > 0) known++;
        }

        var mean = known == 0 ? 1 : sum / known;
        for (var i = 0; i < candidates.Length; i++)
        {
            var latency = costs[i] > 0 ? costs[i] : mean;
            costs[i] = latency * (endpoints[candidates[i]].Active + 1.0) / shares.Weights[candidates[i]];
            if (known == 0) costs[i] -= latency / shares.Weights[candidates[i]]; // Nothing is known of anybody: idle ones are equals.
        }

        return shares.Least(candidates, costs);
    }
}
