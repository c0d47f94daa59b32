// A file with endpoints, as `discover: { file: … }` names it: read with the configuration, and later whenever it changes. What
// it says is data of somebody else: no environment or files are put into it.

namespace Weir.Control.Configuration;

/// <summary>Reads files of endpoints.</summary>
public static class EndpointFile
{
    /// <summary>The endpoints of a file; null, and told, where it is not good as a whole.</summary>
    /// <param name="path">The file.</param>
    /// <param name="at">Where it is named.</param>
    /// <param name="diagnostics">What is wrong, at its place in the file.</param>
    public static List<EndpointConfig>? Read(string path, Position at, Diagnostics diagnostics)
    {
        var mistakes = diagnostics.Errors;
        if (Trouble(path) is { } trouble)
        {
            diagnostics.Error(at, trouble);
            return null;
        }

        if (ConfigLoader.Text(path, diagnostics) is not { } text) return null;
        var root = YamlTree.Read(path, text, diagnostics);
        // Half of a file may look whole: nothing at all is no list, "[]" is.
        if (root is not ListNode && diagnostics.Errors == mistakes) diagnostics.Error(root?.At ?? new Position(path, 1, 1), $"expected a list of endpoints, found {root?.Kind ?? "nothing"}");
        if (root is not ListNode list) return null;
        Shapes.ListOf(ProxySchema.Endpoint).Read(list, diagnostics, out var endpoints);
        ConfigChecks.CheckEndpoints(endpoints, list.At, diagnostics);
        return diagnostics.Errors == mistakes ? endpoints : null;
    }

    private static string? Trouble(string path)
    {
        try
        {
            if (!File.Exists(path)) return Directory.Exists(path) ? $"'{path}' is a folder, not a file of endpoints" : $"there is no file '{path}'";
            using var file = File.OpenHandle(path);
            return RandomAccess.GetLength(file) <= YamlTree.MostBytes ? null : $"'{path}' is larger than {YamlTree.MostBytes >> 20} MiB";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot read '{path}': {e.Message}";
        }
    }
}
