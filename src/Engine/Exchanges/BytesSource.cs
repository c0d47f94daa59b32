// A body whose bytes are all there: an error page, a fixed answer. Also the source of what has no body.

using Weir.Engine.Loops;

namespace Weir.Engine.Exchanges;

/// <summary>A body in memory. Reused; one exchange's own.</summary>
public sealed class BytesSource : BodySource
{
    private ReadOnlyMemory<byte> left;
    private long length;

    public override Signal Ready { get; } = AlwaysReady();

    public override long Length => length;

    public override FaultCause Failure => FaultCause.None;

    public override bool IsAtEnd => left.IsEmpty;

    public void Reset(ReadOnlyMemory<byte> bytes)
    {
        left = bytes;
        length = bytes.Length;
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = left.Span;
        return left.IsEmpty ? BodyStatus.End : BodyStatus.Piece;
    }

    public override void Advance(int count) => left = left[count..];

    private static Signal AlwaysReady()
    {
        var signal = new Signal();
        signal.Latch();
        return signal;
    }
}
