// Which parameters of the query a key has. A parameter that is not in the key is not sent on either: what no key tells may not
// change an answer that others get. Names are compared as they are written; whoever writes one otherwise has a key of his own.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;

namespace Weir.Engine.Caching;

/// <summary>What of a query counts. Immutable.</summary>
/// <param name="sorts">Whether the order of parameters with different names means nothing.</param>
/// <param name="kept">Only these; null: all. A last '*' stands for any end.</param>
/// <param name="dropped">All but these.</param>
public sealed class QueryRule(bool sorts, byte[][]? kept, byte[][] dropped)
{
    // A query with more is left in the order it has.
    private const int MostSorted = 128;

    /// <summary>Takes out of a query what does not count.</summary>
    /// <param name="scratch">Where what is left is kept.</param>
    /// <param name="query">The query, without its '?'.</param>
    /// <param name="left">What counts; empty: there is no query any more.</param>
    /// <returns>False where there is no room.</returns>
    public bool TryApply(Scratch scratch, ReadOnlySpan<byte> query, out ByteRange left)
    {
        left = default;
        if (query.IsEmpty) return true;
        if (!scratch.TryTake(query.Length, out var room, out var range)) return false;
        Span<(int Start, int Length)> pairs = stackalloc (int, int)[MostSorted];
        var count = 0;
        var to = new SpanWriter(room);
        foreach (var part in query.Split((byte)'&'))
        {
            var pair = query[part];
            if (pair.IsEmpty || !Counts(NameOf(pair))) continue;
            if (to.Length > 0) to.Write((byte)'&');
            if (count < MostSorted) pairs[count] = (to.Length, pair.Length);
            count++;
            to.Write(pair);
        }

        left = scratch.Trim(range, to.Length);
        return !sorts || count is < 2 or > MostSorted || TrySort(scratch, pairs[..count], left, out left);
    }

    // Those of one name stay in their order: it may mean something.
    private static bool TrySort(Scratch scratch, Span<(int Start, int Length)> pairs, ByteRange from, out ByteRange sorted)
    {
        var bytes = from.Span;
        var moved = false;
        for (var i = 1; i < pairs.Length; i++)
        {
            var pair = pairs[i];
            var name = NameOf(bytes.Slice(pair.Start, pair.Length));
            var at = i;
            for (; at > 0 && NameOf(bytes.Slice(pairs[at - 1].Start, pairs[at - 1].Length)).SequenceCompareTo(name) > 0; at--) pairs[at] = pairs[at - 1];
            pairs[at] = pair;
            moved |= at != i;
        }

        sorted = from;
        if (!moved) return true;
        if (!scratch.TryTake(bytes.Length, out var room, out sorted)) return false;
        var to = new SpanWriter(room);
        foreach (var (start, length) in pairs)
        {
            if (to.Length > 0) to.Write((byte)'&');
            to.Write(bytes.Slice(start, length));
        }

        return true;
    }

    private bool Counts(ReadOnlySpan<byte> name) => (kept is null || Holds(kept, name)) && !Holds(dropped, name);

    private static bool Holds(byte[][] patterns, ReadOnlySpan<byte> name)
    {
        foreach (var pattern in patterns)
        {
            if (pattern[^1] == '*' ? name.StartsWith(pattern.AsSpan(0, pattern.Length - 1)) : name.SequenceEqual(pattern)) return true;
        }

        return false;
    }

    private static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> pair)
    {
        var equals = pair.IndexOf((byte)'=');
        return equals < 0 ? pair : pair[..equals];
    }
}
