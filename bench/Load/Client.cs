// One connection of the generator: writes a request, reads its response to the last byte, says how it went. Bodies are
// taken off the socket without being copied, but over TLS.

using System.Buffers.Text;

namespace Weir.Bench.Load;

/// <summary>Where a client stands after it did what it could.</summary>
internal enum ClientState : byte
{
    Idle,
    Busy,
    Done,

    /// <summary>The server ended the idle connection: a new one is due.</summary>
    Ended,
    Failed,
}

internal sealed unsafe class Client(int index, Work work, byte[] buffer)
{
    private readonly ClientTls? tls = work.Tls ? new ClientTls(work) : null;
    private byte[] head = [];
    private int descriptor = -1;
    private uint use;
    private bool writing;
    private int headSent;
    private long bodySent;
    private int kept;
    private byte[] keptBytes = [];
    private long left;
    private bool inBody;
    private bool awaitsEnd;
    private bool isLast;
    private bool isChunked;
    private Chunks chunks;

    public int Index => index;

    public ClientState State { get; private set; } = ClientState.Ended;

    /// <summary>When the request was due, which in an open loop may be before it could be sent.</summary>
    public long Due { get; private set; }

    /// <summary>Whether the last answer was a 200.</summary>
    public bool IsGood { get; private set; }

    /// <summary>Handshakes, those that went on with an earlier session, and those of either that brought no new ticket where one was needed.</summary>
    public (long All, long Resumed, long Ticketless) Handshakes => tls is null ? default : (tls.Handshakes, tls.Resumed, tls.Ticketless);

    /// <summary>Bytes of bodies moved, either way.</summary>
    public long Bytes { get; private set; }

    public bool IsAt(uint tagUse) => use == tagUse && descriptor >= 0;

    public bool TryOpen(int epoll, long due)
    {
        Drop();
        Due = due;
        IsGood = false;
        descriptor = Kernel.Connect(work.Port, work.Sources > 1 ? index % work.Sources : 0);
        if (descriptor < 0) return false;
        tls?.Open(descriptor);
        use++;
        Kernel.Watch(epoll, descriptor, Kernel.In | Kernel.Out | Kernel.PeerClosed | Kernel.EdgeTriggered, (uint)index | ((ulong)use << 32));
        State = ClientState.Idle;
        return true;
    }

    public void Drop()
    {
        tls?.Drop();
        if (descriptor >= 0) _ = Kernel.close(descriptor);
        descriptor = -1;
        State = ClientState.Ended;
    }

    public ClientState Begin(long due, byte[] request)
    {
        (Due, head) = (due, request);
        IsGood = isLast = false;
        writing = true;
        headSent = kept = 0;
        bodySent = left = 0;
        inBody = awaitsEnd = isChunked = false;
        State = ClientState.Busy;
        return tls is null ? Go(write: true, read: false, false) : GoSecurely(read: false, false);
    }

    /// <summary>Goes on after an event.</summary>
    public ClientState OnEvent(uint events)
    {
        var ended = (events & (Kernel.PeerClosed | Kernel.HangUp | Kernel.Error)) != 0;
        if (State == ClientState.Busy && tls is not null) return GoSecurely(ended || (events & Kernel.In) != 0, ended);
        if (State == ClientState.Busy) return Go((events & (Kernel.Out | Kernel.Error | Kernel.HangUp)) != 0, ended || (events & Kernel.In) != 0, ended);
        if (ended) Drop();
        return State;
    }

    public void BecomeIdle() => State = work.Close || isLast ? ClientState.Ended : ClientState.Idle;

    private ClientState Go(bool write, bool read, bool ended)
    {
        if (writing && write && !Write()) return State = ClientState.Failed;
        // An answer before the request is out is a refusal.
        if (read && (writing || !Read(ended))) return State = ClientState.Failed;
        return State;
    }

    // Until the handshake is done, what arrives is for it, and writing goes on where it does.
    private ClientState GoSecurely(bool read, bool ended)
    {
        if (writing && !Write()) return State = ClientState.Failed;
        if (writing) return ended ? State = ClientState.Failed : State;
        if (read && !Read(ended)) return State = ClientState.Failed;
        return State;
    }

