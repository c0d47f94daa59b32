// A hop that passes on what a client sends with its first TLS message and with it as early data, and holds back all that follows
// until it is told to go on: a handshake stays undone for as long as a test wants.

using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Support;

/// <summary>A relay on loopback for connections that begin with early data.</summary>
public sealed class EarlyRelay : IDisposable
{
    private const byte ApplicationData = 23;

    private readonly Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly ManualResetEventSlim release = new();
    private readonly int to;

    public EarlyRelay(int to)
    {
        this.to = to;
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(4);
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port => ((IPEndPoint)listener.LocalEndPoint!).Port;

    /// <summary>Passes on what was held back.</summary>
    public void Release() => release.Set();

    public void Dispose()
    {
        release.Set();
        listener.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                var client = listener.Accept();
                new Thread(() => Relay(client)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
        }
        catch (ObjectDisposedException)
        {
        }
    }

    private void Relay(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        server.Connect(IPAddress.Loopback, to);
        using (client)
        {
            var back = new Thread(() => Pass(server, client)) { IsBackground = true };
            try
            {
                server.Send(FirstFlight(client));
                back.Start();
                release.Wait();
                Pass(client, server);
            }
            catch (SocketException)
            {
            }

            if (back.IsAlive) back.Join();
        }
    }

    // Records up to the first one of early data, whole.
    private static byte[] FirstFlight(Socket client)
    {
        var all = new List<byte>();
        byte type;
        do
        {
            var head = Read(client, 5);
            type = head[0];
            all.AddRange(head);
            all.AddRange(Read(client, (head[3] << 8) | head[4]));
        }
        while (type != ApplicationData);
        return [.. all];
    }

    private static byte[] Read(Socket from, int count)
    {
        var bytes = new byte[count];
        for (var at = 0; at < count;)
        {
            var got = from.Receive(bytes, at, count - at, SocketFlags.None);
            if (got == 0) throw new SocketException((int)SocketError.ConnectionReset);
            at += got;
        }

        return bytes;
    }

    private static void Pass(Socket from, Socket to)
    {
        var bytes = new byte[16384];
        try
        {
            while (from.Receive(bytes) is > 0 and var got) to.Send(bytes, got, SocketFlags.None);
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }
}
