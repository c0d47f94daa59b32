// From a file, a folder or a text to a checked configuration, with every mistake at once.

namespace Weir.Control.Configuration;

/// <summary>Loads configurations.</summary>
public static class ConfigLoader
{
    /// <summary>Loads a file, or a folder of them.</summary>
    /// <returns>The configuration; null where there are errors.</returns>
    public static ProxyConfig? Load(string path, Diagnostics diagnostics, Func<string, string?>? environment = null)
    {
        var draft = Draft(path, diagnostics, environment);
        return diagnostics.HasErrors ? null : draft;
    }

    /// <summary>Loads what can be read of it, errors or not; null where there is nothing.</summary>
    public static ProxyConfig? Draft(string path, Diagnostics diagnostics, Func<string, string?>? environment = null)
    {
        string[] names = [path];
        if (Directory.Exists(path))
        {
            try
            {
                names = [.. Directory.GetFiles(path).Where(f => Path.GetExtension(f) is ".yaml" or ".yml" or ".json" && Path.GetFileName(f)[0] != '.').Order(StringComparer.Ordinal)];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                diagnostics.Error(new Position(path, 0, 0), $"cannot be read: {e.Message}");
                return null;
            }

            if (names.Length == 0) diagnostics.Error(new Position(path, 0, 0), "the folder holds no .yaml, .yml or .json file");
        }

        return Read([.. names.Select(name => (name, Text(name, diagnostics)))], diagnostics, environment);
    }

    /// <summary>Reads one text; null where there are errors.</summary>
    public static ProxyConfig? Read(string file, string text, Diagnostics diagnostics, Func<string, string?>? environment = null)
    {
        var draft = Read([(file, text)], diagnostics, environment);
        return diagnostics.HasErrors ? null : draft;
    }

    /// <summary>A file's text; null, and told, where it cannot be read.</summary>
    internal static string? Text(string file, Diagnostics diagnostics)
    {
        try
        {
            var bytes = File.ReadAllBytes(file);
            if (bytes.AsSpan() is [0xFE, 0xFF, ..] or [0xFF, 0xFE, ..] || System.Text.Unicode.Utf8.IsValid(bytes)) return File.ReadAllText(file);
            var good = System.Text.Encoding.UTF8.GetString(bytes).IndexOf('\uFFFD', StringComparison.Ordinal);
            var before = System.Text.Encoding.UTF8.GetString(bytes)[..good];
            diagnostics.Error(new Position(file, before.Count(static c => c == '\n') + 1, good - before.LastIndexOf('\n')), "this is not UTF-8: save the file as UTF-8");
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Error(new Position(file, 0, 0), $"cannot be read: {e.Message}");
            return null;
        }
    }

    private static ProxyConfig? Read(List<(string File, string? Text)> files, Diagnostics diagnostics, Func<string, string?>? environment)
    {
        MapNode? whole = null;
        var isCut = false;
        foreach (var (file, text) in files)
        {
            var mistakes = diagnostics.Errors;
            var root = text is null ? null : YamlTree.Read(file, text, diagnostics);
            if (root is MapNode map)
            {
                if (whole is null) whole = map;
                else Merge(whole, map, diagnostics);
                continue;
            }

            if (root is not (null or ScalarNode { IsNull: true } or { IsWrong: true })) diagnostics.Error(root.At, $"expected a map of settings, found {root.Kind}");
            isCut |= text is null || diagnostics.Errors > mistakes;
        }

        if (whole is null)
        {
            if (!diagnostics.HasErrors) diagnostics.Error(new Position(files.Count > 0 ? files[0].File : "configuration", 1, 1), "nothing is configured: the least is 'listen: \":8080\"' and 'sites: [{ proxy: \"http://127.0.0.1:9000\" }]'");
            return null;
        }

        whole.IsCut |= isCut;
        Substitution.Apply(whole, environment ?? Environment.GetEnvironmentVariable, diagnostics);
        ProxySchema.Root.Read(whole, diagnostics, out var config);
        ConfigChecks.Check(config, diagnostics);
        return config;
    }

    // Lists and maps of several files add up; a scalar or a name given twice is a mistake: two files that each think of
    // an upstream of their own would silently share it.
    private static void Merge(MapNode into, MapNode from, Diagnostics diagnostics, bool areNames = false)
    {
        into.IsCut |= from.IsCut;
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
            else if (existing is ListNode list && value is ListNode more) Join(list, more);
            else if (existing is MapNode map && value is MapNode further) Merge(map, further, diagnostics, key.Text == "upstreams");
            else diagnostics.Error(key.At, $"'{key.Text}' is given twice; first at {first.At}");
        }
    }

    private static void Join(ListNode into, ListNode from)
    {
        into.Items.AddRange(from.Items);
        into.IsCut |= from.IsCut;
    }
}
