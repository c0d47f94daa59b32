// The table as JSON Schema (draft 2020-12), for editors.

using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weir.Control.Configuration;

/// <summary>The JSON Schema of the language.</summary>
public static class SchemaDocument
{
    public static string Write()
    {
        var definitions = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
        var root = ProxySchema.Root.Schema(definitions);
        root["$schema"] = "https://json-schema.org/draft/2020-12/schema";
        root["title"] = "Weir configuration";
        var all = new JsonObject();
        foreach (var (name, schema) in definitions) all[name] = schema;
        root["$defs"] = all;
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true })) root.WriteTo(writer);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }
}
