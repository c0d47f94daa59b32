// The origin: HTTP/1.1 with keep-alive, no more than proxies need that are measured.
//   GET anything          13 bytes            GET /bytes/N     N bytes of the pattern
//   answers that may be kept, and texts: Asked.cs
//   any, Content-Length   swallowed unread, then 13 bytes     Transfer-Encoding in a request: 411
// One thread, edge-triggered; a head that comes in pieces is kept until it is whole.

using System.Buffers.Text;
using System.Diagnostics;
using System.Text;

namespace Weir.Bench.Load;

internal sealed unsafe class Origin
{
    private const int BufferSize = 64 * 1024;
    private const long Delay = 500_000_000;
    private const string Fields = "Server: origin\r\nContent-Type: text/plain\r\n";

    private readonly byte[] small = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{Fields}Date: {DateTime.UtcNow:R}\r\nContent-Length: 13\r\n\r\nhello, weir!\n");
    private readonly byte[] refused = Encoding.ASCII.GetBytes($"HTTP/1.1 411 Length Required\r\n{Fields}Content-Length: 0\r\nConnection: close\r\n\r\n");
    private readonly string largeHead = $"HTTP/1.1 200 OK\r\n{Fields}Date: {DateTime.UtcNow:R}\r\nContent-Length: ";
    private readonly byte[] buffer = GC.AllocateArray<byte>(BufferSize, pinned: true);
    private readonly Dictionary<long, byte[]> heads = [];
    private readonly KeptAnswers kept = new();
    private readonly Queue<(Connection Connection, uint Use, long Due)> waiting = new();
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
            var n = Kernel.Wait(epoll, events, 256, AnswerDue());
            for (var i = 0; i < n; i++)
            {
                // The tag is the descriptor and how many times it was used before: an event of a closed one finds nobody.
                var tag = Kernel.TagOf(events, i);
                if (tag == 0) AcceptAll();
                else if (connections[(int)(uint)tag] is { } c && c.Use == (uint)(tag >> 32) && c.Open) OnEvent(c, Kernel.EventsOf(events, i));
            }
        }
    }

    // How long until the next answer that is held back is due; -1: none is.
    private long AnswerDue()
    {
        while (waiting.TryPeek(out var next))
        {
            var left = next.Due - Stopwatch.GetTimestamp();
            if (left > 0) return left;
            waiting.Dequeue();
            if (next.Connection.Open && next.Connection.Use == next.Use) AnswerAsked(next.Connection);
        }

        return -1;
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
        c.Asked = c.Body < 0 ? Asked.Read(head) : default;
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
        if (c.Asked.Ask == Ask.Slow && !c.Asked.IsKnown)
        {
            waiting.Enqueue((c, c.Use, Stopwatch.GetTimestamp() + Delay));
            return false;
        }

        if (c.Asked.Ask != Ask.Plain) return AnswerAsked(c);
        if (c.Body < 0)
        {
            if (!Send(c, small)) return Close(c);
            return c.LastAnswer ? Close(c) : true;
        }

        if (!heads.TryGetValue(c.Body, out var head)) heads[c.Body] = head = Encoding.ASCII.GetBytes($"{largeHead}{c.Body}\r\n\r\n");
        if (!Send(c, head, Kernel.More)) return Close(c);
        (c.Sent, c.ToSend, c.File) = (0, c.Body, Pattern.File);
        return GoOn(c);
    }

    private bool AnswerAsked(Connection c)
    {
        if (c.Asked.Ask == Ask.Counts)
        {
            if (!Send(c, kept.Counts())) return Close(c);
            return c.LastAnswer ? Close(c) : true;
        }

        if (!Send(c, kept.Head(c.Asked), c.Asked.IsKnown ? 0 : Kernel.More)) return Close(c);
        (c.Sent, c.ToSend) = (0, c.Asked.IsKnown ? 0 : c.Asked.Length);
        c.File = c.Asked.Ask >= Ask.Html ? Texts.Of(c.Asked.Ask) : Pattern.File;
        return GoOn(c);
    }

    private bool GoOn(Connection c)
    {
        if (Pattern.Send(c.Descriptor, c.File, ref c.Sent, c.ToSend) != 0) return Close(c);
        if (c.Sent < c.ToSend) return false;
        c.Sent = c.ToSend = 0;
        return c.LastAnswer ? Close(c) : true;
    }

    // A head fits the empty send buffer of a connection that carries one exchange at a time.
    private static bool Send(Connection c, ReadOnlySpan<byte> bytes, int flags = 0)
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
        public Asked Asked;
        public int File;
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
