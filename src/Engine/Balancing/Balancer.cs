// Choosing an endpoint. One file per algorithm; a choice costs nanoseconds, takes no lock and allocates nothing.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>What a balancer sees of an endpoint: its weight and its load, both changed while it looks.</summary>
public interface IBalanced
{
    /// <summary>What it is known by over reloads and restarts; hashes place it by that.</summary>
    string Identity => "";

    /// <summary>What an exchange remembers as tried.</summary>
    object Self => this;

    /// <summary>Its share relative to its siblings; 0 takes it out.</summary>
    int Weight { get; }

    /// <summary>Requests under way, those that wait for their connection included, over all loops.</summary>
    int Active { get; }

    /// <summary>Whether requests may be sent to it.</summary>
    bool IsAvailable { get; }

    /// <summary>How long its answers take by what is known at this moment (ms), in µs; 0: not known.</summary>
    double Latency(long now) => 0;
}

/// <summary>Chooses among the endpoints of one upstream. One instance per set of endpoints, shared by all loops.</summary>
public abstract class Balancer
{
    /// <summary>Whether it asks for latencies, which are not measured for nobody.</summary>
    public virtual bool NeedsLatency => false;

    /// <summary>The balancer for these endpoints with the weights they have now; itself where it keeps nothing about them.</summary>
    /// <remarks>On control's thread, whenever an upstream's endpoints are replaced: what is dear is done here.</remarks>
    public virtual Balancer For(ReadOnlySpan<IBalanced> endpoints) => this;

    /// <summary>Chooses one of the endpoints that the exchange has not tried.</summary>
    /// <param name="endpoints">All endpoints: those of <see cref="For"/>.</param>
    /// <param name="exchange">What it is chosen for.</param>
    /// <returns>An index, or -1: nobody is left.</returns>
    public abstract int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange);

    /// <summary>Whether an endpoint may be asked on behalf of an exchange.</summary>
    protected internal static bool IsOpen(IBalanced endpoint, Exchange exchange) =>
        endpoint.IsAvailable && (exchange.Tried.Count == 0 || !exchange.Tried.Contains(endpoint.Self));
}
