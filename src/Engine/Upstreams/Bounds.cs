// What an upstream and its endpoints may carry at once, over all loops.

namespace Weir.Engine.Upstreams;

/// <summary>The limits of an upstream; 0: none. Immutable.</summary>
public sealed record Bounds
{
    /// <summary>Connections open to all endpoints, idle ones and those being made included.</summary>
    public int Connections { get; init; }

    /// <summary>Requests under way on all endpoints.</summary>
    public int Requests { get; init; }

    /// <summary>Connections open to each endpoint.</summary>
    public int EndpointConnections { get; init; }

    /// <summary>Requests under way on each endpoint.</summary>
    public int EndpointRequests { get; init; }

    /// <summary>Requests that may wait.</summary>
    public int Queue { get; init; } = 100;

    /// <summary>How long each may wait, in ms.</summary>
    public long QueueTimeout { get; init; } = 2_000;

    /// <summary>Slots of the upstream: each request takes a connection.</summary>
    public int UpstreamSlots => Least(Requests, Connections);

    /// <summary>Slots of each endpoint.</summary>
    public int EndpointSlots => Least(EndpointRequests, EndpointConnections);

    private static int Least(int one, int other) => one == 0 ? other : other == 0 ? one : Math.Min(one, other);
}

/// <summary>Counting up to a limit, by many at once.</summary>
internal static class Slots
{
    /// <summary>Counts one more, unless there are that many; 0: no limit.</summary>
    public static bool TryTake(ref int taken, int most)
    {
        while (true)
        {
            var now = Volatile.Read(ref taken);
            if (most != 0 && now >= most) return false;
            if (Interlocked.CompareExchange(ref taken, now + 1, now) == now) return true;
        }
    }
}
