// A listener that ends: no further connection arrives, every loop takes those that wait, and only then are its sockets
// closed.

using Weir.Engine.Transports;

namespace Weir.Engine.Listeners;

/// <summary>The end of one listener, on all loops.</summary>
public sealed class EndingListener
{
    private readonly ListenSocket[] sockets;
    private int left;
    private volatile bool closed;

    /// <param name="name">The listener's name.</param>
    /// <param name="sockets">Its sockets: nothing arrives at them from now on.</param>
    /// <param name="loops">Loops that accept at it.</param>
    public EndingListener(string name, ListenSocket[] sockets, int loops)
    {
        this.sockets = sockets;
        Name = name;
        left = loops;
        Linger = sockets.Max(static s => s.Refuse());
    }

    public string Name { get; }

    /// <summary>For how long, in ms, connections may still arrive whose handshake is under way.</summary>
    public int Linger { get; }

    /// <summary>Whether its sockets are closed. Any thread.</summary>
    public bool IsDone => closed;

    /// <summary>A loop has taken its last connection. On that loop.</summary>
    public void Done()
    {
        if (Interlocked.Decrement(ref left) == 0) Close();
    }

    /// <summary>Closes the sockets, whoever still waits.</summary>
    public void Close()
    {
        CloseAll(sockets);
        closed = true;
    }

    internal static void CloseAll(ListenSocket[] sockets)
    {
        foreach (var socket in sockets) socket.Close();
    }
}
