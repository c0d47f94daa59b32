// Buffers of one loop, in a few sizes, outside the compacting heap. A buffer is leased when there is something to read and
// given back when it is empty: no idle connection holds one. Debug builds poison what is given back.

using System.Diagnostics;

namespace Weir.Engine.Memory;

/// <summary>A leased block of bytes with a filled part. It belongs to whoever holds it; one loop only.</summary>
public sealed class Chunk
{
    internal Chunk? Next;

    /// <summary>The chunk under this one where an owner keeps several.</summary>
    internal Chunk? Below;

    internal Chunk(byte[] bytes, int sizeClass)
    {
        Bytes = bytes;
        SizeClass = sizeClass;
    }

    internal int SizeClass { get; }

    internal bool IsLeased { get; set; }

    /// <summary>The whole block; pinned.</summary>
    public byte[] Bytes { get; }

    /// <summary>Where the bytes not yet used begin.</summary>
    public int Start { get; set; }

    /// <summary>Where the filled part ends.</summary>
    public int End { get; set; }

    public int Length => End - Start;

    public bool IsEmpty => Start == End;

    public int Capacity => Bytes.Length;

    /// <summary>What is filled and not yet used.</summary>
    public Span<byte> Filled => Bytes.AsSpan(Start, End - Start);

    /// <summary>What can still be filled.</summary>
    public Span<byte> Free => Bytes.AsSpan(End);

    /// <summary>Moves the filled part to the front.</summary>
    public void Compact()
    {
        if (Start == 0) return;
        Filled.CopyTo(Bytes);
        End -= Start;
        Start = 0;
    }
}

/// <summary>The buffers of one loop. Not shared between threads.</summary>
public sealed class BufferPool(MemoryBudget budget)
{
    /// <summary>Sizes of the classes, smallest first; the third holds 64 KiB and a head.</summary>
    public static ReadOnlySpan<int> Sizes => [4096, 16384, 73728, 262144];

    // Bytes kept per class when nobody needs them.
    private const int MostKept = 16 << 20;

    private readonly Chunk?[] free = new Chunk?[4];
    private readonly int[] kept = new int[4];
    private readonly int[] unused = new int[4]; // The fewest kept since the last trim: so many were not needed.

    /// <summary>Chunks out at this moment: 0 when the loop is idle, or one leaked.</summary>
    public int Leased { get; private set; }

    /// <summary>Whether so much of the budget is left that what nobody waits for may have some of it.</summary>
    public bool HasPlenty => budget.Used <= budget.Limit / 4 * 3;

    /// <summary>Leases a chunk of at least <paramref name="size"/> bytes (the largest class at most); null when the budget is used up.</summary>
    public Chunk? TryLease(int size)
    {
        var sizeClass = ClassOf(size);
        var chunk = free[sizeClass];
        if (chunk is not null)
        {
            free[sizeClass] = chunk.Next;
            chunk.Next = null;
            unused[sizeClass] = Math.Min(unused[sizeClass], --kept[sizeClass]);
        }
        else
        {
            if (!TryTake(Sizes[sizeClass])) return null;
            chunk = new Chunk(GC.AllocateUninitializedArray<byte>(Sizes[sizeClass], pinned: true), sizeClass);
        }

        Debug.Assert(!chunk.IsLeased, "chunk leased twice");
        chunk.IsLeased = true;
        chunk.Start = chunk.End = 0;
        Leased++;
        return chunk;
    }

    /// <summary>Gives a chunk back. The caller must not use it again.</summary>
    public void Return(Chunk chunk)
    {
        if (!chunk.IsLeased) throw new InvalidOperationException("chunk returned twice");
        chunk.IsLeased = false;
        Leased--;
        Poison(chunk);
        var sizeClass = chunk.SizeClass;
        if ((long)kept[sizeClass] * Sizes[sizeClass] >= MostKept)
        {
            budget.GiveBack(Sizes[sizeClass]);
            return;
        }

        kept[sizeClass]++;
        chunk.Next = free[sizeClass];
        free[sizeClass] = chunk;
    }

    /// <summary>
    /// Lets go of half of what has not been needed since the last call, so that the buffers of a busy hour do not stay in one
    /// loop's hands while another is refused.
    /// </summary>
    public void Trim()
    {
        for (var sizeClass = 0; sizeClass < free.Length; sizeClass++)
        {
            for (var n = (unused[sizeClass] + 1) / 2; n > 0 && free[sizeClass] is { } chunk; n--)
            {
                free[sizeClass] = chunk.Next;
                chunk.Next = null;
                kept[sizeClass]--;
                budget.GiveBack(Sizes[sizeClass]);
            }

            unused[sizeClass] = kept[sizeClass];
        }
    }

    /// <summary>Lets go of all that nobody uses: memory is short.</summary>
    public void LetGo()
    {
        for (var sizeClass = 0; sizeClass < free.Length; sizeClass++)
        {
            budget.GiveBack(kept[sizeClass] * (long)Sizes[sizeClass]);
            free[sizeClass] = null;
            kept[sizeClass] = unused[sizeClass] = 0;
        }
    }

    // What is kept in one size must not be missing in another.
    private bool TryTake(int bytes)
    {
        if (budget.TryTake(bytes)) return true;
        LetGo();
        if (budget.TryTake(bytes)) return true;
        budget.CountRefusal();
        return false;
    }

    private static int ClassOf(int size) => size <= 4096 ? 0 : size <= 16384 ? 1 : size <= 73728 ? 2 : 3;

    [Conditional("DEBUG")]
    private static void Poison(Chunk chunk) => chunk.Bytes.AsSpan().Fill(0xDB);
}

/// <summary>The bytes that all loops together may hold in buffers. Any thread.</summary>
public sealed class MemoryBudget(long limit)
{
    private long used;
    private long refusals;

    /// <summary>The most, in bytes.</summary>
    public long Limit { get; set; } = limit;

    public long Used => Volatile.Read(ref used);

    /// <summary>How often a buffer was refused since the start.</summary>
    public long Refusals => Volatile.Read(ref refusals);

    internal bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref used, bytes) <= Limit) return true;
        Interlocked.Add(ref used, -bytes);
        return false;
    }

    internal void CountRefusal() => Interlocked.Increment(ref refusals);

    internal void GiveBack(long bytes) => Interlocked.Add(ref used, -bytes);
}
