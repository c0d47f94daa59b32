// The origin: HTTP/1.1 with keep-alive, no more than proxies need that are measured.
//   GET anything          13 bytes            GET /bytes/N     N bytes of the pattern
//   any, Content-Length   swallowed unread, then 13 bytes     Transfer-Encoding in a request: 411
// One thread, edge-triggered; a head that comes in pieces is kept until it is whole.

using System.Buffers.Text;
using System.Text;

namespace Weir.Bench.Load;

internal sealed unsafe class Origin
{
    private const int BufferSize = 64 * 1024;
    private const string Fields = "Server: origin\r\nContent-Type: text/plain\r\n";

    private readonly byte[] small = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{Fields}Date: {DateTime.UtcNow:R}\r\nContent-Length: 13\r\n\r\nhello, weir!\n");
    private readonly byte[] refused = Encoding.ASCII.GetBytes($"HTTP/1.1 411 Length Required\r\n{Fields}Content-Length: 0\r\nConnection: close\r\n\r\n");
    private readonly string largeHead = $"HTTP/1.1 200 OK\r\n{Fields}Date: {DateTime.UtcNow:R}\r\nContent-Length: ";
    private readonly byte[] buffer = GC.AllocateArray<byte>(BufferSize, pinned: true);
    private readonly Dictionary<long, byte[]> heads = [];
    private readonly int epoll = Kernel.CreateEpoll();
    private readonly int listener;
    private Connection?[] connections = new Connection?[1024];

    public Origin(int port)
    {
        listener = Kernel.Listen(ref port);
        Kernel.Watch(epoll, listener, Kernel.In, 0);
        Port = port;
    }

    public int Port { get; }

    public void Run()
    {
        var events = stackalloc byte[256 * 16];
        while (true)
        {
            var n = Kernel.Wait(epoll, events, 256, -1);
            for (var i = 0; i < n; i++)
            {
                // The tag is the descriptor and how many times it was used before: an event of a closed one finds nobody.
                var tag = Kernel.TagOf(events, i);
                if (tag == 0) AcceptAll();
                else if (connections[(int)(uint)tag] is { } c && c.Use == (uint)(tag >> 32) && c.Open) OnEvent(c, Kernel.EventsOf(events, i));
            }
        }
    }

    private void AcceptAll()
    {
        int descriptor;
        while ((descriptor = Kernel.Accept(listener)) >= 0)
        {
            if (descriptor >= connections.Length) Array.Resize(ref connections, Math.Max(descriptor + 1, connections.Length * 2));
            var c = connections[descriptor] ??= new Connection { Descriptor = descriptor };
            c.Reset();
            Kernel.Watch(epoll, descriptor, Kernel.In | Kernel.Out | Kernel.PeerClosed | Kernel.EdgeTriggered, (uint)descriptor | ((ulong)c.Use << 32));
        }
    }

    private void OnEvent(Connection c, uint events)
    {
        // Data and the end arrive in one event, and no other follows: only then is a short read repeated.
        c.PeerEnded = (events & (Kernel.PeerClosed | Kernel.HangUp | Kernel.Error)) != 0;
        if (c.Sent < c.ToSend && !GoOn(c)) return;
        while (c.Open && c.Sent == c.ToSend)
        {
            if (c.ToSwallow > 0)
            {
                if (!Swallow(c)) return;
                continue;
            }

            if (!ReadHead(c)) return;
        }
    }

    // False where nothing is left to be done for now.
    private bool ReadHead(Connection c)
    {
        nint n;
        var room = BufferSize - c.KeptCount;
        fixed (byte* start = buffer)
        {
            c.Kept.AsSpan(0, c.KeptCount).CopyTo(buffer);
            n = Kernel.recv(c.Descriptor, start + c.KeptCount, (nuint)room, 0);
        }

        if (n <= 0)
        {
            if (n < 0 && Kernel.Errno == Kernel.Again) return false;
            return Close(c);
        }

        ReadOnlySpan<byte> bytes = buffer.AsSpan(0, c.KeptCount + (int)n);
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0) return c.Keep(bytes) || Close(c);
        c.KeptCount = 0;
        var head = bytes[..(end + 4)];
        var behind = bytes.Length - head.Length;
        c.LastAnswer = head.IndexOf("onnection: close"u8) >= 0;
        if (head.IndexOf("ransfer-"u8) >= 0) return Send(c, refused) && Close(c);
        var length = Length(head);
        c.Body = BodyOf(head);
        if (behind > length) return Close(c); // No proxy pipelines to an origin.
        if (behind < length)
        {
            c.ToSwallow = length - behind;
            return true;
        }

        return Answer(c) && (c.PeerEnded || n == room);
    }

    private bool Swallow(Connection c)
    {
        var n = Kernel.recv(c.Descriptor, null, (nuint)Math.Min(c.ToSwallow, 1 << 24), Kernel.Discard);
        if (n <= 0) return (n < 0 && Kernel.Errno == Kernel.Again) ? false : Close(c);
        c.ToSwallow -= n;
        return c.ToSwallow > 0 || Answer(c);
    }

    private bool Answer(Connection c)
    {
        if (c.Body < 0)
        {
            if (!Send(c, small)) return Close(c);
            return c.LastAnswer ? Close(c) : true;
        }

        if (!heads.TryGetValue(c.Body, out var head)) heads[c.Body] = head = Encoding.ASCII.GetBytes($"{largeHead}{c.Body}\r\n\r\n");
        if (!Send(c, head, Kernel.More)) return Close(c);
        (c.Sent, c.ToSend) = (0, c.Body);
        return GoOn(c);
    }

    private bool GoOn(Connection c)
    {
        if (Pattern.Send(c.Descriptor, ref c.Sent, c.ToSend) != 0) return Close(c);
        if (c.Sent < c.ToSend) return false;
        c.Sent = c.ToSend = 0;
        return c.LastAnswer ? Close(c) : true;
    }

    // A head fits the empty send buffer of a connection that carries one exchange at a time.
    private static bool Send(Connection c, byte[] bytes, int flags = 0)
    {
        fixed (byte* start = bytes) return Kernel.send(c.Descriptor, start, (nuint)bytes.Length, Kernel.NoSignal | flags) == bytes.Length;
    }

    private static bool Close(Connection c)
    {
        _ = Kernel.close(c.Descriptor);
        c.Open = false;
        return false;
    }

    private static long BodyOf(ReadOnlySpan<byte> head)
    {
        var at = head.IndexOf((byte)' ') + 1;
        if (!head[at..].StartsWith("/bytes/"u8)) return -1;
        return Utf8Parser.TryParse(head[(at + 7)..], out long n, out _) && n >= 0 ? n : -1;
    }

    private static long Length(ReadOnlySpan<byte> head)
    {
        var at = head.IndexOf("ontent-"u8);
        if (at < 0) return 0;
        at = head.IndexOf("ength: "u8);
        return at >= 0 && Utf8Parser.TryParse(head[(at + 7)..], out long n, out _) ? n : 0;
    }

    private sealed class Connection
    {
        public int Descriptor;
        public uint Use;
        public bool Open;
        public bool LastAnswer;
        public bool PeerEnded;
        public long ToSwallow;
        public long Body;
        public long Sent;
        public long ToSend;
        public byte[] Kept = [];
        public int KeptCount;

        public void Reset()
        {
            Use++;
            Open = true;
            ToSwallow = Sent = ToSend = 0;
            KeptCount = 0;
        }

        public bool Keep(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length > BufferSize / 2) return false;
            Kept = bytes.ToArray();
            KeptCount = bytes.Length;
            return true;
        }
    }
}
