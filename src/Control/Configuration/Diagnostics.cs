// Mistakes in a configuration: all of them at once, each with its place and what to do about it.

namespace Weir.Control.Configuration;

/// <summary>A place in a configuration file; lines and columns count from 1.</summary>
public readonly record struct Position(string File, int Line, int Column)
{
    public static Position None => new("", 0, 0);

    public override string ToString() => Line == 0 ? File : $"{File}:{Line}:{Column}";
}

/// <summary>One mistake, or something that is probably one.</summary>
public sealed record Diagnostic(Position At, bool IsError, string Text)
{
    public override string ToString() => $"{At}: {(IsError ? "error" : "warning")}: {Text}";
}

/// <summary>
/// Gathers diagnostics, and remembers which parts of a configuration they are about: whoever checks the whole says nothing
/// more about what is told already.
/// </summary>
public sealed class Diagnostics
{
    /// <summary>Diagnostics kept; further ones are only counted.</summary>
    public const int Most = 100;

    private readonly List<Diagnostic> all = [];
    private readonly HashSet<(IWritten Section, string Key)> told = [];
    private readonly HashSet<IWritten> flawed = [];
    private readonly Dictionary<(IWritten Section, string Key), Node> written = [];

    public bool HasErrors => Errors > 0;

    /// <summary>How many errors were told.</summary>
    public int Errors { get; private set; }

    /// <summary>How many were left out.</summary>
    public int More { get; private set; }

    /// <summary>In the order of files and lines.</summary>
    public IEnumerable<Diagnostic> All => all.OrderBy(d => d.At.File, StringComparer.Ordinal).ThenBy(d => d.At.Line).ThenBy(d => d.At.Column);

    public void Error(Position at, string text) => Add(new Diagnostic(at, true, text));

    public void Warn(Position at, string text) => Add(new Diagnostic(at, false, text));

    /// <summary>All of them as lines.</summary>
    public override string ToString()
    {
        var lines = All.Select(d => d.ToString());
        return string.Join('\n', More == 0 ? lines : lines.Append($"… and {More} more"));
    }

    /// <summary>Remembers what was written for a key.</summary>
    public void Place(IWritten section, string key, Node value) => written[(section, key)] = value;

    /// <summary>Where the value of a key stands, or the item of it with this text, after so many others with it; else where the section does.</summary>
    public Position Where(IWritten section, string key, string? item = null, int after = 0)
    {
        if (!written.TryGetValue((section, key), out var value)) return section.At;
        var found = item is null ? null : (value as ListNode)?.Items.Where(i => i is ScalarNode scalar && string.Equals(scalar.Text, item, StringComparison.OrdinalIgnoreCase)).ElementAtOrDefault(after);
        return (found ?? value).At;
    }

    /// <summary>Remembers that the value of a key is not all that was written; without a key, of any key.</summary>
    public void Mark(IWritten section, string key = "") => told.Add((section, key));

    /// <summary>Remembers that something within a section is wrong.</summary>
    public void MarkFlawed(IWritten section) => flawed.Add(section);

    /// <summary>Whether something that is missed here has been told to be wrong.</summary>
    public bool IsTold(IWritten section, string key) => told.Contains((section, key)) || told.Contains((section, ""));

    /// <summary>Whether a section is not what was written.</summary>
    public bool IsFlawed(IWritten section) => flawed.Contains(section);

    private void Add(Diagnostic diagnostic)
    {
        if (diagnostic.IsError) Errors++;
        if (all.Contains(diagnostic)) return;
        if (all.Count < Most) all.Add(diagnostic);
        else More++;
    }
}
