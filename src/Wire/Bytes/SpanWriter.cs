// Writes bytes one after the other into a span whose size the caller has worked out; running over is a bug and throws.

using System.Buffers.Text;

namespace Weir.Wire.Bytes;

/// <summary>A cursor over a span.</summary>
public ref struct SpanWriter(Span<byte> into)
{
    private readonly Span<byte> into = into;

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    public readonly Span<byte> Free => into[Length..];

    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(into[Length..]);
        Length += bytes.Length;
    }

    public void Write(byte b) => into[Length++] = b;

    public void WriteDecimal(long value)
    {
        if (!Utf8Formatter.TryFormat(value, into[Length..], out var written)) throw new ArgumentException("no room for a number");
        Length += written;
    }

    /// <summary>Says that bytes were put into <see cref="Free"/> directly.</summary>
    public void Advance(int count) => Length += count;
}
