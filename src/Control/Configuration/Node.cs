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

    /// <summary>Its text came, in part, from the environment or a file: it is not shown.</summary>
    public bool IsSecret { get; set; }

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
