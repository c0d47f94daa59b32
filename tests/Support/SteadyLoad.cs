// Clients that never tire: kept connections, GET, PUT and POST in turns, every answer read to its last byte and judged by
// its own framing. Written without the proxy's parser.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>What a client saw of one exchange.</summary>
public enum Sight
{
    /// <summary>200, whole, and every byte as it must be.</summary>
    Whole,

    /// <summary>Another status, whole.</summary>
    Refused,

    /// <summary>Bytes of an answer, and then an end that its framing shows to be one.</summary>
    Broken,

    /// <summary>The connection ended without a byte.</summary>
    Nothing,

    /// <summary>No answer for as long as a client waits.</summary>
    Silence,

    /// <summary>An answer that looks whole and is not, or is another's.</summary>
    Wrong,
}

/// <summary>One exchange, from its client's side; times by <see cref="Stopwatch.GetTimestamp"/>.</summary>
public sealed record Seen(long Id, string Method, Sight Sight, int Status, long Began, long Ended, string Detail);

/// <summary>A load that runs until it is disposed.</summary>
public sealed class SteadyLoad : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static long lastId;

    private readonly IPEndPoint to;
    private readonly TimeSpan pause;
    private readonly List<Seen> seen = [];
    private readonly List<Thread> threads = [];
    private volatile bool ended;

    /// <param name="to">Where to.</param>
    /// <param name="clients">How many, each with one connection.</param>
    /// <param name="seed">What they ask for, in which order.</param>
    /// <param name="pause">Between an answer and the next request.</param>
    public SteadyLoad(IPEndPoint to, int clients, int seed, TimeSpan pause)
    {
        (this.to, this.pause) = (to, pause);
        for (var i = 0; i < clients; i++)
        {
            var dice = new Random((seed * 1000) + i);
            threads.Add(new Thread(() => Run(dice), 256 * 1024) { IsBackground = true });
        }

        foreach (var thread in threads) thread.Start();
    }

    /// <summary>Every exchange that has ended.</summary>
    public Seen[] Seen
    {
        get
        {
            lock (seen) return [.. seen];
        }
    }

    /// <summary>Ends the load; exchanges under way are waited for.</summary>
    public void Dispose()
    {
        ended = true;
        foreach (var thread in threads) thread.Join();
    }

    private void Run(Random dice)
    {
        Socket? socket = null;
        while (!ended)
        {
            var id = Interlocked.Increment(ref lastId);
            var method = dice.Next(5) switch { 0 => "PUT", 1 => "POST", _ => "GET" };
            var size = dice.Next(8) == 0 ? dice.Next(20_000, 60_000) : dice.Next(2, 3000);
            var target = dice.Next(3) == 0 ? $"/{size}?chunked" : $"/{size}";
            var body = method == "GET" ? [] : FaultyOrigin.Body(id, dice.Next(1, 6000));
            var began = Stopwatch.GetTimestamp();
            Sight sight;
            var (status, detail, keeps) = (0, "", false);
            try
            {
                if (socket is null)
                {
                    socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = (int)Patience.TotalMilliseconds, SendTimeout = (int)Patience.TotalMilliseconds };
                    socket.Connect(to);
                }

                var head = $"{method} {target} HTTP/1.1\r\nHost: faults.test\r\nX-Id: {id}\r\n{(body.Length > 0 ? $"Content-Length: {body.Length}\r\n" : "")}\r\n";
                socket.Send([.. Encoding.Latin1.GetBytes(head), .. body]);
                (sight, status, detail, keeps) = new Answer(socket).Read(id, size);
            }
            catch (SocketException e)
            {
                (sight, detail) = (Sight.Nothing, e.Message);
            }

            lock (seen) seen.Add(new Seen(id, method, sight, status, began, Stopwatch.GetTimestamp(), $"{target} {detail}"));
            if (!keeps)
            {
                socket?.Dispose();
                socket = null;
            }

            if (pause > TimeSpan.Zero) Thread.Sleep(pause);
        }

        socket?.Dispose();
    }

    // One answer off a connection.
    private sealed class Answer(Socket socket)
    {
        private byte[] bytes = new byte[80_000];
        private int have;
        private int at;
        private string ending = "";
        private bool silent;

        public (Sight Sight, int Status, string Detail, bool Keeps) Read(long id, int size)
        {
            int end;
            while ((end = bytes.AsSpan(at, have - at).IndexOf("\r\n\r\n"u8)) < 0)
            {
                if (!More()) return (silent ? Sight.Silence : have == 0 ? Sight.Nothing : Sight.Broken, 0, $"{ending} after {have} bytes of a head", false);
            }

            var lines = Encoding.Latin1.GetString(bytes, at, end).Split("\r\n");
            at += end + 4;
            var status = int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture);
            if (status < 200) return Read(id, size);
            string? Field(string name) => lines.Skip(1).FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
            var body = Field("Transfer-Encoding") is not null ? Chunks() : Field("Content-Length") is { } length ? Counted(int.Parse(length, CultureInfo.InvariantCulture)) : null;
            if (silent) return (Sight.Silence, status, $"silent within a body", false);
            if (ending.Length > 0) return (Sight.Broken, status, $"{ending} within a body", false);
            if (body is null) return (Sight.Wrong, status, "an answer that only its connection ends", false);
            if (at != have) return (Sight.Wrong, status, $"{have - at} bytes behind the answer", false);
            var keeps = Field("Connection")?.Contains("close", StringComparison.OrdinalIgnoreCase) != true;
            if (status != 200) return (Sight.Refused, status, "", keeps);
            if (Field("X-Id") != id.ToString(CultureInfo.InvariantCulture)) return (Sight.Wrong, status, $"the answer of {Field("X-Id")}", false);
            if (body.Length != size) return (Sight.Wrong, status, $"{body.Length} bytes instead of {size}", false);
            for (var i = 0; i < size; i++)
            {
                if (body[i] != FaultyOrigin.At(id, i)) return (Sight.Wrong, status, $"byte {i} is another", false);
            }

            return (Sight.Whole, status, "", keeps);
        }

        private byte[]? Counted(int length)
        {
            while (have - at < length)
            {
                if (!More()) return null;
            }

            at += length;
            return bytes[(at - length)..at];
        }

        private byte[]? Chunks()
        {
            var body = new MemoryStream();
            while (true)
            {
                if (Line() is not { } line) return null;
                var size = int.Parse(line, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                if (size == 0)
                {
                    while (Line() is { } trailer)
                    {
                        if (trailer.Length == 0) return body.ToArray();
                    }

                    return null;
                }

                if (Counted(size) is not { } chunk) return null;
                body.Write(chunk);
                if (Line() is null) return null;
            }
        }

        private string? Line()
        {
            int end;
            while ((end = bytes.AsSpan(at, have - at).IndexOf("\r\n"u8)) < 0)
            {
                if (!More()) return null;
            }

            at += end + 2;
            return Encoding.Latin1.GetString(bytes, at - end - 2, end);
        }

        private bool More()
        {
            if (have == bytes.Length) Array.Resize(ref bytes, bytes.Length * 2);
            try
            {
                var got = socket.Receive(bytes, have, bytes.Length - have, SocketFlags.None);
                have += got;
                if (got == 0) ending = "end";
            }
            catch (SocketException e)
            {
                silent = e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock;
                ending = silent ? "silence" : "reset";
            }

            return ending.Length == 0;
        }
    }
}
