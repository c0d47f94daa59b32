// One HTTP/1.1 message after the other into a transport. The head waits for the first body bytes and leaves with them in
// one call; small pieces are gathered, large ones are written from where they lie. Both roles use it. RFC 9112 §7.1.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Http1;

namespace Weir.Engine.Http1;

/// <summary>Writes messages. Reused for the next one; one loop.</summary>
internal sealed class MessageWriter(BufferPool buffers) : BodySink
{
    private const int LargestHead = 262144;

    // Pieces up to this size are copied behind what is pending: cheaper than a second vector.
    private const int SmallPiece = 2048;

    // Bytes of a file in one call: what a loop does at once.
    private const int MostOfFile = 131072;

    // Room for a chunk's size line, its end, and a last chunk.
    private const int ChunkRoom = 64;

    private static ReadOnlySpan<byte> ChunkEnd => "\r\n"u8;

    private Transport transport = null!;
    private Chunk? pending;
    private BodyFraming framing;
    private long remaining;

    // Of the chunk whose size line has been written: bytes not yet taken from the caller.
    private int chunkLeft;
    private bool finishing;
    private bool finished = true;
    private bool broken;

    public override Signal Ready => transport.Writable;

    /// <summary>Whether the message is whole and sent.</summary>
    public bool IsFinished => finished && pending is null;

    /// <summary>Whether something waits to be sent.</summary>
    public bool HasPending => pending is not null;

    /// <summary>Whether any byte of this message has reached the transport.</summary>
    public bool HasSent { get; private set; }

    public bool IsBroken => broken;

    /// <summary>Whether only the connection's end tells the body's: a plain close would make a short body look whole.</summary>
    public bool EndsByClose => framing == BodyFraming.UntilClose;

    public void Attach(Transport to)
    {
        transport = to;
        broken = false;
        finished = true;
    }

    /// <summary>Room for a head of at most <paramref name="size"/> bytes, behind what is pending; null: too large, or no memory.</summary>
    public Chunk? BeginHead(int size)
    {
        var wanted = (pending?.Length ?? 0) + size + ChunkRoom;
        if (pending is not null && pending.Free.Length >= size + ChunkRoom) return pending;
        if (wanted > LargestHead) return null;
        var larger = buffers.TryLease(Math.Max(wanted, 4096));
        if (larger is null) return null;
        if (pending is not null)
        {
            pending.Filled.CopyTo(larger.Bytes);
            larger.End = pending.Length;
            buffers.Return(pending);
        }

        pending = larger;
        return pending;
    }

    /// <summary>Why <see cref="BeginHead"/> had no room.</summary>
    public FaultCause WhyNoRoom(int size) => (pending?.Length ?? 0) + size + ChunkRoom > LargestHead ? FaultCause.HeadTooLarge : FaultCause.Exhausted;

    /// <summary>The head is written: a body in this framing follows.</summary>
    public void BeginBody(BodyFraming bodyFraming, long contentLength)
    {
        framing = bodyFraming;
        remaining = contentLength;
        chunkLeft = 0;
        finishing = finished = false;
        HasSent = false;
    }

    /// <summary>From now on bytes pass as they are; finishing ends this direction.</summary>
    public void BecomeRaw() => BeginBody(BodyFraming.UntilClose, 0);

    /// <summary>Forgets what has not been sent.</summary>
    public void Discard()
    {
        if (pending is not null) ReturnPending();
        chunkLeft = 0;
    }

    /// <summary>Gives all buffers back.</summary>
    public void Reset()
    {
        if (pending is not null) ReturnPending();
        finished = true;
        framing = BodyFraming.None;
    }

    public override SinkStatus TryWrite(ReadOnlySpan<byte> piece, out int taken)
    {
        taken = 0;
        if (broken) return SinkStatus.Broken;
        if (framing == BodyFraming.None)
        {
            taken = piece.Length; // A body where none is sent (HEAD): read and left out.
            return SinkStatus.Done;
        }

        if (framing == BodyFraming.Chunked && chunkLeft == 0 && !OpenChunk(piece.Length)) return broken ? SinkStatus.Broken : SinkStatus.Wait;
        var offered = framing switch
        {
            BodyFraming.Chunked => piece[..chunkLeft],
            BodyFraming.Length when piece.Length > remaining => piece[..(int)remaining],
            _ => piece,
        };

        // A chunk's end goes with its last bytes: a peer that waits for it does not wait for the next chunk.
        var end = framing == BodyFraming.Chunked && offered.Length == chunkLeft ? ChunkEnd : default;
        if (offered.Length <= SmallPiece && pending is not null && pending.Free.Length >= offered.Length + ChunkRoom)
        {
            offered.CopyTo(pending.Free);
            end.CopyTo(pending.Free[offered.Length..]);
            pending.End += offered.Length + end.Length;
            taken = offered.Length;
        }
        else
        {
            var before = pending?.Length ?? 0;
            var sent = Count(pending is null ? transport.TryWrite(default, offered, end) : transport.TryWrite(pending.Filled, offered, end));
            if (pending is not null)
            {
                pending.Start += Math.Min(sent, before);
                if (pending.IsEmpty) ReturnPending();
            }

            taken = Math.Clamp(sent - before, 0, offered.Length);
            if (taken == offered.Length) KeepForLater(end[(sent - before - taken)..]);
        }

        if (framing == BodyFraming.Chunked) chunkLeft -= taken;
        else if (framing == BodyFraming.Length) remaining -= taken;
        if (broken) return SinkStatus.Broken;
        return taken == piece.Length ? SinkStatus.Done : SinkStatus.Wait;
    }

