// Bytes in, bytes out, in order; grows as needed.

using System.Numerics;

namespace Weir.Engine.Transports.Simulation.Links;

internal sealed class ByteRing
{
    private byte[] ring = [];
    private long first;
    private long end;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        if (end - first + bytes.Length > ring.Length) Grow((int)(end - first) + bytes.Length);
        var at = (int)(end & (ring.Length - 1));
        var head = Math.Min(bytes.Length, ring.Length - at);
        bytes[..head].CopyTo(ring.AsSpan(at));
        bytes[head..].CopyTo(ring);
        end += bytes.Length;
    }

    public void Take(Span<byte> into)
    {
        if (into.IsEmpty) return;
        Copy(into);
        first += into.Length;
    }

    private void Copy(Span<byte> into)
    {
        var at = (int)(first & (ring.Length - 1));
        var head = Math.Min(into.Length, ring.Length - at);
        ring.AsSpan(at, head).CopyTo(into);
        ring.AsSpan(0, into.Length - head).CopyTo(into[head..]);
    }

    private void Grow(int atLeast)
    {
        var larger = new byte[BitOperations.RoundUpToPowerOf2((uint)Math.Max(atLeast, 16 << 10))];
        var count = (int)(end - first);
        if (count > 0) Copy(larger.AsSpan(0, count));
        (ring, first, end) = (larger, 0, count);
    }
}
