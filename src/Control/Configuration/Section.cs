// A map with known keys. Its rows are the table: name, shape, where the value goes, one line of documentation, default.

using System.Text.Json.Nodes;

namespace Weir.Control.Configuration;

/// <summary>One row of the table.</summary>
public interface IKey
{
    string Name { get; }

    Shape Shape { get; }

    string Doc { get; }

    string? Default { get; }
}

/// <summary>A section, for documents.</summary>
public interface ISection
{
    string Name { get; }

    string Doc { get; }

    /// <summary>Short forms, in words.</summary>
    IReadOnlyList<Shape> ShortForms { get; }

    IReadOnlyList<IKey> Keys { get; }
}

/// <summary>What every section's object knows.</summary>
public interface IWritten
{
    /// <summary>Where it stands.</summary>
    Position At { get; set; }
}

/// <summary>A section whose values go into a <typeparamref name="T"/>.</summary>
public sealed class Section<T>(string name, string doc) : Shape<T>, ISection
    where T : IWritten, new()
{
    private readonly List<Key> keys = [];
    private readonly List<(Shape Shape, Func<Node, Diagnostics, (Reading, T)> Read, Func<Node, bool> Fits)> shortForms = [];
    private readonly Dictionary<string, string> misplaced = [];

    public string Name => name;

    public string Doc => doc;

    /// <summary>What other programs call its keys; see <see cref="NearestWord"/>.</summary>
    public IReadOnlyDictionary<string, string>? OtherWords { get; init; }

    public IReadOnlyList<Shape> ShortForms => [.. shortForms.Select(s => s.Shape)];

    IReadOnlyList<IKey> ISection.Keys => keys;

    public override string Words => shortForms.Count == 0 ? $"a map ({name})" : $"{string.Join(", or ", shortForms.Select(s => s.Shape.Words))}, or a map ({name})";

    public override IEnumerable<ISection> Sections => [this];

    /// <summary>Adds a row.</summary>
    public Section<T> Add<TValue>(string key, Shape<TValue> shape, Action<T, TValue> set, string line, string? standard = null)
    {
        misplaced.Remove(key);
        keys.Add(new Key(key, shape, line, standard, (target, node, diagnostics) =>
        {
            diagnostics.Place(target, key, node);
            var reading = shape.Read(node, diagnostics, out var value);
            if (reading != Reading.Lost) set(target, value);
            if (reading >= Reading.Partial) diagnostics.Mark(target, key);
            return reading;
        }));
        return this;
    }

    /// <summary>Adds a short form: a value that says it all.</summary>
    public Section<T> Short<TValue>(Shape<TValue> shape, Action<T, TValue> set, Func<Node, bool>? fits = null)
    {
        shortForms.Add((shape, (node, diagnostics) =>
        {
            var target = new T { At = node.At };
            var reading = shape.Read(node, diagnostics, out var value);
            if (reading != Reading.Lost) set(target, value);
            if (reading >= Reading.Partial) diagnostics.Mark(target);
            return (reading, target);
        }, fits ?? (static node => node is ScalarNode)));
        return this;
    }

    /// <summary>The section of a narrower scope: only these of its rows. What has no place there is told where it belongs.</summary>
    public Section<T> Within(string scope, string line, Func<string, string> belongs, params string[] rows)
    {
        var narrow = new Section<T>(scope, line);
        foreach (var key in keys)
        {
            if (rows.Contains(key.Name)) narrow.keys.Add(key with { Default = null });
            else narrow.misplaced.Add(key.Name, belongs(key.Name));
        }

        return narrow;
    }

    // Never Lost: what is wrong is told and remembered, and the rest is read and checked.
    public override Reading Read(Node node, Diagnostics diagnostics, out T value)
    {
        var reading = Fill(node, diagnostics, out value);
        if (reading == Reading.Good) return reading;
        diagnostics.MarkFlawed(value);
        return Reading.Marked;
    }

    private Reading Fill(Node node, Diagnostics diagnostics, out T value)
    {
        if (!node.IsWrong)
        {
            foreach (var form in shortForms)
            {
                if (!form.Fits(node)) continue;
                (var fits, value) = form.Read(node, diagnostics);
                return fits;
            }
        }

        value = new T { At = node.At };
        if (node is not MapNode map || node.IsWrong)
        {
            if (!node.IsWrong) diagnostics.Error(node.At, $"expected {Words}, found {node.Kind}");
            diagnostics.Mark(value);
            return Reading.Partial;
        }

        if (map.IsCut) diagnostics.Mark(value);
        var worst = map.IsCut ? Reading.Partial : Reading.Good;
        foreach (var (key, entry) in map.Entries)
        {
            var row = keys.Find(k => k.Name == key.Text);
            var reading = row is null ? Refuse(key, entry, map, value, diagnostics) : row.Read(value, entry, diagnostics);
            if (reading > worst) worst = reading;
        }

        return worst;
    }

    private Reading Refuse(ScalarNode key, Node entry, MapNode map, T value, Diagnostics diagnostics)
    {
        if (misplaced.TryGetValue(key.Text, out var where))
        {
            diagnostics.Error(key.At, where);
            return Reading.Partial;
        }

        // "{host}" without quotes is a map to YAML.
        var isTrap = shortForms.Count > 0 && map.Entries.Count == 1 && entry is ScalarNode { IsNull: true };
        var belongs = ProxySchema.Belongs(key.Text); // Written rightly in the wrong place is likelier than a slip.
        var meant = belongs.Length > 0 ? null : NearestWord.Find(key.Text, keys.Select(k => k.Name), OtherWords);
        diagnostics.Error(key.At, $"unknown key '{key.Text}' in {name}{(isTrap ? "; if braces are meant literally, quote the value" : meant is null ? belongs : $"; did you mean '{meant}'?")}");
        if (isTrap) diagnostics.Mark(value);
        else if (meant is not null) diagnostics.Mark(value, meant);
        return Reading.Partial;
    }

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions)
    {
        if (!definitions.ContainsKey(name))
        {
            definitions[name] = []; // A section may hold itself.
            var properties = new JsonObject();
            foreach (var key in keys)
            {
                var schema = key.Shape.Schema(definitions);
                schema["description"] = key.Default is null ? key.Doc : $"{key.Doc} Default: {key.Default}.";
                properties[key.Name] = schema;
            }

            var self = new JsonObject { ["type"] = "object", ["description"] = doc, ["properties"] = properties, ["additionalProperties"] = false };
            definitions[name] = shortForms.Count == 0
                ? self
                : new JsonObject { ["anyOf"] = new JsonArray([.. shortForms.Select(s => (JsonNode)s.Shape.Schema(definitions)), self]) };
        }

        return new JsonObject { ["$ref"] = $"#/$defs/{name}" };
    }

    private sealed record Key(string Name, Shape Shape, string Doc, string? Default, Func<T, Node, Diagnostics, Reading> Read) : IKey;
}
