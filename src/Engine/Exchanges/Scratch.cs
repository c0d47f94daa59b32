// Bytes that live as long as one exchange: a normalised path, a rewritten target, values of added fields.
// Bounded; what does not fit is refused, and the caller answers with a fault.

using Weir.Engine.Memory;

namespace Weir.Engine.Exchanges;

/// <summary>
/// A bump allocator, first over room that somebody else's block has left, then over leased chunks. One exchange's own.
/// </summary>
public sealed class Scratch(BufferPool pool)
{
    private const int FirstChunk = 4096;
    private const int LargestChunk = 262144;

    private byte[] block = [];
    private int end;
    private Chunk? leased;

    /// <summary>
    /// Lends the rest of a block, from an offset on, until <see cref="Clear"/>: a request's head rarely fills its buffer, and
    /// what lies beside it is in the processor's cache already.
    /// </summary>
    public void Borrow(byte[] lent, int from)
    {
        block = lent;
        end = from;
    }

    /// <summary>Takes room for <paramref name="size"/> bytes, or says that there is none.</summary>
    public bool TryTake(int size, out Span<byte> room, out ByteRange range)
    {
        if (block.Length - end < size && !Grow(size))
        {
            room = default;
            range = default;
            return false;
        }

        range = new ByteRange(block, end, size);
        room = block.AsSpan(end, size);
        end += size;
        return true;
    }

    /// <summary>Copies bytes in.</summary>
    public bool TryCopy(ReadOnlySpan<byte> bytes, out ByteRange range)
    {
        if (!TryTake(bytes.Length, out var room, out range)) return false;
        bytes.CopyTo(room);
        return true;
    }

    /// <summary>Gives back the end of the range taken last, of which only <paramref name="used"/> bytes are needed.</summary>
    public ByteRange Trim(ByteRange last, int used)
    {
        end = last.Start + used;
        return last.Slice(0, used);
    }

    /// <summary>Gives everything back; ranges taken before are dead.</summary>
    public void Clear()
    {
        while (leased is { } chunk)
        {
            leased = chunk.Below;
            chunk.Below = null;
            pool.Return(chunk);
        }

        block = [];
        end = 0;
    }

    private bool Grow(int size)
    {
        if (size > LargestChunk) return false;
        if (leased is { Capacity: >= LargestChunk }) return false; // One chain, each larger: bounded by the largest class.
        var wanted = leased is null ? Math.Max(FirstChunk, size) : Math.Max(leased.Capacity * 2, size);
        var chunk = pool.TryLease(Math.Min(wanted, LargestChunk));
        if (chunk is null) return false;
        chunk.Below = leased;
        leased = chunk;
        block = chunk.Bytes;
        end = 0;
        return true;
    }
}
