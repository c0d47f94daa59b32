// A dictionary from bytes, looked up by span: nothing is allocated on the way. Filled once, then read by all loops.

using System.IO.Hashing;

namespace Weir.Engine.Routing;

/// <summary>Keys as bytes; exact. Not changed after a plan is made.</summary>
public sealed class ByteMap<T>
    where T : class
{
    private Entry[] entries = new Entry[8];
    private int count;

    public int Count => count;

    public T? Find(ReadOnlySpan<byte> key)
    {
        for (var at = Slot(key, entries.Length); entries[at].Value is { } value; at = (at + 1) & (entries.Length - 1))
        {
            if (key.SequenceEqual(entries[at].Key)) return value;
        }

        return null;
    }

    /// <summary>Finds, or adds what <paramref name="make"/> makes.</summary>
    public T FindOrAdd(byte[] key, Func<T> make)
    {
        if (Find(key) is { } found) return found;
        var value = make();
        Insert(key, value);
        return value;
    }

    private static int Slot(ReadOnlySpan<byte> key, int length) => (int)(XxHash3.HashToUInt64(key) & (uint)(length - 1));

    private void Insert(byte[] key, T value)
    {
        if (++count * 2 > entries.Length)
        {
            var old = entries;
            entries = new Entry[old.Length * 2];
            foreach (var entry in old)
            {
                if (entry.Value is not null) Place(entry);
            }
        }

        Place(new Entry { Key = key, Value = value });
    }

    private void Place(Entry entry)
    {
        var at = Slot(entry.Key, entries.Length);
        while (entries[at].Value is not null) at = (at + 1) & (entries.Length - 1);
        entries[at] = entry;
    }

    private struct Entry
    {
        public byte[] Key;
        public T? Value;
    }
}
