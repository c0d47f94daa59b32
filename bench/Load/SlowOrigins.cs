// Servers that have so many slots and need so long: what does not find a slot waits in line, or is refused with 503 at once.
//   any path            13 bytes, after the service time (half to one and a half of it)
//   /counts             what was received on each port so far, as JSON: "first" and, of paths that begin /then, "then"
// One thread for all of them, so that the core they share with the generator is not fought over.

using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Weir.Bench.Load;

/// <summary>What the servers are told to be; times in microseconds, one for each server.</summary>
internal sealed record Service(double[] Microseconds, int Slots, bool Refuses)
{
    public static Service Read(ReadOnlySpan<string> args)
    {
        var service = new Service([1000], 8, false);
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "--refuse")
            {
                service = service with { Refuses = true };
                continue;
            }

            if (i + 1 == args.Length) throw new FormatException($"{args[i]} needs a value");
            var (name, value) = (args[i], args[++i]);
            service = name switch
            {
                "--service" => service with { Microseconds = [.. value.Split(',').Select(v => double.Parse(v, CultureInfo.InvariantCulture))] },
                "--slots" => service with { Slots = int.Parse(value, CultureInfo.InvariantCulture) },
                _ => throw new FormatException($"unknown option {name}"),
            };
        }

        return service;
    }
}

internal sealed unsafe class SlowOrigins
{
    private const int MostHead = 16 * 1024;
    private const double Nanoseconds = 1000;

    private readonly byte[] good = Answer("200 OK", "hello, weir!\n");
    private readonly byte[] busy = Answer("503 Service Unavailable", "busy\n");
    private readonly byte[] buffer = GC.AllocateArray<byte>(MostHead, pinned: true);
    private readonly int epoll = Kernel.CreateEpoll();
    private readonly Service service;
    private readonly Server[] servers;
    private readonly PriorityQueue<(Server Server, Connection Connection, uint Use), long> ends = new();
    private readonly Random dice = new(20261125);
    private readonly Dictionary<int, Server> listeners = [];
    private Connection?[] connections = new Connection?[1024];

    public SlowOrigins(Service service)
    {
        this.service = service;
        servers = [.. service.Microseconds.Select(_ => new Server())];
        for (var i = 0; i < servers.Length; i++)
        {
            var (server, port) = (servers[i], 0);
            server.Microseconds = service.Microseconds[i];
            var listener = Kernel.Listen(ref port);
            server.Port = port;
            listeners[listener] = server;
            Kernel.Watch(epoll, listener, Kernel.In, (uint)listener | (1ul << 63));
        }

        Kernel.WaitPrecisely();
    }

    /// <summary>A port for each service time, in their order.</summary>
    public string Ports => string.Join(',', servers.Select(s => s.Port));

    public void Run()
    {
        var events = stackalloc byte[256 * 16];
        while (true)
        {
            var now = Stopwatch.GetTimestamp();
            while (ends.TryPeek(out var due, out var at) && at <= now)
            {
                ends.Dequeue();
                End(due.Server, due.Connection, due.Use, now);
            }

            var n = Kernel.Wait(epoll, events, 256, ends.TryPeek(out _, out var next) ? Math.Max(next - now, 0) : -1);
            for (var i = 0; i < n; i++)
            {
                var tag = Kernel.TagOf(events, i);
                if (tag >> 63 != 0) AcceptAll((int)(uint)tag);
                else if (connections[(int)(uint)tag] is { Open: true } c && c.Use == (uint)(tag >> 32)) OnEvent(c);
            }
        }
    }

    private static byte[] Answer(string status, string body) => Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\n\r\n{body}");

    private void AcceptAll(int listener)
    {
        int descriptor;
        while ((descriptor = Kernel.Accept(listener)) >= 0)
        {
            if (descriptor >= connections.Length) Array.Resize(ref connections, Math.Max(descriptor + 1, connections.Length * 2));
            var c = connections[descriptor] ??= new Connection { Descriptor = descriptor };
            c.Open = true;
            c.Use = (c.Use + 1) & 0x7FFF_FFFF;
            c.Server = listeners[listener];
            Kernel.Watch(epoll, descriptor, Kernel.In | Kernel.PeerClosed, (uint)descriptor | ((ulong)c.Use << 32));
        }
    }

    // A head that comes in pieces is left in the socket until it is whole: proxies send small ones at once.
    private void OnEvent(Connection c)
    {
        nint n;
        fixed (byte* start = buffer) n = Kernel.recv(c.Descriptor, start, MostHead, 0);
        if (n < 0 && Kernel.Errno == Kernel.Again) return;
        if (n <= 0)
        {
            _ = Kernel.close(c.Descriptor);
            c.Open = false;
            return;
        }

        var head = buffer.AsSpan(0, (int)n);
        if (!head.EndsWith("\r\n\r\n"u8)) throw new InvalidOperationException("a head came in pieces");
        var path = head[(head.IndexOf((byte)' ') + 1)..];
        if (path.StartsWith("/counts"u8))
        {
            Send(c, Answer("200 OK", $$"""{"first":[{{string.Join(',', servers.Select(s => s.First))}}],"then":[{{string.Join(',', servers.Select(s => s.Then))}}]}"""));
            return;
        }

        var server = c.Server!;
        if (path.StartsWith("/then"u8)) server.Then++;
        else server.First++;
        if (server.Running < service.Slots) Begin(server, c, c.Use, Stopwatch.GetTimestamp());
        else if (service.Refuses) Send(c, busy);
        else server.Line.Enqueue((c, c.Use));
    }

    private void Begin(Server server, Connection c, uint use, long now)
    {
        server.Running++;
        ends.Enqueue((server, c, use), now + (long)(server.Microseconds * Nanoseconds * (0.5 + dice.NextDouble())));
    }

    // A server does not notice that nobody waits for what it does.
    private void End(Server server, Connection c, uint use, long now)
    {
        server.Running--;
        if (c.Open && c.Use == use) Send(c, good);
        if (server.Line.TryDequeue(out var next)) Begin(server, next.Connection, next.Use, now);
    }

    private static void Send(Connection c, byte[] bytes)
    {
        fixed (byte* start = bytes) _ = Kernel.send(c.Descriptor, start, (nuint)bytes.Length, Kernel.NoSignal);
    }

    private sealed class Server
    {
        public readonly Queue<(Connection Connection, uint Use)> Line = new();
        public int Port;
        public double Microseconds;
        public int Running;
        public long First;
        public long Then;
    }

    private sealed class Connection
    {
        public int Descriptor;
        public uint Use;
        public bool Open;
        public Server? Server;
    }
}
