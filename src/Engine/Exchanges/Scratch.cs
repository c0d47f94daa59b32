// Bytes that live as long as one exchange: a normalised path, a rewritten target, values of added fields.
// Bounded; what does not fit is refused, and the caller answers with a fault.

using Weir.Engine.Memory;

namespace Weir.Engine.Exchanges;

/// <summary>A bump allocator over leased chunks. One exchange's own.</summary>
public sealed class Scratch(BufferPool pool)
{
    private const int FirstChunk = 4096;
    private const int LargestChunk = 262144;

    private Chunk? current;

    /// <summary>Takes room for <paramref name="size"/> bytes, or says that there is none.</summary>
    public bool TryTake(int size, out Span<byte> room, out ByteRange range)
    {
        if (current is null || current.Free.Length < size)
        {
            if (!Grow(size))
            {
                room = default;
                range = default;
                return false;
            }
        }

        range = new ByteRange(current!.Bytes, current.End, size);
        room = current.Bytes.AsSpan(current.End, size);
        current.End += size;
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
        current!.End = last.Start + used;
        return last.Slice(0, used);
    }

    /// <summary>Gives everything back; ranges taken before are dead.</summary>
    public void Clear()
    {
        while (current is { } chunk)
        {
            current = chunk.Below;
            chunk.Below = null;
            pool.Return(chunk);
        }
    }

    private bool Grow(int size)
    {
        if (size > LargestChunk) return false;
        var wanted = current is null ? Math.Max(FirstChunk, size) : Math.Max(current.Capacity * 2, size);
        if (current is not null && current.Capacity >= LargestChunk) return false; // One chain, each larger: bounded by the largest class.
        var chunk = pool.TryLease(Math.Min(wanted, LargestChunk));
        if (chunk is null) return false;
        chunk.Below = current;
        current = chunk;
        return true;
    }
}
