// A named set of endpoints with one balancer. Live: it outlives plans, which only swap its endpoints and settings whole.

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

    /// <summary>How long after a failed connection the others are asked first, in ms.</summary>
    public long AwayFor { get; init; } = 10_000;
}

/// <summary>A live upstream.</summary>
public sealed class Upstream(string identity, string name, Balancer balancer, int loops) : ICounted
{
    private Members members = new([], []);
    private int lastResort;

    /// <summary>What adopts it over reloads: its name, or for an inline list its endpoints and settings.</summary>
    public string Identity { get; } = identity;

    /// <summary>The metric label: its name, or the first endpoint and a count.</summary>
    public string Name { get; } = name;

    public Traffic Traffic { get; } = new(name, loops);

    public Balancer Balancer { get; } = balancer;

    /// <summary>The endpoints now. Swapped whole.</summary>
    public ReadOnlySpan<Endpoint> Endpoints => Volatile.Read(ref members).Endpoints;

    /// <summary>Replaces the endpoints; requests on those that stay are not disturbed.</summary>
    public void SetEndpoints(Endpoint[] endpoints, UpstreamSettings settings)
    {
        foreach (var endpoint in endpoints) endpoint.Settings = settings;
        Volatile.Write(ref members, new Members(endpoints, [.. endpoints]));
    }

    /// <summary>Chooses an endpoint; marks it tried.</summary>
    public Endpoint? Choose(ref ulong tried, Exchange exchange)
    {
        var now = Volatile.Read(ref members);
        var choice = Balancer.Choose(now.Balanced, tried, exchange);
        if (choice < 0) choice = AnyUntried(now.Endpoints, tried);
        if (choice < 0) return null;
        if (choice < 64) tried |= 1UL << choice;
        return now.Endpoints[choice];
    }

    // All that are left were away a moment ago: better one of them than nobody.
    private int AnyUntried(Endpoint[] endpoints, ulong tried)
    {
        if (endpoints.Length == 0) return -1;
        var start = (int)((uint)Interlocked.Increment(ref lastResort) % (uint)endpoints.Length);
        for (var i = 0; i < endpoints.Length; i++)
        {
            var at = (start + i) % endpoints.Length;
            if (endpoints[at].Weight > 0 && (at >= 64 || (tried & (1UL << at)) == 0)) return at;
        }

        return -1;
    }

    private sealed record Members(Endpoint[] Endpoints, IBalanced[] Balanced);
}
