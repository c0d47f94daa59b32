// A configuration file as a tree that remembers where everything stands.

namespace Weir.Control.Configuration;

/// <summary>A node of the tree.</summary>
public abstract class Node(Position at)
{
    public Position At { get; } = at;

    /// <summary>It has been told to be wrong: nothing is read from it, and nothing more said.</summary>
    public bool IsWrong { get; set; }

    /// <summary>What it is, for people.</summary>
    public abstract string Kind { get; }
}

/// <summary>A single value.</summary>
public sealed class ScalarNode(Position at, string text, bool isPlain) : Node(at)
{
    public string Text { get; set; } = text;

    /// <summary>Written without quotes.</summary>
    public bool IsPlain { get; } = isPlain;

    /// <summary>How it stands in the file, with its quotes; null: not known.</summary>
    public string? Written { get; init; }

    /// <summary>Its text came, in part, from the environment or a file: it is not shown.</summary>
    public bool IsSecret { get; set; }

    /// <summary>Where a '{' of its text stands in the file: it is counted, as escapes and folded lines move it. Else where the value begins.</summary>
    public Position AtBrace(int offset)
    {
        if (IsSecret || Written is null || Text.Count(static c => c == '{') != Written.Count(static c => c == '{')) return At;
        var found = 0;
        for (var before = Text.AsSpan(0, offset).Count('{'); (found = Written.IndexOf('{', found)) >= 0 && before > 0; before--) found++;
        if (found < 0) return At;
        var line = Written.LastIndexOf('\n', found);
        return line < 0 ? At with { Column = At.Column + found } : At with { Line = At.Line + Written.AsSpan(0, found).Count('\n'), Column = found - line };
    }

    public bool IsNull => IsPlain && Text is "" or "~" or "null";

    public override string Kind => IsNull ? "nothing" : $"'{(IsSecret ? "…" : Text)}'";
}

/// <summary>A list.</summary>
public sealed class ListNode(Position at) : Node(at)
{
    public List<Node> Items { get; } = [];

    /// <summary>Something that stood in it is missing, and that has been told.</summary>
    public bool IsCut { get; set; }

    public override string Kind => "a list";
}

/// <summary>A map, in the order it was written.</summary>
public sealed class MapNode(Position at) : Node(at)
{
    public List<(ScalarNode Key, Node Value)> Entries { get; } = [];

    /// <summary>Something that stood in it is missing, and that has been told.</summary>
    public bool IsCut { get; set; }

    public override string Kind => "a map";

    public Node? Find(string key) => Entries.Find(e => e.Key.Text == key).Value;
}
