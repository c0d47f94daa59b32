// One range of a file. Several ranges at once are answered with the whole, as RFC 9110 §14.2 allows.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Answers;

/// <summary>Chooses what of a file is sent.</summary>
public static class ByteRanges
{
    /// <returns>Where it begins, how many bytes, and 200, 206 or 416.</returns>
    public static (long First, long Count, int Status) Choose(Request request, ReadOnlySpan<byte> tag, DateTime modified, long length, DateTime now)
    {
        var fields = request.Fields;
        if (request.KnownMethod != KnownMethod.Get || fields.Index.CountOf(KnownField.Range) != 1) return (0, length, 200);
        if (fields.Index.Has(KnownField.IfRange) && !StillHolds(fields.First(KnownField.IfRange), tag, modified, now)) return (0, length, 200);
        var value = fields.First(KnownField.Range);
        if (value.Length < 7 || !Ascii.EqualsIgnoreCase(value[..6], "bytes="u8) || value.IndexOf((byte)',') >= 0) return (0, length, 200);
        var spec = Ascii.TrimWhiteSpace(value[6..]);
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
