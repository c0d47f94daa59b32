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

/// <summary>Gathers diagnostics.</summary>
public sealed class Diagnostics
{
    /// <summary>Diagnostics kept; further ones are only counted.</summary>
    public const int Most = 100;

    private readonly List<Diagnostic> all = [];

    public bool HasErrors { get; private set; }

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

    private void Add(Diagnostic diagnostic)
    {
        HasErrors |= diagnostic.IsError;
        if (all.Contains(diagnostic)) return;
        if (all.Count < Most) all.Add(diagnostic);
        else More++;
    }
}
