// "${NAME}" and "${file:/path}" in values, after parsing, so that places still hold. "$${" stands for "${".

namespace Weir.Control.Configuration;

/// <summary>Puts the environment and secret files into values.</summary>
public static class Substitution
{
    private const int MostFileBytes = 1 << 20;

    /// <summary>Substitutes in every scalar below a node; keys are left alone.</summary>
    public static void Apply(Node node, Func<string, string?> environment, Diagnostics diagnostics)
    {
        switch (node)
        {
            case ScalarNode scalar:
                if (scalar.Text.Contains("${", StringComparison.Ordinal)) Replace(scalar, environment, diagnostics);
                break;
            case ListNode list:
                foreach (var item in list.Items) Apply(item, environment, diagnostics);
                break;
            case MapNode map:
                foreach (var (_, value) in map.Entries) Apply(value, environment, diagnostics);
                break;
        }
    }

    private static void Replace(ScalarNode scalar, Func<string, string?> environment, Diagnostics diagnostics)
    {
        var text = new System.Text.StringBuilder();
        var rest = scalar.Text.AsSpan();
        while (rest.IndexOf("${") is >= 0 and var at)
        {
            if (at > 0 && rest[at - 1] == '$')
            {
                text.Append(rest[..(at - 1)]).Append("${");
                rest = rest[(at + 2)..];
                continue;
            }

            text.Append(rest[..at]);
            rest = rest[(at + 2)..];
            var close = rest.IndexOf('}');
            if (close < 0)
            {
                diagnostics.Error(scalar.At, "'${' without '}': write '$${' for the characters themselves");
                scalar.IsWrong = true;
                return;
            }

            var name = rest[..close].ToString();
            rest = rest[(close + 1)..];
            if (Value(name, environment, out var trouble) is { } value)
            {
                text.Append(value);
                scalar.IsSecret = true;
            }
            else
            {
                diagnostics.Error(scalar.At, trouble);
                scalar.IsWrong = true;
            }
        }

        scalar.Text = text.Append(rest).ToString();
    }

    private static string? Value(string name, Func<string, string?> environment, out string trouble)
    {
        trouble = "";
        if (!name.StartsWith("file:", StringComparison.Ordinal))
        {
            var value = environment(name);
            if (value is null) trouble = $"the environment has no '{name}'";
            return value;
        }

        var path = name[5..];
        try
        {
            if (new FileInfo(path).Length > MostFileBytes)
            {
                trouble = $"'{path}' is larger than {MostFileBytes >> 20} MiB";
                return null;
            }

            return File.ReadAllText(path).TrimEnd('\r', '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            trouble = $"cannot read '{path}': {e.Message}";
            return null;
        }
    }
}
