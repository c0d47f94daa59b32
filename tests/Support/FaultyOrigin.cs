// An origin that fails on demand: real sockets on a port that stays its own while nobody listens there. It knows which
// requests it had consumed, which lay unread in its sockets when it went, and which answers it broke.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>How an origin behaves; each request is answered as the origin is when it has been read.</summary>
public enum Manner
{
    Good,

    /// <summary>No listener, and every connection reset.</summary>
    Killed,

    /// <summary>No listener; connections are closed in order behind what they carry.</summary>
    Refusing,

    /// <summary>Accepts, reads, is silent. What waits is answered once the manner changes.</summary>
    Hung,

    /// <summary>Resets the connection behind the head of an answer.</summary>
    ResetsAfterHead,

    /// <summary>Resets the connection in the middle of a body, whether counted or in chunks.</summary>
    ResetsInBody,

    /// <summary>503 for everything.</summary>
    Unavailable,

    /// <summary>500 for everything.</summary>
    Failing,

    /// <summary>Answers after <see cref="FaultyOrigin.Delay"/>.</summary>
    Slow,

    /// <summary>Takes <see cref="FaultyOrigin.Delay"/> over a body, in pieces.</summary>
    SlowBody,

    /// <summary>Closes a connection behind every answer without having said so: the next request may be on its way.</summary>
    Closing,
}

/// <summary>A request that an origin has read.</summary>
/// <param name="Id">Its X-Id; -1: none.</param>
/// <param name="Method">Its method.</param>
/// <param name="At">When, by <see cref="Stopwatch.GetTimestamp"/>.</param>
public readonly record struct Consumed(long Id, string Method, long At);

/// <summary>
/// A server on loopback, one thread per connection. GET, PUT and POST of /SIZE (/SIZE?chunked) answer SIZE bytes that follow
/// from X-Id; bodies sent must follow from it too. /healthz answers 200, as far as the manner lets it: health checks are no
/// part of what is told here.
/// </summary>
public sealed partial class FaultyOrigin : IDisposable
{
    private readonly Lock guard = new();
    private readonly Socket place; // Bound, never listening: nobody else is given the port.
    private readonly HashSet<Socket> connections = [];
    private readonly List<Consumed> consumed = [];
    private readonly HashSet<long> unread = [];
    private readonly HashSet<long> broken = [];
    private readonly List<string> wrong = [];
    private readonly IPEndPoint end;
    private Socket? listener;
    private Manner manner;
    private long opened;
    private long checks;

    public FaultyOrigin()
    {
        place = NewSocket();
        place.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        end = (IPEndPoint)place.LocalEndPoint!;
        Listen();
    }

    public string Url => $"http://{end}";

    public IPEndPoint End => end;

    public TimeSpan Delay { get; set; } = TimeSpan.FromMilliseconds(150);

    /// <summary>Connections accepted so far.</summary>
    public long Opened => Interlocked.Read(ref opened);

    /// <summary>Health checks read so far.</summary>
    public long Checks => Interlocked.Read(ref checks);

    /// <summary>What it read so far, health checks not among it.</summary>
    public Consumed[] Consumed
    {
        get
        {
            lock (guard) return [.. consumed];
        }
    }

    /// <summary>Requests that came to its sockets and that it ended without reading.</summary>
    public long[] Unread
    {
        get
        {
            lock (guard) return [.. unread];
        }
    }

    /// <summary>Requests whose answer it began and did not end.</summary>
    public long[] Broken
    {
        get
        {
            lock (guard) return [.. broken];
        }
    }

    /// <summary>Requests that came otherwise than they were sent.</summary>
    public string[] Wrong
    {
        get
        {
            lock (guard) return [.. wrong];
        }
    }

