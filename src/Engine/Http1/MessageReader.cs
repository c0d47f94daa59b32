// One HTTP/1.1 message after the other out of a transport: the bytes of its head, kept in one piece for the exchange, and
// its body as a source. Both roles use it. No buffer is held while waiting for a body's bytes; the head's is held until
// its exchange has ended. RFC 9112 §6.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Engine.Http1;

/// <summary>Reads messages. Reused for the next one; one loop.</summary>
internal sealed class MessageReader(BufferPool buffers, int firstHeadBuffer) : BodySource
{
    private const int SmallestBuffer = 4096;
    private const int FirstBodyBuffer = 16384;
    private const int LargestBodyBuffer = 65536;

    private Transport transport = null!;
    private Chunk? head;
    private Chunk? body;
    private int bodyBuffer = FirstBodyBuffer;
    private BodyFraming framing;
    private long remaining;
    private long length;
    private readonly ChunkedDecoder chunked = new();
    private bool ended = true;
    private bool lastWasHead;
    private FaultCause failure;
    private readonly FieldBlock trailers = new();

    public override Signal Ready => transport.Readable;

    public override long Length => length;

    public override FaultCause Failure => failure;

    public override bool IsAtEnd => ended;

    public override FieldBlock? Trailers => framing == BodyFraming.Chunked && chunked.IsDone && chunked.Trailers.Count > 0 ? trailers : null;

    /// <summary>The bytes of the head under way, from its first byte on.</summary>
    public ReadOnlySpan<byte> HeadBytes => head is null ? default : head.Filled;

    /// <summary>The block the head lies in, and where.</summary>
    public (byte[] Block, int Start) HeadBlock => (head!.Bytes, head.Start);

    /// <summary>The block the head lies in, and where its unfilled part begins: nothing is read into it before <see cref="EndMessage"/>.</summary>
    public (byte[] Block, int End) HeadRoom => (head!.Bytes, head.End);

    /// <summary>Whether bytes are here that no message has used yet.</summary>
    public bool HasBytes => head is { IsEmpty: false } || body is { IsEmpty: false };

    /// <summary>The buffer a head is first read into: larger where large messages came before, so that head and body come in one read.</summary>
    public int HeadBuffer { get; set; } = firstHeadBuffer;

    public void Attach(Transport to) => transport = to;

    /// <summary>Reads more of a head. Some: there are new bytes; the limit on the head is the parser's to keep.</summary>
    public IoStatus FillHead(out bool exhausted)
    {
        exhausted = false;
        if (!transport.Readable.IsSet) return IoStatus.WouldBlock; // Nothing has come: no buffer and no system call to find that out.
        if (head is null || head.Free.IsEmpty)
        {
            var larger = buffers.TryLease(head is null ? HeadBuffer : head.Capacity * 4);
            if (larger is null || (head is not null && larger.Capacity <= head.Capacity))
            {
                if (larger is not null) buffers.Return(larger);
                exhausted = true;
                return IoStatus.WouldBlock;
            }

            if (head is not null)
            {
                head.Filled.CopyTo(larger.Bytes);
                larger.End = head.Length;
                buffers.Return(head);
            }

            head = larger;
        }

        var got = transport.TryRead(head.Free);
        head.End += got.Count;
        if (got.Status != IoStatus.Some && head.IsEmpty) ReturnHead();
        return got.Status;
    }

    /// <summary>The head is whole: what follows its bytes is the body, in this framing.</summary>
    public void BeginBody(int headLength, BodyFraming bodyFraming, long contentLength)
    {
        // The head stays where it is; the filled part now begins behind it.
        if (head is not null) head.Start += headLength;
        Frame(bodyFraming, contentLength);
    }

    /// <summary>From now on everything up to the peer's end is body.</summary>
    public void BecomeRaw() => Frame(BodyFraming.UntilClose, 0);

    /// <summary>The message is done with: its head's bytes are given back; what came after it stays.</summary>
    public void EndMessage()
    {
        if (body is not null)
        {
            if (head is not null) buffers.Return(head);
            head = body;
            body = null;
        }

        if (head is null) return;
        if (head.IsEmpty) ReturnHead();
        else head.Compact();
    }

