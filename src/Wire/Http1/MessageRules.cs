// Rules that requests and responses share: how long the body is, and what Connection says. RFC 9112 §6, §9.

using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Wire.Http1;

internal static class MessageRules
{
    // Each of them is looked for among all fields; nobody nominates more than a few.
    private const int MostConnectionOptions = 64;

    /// <summary>
    /// Content-Length and Transfer-Encoding. Refused: both together, a length that is not one plain number on one line,
    /// any coding but a single final "chunked", a coding in HTTP/1.0.
    /// </summary>
    public static HeadFault Length(ReadOnlySpan<byte> bytes, FieldIndex fields, int minorVersion, out bool chunked, out long length)
    {
        chunked = false;
        length = -1;
        var hasLength = fields.Has(KnownField.ContentLength);
        if (fields.Has(KnownField.TransferEncoding))
        {
            if (hasLength) return HeadFault.LengthAndCoding;
            if (minorVersion == 0) return HeadFault.CodingInHttp10;
            chunked = true;
            return Coding(bytes, fields);
        }

        if (!hasLength) return HeadFault.None;
        if (fields.CountOf(KnownField.ContentLength) > 1) return HeadFault.MultipleContentLength;
        return Ascii.TryDecimal(fields.Value(bytes, fields.IndexOf(KnownField.ContentLength)), out length) ? HeadFault.None : HeadFault.BadContentLength;
    }

    /// <summary>Connection's elements; each must be a token, and there is a limit on them.</summary>
    public static HeadFault Connection(ReadOnlySpan<byte> bytes, FieldIndex fields, int minorVersion, out bool keepAlive, out bool upgrade)
    {
        keepAlive = minorVersion == 1;
        upgrade = false;
        if (!fields.Has(KnownField.Connection)) return HeadFault.None;
        var close = false;
        var options = 0;
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known != KnownField.Connection) continue;
            foreach (var option in new ListElements(fields.Value(bytes, i)))
            {
                if (!Ascii.IsToken(option) || ++options > MostConnectionOptions) return HeadFault.BadConnection;
                if (Ascii.EqualsIgnoreCase(option, "close"u8)) close = true;
                else if (Ascii.EqualsIgnoreCase(option, "keep-alive"u8)) keepAlive = true;
                else if (Ascii.EqualsIgnoreCase(option, "upgrade"u8)) upgrade = fields.Has(KnownField.Upgrade);
            }
        }

        keepAlive &= !close;
        return HeadFault.None;
    }

    public static bool SaysTrailers(ReadOnlySpan<byte> bytes, FieldIndex fields)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known != KnownField.TE) continue;
            foreach (var element in new ListElements(fields.Value(bytes, i)))
            {
                if (Ascii.EqualsIgnoreCase(element, "trailers"u8)) return true;
            }
        }

        return false;
    }

    private static HeadFault Coding(ReadOnlySpan<byte> bytes, FieldIndex fields)
    {
        var codings = 0;
        var chunkeds = 0;
        var lastIsChunked = false;
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known != KnownField.TransferEncoding) continue;
            var value = fields.Value(bytes, i);
            if (value.SequenceEqual("chunked"u8))
            {
                codings++;
                chunkeds++;
                lastIsChunked = true;
                continue;
            }

            // An empty element is legal in a list, but no sender writes one here without meaning to be misread.
            if (value.IsEmpty || value[0] == ',' || value[^1] == ',') return HeadFault.BadCoding;
            foreach (var element in new ListElements(value))
            {
                codings++;
                lastIsChunked = Ascii.EqualsIgnoreCase(element, "chunked"u8);
                if (lastIsChunked) chunkeds++;
                else if (!Ascii.IsToken(element)) return HeadFault.BadCoding;
            }
        }

        if (codings == 1 && chunkeds == 1) return HeadFault.None;
        return chunkeds > 1 || (chunkeds == 1 && !lastIsChunked) ? HeadFault.BadCoding : HeadFault.UnknownCoding;
    }
}
