// Deadlines of one loop. A wheel of slots, with two liberties that make arming nearly free:
// an entry that is moved later keeps its place and is moved when that place comes round, and an entry that is
// disarmed keeps its place and does nothing when it comes round. A due time beyond the wheel takes its last slot.
// Resolution: one tick (4 ms); a timer never fires early.

using System.Numerics;

namespace Weir.Engine.Loops;

/// <summary>Something that a loop calls at a time. One entry carries one deadline.</summary>
public abstract class TimerEntry
{
    internal TimerEntry? Previous;
    internal TimerEntry? Following;
    internal int Slot = -1;
    internal long LinkedTick;

    /// <summary>When the entry fires, in the loop's milliseconds; <see cref="long.MaxValue"/> while disarmed.</summary>
    public long Due { get; internal set; } = long.MaxValue;

    /// <summary>Disarms the entry. It may be armed again at once.</summary>
    public void Disarm() => Due = long.MaxValue;

    /// <summary>Called on the loop when the time has come; the entry is disarmed before the call.</summary>
    protected internal abstract void OnDue();
}

internal sealed class TimerWheel
{
    private const int TickShift = 2;
    private const int Slots = 2048;
    private const int Mask = Slots - 1;

    private readonly TimerEntry?[] slots = new TimerEntry?[Slots];
    private readonly ulong[] occupied = new ulong[Slots / 64];
    private long tick;
    private int linked;
    private bool isInSlot; // An exception left the current slot before its end.

    public TimerWheel(long now) => tick = now >> TickShift;

    public void Arm(TimerEntry entry, long due)
    {
        entry.Due = due;
        if (due == long.MaxValue) return;
        var wanted = TickOf(due);
        if (entry.Slot >= 0)
        {
            if (entry.LinkedTick <= wanted) return; // Its place comes round first: it moves on from there.
            Remove(entry);
            entry.Due = due;
        }

        Link(entry, wanted);
    }

    public void Remove(TimerEntry entry)
    {
        entry.Due = long.MaxValue;
        if (entry.Slot < 0) return;
        if (entry.Previous is null) slots[entry.Slot] = entry.Following;
        else entry.Previous.Following = entry.Following;
        if (entry.Following is not null) entry.Following.Previous = entry.Previous;
        if (slots[entry.Slot] is null) occupied[entry.Slot >> 6] &= ~(1UL << (entry.Slot & 63));
        entry.Previous = entry.Following = null;
        entry.Slot = -1;
        linked--;
    }

    /// <summary>Fires all that is due at <paramref name="now"/>.</summary>
    public bool Advance(long now)
    {
        var target = now >> TickShift;
        if (linked == 0)
        {
            isInSlot = false;
            tick = Math.Max(tick, target);
            return false;
        }

        var fired = isInSlot && RunSlot((int)(tick & Mask), now);
        while (tick < target)
        {
            var next = NextOccupied(Math.Min(target, tick + Slots));
            if (next < 0)
            {
                tick = target;
                break;
            }

            tick = next;
            fired |= RunSlot((int)(tick & Mask), now);
        }

        return fired;
    }

    /// <summary>Milliseconds to wait, at most, before the next <see cref="Advance"/>; -1 for ever.</summary>
    public int Timeout(long now)
    {
        var due = NextDue();
        return due == long.MaxValue ? -1 : (int)Math.Clamp(due - now, 0, int.MaxValue);
    }

    public long NextDue()
    {
        if (linked == 0) return long.MaxValue;
        if (isInSlot) return tick << TickShift;
        var next = NextOccupied(tick + Slots);
        return next < 0 ? long.MaxValue : next << TickShift;
    }

    private static long TickOf(long due) => (due + (1 << TickShift) - 1) >> TickShift;

    private void Link(TimerEntry entry, long wanted)
    {
        var at = Math.Clamp(wanted, tick + 1, tick + Slots - 1);
        var slot = (int)(at & Mask);
        entry.LinkedTick = at;
        entry.Slot = slot;
        entry.Previous = null;
        entry.Following = slots[slot];
        if (entry.Following is not null) entry.Following.Previous = entry;
        slots[slot] = entry;
        occupied[slot >> 6] |= 1UL << (slot & 63);
        linked++;
    }

    private bool RunSlot(int slot, long now)
    {
        var fired = false;
        isInSlot = true;
        // Entries armed by a callback land at tick + 1 or later, so this slot only shrinks here.
        while (slots[slot] is { } entry)
        {
            var due = entry.Due;
            Remove(entry);
            if (due == long.MaxValue) continue;
            if (due > now)
            {
                entry.Due = due;
                Link(entry, TickOf(due));
                continue;
            }

            fired = true;
            entry.OnDue();
        }

        isInSlot = false;
        return fired;
    }

    // The first occupied tick after the current one, not beyond last; -1 when there is none.
    private long NextOccupied(long last)
    {
        for (var t = tick + 1; t <= last;)
        {
            var slot = (int)(t & Mask);
            var word = occupied[slot >> 6] >> (slot & 63);
            if (word != 0)
            {
                var found = t + BitOperations.TrailingZeroCount(word);
                return found <= last ? found : -1;
            }

            t += 64 - (slot & 63);
        }

        return -1;
    }
}
