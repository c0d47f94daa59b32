// What the connections of one listener share on one loop: settings, handler, and the machines they lease while busy.

using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;

namespace Weir.Engine.Http1;

/// <summary>Connections of one listener on one loop.</summary>
public sealed class ServerHost(Loop loop, BufferPool buffers, IExchangeHandler handler, Action<Exception> report)
{
    private const int MostFreeStreams = 4096;

    private ServerConnection? first;
    private ServerStream? free;
    private int freeCount;
    private int count;

    /// <summary>Set by the plan; a connection reads it anew for each request.</summary>
    public ServerSettings Settings { get; set; } = new();

    public IExchangeHandler Handler { get; } = handler;

    public BufferPool Buffers { get; } = buffers;

    /// <summary>Whether connections end as soon as they can.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>Connections open now. Readable from any thread.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Called when a connection has closed, with what it was counted under.</summary>
    public Action<System.Net.IPAddress?>? OnClosed { get; set; }

    /// <summary>Called when a connection was taken.</summary>
    public Action? OnOpened { get; set; }

    /// <summary>Serves a new connection until it closes.</summary>
    /// <param name="transport">The connection.</param>
    /// <param name="counted">The client's address if it was counted under it.</param>
    public void Serve(Transport transport, System.Net.IPAddress? counted = null)
    {
        var connection = new ServerConnection(transport, this) { Counted = counted };
        connection.Following = first;
        if (first is not null) first.Previous = connection;
        first = connection;
        count++;
        OnOpened?.Invoke();
        connection.RunAsync().Detach();
    }

    /// <summary>Closes idle connections, and the others after their response.</summary>
    public void Drain()
    {
        IsDraining = true;
        for (var connection = first; connection is not null;)
        {
            var following = connection.Following;
            connection.Drain();
            connection = following;
        }
    }

    /// <summary>Connections are kept again after their response.</summary>
    public void Undrain() => IsDraining = false;

    /// <summary>Ends everything still under way.</summary>
    public void Stop()
    {
        IsDraining = true;
        for (var connection = first; connection is not null;)
        {
            var following = connection.Following;
            connection.Stop();
            connection = following;
        }
    }

    internal ServerStream Lease()
    {
        var stream = free;
        if (stream is null) return new ServerStream(loop, Buffers);
        free = stream.NextFree;
        stream.NextFree = null;
        freeCount--;
        return stream;
    }

    internal void Return(ServerStream stream)
    {
        if (freeCount >= MostFreeStreams) return;
        freeCount++;
        stream.NextFree = free;
        free = stream;
    }

    internal void Report(Exception bug) => report(bug);

    internal void Closed(ServerConnection connection)
    {
        if (connection.Previous is null) first = connection.Following;
        else connection.Previous.Following = connection.Following;
        if (connection.Following is not null) connection.Following.Previous = connection.Previous;
        connection.Previous = connection.Following = null;
        count--;
        OnClosed?.Invoke(connection.Counted);
    }
}
