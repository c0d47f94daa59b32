// Coders of one loop: made when they are needed, used again, let go of when they are not. What they hold counts as buffers do
// (`limits.memory`), and they never take the last quarter of it: whoever gets none does without.

using Weir.Engine.Memory;

namespace Weir.Engine.Policies.Compression;

/// <summary>Lends coders. One loop's own.</summary>
public sealed class CoderPool(MemoryBudget budget)
{
    /// <summary>Coders at work at once on one loop, whatever memory there is.</summary>
    public const int MostAtWork = 4096;

    // Bytes in coders that are kept for the next body. Too few, and where many are at work at once each body makes one anew: with 64
    // connections zstd then cost half as much again.
    private long MostKept => Math.Max(48 << 20, budget.Limit / 4);

    private const int Kinds = Codings.Count * Levels * 2;
    private const int Levels = 32;

    private readonly Stack<Coder>[] free = [.. Enumerable.Range(0, Kinds).Select(static _ => new Stack<Coder>())];
    private long kept;
    private bool wasUsed;

    /// <summary>Coders that are lent.</summary>
    public int AtWork { get; private set; }

    /// <summary>A compressor for a body; null: there are too many, or memory is short.</summary>
    public Lent? TryEncoder(Coding coding, int level, long length) => TryLease((((int)coding * Levels) + level) * 2, coding, level, length);

    /// <summary>A decompressor for a body; null: as above.</summary>
    public Lent? TryDecoder(Coding coding, long length) => TryLease(((int)coding * Levels * 2) + 1, coding, -1, length);

    /// <summary>Gives one back.</summary>
    public void Return(Lent lent)
    {
        AtWork--;
        if (kept + lent.Coder.Footprint > MostKept)
        {
            LetGo(lent.Coder);
            return;
        }

        kept += lent.Coder.Footprint;
        free[lent.Kind].Push(lent.Coder);
    }

    /// <summary>Lets go of what nobody has needed since the last call.</summary>
    public void Trim()
    {
        if (!wasUsed) LetGo();
        wasUsed = false;
    }

    /// <summary>Lets go of all that nobody uses: memory is short.</summary>
    public void LetGo()
    {
        kept = 0;
        foreach (var same in free)
        {
            while (same.TryPop(out var coder)) LetGo(coder);
        }
    }

    private Lent? TryLease(int kind, Coding coding, int level, long length)
    {
        if (AtWork >= MostAtWork) return null;
        wasUsed = true;
        if (free[kind].TryPop(out var coder))
        {
            kept -= coder.Footprint;
        }
        else
        {
            coder = level < 0 ? Coder.Decoder(coding) : Coder.Encoder(coding, level);
            if (!TryTake(coder.Footprint))
            {
                coder.Dispose();
                return null;
            }
        }

        if (!coder.TryBegin(length))
        {
            LetGo(coder);
            return null;
        }

        AtWork++;
        return new Lent(coder, kind);
    }

    private bool TryTake(int bytes)
    {
        if (budget.Used + bytes > budget.Limit / 4 * 3) LetGo();
        return budget.Used + bytes <= budget.Limit / 4 * 3 && budget.TryTake(bytes);
    }

    private void LetGo(Coder coder)
    {
        budget.GiveBack(coder.Footprint);
        coder.Dispose();
    }

    /// <summary>A coder that is lent, and what it is.</summary>
    public readonly record struct Lent(Coder Coder, int Kind);
}
