// A named set of endpoints with one balancer. Live: it outlives plans, which only swap its endpoints, balancer and settings
// whole.

using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;

namespace Weir.Engine.Upstreams;

/// <summary>What an operator sets for an upstream. Immutable.</summary>
public sealed record UpstreamSettings
{
    /// <summary>Idle connections kept per endpoint and loop.</summary>
    public int IdleConnections { get; init; } = 256;

    /// <summary>How long a connection may be idle, in ms.</summary>
    public long KeepAlive { get; init; } = 60_000;

    /// <summary>How long a connection is used at all, in ms.</summary>
    public long ConnectionAge { get; init; } = 3_600_000;
}

/// <summary>A live upstream.</summary>
public sealed class Upstream(string identity, string name, Balancer balancer, int loops) : ICounted
{
    private Members members = new([], [], balancer);

    /// <summary>What adopts it over reloads: its name, or for an inline list its endpoints and settings.</summary>
    public string Identity { get; } = identity;

    /// <summary>The metric label: its name, or the first endpoint and a count.</summary>
    public string Name { get; } = name;

    public Traffic Traffic { get; } = new(name, loops);

    public Balancer Balancer => Volatile.Read(ref members).Balancer;

    /// <summary>The endpoints now. Swapped whole.</summary>
    public ReadOnlySpan<Endpoint> Endpoints => Volatile.Read(ref members).Endpoints;

    /// <summary>
    /// Replaces the endpoints, whose weights stand, and the balancer where one is given; requests on those that stay are not disturbed.
    /// </summary>
    public void SetEndpoints(Endpoint[] endpoints, UpstreamSettings settings, Balancer? with = null)
    {
        foreach (var endpoint in endpoints) endpoint.Settings = settings;
        IBalanced[] balanced = [.. endpoints];
        Volatile.Write(ref members, new Members(endpoints, balanced, (with ?? Balancer).For(balanced)));
    }

    /// <summary>Chooses an endpoint; marks it tried.</summary>
    public Endpoint? Choose(ref ulong tried, Exchange exchange)
    {
        var now = Volatile.Read(ref members);
        var choice = now.Balancer.Choose(now.Balanced, tried, exchange);
        if (choice < 0) return null;
        if (choice < 64) tried |= 1UL << choice;
        return now.Endpoints[choice];
    }

    private sealed record Members(Endpoint[] Endpoints, IBalanced[] Balanced, Balancer Balancer);
}
