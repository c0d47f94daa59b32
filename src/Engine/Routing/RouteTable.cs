// From a path and conditions to a route; the first route written wins. Paths stand in a tree of segments, so that ten
// thousand routes cost what their depth costs; every node knows its routes in the order they were written, and the search
// keeps the earliest that holds. Regular expressions are tried in order, but only those before the earliest found.

using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Routing;

/// <summary>The routes of a site. Immutable once made.</summary>
public sealed class RouteTable<TRoute>
    where TRoute : class
{
    private readonly Node root = new();
    private readonly List<Entry> anyPath = [];
    private readonly List<Entry> patterns = [];
    private int count;

    /// <summary>Adds a route for every path, whatever the target's form.</summary>
    public void Add(TRoute route, Condition[] conditions) => anyPath.Add(new Entry(count++, conditions, route, null));

    /// <summary>Adds a route for paths that an expression matches as a whole.</summary>
    public void Add(Regex path, TRoute route, Condition[] conditions) => patterns.Add(new Entry(count++, conditions, route, path));

    /// <summary>Adds a route for a path: "/a/b" exactly, "*" for one segment, a last "**" for everything below.</summary>
    public void Add(string path, TRoute route, Condition[] conditions)
    {
        var entry = new Entry(count++, conditions, route, null);
        var node = root;
        foreach (var segment in path[1..].Split('/'))
        {
            if (segment == "**")
            {
                node.Below.Add(entry);
                return;
            }

            node = segment == "*" ? node.Any ??= new Node() : node.Children.FindOrAdd(Encoding.UTF8.GetBytes(segment), static () => new Node());
        }

        node.Here.Add(entry);
    }

    /// <summary>Finds the first route that holds; its expression's groups are left in the exchange's captures.</summary>
    public TRoute? Find(Exchange exchange)
    {
        var path = exchange.Request.MatchedPath;
        Entry? best = null;
        First(anyPath, exchange, ref best);
        if (!path.IsEmpty) Walk(root, path.Span[1..], exchange, ref best);
        foreach (var entry in patterns)
        {
            if (path.IsEmpty || (best is not null && entry.Order > best.Order)) break;
            if (!Holds(entry, exchange) || !RegexBytes.IsMatch(entry.Pattern!, path.Span)) continue;
            best = entry;
            break;
        }

        if (best?.Pattern is { } pattern) RegexBytes.Match(pattern, path, exchange.Captures);
        return best?.Route;
    }

    private static void Walk(Node node, ReadOnlySpan<byte> rest, Exchange exchange, ref Entry? best)
    {
        First(node.Below, exchange, ref best);
        var slash = rest.IndexOf((byte)'/');
        var segment = slash < 0 ? rest : rest[..slash];
        Step(node.Children.Find(segment), slash, rest, exchange, ref best);
        if (!segment.IsEmpty) Step(node.Any, slash, rest, exchange, ref best);
    }

    private static void Step(Node? node, int slash, ReadOnlySpan<byte> rest, Exchange exchange, ref Entry? best)
    {
        if (node is null) return;
        if (slash >= 0)
        {
            Walk(node, rest[(slash + 1)..], exchange, ref best);
            return;
        }

        First(node.Here, exchange, ref best);
        First(node.Below, exchange, ref best); // "/a/**" matches "/a" too.
    }

    private static void First(List<Entry> entries, Exchange exchange, ref Entry? best)
    {
        foreach (var entry in entries)
        {
            if (best is not null && entry.Order > best.Order) return;
            if (!Holds(entry, exchange)) continue;
            best = entry;
            return;
        }
    }

    private static bool Holds(Entry entry, Exchange exchange)
    {
        foreach (var condition in entry.Conditions)
        {
            if (!condition.Holds(exchange)) return false;
        }

        return true;
    }

    private sealed record Entry(int Order, Condition[] Conditions, TRoute Route, Regex? Pattern);

    private sealed class Node
    {
        public ByteMap<Node> Children { get; } = new();

        public Node? Any { get; set; }

        public List<Entry> Here { get; } = [];

        public List<Entry> Below { get; } = [];
    }
}
