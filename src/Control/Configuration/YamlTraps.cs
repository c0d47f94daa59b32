// Why a text is not YAML, in an operator's words and at the operator's place: nearly always a value that begins with a
// character that means something to YAML, or a tab. The parser says where it stumbled, which is often a line further on.

using YamlDotNet.Core;

namespace Weir.Control.Configuration;

/// <summary>Explains what the parser stumbled over.</summary>
internal static class YamlTraps
{
    /// <param name="text">The file.</param>
    /// <param name="from">The line of what was read last: what is wrong does not stand before it.</param>
    /// <param name="mistake">What the parser says.</param>
    public static (int Line, int Column, string Words) Explain(string text, int from, YamlException mistake)
    {
        var lines = text.Split('\n');
        var at = (int)Math.Clamp(mistake.Start.Line, 1, lines.Length);
        from = Math.Clamp(from, 1, lines.Length);

        // The tab may stand on the line behind the one that is not ended yet.
        for (var i = Math.Min(from, at); i <= Math.Min(Math.Max(from, at) + 1, lines.Length); i++)
        {
            if (IndentingTab(lines[i - 1]) is >= 0 and var tab) return (i, tab + 1, "a tab cannot indent: use spaces");
        }

        for (var i = Math.Min(from, at); i <= Math.Max(from, at); i++)
        {
            if (Trap(lines[i - 1], out var column) is { } words) return (i, column + 1, words);
        }

        return (at, (int)Math.Max(1, mistake.Start.Column), "not readable: " + (mistake.InnerException?.Message ?? mistake.Message).TrimEnd('.'));
    }

    private static int IndentingTab(string line)
    {
        var indent = line.Length - line.TrimStart(' ', '\t').Length;
        return indent == line.Length ? -1 : line.AsSpan(0, indent).IndexOf('\t');
    }

    // The first value of a line that cannot be read for how it begins.
    private static string? Trap(string line, out int column)
    {
        line = line.TrimEnd('\r');
        var isFlow = 0;
        for (column = 0; column < line.Length;)
        {
            var c = line[column];
            if (c is ' ' or ',' or '}' or ']' || (c is '-' or '?' or ':' && IsSpaceAt(line, column + 1)))
            {
                if (c is '}' or ']') isFlow--;
                column++;
                continue;
            }

            if (c == '#') return null;
            if (c is '"' or '\'')
            {
                column = AfterQuote(line, column);
                continue;
            }

            if (c is '@' or '`' or '%') return $"a value cannot begin with '{c}': quote it";
            if ((c is '*' or '&') && AfterName(line, column + 1) is var after && after > column + 1 && (after == line.Length || line[after] is ' ' or ',' or ']' or '}'))
            {
                column = after; // One that is meant.
                continue;
            }

            if (c is '*' or '&') return c == '*' ? "a value that begins with '*' is an alias: quote it, as in \"*.example.com\"" : "a value that begins with '&' is an anchor: quote it";
            if (c is '{' or '[')
            {
                var end = AfterClose(line, column);
                if (end >= 0 && end < line.Length && !IsEnd(line, end)) return $"a value that begins with '{c}' is a {(c == '{' ? "map" : "list")} to YAML: quote it, as in \"{Value(line, column, isFlow > 0)}\"";
                isFlow++;
                column++;
                continue;
            }

            // A word: a key, or a value without quotes.
            while (column < line.Length && !(line[column] == ':' && IsSpaceAt(line, column + 1)) && !(isFlow > 0 && line[column] is ',' or ']' or '}') && !(line[column] == ' ' && column + 1 < line.Length && line[column + 1] == '#')) column++;
        }

        return null;
    }

    private static bool IsSpaceAt(string line, int at) => at >= line.Length || line[at] == ' ';

    // What may follow a map or a list on its line.
    private static bool IsEnd(string line, int at) => line[at] is ' ' or ',' or '}' or ']' || (line[at] == ':' && IsSpaceAt(line, at + 1));

    private static string Value(string line, int from, bool isFlow)
    {
        var depth = 0;
        var at = from;
        for (; at < line.Length; at++)
        {
            if (line[at] is '{' or '[') depth++;
            else if (line[at] is '}' or ']' && --depth < 0) break;
            else if (depth == 0 && (line[at] == ' ' || (isFlow && line[at] == ','))) break;
        }

        return line[from..at];
    }

    private static int AfterName(string line, int at)
    {
        while (at < line.Length && (char.IsAsciiLetterOrDigit(line[at]) || line[at] is '_' or '-')) at++;
        return at;
    }

    private static int AfterQuote(string line, int at)
    {
        var quote = line[at++];
        while (at < line.Length && line[at] != quote) at += quote == '"' && line[at] == '\\' ? 2 : 1;
        return Math.Min(line.Length, at + 1);
    }

    private static int AfterClose(string line, int at)
    {
        var depth = 0;
        while (at < line.Length)
        {
            if (line[at] is '"' or '\'')
            {
                at = AfterQuote(line, at);
                continue;
            }

            if (line[at] is '{' or '[') depth++;
            else if (line[at] is '}' or ']') depth--;
            at++;
            if (depth == 0) return at;
        }

        return -1;
    }
}
