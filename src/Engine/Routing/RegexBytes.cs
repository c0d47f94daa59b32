// Regular expressions over bytes: never backtracking, so that no input takes long. Bytes beyond ASCII are seen as Latin-1.

using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Routing;

/// <summary>Runs the runtime's non-backtracking expressions on bytes.</summary>
public static class RegexBytes
{
    /// <summary>Whether the expression matches; it anchors itself.</summary>
    public static bool IsMatch(Regex pattern, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length <= 512)
        {
            Span<char> few = stackalloc char[512];
            Encoding.Latin1.GetChars(bytes, few);
            return pattern.IsMatch(few[..bytes.Length]);
        }

        var many = ArrayPool<char>.Shared.Rent(bytes.Length);
        Encoding.Latin1.GetChars(bytes, many);
        var found = pattern.IsMatch(many.AsSpan(0, bytes.Length));
        ArrayPool<char>.Shared.Return(many);
        return found;
    }

    /// <summary>Matches and keeps the groups. Allocates: only routes with captures come here.</summary>
    public static bool Match(Regex pattern, ByteRange text, Captures captures)
    {
        var match = pattern.Match(Encoding.Latin1.GetString(text.Span));
        if (!match.Success) return false;
        for (var i = 0; i < match.Groups.Count; i++)
        {
            var group = match.Groups[i];
            captures.Set(i, group.Success ? text.Slice(group.Index, group.Length) : default);
        }

        return true;
    }
}
