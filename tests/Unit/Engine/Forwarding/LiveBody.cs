// A client's body as it comes: what is fed is there, anything else is waited for. Whatever was given is spoilt at the next
// call, as a reused buffer would be.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Engine.Forwarding;

internal sealed class LiveBody : BodySource
{
    private readonly Queue<byte[]> pieces = [];
    private readonly FieldBlock trailers = new();
    private int used;
    private byte[] given = [];
    private bool ended;
    private FaultCause failure;
    private long length = -1;

    public LiveBody(long length = -1) => Begin(length);

    public override Signal Ready { get; } = new();

    public override long Length => length;

    public override FaultCause Failure => failure;

    public override FieldBlock? Trailers => HasTrailers && IsAtEnd ? trailers : null;

    public override bool IsAtEnd => ended && pieces.Count == 0;

    public bool HasTrailers { get; set; }

    public void TakeTrailers(byte[] lines, Weir.Wire.Fields.FieldIndex index) => trailers.Reset(lines, 0, index);

    /// <summary>Bytes that were said to be used.</summary>
    public long Used { get; private set; }

    /// <summary>Whether pieces are given from where they were fed: for measuring.</summary>
    public bool IsLean { get; set; }

    public void Begin(long ofLength)
    {
        pieces.Clear();
        length = ofLength;
        (used, Used, ended, failure, HasTrailers) = (0, 0, false, FaultCause.None, false);
        Ready.Clear();
    }

    public void Feed(byte[] piece)
    {
        if (piece.Length > 0) pieces.Enqueue(piece);
        Ready.Latch();
    }

    public void End()
    {
        ended = true;
        Ready.Latch();
    }

    public void Break(FaultCause cause)
    {
        failure = cause;
        Ready.Latch();
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        if (!IsLean) given.AsSpan().Fill(0xDB);
        piece = default;
        if (pieces.TryPeek(out var next))
        {
            if (!IsLean) given = next[used..];
            piece = IsLean ? next.AsSpan(used) : given;
            return BodyStatus.Piece;
        }

        if (failure != FaultCause.None) return BodyStatus.Broken;
        if (ended) return BodyStatus.End;
        Ready.Clear();
        return BodyStatus.Wait;
    }

    public override void Advance(int count)
    {
        used += count;
        Used += count;
        if (used == pieces.Peek().Length)
        {
            pieces.Dequeue();
            used = 0;
        }
    }
}
