// A wire between a client and a server that splits what it carries, stalls, and breaks off, at the bytes it is told to.

using System.Net;
using System.Net.Sockets;

namespace Weir.Tests.Support;

/// <summary>What is done with one direction's bytes.</summary>
public abstract class WireManners
{
    /// <summary>How many of the bytes from a position go together; 0: here it breaks off.</summary>
    public abstract int Piece(long at, int most);

    /// <summary>Waits before the piece at a position.</summary>
    public virtual void Stall(long at)
    {
    }

    /// <summary>As they come.</summary>
    public sealed class Plain : WireManners
    {
        public override int Piece(long at, int most) => most;
    }

    /// <summary>In two at one place, with a moment between, so that the first is read alone.</summary>
    public sealed class SplitAt(int place) : WireManners
    {
        public override int Piece(long at, int most) => at < place ? (int)Math.Min(most, place - at) : most;

        public override void Stall(long at)
        {
            if (at == place) Thread.Sleep(1);
        }
    }

    /// <summary>So many and no more.</summary>
    public sealed class CutAt(int place) : WireManners
    {
        public override int Piece(long at, int most) => (int)Math.Min(most, Math.Max(0, place - at));
    }

    /// <summary>Single bytes, as far as a place.</summary>
    public sealed class Single(int until) : WireManners
    {
        public override int Piece(long at, int most) => at < until ? 1 : most;

        public override void Stall(long at)
        {
            if (at < until && at % 16 == 0) Thread.Sleep(1);
        }
    }

    /// <summary>Pieces of any size, with pauses now and then.</summary>
    public sealed class Any(int seed, int largest) : WireManners
    {
        private readonly Random random = new(seed);

        public override int Piece(long at, int most) => Math.Min(most, random.Next(1, largest + 1));

        public override void Stall(long at)
        {
            if (random.Next(8) == 0) Thread.Sleep(random.Next(1, 4));
        }
    }
}

/// <summary>Relays connections on loopback, two threads for each.</summary>
public sealed class SplittingRelay : IDisposable
{
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly int to;
    private readonly Func<WireManners> up;
    private readonly Func<WireManners> down;
    private readonly int buffers;

    /// <param name="to">The server's port.</param>
    /// <param name="up">For each connection, what is done with the client's bytes.</param>
    /// <param name="down">And with the server's.</param>
    /// <param name="buffers">The bytes the kernel holds towards the server; 0: as it likes.</param>
    public SplittingRelay(int to, Func<WireManners>? up = null, Func<WireManners>? down = null, int buffers = 0)
    {
        (this.to, this.up, this.down, this.buffers) = (to, up ?? (static () => new WireManners.Plain()), down ?? (static () => new WireManners.Plain()), buffers);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(512);
        Port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public int Port { get; }

    public void Dispose() => listener.Dispose();

    private void Accept()
    {
        while (true)
        {
            try
            {
                var client = listener.Accept();
                var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                if (buffers > 0) server.ReceiveBufferSize = server.SendBufferSize = client.SendBufferSize = buffers;
                client.NoDelay = server.NoDelay = true;
                server.Connect(IPAddress.Loopback, to);
                var (forth, back) = (up(), down());
                new Thread(() => Carry(client, server, forth)) { IsBackground = true }.Start();
                new Thread(() => Carry(server, client, back)) { IsBackground = true }.Start();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private static void Carry(Socket from, Socket to, WireManners manners)
    {
        var buffer = new byte[16384];
        var at = 0L;
        try
        {
            for (int got; (got = from.Receive(buffer)) > 0;)
            {
                for (var sent = 0; sent < got;)
                {
                    manners.Stall(at);
                    var piece = manners.Piece(at, got - sent);
                    if (piece == 0)
                    {
                        from.Dispose();
                        to.Dispose();
                        return;
                    }

                    to.Send(buffer.AsSpan(sent, piece));
                    sent += piece;
                    at += piece;
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            from.Dispose();
            to.Dispose();
        }
    }
}
