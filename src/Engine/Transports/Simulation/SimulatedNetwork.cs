// Listening and connecting in a simulated world.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports.Simulation;

/// <summary>The network as one simulated loop sees it.</summary>
public sealed class SimulatedNetwork(SimulatedWorld world, Loop loop) : Network
{
    /// <summary>The error the next connections fail with at once, such as running out of ports; 0: none.</summary>
    public int FailConnects { get; set; }

    public override Transport? Connect(NetworkAddress to, out int error)
    {
        error = FailConnects;
        if (error != 0) return null;
        var listener = world.ListenerAt(to);
        if (listener is null || listener.IsClosed || world.Chance(world.Weather.Refuse))
        {
            var refused = new SimulatedTransport(world, loop, world.NextLocal(), to);
            world.After(world.Delay(), () => refused.Connected(Errno.ConnectionRefused));
            return refused;
        }

        return listener.Connect(loop, to);
    }

    public override Acceptor Accept(ListenSocket socket) => new SimulatedAcceptor(loop, (SimulatedListenSocket)socket);
}

/// <summary>A listening socket of a simulated world; several loops may watch it.</summary>
public sealed class SimulatedListenSocket(SimulatedWorld world, NetworkAddress address) : ListenSocket
{
    private readonly List<SimulatedAcceptor> acceptors = [];

    public override NetworkAddress Address { get; } = address;

    public bool IsClosed { get; private set; }

    /// <summary>Never completes a connection, as a host that is gone.</summary>
    public bool IsBlackHole { get; set; }

    /// <summary>The error that accepting fails with, such as running out of descriptors; 0: none.</summary>
    public int FailAccepts { get; set; }

    public override int Refuse()
    {
        world.Forget(this);
        return world.Weather.MostDelay + 1;
    }

    public override void Close()
    {
        IsClosed = true;
        world.Forget(this);
    }

    internal Transport Connect(Loop from, NetworkAddress to)
    {
        // The loop that takes it is known when it is connected, as with one socket per loop.
        var taker = acceptors.Count == 0 ? null : acceptors[world.Random.Next(acceptors.Count)];
        if (taker is not null && !IsBlackHole && world.LinkBetween(from, taker.Loop) is { } link) return link.Connect(from, taker.Loop, to, taker.Arrived);
        var (client, server) = SimulatedTransport.Pair(world, from, taker?.Loop ?? from, to);
        if (IsBlackHole || taker is null) return client;
        world.After(world.Delay(), () =>
        {
            client.Connected(0);
            taker.Arrived(server);
        });
        return client;
    }

    internal void Add(SimulatedAcceptor acceptor) => acceptors.Add(acceptor);

    internal void Remove(SimulatedAcceptor acceptor) => acceptors.Remove(acceptor);
}

internal sealed class SimulatedAcceptor : Acceptor
{
    private readonly SimulatedListenSocket socket;
    private readonly Queue<Transport> waiting = new();
    private bool paused;
    private bool closed;

    public SimulatedAcceptor(Loop loop, SimulatedListenSocket socket)
    {
        Loop = loop;
        this.socket = socket;
        socket.Add(this);
    }

    public Loop Loop { get; }

    public override Transport? TryAccept(out int error)
    {
        error = socket.FailAccepts;
        if (error == 0 && waiting.TryDequeue(out var transport))
        {
            // Level-triggered, as the kernel's listeners are here: told again while there is more.
            if (waiting.Count > 0 && !paused) ((SimulatedPoller)Loop.Poller).Enqueue(this);
            return transport;
        }

        Acceptable.Clear();
        return null;
    }

    public override bool Pause(bool pause)
    {
        if (paused && !pause && waiting.Count > 0) ((SimulatedPoller)Loop.Poller).Enqueue(this);
        paused = pause;
        return true;
    }

    public override void Close()
    {
        closed = true;
        socket.Remove(this);
        while (waiting.TryDequeue(out var transport)) transport.Close(reset: true);
    }

    internal void Arrived(Transport transport)
    {
        if (closed)
        {
            transport.Close(reset: true);
            return;
        }

        waiting.Enqueue(transport);
        if (!paused) ((SimulatedPoller)Loop.Poller).Enqueue(this);
    }
}
