// Conditions of a request on what would be answered. RFC 9110 §13.2.2.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Answers;

/// <summary>Evaluates If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since for GET and HEAD.</summary>
public static class Preconditions
{
    /// <returns>0 to go on, 304, or 412.</returns>
    public static int Evaluate(FieldBlock fields, ReadOnlySpan<byte> tag, DateTime modified)
    {
        if (fields.Index.Has(KnownField.IfMatch))
        {
            if (!Matches(fields, KnownField.IfMatch, tag, weakly: false)) return 412;
        }
        else if (fields.Index.CountOf(KnownField.IfUnmodifiedSince) == 1 && HttpDate.TryRead(fields.First(KnownField.IfUnmodifiedSince), out var unmodified) && Seconds(modified) > Seconds(unmodified))
        {
            return 412;
        }

        if (fields.Index.Has(KnownField.IfNoneMatch)) return Matches(fields, KnownField.IfNoneMatch, tag, weakly: true) ? 304 : 0;
        if (fields.Index.CountOf(KnownField.IfModifiedSince) == 1 && HttpDate.TryRead(fields.First(KnownField.IfModifiedSince), out var since) && Seconds(modified) <= Seconds(since)) return 304;
        return 0;
    }

    private static ReadOnlySpan<byte> Opaque(ReadOnlySpan<byte> tag) => tag.StartsWith("W/"u8) ? tag[2..] : tag;

    internal static long Seconds(DateTime time) => time.Ticks / TimeSpan.TicksPerSecond;

    private static bool Matches(FieldBlock fields, KnownField field, ReadOnlySpan<byte> tag, bool weakly)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != field) continue;
            foreach (var element in new ListElements(fields.Value(i)))
            {
                if (element.SequenceEqual("*"u8)) return true;
                if (tag.IsEmpty) continue;
                if (weakly ? Opaque(element).SequenceEqual(Opaque(tag)) : element.SequenceEqual(tag) && !tag.StartsWith("W/"u8)) return true;
            }
        }

        return false;
    }
}
