// From text to a tree, over the parser's events only. Bounded in size, depth and in what aliases may expand to. Where the
// text cannot be read on, what stands before is kept, and what is missing is marked, so that its other mistakes are told too.

using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Weir.Control.Configuration;

/// <summary>Reads YAML (JSON is a subset) into nodes.</summary>
public static class YamlTree
{
    /// <summary>Bytes of one file.</summary>
    public const int MostBytes = 8 << 20;

    private const int MostDepth = 64;
    private const int MostNodes = 500_000;

    /// <summary>Reads one file's text as far as it can be read; null where there is nothing.</summary>
    public static Node? Read(string file, string text, Diagnostics diagnostics)
    {
        if (text.Length <= MostBytes) return new Builder(file, text, diagnostics).Read();
        diagnostics.Error(new Position(file, 1, 1), $"the file is larger than {MostBytes >> 20} MiB");
        return null;
    }

    private sealed class Builder(string file, string text, Diagnostics diagnostics)
    {
        private readonly Parser parser = new(new StringReader(text));
        private readonly Dictionary<string, Node> anchors = [];
        private int nodes;

        // Null: the text has ended, or cannot be read on, which has been told.
        private ParsingEvent? current;

        // The node read last, a key included: where the parser stumbles, it is what was meant otherwise.
        private Node? last;

        public Node? Read()
        {
            Next();
            if (current is StreamStart) Next();
            if (current is not DocumentStart) return null;
            Next();
            var root = ReadNode(0);
            if (current is DocumentEnd) Next();
            if (current is DocumentStart second) diagnostics.Error(At(second.Start), "one document per file: take out the '---'");
            return root;
        }

        private void Next()
        {
            try
            {
                current = parser.MoveNext() ? parser.Current : null;
            }
            catch (YamlException mistake)
            {
                var (line, column, words) = YamlTraps.Explain(text, last?.At.Line ?? 1, mistake);
                Stop(new Position(file, line, column), words);
            }
            catch (Exception stumble) when (stumble is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
            {
                // The parser library trips over some broken texts instead of saying where; the text is no less wrong.
                Stop(last?.At ?? new Position(file, 1, 1), $"not readable: {stumble.Message}");
            }
        }

        private void Stop(Position at, string words)
        {
            diagnostics.Error(at, words);
            if (last is not null) last.IsWrong = true;
            current = null;
        }

        private Position At(in Mark mark) => new(file, (int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));

        private string? Between(in Mark start, in Mark end) => start.Index >= 0 && start.Index <= end.Index && end.Index <= text.Length ? text[(int)start.Index..(int)end.Index] : null;

        private Node? ReadNode(int depth)
        {
            if (current is not (AnchorAlias or NodeEvent)) return null;
            var start = current;
            var at = At(start.Start);
            if (depth > MostDepth || ++nodes > MostNodes)
            {
                Stop(at, depth > MostDepth ? $"nested deeper than {MostDepth}" : $"more than {MostNodes} values");
                return null;
            }

            return start switch
            {
                AnchorAlias alias => ReadAlias(alias, at, depth),
                Scalar scalar => ReadScalar(scalar, at),
                SequenceStart sequence => ReadList(Keep(sequence, new ListNode(at)), depth),
                _ => ReadMap(Keep((MappingStart)start, new MapNode(at)), depth),
            };
        }

        private Node? ReadAlias(AnchorAlias alias, Position at, int depth)
        {
            Node? node;
            if (anchors.TryGetValue(alias.Value.Value, out var target))
            {
                node = Copy(target, at, depth);
                if (node is null) return null;
            }
            else
            {
                diagnostics.Error(at, $"there is no anchor '{alias.Value.Value}'; if '*{alias.Value.Value}' is a value, quote it");
                node = new ScalarNode(at, "", false) { IsWrong = true };
            }

            last = node;
            Next();
            return node;
        }

        private ScalarNode ReadScalar(Scalar scalar, Position at)
        {
            var node = Keep(scalar, new ScalarNode(at, scalar.Value, scalar.Style == ScalarStyle.Plain) { Written = Between(scalar.Start, scalar.End) });
            if (!scalar.Anchor.IsEmpty && node.IsNull)
            {
                diagnostics.Error(at, $"'&{scalar.Anchor.Value}' names a value that does not follow; if it is a value itself, quote it");
                node.IsWrong = true;
            }

            last = node;
            Next();
            return node;
        }

        private ListNode ReadList(ListNode list, int depth)
        {
            Next();
            while (current is not SequenceEnd)
            {
                if (ReadNode(depth + 1) is { } item)
                {
                    list.Items.Add(item);
                    continue;
                }

                list.IsCut = true;
                return list;
            }

            last = list;
            Next();
            return list;
        }

        private MapNode ReadMap(MapNode map, int depth)
        {
            Next();
            while (current is not MappingEnd)
            {
                if (ReadEntry(map, depth)) continue;
                map.IsCut = true;
                return map;
            }

            last = map;
            Next();
            return map;
        }

        // False where the text cannot be read on.
        private bool ReadEntry(MapNode map, int depth)
        {
            if (ReadNode(depth + 1) is not { } keyNode) return false;
            var value = ReadNode(depth + 1);
            if (value is null)
            {
                // A key alone: that it was written counts, so that nobody asks for it.
                if (keyNode is ScalarNode alone && !map.Entries.Exists(e => e.Key.Text == alone.Text)) map.Entries.Add((alone, new ScalarNode(alone.At, "", false) { IsWrong = true }));
                return false;
            }

            if (keyNode is not ScalarNode key)
            {
                diagnostics.Error(keyNode.At, "a key must be a word; a value with braces must be quoted, as in \"https://{host}/\"");
                map.IsCut = true;
            }
            else if (key.IsWrong)
            {
                map.IsCut = true;
            }
            else if (key.Text == "<<" && key.IsPlain)
            {
                diagnostics.Error(key.At, "'<<' is not supported: write the keys out");
                map.IsCut = true;
            }
            else if (map.Entries.Find(e => e.Key.Text == key.Text).Key is { } first)
            {
                diagnostics.Error(key.At, $"'{key.Text}' stands twice; first at line {first.At.Line}");
            }
            else
            {
                map.Entries.Add((key, value));
            }

            return true;
        }

        private T Keep<T>(NodeEvent from, T node)
            where T : Node
        {
            if (!from.Anchor.IsEmpty) anchors[from.Anchor.Value] = node;
            return node;
        }

        // An alias stands for a copy, counted, so that a few lines cannot become millions. Null: too much, which has been told.
        private Node? Copy(Node from, Position at, int depth)
        {
            if (++nodes > MostNodes || depth > MostDepth)
            {
                if (current is not null) Stop(at, "aliases expand to too much");
                return null;
            }

            switch (from)
            {
                case ScalarNode scalar:
                    return new ScalarNode(scalar.At, scalar.Text, scalar.IsPlain) { IsWrong = scalar.IsWrong, Written = scalar.Written };
                case ListNode list:
                    var items = new ListNode(list.At) { IsCut = list.IsCut, IsWrong = list.IsWrong };
                    foreach (var item in list.Items)
                    {
                        if (Copy(item, at, depth + 1) is not { } copy) return null;
                        items.Items.Add(copy);
                    }

                    return items;
                default:
                    var map = new MapNode(from.At) { IsCut = ((MapNode)from).IsCut, IsWrong = from.IsWrong };
                    foreach (var (key, value) in ((MapNode)from).Entries)
                    {
                        if (Copy(value, at, depth + 1) is not { } copy) return null;
                        map.Entries.Add((key, copy));
                    }

                    return map;
            }
        }
    }
}
