// What a value may look like. A shape reads a node, says in words what it takes, and describes itself as JSON Schema: one
// table parses, validates and documents.

using System.Text.Json.Nodes;

namespace Weir.Control.Configuration;

/// <summary>A shape of values.</summary>
public abstract class Shape
{
    /// <summary>What it takes, for people: "a duration such as 250ms".</summary>
    public abstract string Words { get; }

    /// <summary>Its JSON Schema; sections are referred to by name and put into <paramref name="definitions"/>.</summary>
    public abstract JsonObject Schema(SortedDictionary<string, JsonObject> definitions);

    /// <summary>The sections it leads to, for the reference.</summary>
    public virtual IEnumerable<ISection> Sections => [];
}

/// <summary>A shape of values of one type.</summary>
public abstract class Shape<T> : Shape
{
    /// <summary>Reads a node; says what is wrong and returns false where it does not fit.</summary>
    public abstract bool TryRead(Node node, Diagnostics diagnostics, out T value);
}

/// <summary>A single value made from text.</summary>
public sealed class ScalarShape<T>(string words, string schemaType, Func<string, (T Value, string? Trouble)> read, string? pattern = null, string[]? choices = null) : Shape<T>
{
    public override string Words => words;

    public override bool TryRead(Node node, Diagnostics diagnostics, out T value)
    {
        value = default!;
        if (node is not ScalarNode scalar || scalar.IsNull)
        {
            var hint = node is MapNode { Entries.Count: 1 } ? "; if braces are meant literally, quote the value" : "";
            diagnostics.Error(node.At, $"expected {words}, found {node.Kind}{hint}");
            return false;
        }

        var (result, trouble) = read(scalar.Text);
        if (trouble is not null)
        {
            diagnostics.Error(node.At, scalar.IsSecret ? $"expected {words}" : trouble);
            return false;
        }

        value = result;
        return true;
    }

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions)
    {
        var schema = new JsonObject { ["description"] = words };
        if (choices is not null) schema["enum"] = new JsonArray([.. choices.Select(c => (JsonNode)c)]);
        else schema["type"] = schemaType == "scalar" ? new JsonArray("string", "number", "integer") : schemaType;
        if (pattern is not null && schemaType == "string") schema["pattern"] = pattern;
        return schema;
    }
}

/// <summary>One value, or a list of them.</summary>
public sealed class ListShape<T>(Shape<T> item) : Shape<List<T>>
{
    public override string Words => $"{item.Words}, or a list of such";

    public override IEnumerable<ISection> Sections => item.Sections;

    public override bool TryRead(Node node, Diagnostics diagnostics, out List<T> value)
    {
        value = [];
        if (node is not ListNode list)
        {
            if (!item.TryRead(node, diagnostics, out var one)) return false;
            value.Add(one);
            return true;
        }

        var good = true;
        foreach (var entry in list.Items)
        {
            if (item.TryRead(entry, diagnostics, out var one)) value.Add(one);
            else good = false;
        }

        return good;
    }

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions) => new()
    {
        ["anyOf"] = new JsonArray(item.Schema(definitions), new JsonObject { ["type"] = "array", ["items"] = item.Schema(definitions) }),
    };
}

/// <summary>A map from names to values, in the order written.</summary>
public sealed class MapShape<T>(string names, Shape<T> item, Func<string, string?>? checkName = null) : Shape<List<Named<T>>>
{
    public override string Words => $"a map from {names} to {item.Words}";

    public override IEnumerable<ISection> Sections => item.Sections;

    public override bool TryRead(Node node, Diagnostics diagnostics, out List<Named<T>> value)
    {
        value = [];
        if (node is not MapNode map)
        {
            diagnostics.Error(node.At, $"expected {Words}, found {node.Kind}");
            return false;
        }

        var good = true;
        foreach (var (key, entry) in map.Entries)
        {
            if (checkName?.Invoke(key.Text) is { } trouble)
            {
                diagnostics.Error(key.At, trouble);
                good = false;
            }
            else if (item.TryRead(entry, diagnostics, out var one))
            {
                value.Add(new Named<T>(key.Text, key.At, one));
            }
            else
            {
                good = false;
            }
        }

        return good;
    }

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions) => new()
    {
        ["type"] = "object",
        ["additionalProperties"] = item.Schema(definitions),
    };
}

/// <summary>An entry of a map.</summary>
public sealed record Named<T>(string Name, Position At, T Value);