    /// <summary>Gives all buffers back.</summary>
    public void Reset()
    {
        if (head is not null) ReturnHead();
        if (body is not null) ReturnBody();
        bodyBuffer = FirstBodyBuffer;
        ended = true;
        framing = BodyFraming.None;
        failure = FaultCause.None;
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        while (true)
        {
            piece = default;
            if (failure != FaultCause.None) return BodyStatus.Broken;
            if (ended) return BodyStatus.End;
            var from = head is { IsEmpty: false } ? head : body;
            if (from is { IsEmpty: false })
            {
                lastWasHead = ReferenceEquals(from, head);
                if (framing == BodyFraming.Chunked)
                {
                    var status = Decode(from, out piece);
                    if (status == BodyStatus.Wait) continue; // Framing bytes only: go on reading.
                    return status;
                }

                piece = framing == BodyFraming.Length && from.Length > remaining ? from.Filled[..(int)remaining] : from.Filled;
                return BodyStatus.Piece;
            }

            var got = Fill();
            if (got == IoStatus.Some) continue;
            if (got == IoStatus.WouldBlock) return failure == FaultCause.None ? BodyStatus.Wait : BodyStatus.Broken;
            if (got == IoStatus.End && framing == BodyFraming.UntilClose)
            {
                ended = true;
                return BodyStatus.End;
            }

            failure = FaultCause.Closed;
            return BodyStatus.Broken;
        }
    }

    public override void Advance(int count)
    {
        var from = lastWasHead ? head! : body!;
        from.Start += count;
        if (framing == BodyFraming.Length)
        {
            remaining -= count;
            ended = remaining == 0;
        }
        else if (framing == BodyFraming.Chunked)
        {
            chunked.Advance(count);
        }
    }

    private void Frame(BodyFraming bodyFraming, long contentLength)
    {
        framing = bodyFraming;
        failure = FaultCause.None;
        remaining = contentLength;
        length = bodyFraming switch { BodyFraming.None => 0, BodyFraming.Length => contentLength, _ => -1 };
        ended = bodyFraming == BodyFraming.None || (bodyFraming == BodyFraming.Length && contentLength == 0);
        bodyBuffer = FirstBodyBuffer;
        if (bodyFraming == BodyFraming.Length)
        {
            while (bodyBuffer < contentLength && bodyBuffer < LargestBodyBuffer) bodyBuffer *= 4;
        }
        else if (bodyFraming == BodyFraming.Chunked)
        {
            chunked.Reset();
        }
    }

    // Takes framing off the front of what is buffered; Wait: there was nothing else.
    private BodyStatus Decode(Chunk from, out ReadOnlySpan<byte> piece)
    {
        var step = chunked.Next(from.Filled, out var framingBytes, out var length);
        from.Start += framingBytes;
        piece = from.Filled[..length];
        switch (step)
        {
            case ChunkStep.Piece:
                return BodyStatus.Piece;
            case ChunkStep.End:
                ended = true;
                trailers.Reset(chunked.TrailerBytes, 0, chunked.Trailers);
                return BodyStatus.End;
            case ChunkStep.Bad:
                failure = FaultCause.Malformed;
                return BodyStatus.Broken;
            default:
                return BodyStatus.Wait;
        }
    }

    private IoStatus Fill()
    {
        if (!transport.Readable.IsSet)
        {
            if (body is not null) ReturnBody();
            return IoStatus.WouldBlock;
        }

        if (body is not null && body.Capacity < bodyBuffer) ReturnBody();
        if (body is null)
        {
            // The smallest will do where the budget is used up.
            body = buffers.TryLease(bodyBuffer) ?? buffers.TryLease(SmallestBuffer);
            if (body is null)
            {
                failure = FaultCause.Exhausted;
                return IoStatus.WouldBlock;
            }
        }

        body.Start = body.End = 0;
        var got = transport.TryRead(body.Free);
        body.End = got.Count;
        if (got.Status != IoStatus.Some) ReturnBody();
        else if (got.Count == body.Capacity && bodyBuffer < LargestBodyBuffer) bodyBuffer *= 4; // 16 KiB, then 64.
        return got.Status;
    }

    private void ReturnHead()
    {
        buffers.Return(head!);
        head = null;
    }

    private void ReturnBody()
    {
        buffers.Return(body!);
        body = null;
    }
}
