// Why an endpoint takes nothing: one atomic word that choices read, and beside it the reasons for people. Some reasons end by
// time; a sweep looks.

namespace Weir.Engine.Upstreams;

/// <summary>The reasons for which an endpoint is away. Any thread.</summary>
public sealed class Absence
{
    private readonly Lock changing = new();
    private readonly string?[] reasons = new string?[5];
    private readonly long[] until = new long[5];
    private int word;
    private long soonest = long.MaxValue;

    public Away Now => (Away)Volatile.Read(ref word);

    /// <summary>Told, outside the lock, when a reason begins (with its words) or ends (null).</summary>
    public Action<Away, string?>? Changed { get; set; }

    /// <summary>Why, in words; null where that reason does not hold.</summary>
    public string? ReasonOf(Away why)
    {
        lock (changing) return reasons[Index(why)];
    }

    /// <summary>When that reason ends by itself; <see cref="long.MaxValue"/>: never, or it does not hold.</summary>
    public long EndOf(Away why)
    {
        lock (changing) return (word & (int)why) == 0 ? long.MaxValue : until[Index(why)];
    }

    /// <summary>A reason begins, or goes on with other words or a later end.</summary>
    /// <param name="why">One reason.</param>
    /// <param name="reason">For status and logs.</param>
    /// <param name="end">When it ends by itself, in ms of the loops' clock.</param>
    /// <returns>Whether it did not hold before.</returns>
    public bool Mark(Away why, string reason, long end = long.MaxValue)
    {
        bool isNews;
        lock (changing)
        {
            isNews = (word & (int)why) == 0;
            (reasons[Index(why)], until[Index(why)]) = (reason, end);
            soonest = Math.Min(soonest, end);
            Volatile.Write(ref word, word | (int)why);
        }

        if (isNews) Changed?.Invoke(why, reason);
        return isNews;
    }

    /// <summary>A reason ends.</summary>
    /// <returns>Whether it held.</returns>
    public bool Clear(Away why)
    {
        if ((Volatile.Read(ref word) & (int)why) == 0) return false;
        lock (changing)
        {
            if ((word & (int)why) == 0) return false;
            reasons[Index(why)] = null;
            Volatile.Write(ref word, word & ~(int)why);
        }

        Changed?.Invoke(why, null);
        return true;
    }

    /// <summary>Ends the reasons whose time is over.</summary>
    /// <returns>Those that ended.</returns>
    public Away EndWhatIsOver(long now)
    {
        if (Volatile.Read(ref word) == 0 || now < Volatile.Read(ref soonest)) return Away.None;
        var over = Away.None;
        lock (changing)
        {
            soonest = long.MaxValue;
            for (var i = 0; i < until.Length; i++)
            {
                if ((word & (1 << i)) == 0) continue;
                if (now >= until[i]) over |= (Away)(1 << i);
                else soonest = Math.Min(soonest, until[i]);
            }
        }

        for (var i = 0; i < until.Length; i++)
        {
            if ((over & (Away)(1 << i)) != 0) Clear((Away)(1 << i));
        }

        return over;
    }

    private static int Index(Away why) => System.Numerics.BitOperations.TrailingZeroCount((int)why);
}
