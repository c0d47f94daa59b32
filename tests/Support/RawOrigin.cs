// An origin that keeps every byte it is sent and answers as it is told: for looking at what reaches a server.

using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>A server on loopback, one thread per connection.</summary>
public sealed class RawOrigin : IDisposable
{
    private readonly Socket listener;
    private readonly Func<NetworkStream, string, bool> respond;
    private readonly List<string> received = [];

    /// <param name="respond">Given a head (to its empty line), answers; false closes the connection.</param>
    /// <param name="address">Where it listens; null: IPv4 loopback.</param>
    /// <param name="port">And on which port; 0: one that the system chooses.</param>
    public RawOrigin(Func<NetworkStream, string, bool>? respond = null, IPAddress? address = null, int port = 0)
    {
        this.respond = respond ?? Hello;
        address ??= IPAddress.Loopback;
        listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(address, port));
        listener.Listen(512);
        Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        Url = $"http://{listener.LocalEndPoint}";
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port { get; }

    public string Url { get; }

    /// <summary>Heads received so far.</summary>
    public string[] Received
    {
        get
        {
            lock (received) return [.. received];
        }
    }

    public static void Send(NetworkStream stream, string text) => stream.Write(Encoding.Latin1.GetBytes(text));

    /// <summary>Answers "hello" and keeps the connection.</summary>
    public static bool Hello(NetworkStream stream, string head)
    {
        Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: secret/1.0\r\n\r\nhello");
        return true;
    }

    public void Dispose() => listener.Dispose();

    private void Accept()
    {
        while (true)
        {
            try
            {
                var socket = listener.Accept();
                new Thread(() => Serve(socket)) { IsBackground = true }.Start();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void Serve(Socket socket)
    {
        using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            var head = new StringBuilder();
            while (true)
            {
                var b = stream.ReadByte();
                if (b < 0) return;
                head.Append((char)b);
                if (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) continue;
                lock (received) received.Add(head.ToString());
                if (!respond(stream, head.ToString())) return;
                head.Clear();
            }
        }
        catch (IOException)
        {
            // The proxy closed: nothing to answer any more.
        }
    }
}
