// What is kept when memory is full: W-TinyLFU. What is new stands in a window; what leaves the window must be asked for more
// often than what would have to go for it. So a scan passes through the window and displaces nothing that is used.
//
//   new → window → (asked for more often than the oldest on probation?) → probation → used again → protected
//
// One lock, held for a few steps; hits are told in batches, and where the lock is taken a batch is dropped.

namespace Weir.Engine.Caching;

/// <summary>The order in which responses leave. Any thread.</summary>
internal sealed class Retention
{
    private readonly Lock door = new();
    private readonly FrequencySketch sketch = new();
    private readonly Line window = new(), probation = new(), shielded = new();
    private long limit;
    private int count;

    /// <summary>Bytes of all that is kept.</summary>
    public long Weight => window.Weight + probation.Weight + shielded.Weight;

    public int Count => count;

    /// <summary>The most, in bytes.</summary>
    public long Limit
    {
        get => Volatile.Read(ref limit);
        set => Volatile.Write(ref limit, value);
    }

    /// <summary>Something was used.</summary>
    public void Touch(ReadOnlySpan<Retained?> used)
    {
        if (!door.TryEnter()) return;
        try
        {
            foreach (var one in used) Touch(one!);
        }
        finally
        {
            door.Exit();
        }
    }

    /// <summary>Something is asked for that is not here.</summary>
    public void Missed(ulong hash)
    {
        if (!door.TryEnter()) return;
        sketch.Count(hash);
        door.Exit();
    }

    /// <summary>Whether one more would stay, by what is known now: there is room, or it is asked for more often than what would have to go.</summary>
    public bool WouldKeep(ulong hash, long weight)
    {
        lock (door)
        {
            var over = Weight + weight - Limit;
            if (over <= 0 || weight > Limit) return over <= 0;
            var own = sketch.Frequency(hash);
            var (others, freed) = (0, 0L);
            for (var victim = probation.Oldest; victim is not null && freed < over && others < own; victim = victim.Newer)
            {
                others += sketch.Frequency(victim.Hash);
                freed += victim.Counted;
            }

            return freed > 0 ? others < own : shielded.Oldest is not { } shield || sketch.Frequency(shield.Hash) < own;
        }
    }

    /// <summary>Keeps one more.</summary>
    /// <param name="one">What is new.</param>
    /// <param name="leaving">Becomes what has to go for it, perhaps itself.</param>
    public void Add(Retained one, List<Retained> leaving)
    {
        lock (door)
        {
            if (one.Line is not null || !one.IsKept) return;
            sketch.Fit(++count);
            one.Counted = one.Weight;
            window.Push(one);
            MakeRoom(leaving);
        }
    }

    /// <summary>One has grown or shrunk: its body is whole.</summary>
    public void Reweigh(Retained one, List<Retained> leaving)
    {
        lock (door)
        {
            if (one.Line is not { } line) return;
            var now = one.Weight;
            line.Weight += now - one.Counted;
            one.Counted = now;
            MakeRoom(leaving);
        }
    }

    /// <summary>One is gone already.</summary>
    public void Remove(Retained one)
    {
        lock (door)
        {
            if (one.Line is null) return;
            one.Line.Take(one);
            count--;
        }
    }

    private void Touch(Retained one)
    {
        sketch.Count(one.Hash);
        one.Uses++;
        if (one.Line is not { } line) return; // It has left meanwhile.
        line.Take(one);
        if (line == window)
        {
            window.Push(one);
            return;
        }

        shielded.Push(one);
        while (shielded.Weight > (Limit - Limit / 100) / 10 * 8 && shielded.Oldest is { } demoted && demoted != one)
        {
            shielded.Take(demoted);
            probation.Push(demoted);
        }
    }

    private void MakeRoom(List<Retained> leaving)
    {
        // One response may be larger than the whole window: the newest stays in it.
        while (window.Weight > Limit / 100 && window.Oldest is { } candidate && (candidate != window.Newest || Weight > Limit))
        {
            window.Take(candidate);
            probation.Push(candidate);
            if (Weight > Limit) Admit(candidate, leaving);
        }

        while (Weight > Limit && (probation.Oldest ?? shielded.Oldest ?? window.Oldest) is { } victim) Leave(victim, leaving);
    }

    // Against all that would have to go for it: many small ones that are used weigh more than a large one.
    private void Admit(Retained candidate, List<Retained> leaving)
    {
        var own = sketch.Frequency(candidate.Hash);
        var (others, freed) = (0, 0L);
        for (var victim = probation.Oldest; victim is not null && victim != candidate && freed < Weight - Limit; victim = victim.Newer)
        {
            others += sketch.Frequency(victim.Hash);
            freed += victim.Counted;
        }

        if (freed == 0 || others >= own)
        {
            if (freed > 0 || shielded.Oldest is not { } shield || sketch.Frequency(shield.Hash) >= own) Leave(candidate, leaving);
            else while (Weight > Limit && shielded.Oldest is { } victim) Leave(victim, leaving);
            return;
        }

        while (Weight > Limit && probation.Oldest is { } victim && victim != candidate) Leave(victim, leaving);
    }

    private void Leave(Retained one, List<Retained> leaving)
    {
        one.Line!.Take(one);
        count--;
        leaving.Add(one);
    }

    /// <summary>Members from the oldest to the newest.</summary>
    internal sealed class Line
    {
        public long Weight { get; set; }

        public Retained? Oldest { get; private set; }

        public Retained? Newest { get; private set; }

        public void Push(Retained one)
        {
            one.Line = this;
            one.Older = Newest;
            if (Newest is null) Oldest = one;
            else Newest.Newer = one;
            Newest = one;
            Weight += one.Counted;
        }

        public void Take(Retained one)
        {
            if (one.Older is null) Oldest = one.Newer;
            else one.Older.Newer = one.Newer;
            if (one.Newer is null) Newest = one.Older;
            else one.Newer.Older = one.Older;
            one.Older = one.Newer = null;
            one.Line = null;
            Weight -= one.Counted;
        }
    }
}

/// <summary>Something that is kept as long as there is room. Its links belong to <see cref="Retention"/>.</summary>
public abstract class Retained
{
    internal Retention.Line? Line;
    internal Retained? Older;
    internal Retained? Newer;
    internal long Counted;
    internal long Uses; // Those that were told.

    /// <summary>What it is asked for by.</summary>
    public ulong Hash { get; internal set; }

    /// <summary>Whether it is in the index still. It leaves that before it leaves here.</summary>
    public abstract bool IsKept { get; }

    /// <summary>Bytes it holds now.</summary>
    public abstract long Weight { get; }
}
