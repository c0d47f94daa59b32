// Fields behind a body. A server may merge them into those of the head, so that what policies took away, set or did not
// believe in the head must not come in behind it. RFC 9110 §6.5.1, §7.6.1.

using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Exchanges;

/// <summary>Which trailer fields are passed on.</summary>
public static class Trailers
{
    /// <summary>
    /// Drops what may not go on: every field with a meaning here but validators and links (framing, routing, credentials, who
    /// the client is, what the software is), what the head's Connection nominates, and what the route edits.
    /// </summary>
    /// <param name="trailers">What came behind the body; null: nothing.</param>
    /// <param name="head">The fields of the same message's head.</param>
    public static FieldBlock? Filter(FieldBlock? trailers, FieldBlock head)
    {
        if (trailers is null) return null;
        for (var i = 0; i < trailers.Index.Count; i++)
        {
            var known = trailers.Index[i].Known;
            var passes = known is KnownField.Other or KnownField.ETag or KnownField.LastModified or KnownField.Link;
            if (!passes || KnownFields.IsTwin(trailers.Name(i)) || IsForwarded(trailers.Name(i)) || head.Withholds(trailers.Name(i)) || IsNominated(head, trailers.Name(i))) trailers.Drop(i);
        }

        return trailers;
    }

    /// <summary>Whether a name is of the family X-Forwarded-*: proxies' word about the client, however they spell it.</summary>
    public static bool IsForwarded(ReadOnlySpan<byte> name) => name.Length > 12 && Ascii.EqualsAsVariable(name[..12], "x_forwarded_"u8);

    private static bool IsNominated(FieldBlock head, ReadOnlySpan<byte> name)
    {
        if (!head.Index.Has(KnownField.Connection)) return false;
        for (var i = 0; i < head.Index.Count; i++)
        {
            if (head.Index[i].Known != KnownField.Connection) continue;
            foreach (var option in new ListElements(head.Value(i)))
            {
                if (Ascii.EqualsAsVariable(option, name)) return true;
            }
        }

        return false;
    }
}
