// Taking connections: as many as the limits allow, a bounded number per turn. While no more can be had (too many
// connections, no descriptors) the listener leaves the loop's set and the kernel's backlog keeps the rest. Before it ends,
// whoever waits in the backlog is taken: a listening socket is not closed with connections in it.

using System.Net;
using Weir.Engine.Loops;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Engine.Listeners;

/// <summary>Connections over all loops and listeners. Any thread.</summary>
public sealed class Occupancy
{
    private readonly ClientCounts perClient = new();
    private int connections;
    private long accepted;
    private long refused;

    /// <summary>Connections at once.</summary>
    public int Most { get; set; } = int.MaxValue;

    /// <summary>Connections at once from one client; 0: no limit.</summary>
    public int MostPerClient { get; set; }

    public int Connections => Volatile.Read(ref connections);

    public long Accepted => Volatile.Read(ref accepted);

    /// <summary>Connections closed at once because their client had too many.</summary>
    public long Refused => Volatile.Read(ref refused);

    internal bool IsFull => Connections >= Most;

    /// <summary>A connection asks to be taken.</summary>
    /// <param name="client">Its address; null: not a client that is counted.</param>
    /// <param name="counted">What <see cref="Leave"/> is to be told when it has closed.</param>
    internal bool TryEnter(IPAddress? client, out IPAddress? counted)
    {
        if (!perClient.TryEnter(client, MostPerClient, out counted))
        {
            Interlocked.Increment(ref refused);
            return false;
        }

        Interlocked.Increment(ref connections);
        Interlocked.Increment(ref accepted);
        return true;
    }

    /// <summary>A connection has closed.</summary>
    public void Leave(IPAddress? counted)
    {
        Interlocked.Decrement(ref connections);
        perClient.Leave(counted);
    }
}

/// <summary>Accepts for one listener on one loop.</summary>
public sealed class Admission(Loop loop, Acceptor acceptor, FrontDoor door, Occupancy occupancy, ErrorLog errors, string listener)
{
    private const int PerTurn = 64;
    private const int RetryAfter = 50;

    // Where there is no room for those that still wait, in ms.
    private const int MostEnding = 5_000;

    private readonly Waiter waiter = new(loop);
    private long lastCall = long.MaxValue;
    private long end = long.MaxValue;
    private Action? whenDone;

    /// <summary>Whether it has taken the last.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Accepts until <see cref="Close"/> and its last call, or <see cref="Stop"/>.</summary>
    public async LoopTask RunAsync()
    {
        while (loop.Now < end)
        {
            if (MayTake())
            {
                await waiter.FirstOf(acceptor.Acceptable, lastCall);
                if (TryTakeSome(out var emptied))
                {
                    if (emptied && loop.Now >= lastCall) break;
                    continue;
                }
            }

            acceptor.Pause(true);
            await waiter.Until(loop.Now + RetryAfter);
        }

        IsDone = true;
        acceptor.Close();
        waiter.Release();
        whenDone?.Invoke();
    }

    /// <summary>Takes those that wait, and then no more.</summary>
    /// <param name="linger">For how long, in ms, some may still arrive.</param>
    /// <param name="then">Called when the last is taken.</param>
    public void Close(int linger, Action then)
    {
        if (IsDone)
        {
            then();
            return;
        }

        whenDone += then;
        lastCall = Math.Min(lastCall, loop.Now + linger);
        end = Math.Min(end, loop.Now + MostEnding);
        waiter.Cancel();
    }

    /// <summary>Takes no more, at once.</summary>
    public void Stop()
    {
        end = lastCall = long.MinValue;
        waiter.Cancel();
    }

    private bool MayTake()
    {
        if (occupancy.IsFull) return false;
        if (acceptor.Pause(false)) return true;
        errors.Warn("listener", $"{listener}: cannot be watched: {Errno.Describe(Errno.Last)}");
        return false;
    }

    // False, and told, where it is better to wait a little.
    private bool TryTakeSome(out bool emptied)
    {
        emptied = false;
        try
        {
            var error = TakeSome(out emptied);
            if (error == 0) return true;
            errors.Warn("listener", $"{listener}: cannot accept: {Errno.Describe(error)}");
        }
#pragma warning disable CA1031 // A bug that one connection met: told, and the listener goes on for all others.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            errors.Error("listener", $"{listener}: a mistake of ours: {bug}");
        }

        return false;
    }

    private int TakeSome(out bool emptied)
    {
        emptied = false;
        for (var i = 0; i < PerTurn; i++)
        {
            if (occupancy.IsFull) return 0;
            var transport = acceptor.TryAccept(out var error);
            if (transport is null)
            {
                emptied = error == 0;
                return error is Errno.ConnectionAborted ? 0 : error;
            }

            if (occupancy.TryEnter(transport.Remote.Ip, out var counted)) door.Take(transport, counted);
            else transport.Close(reset: true);
        }

        // The kernel reports a listener again while connections wait: the latch is not kept.
        acceptor.Acceptable.Clear();
        return 0;
    }
}
