// From a file, a folder or a text to a checked configuration, with every mistake at once.

namespace Weir.Control.Configuration;

/// <summary>Loads configurations.</summary>
public static class ConfigLoader
{
    /// <summary>Loads a file, or a folder of them.</summary>
    /// <returns>The configuration; null where there are errors.</returns>
    public static ProxyConfig? Load(string path, Diagnostics diagnostics, Func<string, string?>? environment = null)
    {
        var files = new List<(string, string)>();
        try
        {
            if (Directory.Exists(path))
            {
                var names = Directory.GetFiles(path).Where(f => Path.GetExtension(f) is ".yaml" or ".yml" or ".json").Order(StringComparer.Ordinal).ToArray();
                if (names.Length == 0) diagnostics.Error(new Position(path, 0, 0), "the folder holds no .yaml, .yml or .json file");
                foreach (var name in names) files.Add((name, File.ReadAllText(name)));
            }
            else
            {
                files.Add((path, File.ReadAllText(path)));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Error(new Position(path, 0, 0), $"cannot be read: {e.Message}");
            return null;
        }

        return Read(files, diagnostics, environment);
    }

    /// <summary>Reads one text.</summary>
    public static ProxyConfig? Read(string file, string text, Diagnostics diagnostics, Func<string, string?>? environment = null) =>
        Read([(file, text)], diagnostics, environment);

    private static ProxyConfig? Read(List<(string File, string Text)> files, Diagnostics diagnostics, Func<string, string?>? environment)
    {
        MapNode? whole = null;
        foreach (var (file, text) in files)
        {
            var root = YamlTree.Read(file, text, diagnostics);
            if (root is null) continue;
            if (root is not MapNode map)
            {
                if (root is not ScalarNode { IsNull: true }) diagnostics.Error(root.At, $"expected a map of settings, found {root.Kind}");
                continue;
            }

            if (whole is null) whole = map;
            else Merge(whole, map, diagnostics);
        }

        if (diagnostics.HasErrors) return null;
        if (whole is null)
        {
            diagnostics.Error(new Position(files.Count > 0 ? files[0].File : "configuration", 1, 1), "nothing is configured: the least is 'listen: \":8080\"' and 'sites: [{ proxy: \"http://127.0.0.1:9000\" }]'");
            return null;
        }

        Substitution.Apply(whole, environment ?? Environment.GetEnvironmentVariable, diagnostics);
        var read = ProxySchema.Root.TryRead(whole, diagnostics, out var config);
        if (read) ConfigChecks.Check(config, diagnostics);
        return diagnostics.HasErrors ? null : config;
    }

    // Lists and maps of several files add up; a scalar or a name given twice is a mistake: two files that each think of
    // an upstream of their own would silently share it.
    private static void Merge(MapNode into, MapNode from, Diagnostics diagnostics, bool areNames = false)
    {
        foreach (var (key, value) in from.Entries)
        {
            var index = into.Entries.FindIndex(e => e.Key.Text == key.Text);
            if (index < 0)
            {
                into.Entries.Add((key, value));
                continue;
            }

            var (first, existing) = into.Entries[index];
            if (areNames) diagnostics.Error(key.At, $"'{key.Text}' is given twice; first at {first.At}");
            else if (existing is ListNode list && value is ListNode more) list.Items.AddRange(more.Items);
            else if (existing is MapNode map && value is MapNode further) Merge(map, further, diagnostics, key.Text == "upstreams");
            else diagnostics.Error(key.At, $"'{key.Text}' is given twice; first at {first.At}");
        }
    }
}
