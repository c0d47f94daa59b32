// Which bytes of a body a request asks for. RFC 9110 §14.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Answers;

/// <summary>Some bytes of a body.</summary>
public readonly record struct PartRange(long First, long Count);

/// <summary>Chooses what of a body is sent.</summary>
public static class ByteRanges
{
    /// <summary>The most ranges that are answered at once; who asks for more gets the whole (RFC 9110 §14.2).</summary>
    public const int MostParts = 16;

    // What lies between two parts costs more than so many bytes of the body.
    private const int NearBytes = 80;

    /// <summary>One range; several are answered with the whole, as RFC 9110 §14.2 allows.</summary>
    /// <returns>Where it begins, how many bytes, and 200, 206 or 416.</returns>
    public static (long First, long Count, int Status) Choose(Request request, ReadOnlySpan<byte> tag, DateTime modified, long length, DateTime now)
    {
        if (!TryFind(request, tag, modified, now, out var set) || set.IndexOf((byte)',') >= 0) return (0, length, 200);
        return Read(Ascii.TrimWhiteSpace(set), length);
    }

    /// <summary>Several ranges: those that there are, in the order they are asked for; what overlaps or lies close is one.</summary>
    /// <param name="request">The request.</param>
    /// <param name="tag">What is sent has this tag,</param>
    /// <param name="modified">was changed then,</param>
    /// <param name="length">and has so many bytes.</param>
    /// <param name="now">The time.</param>
    /// <param name="into">At least <see cref="MostParts"/>.</param>
    /// <returns>How many; 0: the request does not ask for several, or for too many: <see cref="Choose"/>; -1: none of them is there.</returns>
    public static int ChooseSeveral(Request request, ReadOnlySpan<byte> tag, DateTime modified, long length, DateTime now, Span<PartRange> into)
    {
        if (!TryFind(request, tag, modified, now, out var set) || set.IndexOf((byte)',') < 0 || length == 0) return 0;
        var (asked, count) = (0, 0);
        foreach (var spec in new ListElements(set))
        {
            if (++asked > MostParts) return 0;
            var (first, bytes, status) = Read(spec, length);
            if (status == 200) return 0;
            if (status == 206) Add(new PartRange(first, bytes), into, ref count);
        }

        return count > 0 ? count : asked > 0 ? -1 : 0;
    }

    // Takes up all that it meets, and the place of the first of them; larger then, it may meet others.
    private static void Add(PartRange range, Span<PartRange> into, ref int count)
    {
        var place = count;
        for (var i = 0; i < count; i++)
        {
            if (!Meets(range, into[i])) continue;
            var first = Math.Min(range.First, into[i].First);
            range = new PartRange(first, Math.Max(range.First + range.Count, into[i].First + into[i].Count) - first);
            place = Math.Min(place, i);
            into[(i + 1)..count].CopyTo(into[i..]);
            count--;
            i = -1;
        }

        into[place..count].CopyTo(into[(place + 1)..]);
        into[place] = range;
        count++;
    }

    private static bool Meets(PartRange one, PartRange other) => one.First <= other.First + other.Count + NearBytes && other.First <= one.First + one.Count + NearBytes;

    private static bool TryFind(Request request, ReadOnlySpan<byte> tag, DateTime modified, DateTime now, out ReadOnlySpan<byte> set)
    {
        set = default;
        var fields = request.Fields;
        if (request.KnownMethod != KnownMethod.Get || fields.Index.CountOf(KnownField.Range) != 1) return false;
        if (fields.Index.Has(KnownField.IfRange) && !StillHolds(fields.First(KnownField.IfRange), tag, modified, now)) return false;
        var value = fields.First(KnownField.Range);
        if (value.Length < 7 || !Ascii.EqualsIgnoreCase(value[..6], "bytes="u8)) return false;
        set = value[6..];
        return true;
    }

    private static (long First, long Count, int Status) Read(ReadOnlySpan<byte> spec, long length)
    {
        var dash = spec.IndexOf((byte)'-');
        if (dash < 0) return (0, length, 200);
        if (dash == 0)
        {
            if (!Ascii.TryDecimal(spec[1..], out var suffix)) return (0, length, 200);
            if (suffix == 0) return (0, 0, 416);
            if (length == 0) return (0, 0, 200); // Satisfiable, and not to be written as a Content-Range.
            var count = Math.Min(suffix, length);
            return (length - count, count, 206);
        }

        if (!Ascii.TryDecimal(spec[..dash], out var first)) return (0, length, 200);
        var last = length - 1;
        if (dash + 1 < spec.Length)
        {
            if (!Ascii.TryDecimal(spec[(dash + 1)..], out var wanted) || wanted < first) return (0, length, 200);
            last = Math.Min(last, wanted);
        }

        return first >= length ? (0, 0, 416) : (first, last - first + 1, 206);
    }

    // RFC 9110 §13.1.5: strong comparison of a tag; of a date exact equality, and only where nothing can have changed within its second.
    private static bool StillHolds(ReadOnlySpan<byte> condition, ReadOnlySpan<byte> tag, DateTime modified, DateTime now)
    {
        if (condition.StartsWith("\""u8)) return condition.SequenceEqual(tag);
        return HttpDate.TryRead(condition, out var date) && Preconditions.Seconds(date) == Preconditions.Seconds(modified) && Preconditions.Seconds(now) > Preconditions.Seconds(modified) + 1;
    }
}
