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

/// <summary>How well a node fitted. What is wrong has been said wherever it is not Good.</summary>
public enum Reading
{
    Good,

    /// <summary>The value holds all that was written; what is wrong within is remembered with its sections.</summary>
    Marked,

    /// <summary>The value lacks some of what was written.</summary>
    Partial,

    /// <summary>There is no value.</summary>
    Lost,
}

/// <summary>A shape of values of one type.</summary>
public abstract class Shape<T> : Shape
{
    /// <summary>Reads a node; says what is wrong where it does not fit, and goes on, so that all is said at once.</summary>
    public abstract Reading Read(Node node, Diagnostics diagnostics, out T value);
}

/// <summary>A single value made from text.</summary>
public sealed class ScalarShape<T>(string words, string schemaType, Func<string, (T Value, string? Trouble)> read, string? pattern = null, string[]? choices = null) : Shape<T>
{
    public override string Words => words;

    public override Reading Read(Node node, Diagnostics diagnostics, out T value)
    {
        value = default!;
        if (node.IsWrong) return Reading.Lost;
        if (node is not ScalarNode scalar || scalar.IsNull)
        {
            var hint = node is MapNode { Entries.Count: 1 } ? "; if braces are meant literally, quote the value" : "";
            diagnostics.Error(node.At, $"expected {words}, found {node.Kind}{hint}");
            return Reading.Lost;
        }

        (value, var trouble) = read(scalar.Text);
        if (trouble is null) return Reading.Good;
        diagnostics.Error(node.At, scalar.IsSecret ? $"expected {words}" : trouble);
        return Reading.Lost;
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

    public override Reading Read(Node node, Diagnostics diagnostics, out List<T> value)
    {
        value = [];
        if (node.IsWrong) return Reading.Lost;
        if (node is not ListNode list) return Add(node, diagnostics, value);
        var worst = list.IsCut ? Reading.Partial : Reading.Good;
        foreach (var entry in list.Items)
        {
            var reading = Add(entry, diagnostics, value);
            if (reading == Reading.Lost) reading = Reading.Partial;
            if (reading > worst) worst = reading;
        }

        return worst;
    }

    private Reading Add(Node node, Diagnostics diagnostics, List<T> value)
    {
        var reading = item.Read(node, diagnostics, out var one);
        if (reading != Reading.Lost) value.Add(one);
        return reading;
    }

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions) => new()
    {
        ["anyOf"] = new JsonArray(item.Schema(definitions), new JsonObject { ["type"] = "array", ["items"] = item.Schema(definitions) }),
    };
}

/// <summary>A map from names to values, in the order written.</summary>
/// <param name="names">What the names are, for people.</param>
/// <param name="item">The values' shape.</param>
/// <param name="checkName">What is wrong with a name.</param>
/// <param name="comparer">Which names are the same.</param>
public sealed class MapShape<T>(string names, Shape<T> item, Func<string, string?>? checkName = null, StringComparer? comparer = null) : Shape<List<Named<T>>>
{
    public override string Words => $"a map from {names} to {item.Words}";

    public override IEnumerable<ISection> Sections => item.Sections;

    public override Reading Read(Node node, Diagnostics diagnostics, out List<Named<T>> value)
    {
        value = [];
        if (node.IsWrong) return Reading.Lost;
        if (node is not MapNode map)
        {
            diagnostics.Error(node.At, $"expected {Words}, found {node.Kind}");
            return Reading.Lost;
        }

        var worst = map.IsCut ? Reading.Partial : Reading.Good;
        var seen = new Dictionary<string, Position>(comparer ?? StringComparer.Ordinal);
        foreach (var (key, entry) in map.Entries)
        {
            var trouble = checkName?.Invoke(key.Text);
            if (trouble is null && !seen.TryAdd(key.Text, key.At)) trouble = $"'{key.Text}' stands twice; first at line {seen[key.Text].Line}";
            if (trouble is not null) diagnostics.Error(key.At, trouble);
            var reading = item.Read(entry, diagnostics, out var one);
            if (reading != Reading.Lost) value.Add(new Named<T>(key.Text, key.At, one));
            else reading = Reading.Partial;
            if (trouble is not null && reading == Reading.Good) reading = Reading.Marked;
            if (reading > worst) worst = reading;
        }

        return worst;
    }

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions) => new()
    {
        ["type"] = "object",
        ["additionalProperties"] = item.Schema(definitions),
    };
}

/// <summary>An entry of a map.</summary>
public sealed record Named<T>(string Name, Position At, T Value);
