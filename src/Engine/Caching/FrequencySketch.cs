// How often something was asked for lately, estimated in four bits a counter (a count-min sketch with aging, as in TinyLFU:
// Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy"). Whoever calls holds a lock.

namespace Weir.Engine.Caching;

/// <summary>A sketch of frequencies.</summary>
internal sealed class FrequencySketch
{
    private const ulong Halves = 0x7777777777777777;
    private const int Least = 1 << 10;

    private ulong[] table = new ulong[Least];
    private int additions;

    /// <summary>Makes room for as many; what was counted is forgotten where it grows.</summary>
    public void Fit(int entries)
    {
        if (entries <= table.Length) return;
        table = new ulong[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Min(entries * 2L, 1 << 26))];
        additions = 0;
    }

    public int Frequency(ulong hash)
    {
        var least = 15;
        for (var row = 0; row < 4; row++)
        {
            var (word, shift) = Place(hash, row);
            least = Math.Min(least, (int)(table[word] >> shift) & 15);
        }

        return least;
    }

    public void Count(ulong hash)
    {
        var added = false;
        for (var row = 0; row < 4; row++)
        {
            var (word, shift) = Place(hash, row);
            if (((table[word] >> shift) & 15) == 15) continue;
            table[word] += 1UL << shift;
            added = true;
        }

        if (added && ++additions >= table.Length * 10) Age();
    }

    // Each row is a quarter of the word's counters.
    private (int Word, int Shift) Place(ulong hash, int row)
    {
        var mixed = (hash + (ulong)row) * 0x9E3779B97F4A7C15;
        mixed ^= mixed >> 32;
        return ((int)(mixed & (ulong)(table.Length - 1)), ((row << 2) | (int)((hash >> 60) & 3)) << 2);
    }

    private void Age()
    {
        for (var i = 0; i < table.Length; i++) table[i] = (table[i] >> 1) & Halves;
        additions /= 2;
    }
}