    private bool Write()
    {
        if (headSent < head.Length)
        {
            nint n;
            fixed (byte* start = head) n = Send(start + headSent, (nuint)(head.Length - headSent));
            if (n < 0) return tls?.Waits ?? Kernel.Errno is Kernel.Again or Kernel.NotConnected;
            headSent += (int)n;
            if (headSent < head.Length) return true;
        }

        var before = bodySent;
        var error = Pattern.Send(descriptor, ref bodySent, work.Upload);
        Bytes += bodySent - before;
        writing = bodySent < work.Upload;
        return error == 0;
    }

    private bool Read(bool ended)
    {
        while (State == ClientState.Busy)
        {
            var (n, room) = inBody && left > 0 && !isChunked ? (Discard(), left) : ReadHead();
            if (n == 0) return AtEnd();
            if (n < 0) return tls?.Waits ?? Kernel.Errno == Kernel.Again;
            if (isChunked)
            {
                if (!OnChunks(buffer.AsSpan(0, (int)n))) return false;
            }
            else if (inBody && left > 0)
            {
                left -= n;
                Bytes += n;
            }
            else if (!OnHead((int)n))
            {
                return false;
            }

            if (inBody && left == 0 && !awaitsEnd)
            {
                if (work.Close) awaitsEnd = true;
                else State = ClientState.Done;
            }

            // A record is often shorter than the room for it, and others may be behind it.
            if (n < room && !ended && tls is null) return true;
        }

        return true;
    }

    private nint Send(byte* bytes, nuint count) =>
        tls is null ? Kernel.send(descriptor, bytes, count, Kernel.NoSignal | (work.Upload > 0 ? Kernel.More : 0)) : tls.Send(bytes, count);

    private long Discard()
    {
        if (tls is null) return Kernel.recv(descriptor, null, (nuint)Math.Min(left, 1 << 26), Kernel.Discard);
        fixed (byte* start = buffer) return tls.Receive(start, (nuint)Math.Min(left, buffer.Length));
    }

    private (long Count, long Room) ReadHead()
    {
        keptBytes.AsSpan(0, kept).CopyTo(buffer);
        var room = buffer.Length - kept;
        fixed (byte* start = buffer) return (tls is null ? Kernel.recv(descriptor, start + kept, (nuint)room, 0) : tls.Receive(start + kept, (nuint)room), room);
    }

    private bool AtEnd()
    {
        if (!awaitsEnd || State != ClientState.Busy) return false;
        if (work.Resume && !tls!.KeepSession()) return false;
        Drop();
        State = ClientState.Done;
        return true;
    }

    private bool OnHead(int n)
    {
        if (awaitsEnd) return false; // Bytes behind the response.
        ReadOnlySpan<byte> bytes = buffer.AsSpan(0, kept + n);
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            keptBytes = bytes.ToArray();
            kept = bytes.Length;
            return bytes.Length < buffer.Length;
        }

        kept = 0;
        var answer = bytes[..(end + 4)];
        IsGood = answer.StartsWith("HTTP/1.1 200"u8);
        if (!IsGood && !work.AnyStatus) return false;
        if (work.AnyStatus) isLast = answer.IndexOf("onnection: close"u8) >= 0;
        var at = answer.IndexOf("ontent-"u8);
        if (at < 0) return false;
        at = answer.IndexOf("ength: "u8);
        if (at < 0 && answer.IndexOf("ransfer-"u8) >= 0)
        {
            (inBody, isChunked, chunks) = (true, true, default);
            return OnChunks(bytes[answer.Length..]);
        }

        if (at < 0 || !Utf8Parser.TryParse(answer[(at + 7)..], out long length, out _)) return false;
        var behind = bytes.Length - answer.Length;
        left = length - behind;
        inBody = true;
        Bytes += behind;
        return left >= 0;
    }

    // What is left is not known before the end: more than nothing until then.
    private bool OnChunks(ReadOnlySpan<byte> bytes)
    {
        var content = chunks.Take(bytes);
        Bytes += content;
        left = chunks.State == ChunksState.Done ? 0 : 1;
        return content >= 0 && chunks.State != ChunksState.Bad;
    }
}
