// Taking connections: as many as the limits allow, a bounded number per turn. While no more can be had (too many
// connections, no descriptors) the listener leaves the loop's set and the kernel's backlog keeps the rest.

using System.Collections.Concurrent;
using System.Net;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine.Listeners;

/// <summary>Connections over all loops and listeners. Any thread.</summary>
public sealed class Occupancy
{
    private readonly ConcurrentDictionary<IPAddress, int> perClient = new();
    private int connections;
    private long accepted;
    private long refused;

    /// <summary>Connections at once.</summary>
    public int Most { get; set; } = int.MaxValue;

    /// <summary>Connections at once from one address; 0: no limit.</summary>
    public int MostPerClient { get; set; }

    public int Connections => Volatile.Read(ref connections);

    public long Accepted => Volatile.Read(ref accepted);

    /// <summary>Connections closed at once because their client had too many.</summary>
    public long Refused => Volatile.Read(ref refused);

    internal bool IsFull => Connections >= Most;

    internal bool TryEnter(IPAddress? client)
    {
        if (MostPerClient > 0 && client is not null && perClient.AddOrUpdate(client, 1, static (_, n) => n + 1) > MostPerClient)
        {
            Leave(client, counted: false);
            Interlocked.Increment(ref refused);
            return false;
        }

        Interlocked.Increment(ref connections);
        Interlocked.Increment(ref accepted);
        return true;
    }

    /// <summary>A connection has closed.</summary>
    public void Release(IPAddress? client) => Leave(client);

    internal void Leave(IPAddress? client, bool counted = true)
    {
        if (counted) Interlocked.Decrement(ref connections);
        if (client is null || perClient.IsEmpty) return;
        // Counted down even where the limit was taken away meanwhile; an entry at 0 goes.
        while (perClient.TryGetValue(client, out var now))
        {
            if (now <= 1 ? perClient.TryRemove(KeyValuePair.Create(client, now)) : perClient.TryUpdate(client, now - 1, now)) return;
        }
    }
}

/// <summary>Accepts for one listener on one loop.</summary>
public sealed class Admission(Loop loop, Acceptor acceptor, ServerHost host, Occupancy occupancy, ErrorLog errors, string listener)
{
    private const int PerTurn = 64;
    private const int RetryAfter = 50;

    private readonly Waiter waiter = new(loop);
    private bool closed;

    /// <summary>Accepts until <see cref="Close"/>.</summary>
    public async LoopTask RunAsync()
    {
        while (!closed)
        {
            if (occupancy.IsFull)
            {
                acceptor.Pause(true);
                if (await waiter.Until(loop.Now + RetryAfter) == Wake.Cancelled) break;
                if (!occupancy.IsFull) acceptor.Pause(false);
                continue;
            }

            if (await waiter.FirstOf(acceptor.Acceptable, long.MaxValue) != Wake.First) break;
            var error = TakeSome();
            if (error == 0) continue;
            errors.Warn("listener", $"{listener}: cannot accept: {Errno.Describe(error)}");
            acceptor.Pause(true);
            if (await waiter.Until(loop.Now + RetryAfter) == Wake.Cancelled) break;
            acceptor.Pause(false);
        }

        acceptor.Close();
        waiter.Release();
    }

    /// <summary>Stops accepting.</summary>
    public void Close()
    {
        closed = true;
        waiter.Cancel();
    }

    private int TakeSome()
    {
        for (var i = 0; i < PerTurn && !closed; i++)
        {
            if (occupancy.IsFull) return 0;
            var transport = acceptor.TryAccept(out var error);
            if (transport is null) return error is Errno.ConnectionAborted ? 0 : error;
            if (occupancy.TryEnter(transport.Remote.Ip)) host.Serve(transport);
            else transport.Close(reset: true);
        }

        // The kernel reports a listener again while connections wait: the latch is not kept.
        acceptor.Acceptable.Clear();
        return 0;
    }
}
