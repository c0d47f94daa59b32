// What a partial file is a part of: kept beside it, so that a later run goes on with the same bytes or begins anew.

using System.Text.Json;

namespace Weir.Control.Downloads;

/// <summary>What the bytes belong to.</summary>
/// <param name="Url">Where it was asked for.</param>
/// <param name="Tag">Its strong validator, quoted.</param>
/// <param name="Length">Bytes of the whole.</param>
/// <param name="Digest">Its Repr-Digest as it was sent; null: none.</param>
public sealed record PartState(string Url, string Tag, long Length, string? Digest)
{
    private const int MostBytes = 65536;

    /// <summary>Of an answer; null: it cannot be gone on with.</summary>
    public static PartState? Of(string url, string? tag, long length, string? digest) =>
        length > 0 && tag is { Length: >= 2 } && tag[0] == '"' && tag[^1] == '"' ? new PartState(url, tag, length, digest) : null;

    /// <summary>Reads what was kept; null: nothing that can be used.</summary>
    public static PartState? Read(string path)
    {
        try
        {
            if (new FileInfo(path) is not { Exists: true, Length: <= MostBytes }) return null;
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return Read(json.RootElement);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Keeps it: whole or not at all.</summary>
    public void Write(string path)
    {
        var made = path + ".new";
        using (var file = File.Create(made))
        using (var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("url", Url);
            json.WriteString("etag", Tag);
            json.WriteNumber("length", Length);
            if (Digest is not null) json.WriteString("repr_digest", Digest);
            json.WriteEndObject();
        }

        File.Move(made, path, overwrite: true);
    }

    private static PartState? Read(JsonElement from)
    {
        if (from.ValueKind != JsonValueKind.Object || Text(from, "url") is not { } url || Text(from, "etag") is not { } tag) return null;
        if (!from.TryGetProperty("length", out var length) || length.ValueKind != JsonValueKind.Number || !length.TryGetInt64(out var bytes)) return null;
        return Of(url, tag.Any(static c => c is < ' ' or > '~') ? null : tag, bytes, Text(from, "repr_digest"));
    }

    private static string? Text(JsonElement from, string name) => from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
