// The copy of a path that routes are matched on, and what must be refused so that nobody behind us reads another path.
// Decoded once, except %2F and %5C; '.' and '..' resolved. Where the raw path holds dot segments, literal or encoded, the
// resolved path is also what is forwarded.

using Weir.Wire.Bytes;

namespace Weir.Wire.Targets;

/// <summary>What a path turned out to be.</summary>
public enum PathVerdict : byte
{
    /// <summary>Goes on byte for byte.</summary>
    Plain,

    /// <summary>Holds dot segments: the resolved path is to be forwarded.</summary>
    HasDotSegments,

    /// <summary>Refused.</summary>
    Unsafe,
}

/// <summary>Paths.</summary>
public static class TargetPath
{
    /// <summary>Writes the matched copy of a raw path that begins with '/'.</summary>
    /// <param name="raw">The path as written, without its query.</param>
    /// <param name="matched">Room for one byte more than the raw path has.</param>
    /// <param name="length">Bytes written.</param>
    public static PathVerdict Normalize(ReadOnlySpan<byte> raw, Span<byte> matched, out int length)
    {
        length = 0;
        if (raw.IsEmpty || raw[0] != '/') return PathVerdict.Unsafe;

        // The common path has nothing to decode, resolve or refuse.
        if (raw.IndexOfAny("%\\;"u8) < 0 && raw.IndexOf("/."u8) < 0)
        {
            raw.CopyTo(matched);
            length = raw.Length;
            return PathVerdict.Plain;
        }

        var verdict = PathVerdict.Plain;
        for (var start = 0; start < raw.Length;)
        {
            var end = raw[(start + 1)..].IndexOf((byte)'/');
            end = end < 0 ? raw.Length : start + 1 + end;
            var segment = raw[(start + 1)..end];
            var isLast = end == raw.Length;
            if (HidesDotDot(segment, matched[(length + 1)..]) || !TryDecode(segment, matched[(length + 1)..], out var decoded)) return PathVerdict.Unsafe;
            var text = matched.Slice(length + 1, decoded);
            if (text.SequenceEqual("."u8) || text.SequenceEqual(".."u8))
            {
                verdict = PathVerdict.HasDotSegments;
                if (text.Length == 2) length = Math.Max(0, matched[..length].LastIndexOf((byte)'/'));
                if (isLast) matched[length++] = (byte)'/';
            }
            else
            {
                matched[length] = (byte)'/';
                length += 1 + decoded;
            }

            start = end;
        }

        if (length == 0) matched[length++] = (byte)'/';
        return verdict;
    }

    /// <summary>Writes the raw path with its dot segments resolved, still encoded: what is forwarded.</summary>
    /// <returns>Bytes written; at most as many as the raw path has.</returns>
    public static int Resolve(ReadOnlySpan<byte> raw, Span<byte> into)
    {
        var length = 0;
        for (var start = 0; start < raw.Length;)
        {
            var end = raw[(start + 1)..].IndexOf((byte)'/');
            end = end < 0 ? raw.Length : start + 1 + end;
            var segment = raw[(start + 1)..end];
            var dots = Dots(segment);
            if (dots > 0)
            {
                if (dots == 2) length = Math.Max(0, into[..length].LastIndexOf((byte)'/'));
                if (end == raw.Length) into[length++] = (byte)'/';
            }
            else
            {
                raw[start..end].CopyTo(into[length..]);
                length += end - start;
            }

            start = end;
        }

        if (length == 0) into[length++] = (byte)'/';
        return length;
    }

    /// <summary>Decodes percent-encoding once, except %2F and %5C, which stay with upper-case digits.</summary>
    /// <returns>False on a malformed escape, a raw backslash, or anything that decodes to a control byte.</returns>
    public static bool TryDecode(ReadOnlySpan<byte> raw, Span<byte> into, out int length)
    {
        length = 0;
        for (var i = 0; i < raw.Length; i++)
        {
            var b = raw[i];
            if (b == '\\' || b < 0x20 || b == 0x7F) return false;
            if (b == '%')
            {
                if (i + 2 >= raw.Length) return false;
                var high = Ascii.Hex(raw[i + 1]);
                var low = Ascii.Hex(raw[i + 2]);
                if (high < 0 || low < 0) return false;
                b = (byte)((high << 4) | low);
                i += 2;
                if (b < 0x20 || b == 0x7F) return false;
                if (b is (byte)'/' or (byte)'\\')
                {
                    into[length++] = (byte)'%';
                    into[length++] = b == '/' ? (byte)'2' : (byte)'5';
                    into[length++] = b == '/' ? (byte)'F' : (byte)'C';
                    continue;
                }
            }

            into[length++] = b;
        }

        return true;
    }

    // 1 for ".", 2 for "..", literal or encoded; else 0.
    private static int Dots(ReadOnlySpan<byte> segment)
    {
        var dots = 0;
        for (var i = 0; i < segment.Length; dots++)
        {
            if (segment[i] == '.') i++;
            else if (i + 2 < segment.Length && segment[i] == '%' && segment[i + 1] == '2' && (segment[i + 2] | 0x20) == 'e') i += 3;
            else return 0;
        }

        return dots <= 2 ? dots : 0;
    }

    // Whether a server that decodes %2F or %5C, or cuts ";parameters", would find a ".." segment in here.
    private static bool HidesDotDot(ReadOnlySpan<byte> rawSegment, Span<byte> scratch)
    {
        if (rawSegment.IndexOfAny((byte)'%', (byte)';') < 0) return false;
        var start = 0;
        for (var i = 0; i <= rawSegment.Length; i++)
        {
            var isEnd = i == rawSegment.Length;
            if (!isEnd && !IsEncodedSeparator(rawSegment[i..])) continue;
            if (!TryDecode(rawSegment[start..i], scratch, out var length)) return true; // Refused either way.
            var part = scratch[..length];
            var parameters = part.IndexOf((byte)';');
            var isWhole = parameters < 0 && start == 0 && isEnd; // A ".." in the open: resolved, not hidden.
            if (parameters >= 0) part = part[..parameters];
            if (part.SequenceEqual(".."u8) && !isWhole) return true;
            if (isEnd) return false;
            start = i + 3;
            i += 2;
        }

        return false;
    }

    private static bool IsEncodedSeparator(ReadOnlySpan<byte> at) =>
        at.Length >= 3 && at[0] == '%' && ((at[1] == '2' && (at[2] | 0x20) == 'f') || (at[1] == '5' && (at[2] | 0x20) == 'c'));
}
