// Use-As-Dictionary (RFC 9842 §2.1): that an answer is a dictionary, and for what. Read as structured fields are: what is not well
// formed, or is of a type nobody knows, says nothing.

using Weir.Engine.Caching.Rules;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Reads the field.</summary>
public static class UseAsDictionary
{
    /// <summary>Its name. Must not be changed.</summary>
    public static readonly byte[] Name = "Use-As-Dictionary"u8.ToArray();

    /// <summary>For what an answer with these stored fields is a dictionary.</summary>
    /// <param name="lines">The stored fields.</param>
    /// <param name="url">The answer's URL.</param>
    /// <param name="match">For which URLs.</param>
    /// <returns>False: it is none, or not one that can be used.</returns>
    public static bool TryRead(ReadOnlySpan<byte> lines, ReadOnlySpan<byte> url, out UrlMatch match)
    {
        match = null!;
        ReadOnlySpan<byte> value = default;
        foreach (var line in new StoredLines(lines))
        {
            if (!Ascii.EqualsIgnoreCase(line.Name, Name)) continue;
            if (!value.IsEmpty) return false; // Which of two holds nobody knows.
            value = line.Value;
        }

        return TryParse(value, url, out match);
    }

    /// <summary>Reads one value.</summary>
    public static bool TryParse(ReadOnlySpan<byte> value, ReadOnlySpan<byte> url, out UrlMatch match)
    {
        match = null!;
        var members = new StructuredDictionary(value);
        Span<byte> pattern = stackalloc byte[UrlMatch.MostBytes];
        var (length, isRaw) = (0, true);
        while (members.MoveNext())
        {
            // A key that comes again takes the place of what it said before (RFC 8941 §3.2).
            if (members.Key.SequenceEqual("type"u8)) isRaw = members.Kind == StructuredKind.Token && members.Text.SequenceEqual("raw"u8);
            if (!members.Key.SequenceEqual("match"u8)) continue;
            length = 0;
            if (members.Kind != StructuredKind.Text || !TryUnescape(members.Text, pattern, out length)) return false;
        }

        return !members.IsBroken && isRaw && length > 0 && UrlMatch.TryParse(pattern[..length], url, out match);
    }

    private static bool TryUnescape(ReadOnlySpan<byte> text, Span<byte> into, out int length)
    {
        length = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            if (length == into.Length || i == text.Length) return false;
            into[length++] = text[i];
        }

        return true;
    }
}
