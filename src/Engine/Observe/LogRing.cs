// Records on their way from one loop to the writer thread: a ring of bytes with one writer and one reader and no lock.
// A record that does not fit is dropped and counted: a slow log never slows a request.

namespace Weir.Engine.Observe;

/// <summary>A ring of byte records. One loop writes, one thread reads.</summary>
public sealed class LogRing(int size = 1 << 20)
{
    private const int Header = 4;
    private const int Skip = -1;

    private readonly byte[] ring = new byte[size];
    private long head;
    private long tail;
    private long dropped;
    private int reserved;

    /// <summary>Records dropped so far. Any thread.</summary>
    public long Dropped => Volatile.Read(ref dropped);

    /// <summary>The loop: room for a record of at most <paramref name="most"/> bytes; empty when the ring is full.</summary>
    public Span<byte> Reserve(int most)
    {
        var need = most + Header;
        var at = (int)(head % ring.Length);
        var free = ring.Length - (int)(head - Volatile.Read(ref tail));
        var toEnd = ring.Length - at;
        if (toEnd < need + Header)
        {
            // A record lies in one piece: what is left at the end is skipped.
            if (free < toEnd + need + Header)
            {
                dropped++;
                return default;
            }

            BitConverter.TryWriteBytes(ring.AsSpan(at), Skip);
            Volatile.Write(ref head, head + toEnd);
            at = 0;
        }
        else if (free < need + Header)
        {
            dropped++;
            return default;
        }

        reserved = at;
        return ring.AsSpan(at + Header, most);
    }

    /// <summary>The loop: the reserved record has this many bytes.</summary>
    public void Commit(int length)
    {
        BitConverter.TryWriteBytes(ring.AsSpan(reserved), length);
        Volatile.Write(ref head, head + Align(length + Header));
    }

    /// <summary>The reader: copies out whole records, one after the other.</summary>
    /// <param name="each">Called with each record.</param>
    public int Drain(Action<ReadOnlyMemory<byte>> each)
    {
        var count = 0;
        while (tail < Volatile.Read(ref head))
        {
            var at = (int)(tail % ring.Length);
            var length = BitConverter.ToInt32(ring, at);
            if (length == Skip)
            {
                Volatile.Write(ref tail, tail + ring.Length - at);
                continue;
            }

            try
            {
                each(ring.AsMemory(at + Header, length));
            }
            finally
            {
                Volatile.Write(ref tail, tail + Align(length + Header)); // A record that cannot be taken is not met again.
            }

            count++;
        }

        return count;
    }

    // Every record begins on a multiple of 4, so that a header always fits before the end.
    private static int Align(int length) => (length + 3) & ~3;
}