    // A length that was said tells a body from one that broke off; chunks would have to be framed.
    public override bool TakesFiles => framing == BodyFraming.Length && transport.SendsFiles;

    public override SinkStatus TryWrite(in FileRange range, out int taken)
    {
        taken = 0;
        if (broken) return SinkStatus.Broken;
        var offered = (int)Math.Min(Math.Min(range.Count, remaining), MostOfFile);
        var before = pending?.Length ?? 0;
        var result = transport.TrySendFile(pending is null ? default : pending.Filled, range.File, range.Offset, offered);
        if (result.Status == IoStatus.Refused) return SinkStatus.Refused;
        var sent = Count(result);
        if (pending is not null)
        {
            pending.Start += Math.Min(sent, before);
            if (pending.IsEmpty) ReturnPending();
        }

        taken = Math.Max(sent - before, 0);
        remaining -= taken;
        if (broken) return SinkStatus.Broken;
        return taken > 0 ? SinkStatus.Done : SinkStatus.Wait;
    }

    public override SinkStatus TryFlush()
    {
        while (pending is not null)
        {
            if (broken) return SinkStatus.Broken;
            var sent = Count(transport.TryWrite(pending.Filled));
            if (broken) return SinkStatus.Broken;
            if (sent == 0) return SinkStatus.Wait;
            pending.Start += sent;
            if (pending.IsEmpty) ReturnPending();
        }

        return broken ? SinkStatus.Broken : SinkStatus.Done;
    }

    public override SinkStatus TryFinish(FieldBlock? trailers)
    {
        if (finished) return TryFlush();
        if (!finishing)
        {
            if (framing == BodyFraming.Length && remaining > 0)
            {
                broken = true; // Never made to look whole.
                return SinkStatus.Broken;
            }

            if (framing == BodyFraming.Chunked && !WriteLastChunk(trailers)) return broken ? SinkStatus.Broken : SinkStatus.Wait;
            finishing = true;
        }

        var status = TryFlush();
        if (status != SinkStatus.Done) return status;
        if (framing == BodyFraming.UntilClose && !transport.ShutdownWrite()) return SinkStatus.Wait;
        finished = true;
        return SinkStatus.Done;
    }

    private bool OpenChunk(int size)
    {
        var room = BeginHead(0);
        if (room is null || room.Free.Length < ChunkRoom)
        {
            if (room is null) broken = true;
            else if (TryFlush() != SinkStatus.Done || BeginHead(0) is not { } again) return false;
            else room = again;
            if (broken) return false;
        }

        room!.End += ChunkedEncoder.WriteSize(room.Free, size);
        chunkLeft = size;
        return true;
    }

    // What is left of a chunk's end, when the kernel took all of the chunk but that.
    private void KeepForLater(ReadOnlySpan<byte> rest)
    {
        if (rest.IsEmpty) return;
        if (BeginHead(rest.Length) is not { } room)
        {
            broken = true;
            return;
        }

        rest.CopyTo(room.Free);
        room.End += rest.Length;
    }

    private bool WriteLastChunk(FieldBlock? trailers)
    {
        var size = 16;
        if (trailers is not null)
        {
            for (var i = 0; i < trailers.Index.Count; i++)
            {
                if (!trailers.IsDropped(i)) size += trailers.Name(i).Length + trailers.Value(i).Length + 4;
            }

            foreach (ref readonly var added in trailers.Added) size += added.Name.Length + added.Value.Length + 4;
        }

        var room = BeginHead(size);
        if (room is null)
        {
            broken = true;
            return false;
        }

        var to = new SpanWriter(room.Free);
        to.Write("0\r\n"u8);
        if (trailers is not null)
        {
            for (var i = 0; i < trailers.Index.Count; i++)
            {
                if (trailers.IsDropped(i)) continue;
                to.Write(trailers.Name(i));
                to.Write(": "u8);
                to.Write(trailers.Value(i));
                to.Write("\r\n"u8);
            }

            foreach (ref readonly var added in trailers.Added) HeadFormat.WriteField(ref to, added.Name.Span, added.Value.Span);
        }

        to.Write("\r\n"u8);
        room.End += to.Length;
        return true;
    }

    private int Count(IoResult result)
    {
        if (result.Status == IoStatus.Some)
        {
            HasSent = true;
            return result.Count;
        }

        if (result.Status != IoStatus.WouldBlock) broken = true;
        return 0;
    }

    private void ReturnPending()
    {
        buffers.Return(pending!);
        pending = null;
    }
}
