// For which URLs a dictionary is (RFC 9842 §2.1.1): of URL patterns what is used for that, text with '*' for anything. One that says
// more (names, groups, modifiers) is none here: a dictionary under such a pattern is not kept.

namespace Weir.Engine.Caching;

/// <summary>A pattern for paths and queries. Immutable.</summary>
public sealed class UrlMatch
{
    /// <summary>Bytes that a pattern may have.</summary>
    public const int MostBytes = 256;

    /// <summary>Bytes of a path, and of a query, that are compared; a longer one matches nothing.</summary>
    public const int MostCompared = 1024;

    // Where a pattern has an escape, what it stands for is no wildcard: the byte that no URL holds is.
    private const byte Any = 0;

    private readonly byte[] path;
    private readonly byte[]? query;

    private UrlMatch(byte[] path, byte[]? query) => (this.path, this.query) = (path, query);

    /// <summary>Reads a pattern.</summary>
    /// <param name="text">As it is written.</param>
    /// <param name="url">The dictionary's own URL.</param>
    /// <param name="match">The pattern.</param>
    /// <returns>False: it says more than is read here, or is for another origin.</returns>
    public static bool TryParse(ReadOnlySpan<byte> text, ReadOnlySpan<byte> url, out UrlMatch match)
    {
        match = null!;
        if (text.Length is 0 or > MostBytes) return false;
        var origin = OriginOf(url);
        if (text.StartsWith("https://"u8) || text.StartsWith("http://"u8))
        {
            if (!text.StartsWith(origin) || text.Length == origin.Length || text[origin.Length] != '/') return false;
            text = text[origin.Length..];
        }

        Span<byte> read = stackalloc byte[MostBytes];
        if (!TryRead(text, read, out var length, out var mark)) return false;
        ReadOnlySpan<byte> path = read[..(mark < 0 ? length : mark)];
        var query = mark < 0 ? null : read[(mark + 1)..length].ToArray();
        if (path.IsEmpty) return false;
        if (path[0] == '/')
        {
            match = new UrlMatch(path.ToArray(), query);
            return true;
        }

        // Relative to where the dictionary lies.
        var own = PathOf(url);
        match = new UrlMatch([.. own[..(own.LastIndexOf((byte)'/') + 1)], .. path], query);
        return true;
    }

    /// <summary>Whether a URL is one of those; its origin is not looked at.</summary>
    public bool Holds(ReadOnlySpan<byte> url)
    {
        var rest = url[OriginOf(url).Length..];
        var mark = rest.IndexOf((byte)'?');
        return Holds(path, mark < 0 ? rest : rest[..mark]) && (query is null || Holds(query, mark < 0 ? default : rest[(mark + 1)..]));
    }

    /// <summary>Scheme and authority of a URL as keys are.</summary>
    public static ReadOnlySpan<byte> OriginOf(ReadOnlySpan<byte> url)
    {
        var start = url.IndexOf("://"u8) + 3;
        var length = url[start..].IndexOfAny("/?"u8);
        return length < 0 ? url : url[..(start + length)];
    }

    private static ReadOnlySpan<byte> PathOf(ReadOnlySpan<byte> url)
    {
        var rest = url[OriginOf(url).Length..];
        var mark = rest.IndexOf((byte)'?');
        return mark < 0 ? rest : rest[..mark];
    }

    // Where the query begins (-1: none is said), and everything without its escapes.
    private static bool TryRead(ReadOnlySpan<byte> text, Span<byte> read, out int length, out int mark)
    {
        (length, mark) = (0, -1);
        var wasAny = false;
        for (var i = 0; i < text.Length; i++)
        {
            var b = text[i];
            if (b is <= 0x20 or >= 0x7f or (byte)'{' or (byte)'}' or (byte)'(' or (byte)')' or (byte)':' or (byte)'#') return false;
            if (wasAny && b is (byte)'?' or (byte)'+' or (byte)'*') return false; // How often, not what.
            wasAny = b == '*';
            if (b == '\\' && (++i == text.Length || text[i] is <= 0x20 or >= 0x7f)) return false;
            if (b == '?' && mark < 0) mark = length;
            read[length++] = wasAny ? Any : text[i];
        }

        return true;
    }

    // Each '*' takes as little as will do; where it does not do, the last one takes one byte more.
    private static bool Holds(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> text)
    {
        if (text.Length > MostCompared) return false;
        var (p, t, star, from) = (0, 0, -1, 0);
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == Any)
            {
                (star, from) = (p++, t);
            }
            else if (p < pattern.Length && pattern[p] == text[t])
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++from;
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].IndexOfAnyExcept(Any) < 0;
    }
}
