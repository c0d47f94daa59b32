// Where transports come from: the kernel, or a simulated world. One per loop.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>The network as one loop sees it. The loop's own thread.</summary>
public abstract class Network
{
    /// <summary>Begins a connection. Its <see cref="Transport.Writable"/> is raised when the outcome is known.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="error">Set where no transport could be had at once: no descriptors, no ports, no such socket.</param>
    public abstract Transport? Connect(NetworkAddress to, out int error);

    /// <summary>Watches a listening socket on this loop.</summary>
    public abstract Acceptor Accept(ListenSocket socket);
}

/// <summary>A listening socket as one loop watches it. Closed admission takes it out of the loop's set.</summary>
public abstract class Acceptor
{
    /// <summary>Set while there may be connections to take.</summary>
    public Signal Acceptable { get; } = new();

    /// <summary>Takes the next connection, or null: none now, or with <paramref name="error"/>, none to be had.</summary>
    public abstract Transport? TryAccept(out int error);

    /// <summary>Stops (or goes on) reporting connections; they wait in the kernel's backlog meanwhile.</summary>
    /// <returns>Whether that could be done: going on takes kernel memory.</returns>
    public abstract bool Pause(bool paused);

    /// <summary>Stops watching for good. The listening socket itself stays with its owner.</summary>
    public abstract void Close();
}

/// <summary>A bound, listening socket: of the kernel, or of a simulated world.</summary>
public abstract class ListenSocket
{
    /// <summary>Where it listens; a port of 0 has become the one that was chosen.</summary>
    public abstract NetworkAddress Address { get; }

    /// <summary>Lets no further connection arrive. Those that wait in the backlog stay there to be taken.</summary>
    /// <returns>For how long, in ms, those may still arrive whose handshake is under way.</returns>
    public abstract int Refuse();

    /// <summary>Closes the socket; connections in its backlog are lost, so it is closed last.</summary>
    public abstract void Close();
}
