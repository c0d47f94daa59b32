// Which media types are compressed: whole names, or with one '*' that stands for anything.

using Weir.Wire.Bytes;

namespace Weir.Engine.Policies.Compression;

/// <summary>A list of media types such as text/* and application/json. Immutable.</summary>
public sealed class MediaTypeList
{
    /// <summary>What is worth it, on the web.</summary>
    public static readonly string[] Usual =
    [
        "text/*", "application/json", "application/*+json", "application/javascript", "application/x-javascript", "application/ecmascript",
        "application/xml", "application/*+xml", "application/manifest+json", "application/wasm", "application/graphql", "application/yaml",
        "application/x-ndjson", "application/x-www-form-urlencoded", "application/rtf", "application/postscript", "application/vnd.ms-fontobject",
        "application/x-font-ttf", "font/ttf", "font/otf", "image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon", "model/gltf+json",
    ];

    private readonly (byte[] Before, byte[] Behind, bool IsWhole)[] patterns;

    public MediaTypeList(IEnumerable<string> types) => patterns = [.. types.Select(static type => type.IndexOf('*', StringComparison.Ordinal) is var star and >= 0
        ? (System.Text.Encoding.ASCII.GetBytes(type[..star]), System.Text.Encoding.ASCII.GetBytes(type[(star + 1)..]), false)
        : (System.Text.Encoding.ASCII.GetBytes(type), Array.Empty<byte>(), true))];

    /// <summary>Whether a Content-Type is of the list; one that is none is not.</summary>
    public bool Holds(ReadOnlySpan<byte> contentType)
    {
        var type = TypeOf(contentType);
        if (type.IsEmpty) return false;
        foreach (var (before, behind, isWhole) in patterns)
        {
            if (isWhole ? Ascii.EqualsIgnoreCase(type, before) : type.Length >= before.Length + behind.Length && Ascii.EqualsIgnoreCase(type[..before.Length], before) && Ascii.EqualsIgnoreCase(type[^behind.Length..], behind)) return true;
        }

        return false;
    }

    /// <summary>Whether a Content-Type is one of events, which are sent one by one.</summary>
    public static bool IsLive(ReadOnlySpan<byte> contentType) => Ascii.EqualsIgnoreCase(TypeOf(contentType), "text/event-stream"u8);

    /// <summary>Whether a Content-Type is one of several parts, of which it says nothing.</summary>
    public static bool IsOfParts(ReadOnlySpan<byte> contentType) => Ascii.EqualsIgnoreCase(TypeOf(contentType), "multipart/byteranges"u8);

    private static ReadOnlySpan<byte> TypeOf(ReadOnlySpan<byte> contentType)
    {
        var end = contentType.IndexOf((byte)';');
        return Ascii.TrimWhiteSpace(end < 0 ? contentType : contentType[..end]);
    }
}