    public Manner Manner
    {
        get
        {
            lock (guard) return manner;
        }

        set
        {
            lock (guard)
            {
                manner = value;
                if (value is Manner.Killed or Manner.Refusing)
                {
                    listener?.Dispose();
                    listener = null;
                    foreach (var socket in connections.ToArray())
                    {
                        if (value == Manner.Killed) Reset(socket);
                        else socket.Shutdown(SocketShutdown.Receive); // Whoever waits for a request reads the end.
                    }
                }
                else if (listener is null)
                {
                    Listen();
                }
            }
        }
    }

    /// <summary>The byte at a place of the body that belongs to a request, in either direction.</summary>
    public static byte At(long id, int place) => (byte)(id + (place * 7) + (place >> 8));

    public static byte[] Body(long id, int size)
    {
        var body = new byte[size];
        for (var i = 0; i < size; i++) body[i] = At(id, i);
        return body;
    }

    public void Dispose()
    {
        Manner = Manner.Killed;
        place.Dispose();
    }

    private static Socket NewSocket()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.SetRawSocketOption(1, 2, BitConverter.GetBytes(1)); // SO_REUSEADDR, which .NET's ReuseAddress is not.
        return socket;
    }

    private void Listen()
    {
        var taken = listener = NewSocket();
        taken.Bind(end);
        taken.Listen(512);
        new Thread(() => Accept(taken)) { IsBackground = true }.Start();
    }

    private void Accept(Socket taken)
    {
        while (true)
        {
            try
            {
                var socket = taken.Accept();
                socket.NoDelay = true;
                lock (guard)
                {
                    opened++;
                    connections.Add(socket);
                    if (listener != taken) Reset(socket);
                }

                new Thread(() => Serve(socket), 256 * 1024) { IsBackground = true }.Start();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void Serve(Socket socket)
    {
        var buffer = new byte[64 * 1024];
        var have = 0;
        try
        {
            while (Read(socket, buffer, ref have) is { } request && Answer(socket, request))
            {
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The proxy went, or the origin was killed: nothing to answer any more.
        }

        lock (guard)
        {
            if (connections.Remove(socket)) Unseen(socket);
            socket.Dispose();
        }
    }

    // Null where the connection ends.
    private Request? Read(Socket socket, byte[] buffer, ref int have)
    {
        int head;
        while ((head = buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8)) < 0)
        {
            var got = socket.Receive(buffer, have, buffer.Length - have, SocketFlags.None);
            if (got == 0) return null;
            have += got;
        }

        var now = Stopwatch.GetTimestamp();
        var lines = Encoding.Latin1.GetString(buffer, 0, head).Split("\r\n");
        var start = lines[0].Split(' ');
        string? Field(string name) => lines.Skip(1).FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
        var request = new Request(long.Parse(Field("X-Id") ?? "-1", CultureInfo.InvariantCulture), start[0], start[1]);
        if (request.IsCheck) Interlocked.Increment(ref checks);
        else lock (guard) consumed.Add(new Consumed(request.Id, request.Method, now));
        var length = int.Parse(Field("Content-Length") ?? "0", CultureInfo.InvariantCulture);
        var isChunked = Field("Transfer-Encoding") is not null;
        if (isChunked || (start[0] != "GET" && !request.IsCheck && Field("Content-Length") is null) || head + 4 + length > buffer.Length) Complain($"{request}: a body without a length, or a large one");
        while (have < head + 4 + length)
        {
            var got = socket.Receive(buffer, have, buffer.Length - have, SocketFlags.None);
            if (got == 0) return null;
            have += got;
        }

        for (var i = 0; i < length; i++)
        {
            if (buffer[head + 4 + i] == At(request.Id, i)) continue;
            Complain($"{request}: byte {i} of {length} is not what was sent");
            break;
        }

        have -= head + 4 + length;
        buffer.AsSpan(head + 4 + length, have).CopyTo(buffer);
        return request;
    }

    private bool Answer(Socket socket, Request request)
    {
        while (Manner == Manner.Hung) Thread.Sleep(2);
        var now = Manner;
        if (now == Manner.Slow) Thread.Sleep(Delay);
        if (now is Manner.Unavailable or Manner.Failing)
        {
            var status = now == Manner.Unavailable ? "503 Service Unavailable" : "500 Internal Server Error";
            Send(socket, $"HTTP/1.1 {status}\r\nContent-Length: 4\r\nX-Id: {request.Id}\r\n\r\nsick");
            return true;
        }

        if (request.IsCheck)
        {
            Send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            return now != Manner.Refusing;
        }

        var body = Body(request.Id, request.Size);
        var breaks = now is Manner.ResetsAfterHead or Manner.ResetsInBody;
        lock (guard) broken.Add(request.Id);
        Send(socket, $"HTTP/1.1 200 OK\r\nX-Id: {request.Id}\r\n{(request.IsChunked ? "Transfer-Encoding: chunked" : $"Content-Length: {body.Length}")}\r\n\r\n");
        var sent = now switch { Manner.ResetsAfterHead => 0, Manner.ResetsInBody => body.Length / 2, _ => body.Length };
        var pieces = now == Manner.SlowBody ? 5 : 1;
        for (var i = 0; i < pieces; i++)
        {
            if (i > 0) Thread.Sleep(Delay / pieces);
            var piece = body.AsSpan(sent * i / pieces, (sent * (i + 1) / pieces) - (sent * i / pieces));
            if (piece.IsEmpty) continue;
            if (request.IsChunked) Send(socket, FormattableString.Invariant($"{piece.Length + (breaks ? 100 : 0):x}\r\n")); // Where it breaks, within a chunk.
            socket.Send(piece);
            if (request.IsChunked && !breaks) Send(socket, "\r\n");
        }

        if (breaks)
        {
            if (request.Id % 2 == 0) Thread.Sleep(5); // Half of what came is passed on before the reset, half may not be.
            lock (guard) Reset(socket);
            return false;
        }

        if (request.IsChunked) Send(socket, "0\r\n\r\n");
        lock (guard) broken.Remove(request.Id);
        if (now != Manner.Closing) return now != Manner.Refusing;
        Thread.SpinWait((int)(request.Id % 4) * 2000);
        return false;
    }

    private static void Send(Socket socket, string text) => socket.Send(Encoding.Latin1.GetBytes(text));

    private void Complain(string what)
    {
        lock (guard) wrong.Add(what);
    }

    // Under the guard. A socket's own Close waits for whoever reads from it, one after the other, and meanwhile they serve.
    private unsafe void Reset(Socket socket)
    {
        if (!connections.Remove(socket)) return;
        Unseen(socket);
        var nobody = stackalloc byte[16];
        new Span<byte>(nobody, 16).Clear(); // AF_UNSPEC: sends a reset, and who reads fails.
        _ = connect(socket.Handle.ToInt32(), nobody, 16);
    }

    // Under the guard: what lies in the socket has come and will not be read.
    private void Unseen(Socket socket)
    {
        try
        {
            if (socket.Available == 0) return;
            var bytes = new byte[Math.Min(socket.Available, 4096)];
            var got = socket.Receive(bytes, SocketFlags.Peek);
            var text = Encoding.Latin1.GetString(bytes, 0, got);
            var at = text.IndexOf("X-Id: ", StringComparison.OrdinalIgnoreCase);
            if (at >= 0 && long.TryParse(text[(at + 6)..].Split('\r')[0], CultureInfo.InvariantCulture, out var id)) unread.Add(id);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Reset from the other side: nothing left to see.
        }
    }

    [LibraryImport("libc")]
    private static unsafe partial int connect(int descriptor, byte* address, uint length);

    private sealed record Request(long Id, string Method, string Target)
    {
        public bool IsCheck => Target.StartsWith("/healthz", StringComparison.Ordinal) || Target == "/" || Method == "OPTIONS";

        public bool IsChunked => Target.EndsWith("?chunked", StringComparison.Ordinal);

        public int Size => int.Parse(Target[1..].Split('?')[0], CultureInfo.InvariantCulture);
    }
}
