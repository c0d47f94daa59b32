// Choosing an endpoint. One file per algorithm; a choice costs nanoseconds and takes no lock.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>What a balancer sees of an endpoint: its weight and its load, both changed while it looks.</summary>
public interface IBalanced
{
    /// <summary>Its share relative to its siblings; 0 takes it out.</summary>
    int Weight { get; }

    /// <summary>Requests under way, over all loops.</summary>
    int Active { get; }

    /// <summary>Whether requests may be sent to it.</summary>
    bool IsAvailable { get; }
}

/// <summary>Chooses among the endpoints of one upstream. One instance per upstream, shared by all loops.</summary>
public abstract class Balancer
{
    /// <summary>Chooses one of the endpoints that were not tried before.</summary>
    /// <param name="endpoints">All endpoints of the upstream.</param>
    /// <param name="tried">One bit for each endpoint tried already in this exchange (the first 64).</param>
    /// <param name="exchange">What it is chosen for.</param>
    /// <returns>An index, or -1: nobody is left.</returns>
    public abstract int Choose(ReadOnlySpan<IBalanced> endpoints, ulong tried, Exchange exchange);
}
