// Cache deception: somebody is led to /account/x.css, the application takes it for /account, and a cache that keeps files keeps
// the page. Where a path ends as a file's does, and the answer is a page or data, nobody but the origin itself can say that it may
// be kept.

using System.Collections.Frozen;
using Weir.Wire.Bytes;

namespace Weir.Engine.Caching;

/// <summary>Whether a path and a content type agree.</summary>
internal static class Deception
{
    private const int LongestEnding = 5;

    private static readonly FrozenSet<string> Files = new[]
    {
        "7z", "apk", "avi", "avif", "bin", "bmp", "bz2", "class", "css", "csv", "dmg", "doc", "docx", "ejs", "eot", "eps", "exe", "flac", "gif", "gz", "ico", "iso", "jar", "jpeg", "jpg", "js", "jxl", "mid", "midi", "mjs", "mkv",
        "mp3", "mp4", "ogg", "otf", "pdf", "pict", "pls", "png", "ppt", "pptx", "ps", "rar", "svg", "svgz", "swf", "tar", "tif", "tiff", "ttf", "wasm", "webm", "webp", "woff", "woff2", "xls", "xlsx", "zip", "zst",
    }.ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Endings = Files.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Whether an answer is not what its path looks like.</summary>
    /// <param name="path">The path as the client wrote it.</param>
    /// <param name="contentType">What the answer says it is; empty: it does not say.</param>
    public static bool IsLikely(ReadOnlySpan<byte> path, ReadOnlySpan<byte> contentType) => IsPage(contentType) && LooksLikeFile(path);

    // What follows ';' or an escape behind the last dot is no part of the ending to everybody.
    private static bool LooksLikeFile(ReadOnlySpan<byte> path)
    {
        var rest = path[(path.LastIndexOf((byte)'.') + 1)..];
        if (rest.Length == path.Length) return false;
        var end = rest.IndexOfAny((byte)';', (byte)'%');
        if (end >= 0) rest = rest[..end];
        if (rest.Length is 0 or > LongestEnding) return false;
        Span<char> ending = stackalloc char[LongestEnding];
        for (var i = 0; i < rest.Length; i++) ending[i] = (char)Ascii.ToLower(rest[i]);
        return Endings.Contains(ending[..rest.Length]);
    }

    private static bool IsPage(ReadOnlySpan<byte> contentType)
    {
        var end = contentType.IndexOf((byte)';');
        var type = Ascii.TrimWhiteSpace(end < 0 ? contentType : contentType[..end]);
        return Ascii.EqualsIgnoreCase(type, "text/html"u8) || Ascii.EqualsIgnoreCase(type, "application/xhtml+xml"u8) || Ascii.EqualsIgnoreCase(type, "application/json"u8)
            || (type.Length > 5 && Ascii.EqualsIgnoreCase(type[^5..], "+json"u8));
    }
}
