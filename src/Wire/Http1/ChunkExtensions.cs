// Chunk extensions: checked although they are ignored, so that nobody behind us finds another end of the line in one.
// RFC 9112 §7.1.1.

using Weir.Wire.Bytes;

namespace Weir.Wire.Http1;

internal static class ChunkExtensions
{
    /// <summary>Whether what stands between the first ';' and the line's end is a list of name or name=value.</summary>
    public static bool AreGood(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            text = text.TrimStart(" \t"u8);
            var name = text.IndexOfAnyExcept(Ascii.Token);
            if (name < 0) return !text.IsEmpty;
            if (name == 0) return false;
            var next = text[name..].TrimStart(" \t"u8);
            if (!next.IsEmpty && next[0] == '=')
            {
                next = next[1..].TrimStart(" \t"u8);
                var value = Value(next);
                if (value == 0) return false;
                if (value == next.Length) return true;
                next = next[value..].TrimStart(" \t"u8);
            }

            // White space stands before something, never at the line's end.
            if (next.IsEmpty || next[0] != ';') return false;
            text = next[1..];
        }
    }

    // Bytes of a token or a quoted string; 0: neither.
    private static int Value(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return 0;
        if (text[0] != '"')
        {
            var end = text.IndexOfAnyExcept(Ascii.Token);
            return end < 0 ? text.Length : end;
        }

        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == '"') return i + 1;
        }

        return 0;
    }
}
