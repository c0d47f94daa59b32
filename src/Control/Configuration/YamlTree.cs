// From text to a tree, over the parser's events only. Bounded in size, depth and in what aliases may expand to. The traps
// that catch everybody get their own words.

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

    /// <summary>Reads one file's text; null where there is nothing, or where it cannot be read on.</summary>
    public static Node? Read(string file, string text, Diagnostics diagnostics)
    {
        if (text.Length > MostBytes)
        {
            diagnostics.Error(new Position(file, 1, 1), $"the file is larger than {MostBytes >> 20} MiB");
            return null;
        }

        var reader = new Builder(file, diagnostics);
        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _)) return null;
            var root = reader.ReadNode(parser, 0);
            parser.Consume<DocumentEnd>();
            if (parser.TryConsume<DocumentStart>(out var second)) diagnostics.Error(reader.At(second.Start), "one document per file: take out the '---'");
            return root;
        }
        catch (YamlException mistake)
        {
            diagnostics.Error(reader.At(mistake.Start), Explain(text, mistake));
            return null;
        }
        catch (Exception stumble) when (stumble is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The parser library trips over some broken texts instead of saying where; the text is no less wrong.
            diagnostics.Error(new Position(file, 1, 1), $"not readable: {stumble.Message}");
            return null;
        }
        catch (TooMuchException much)
        {
            diagnostics.Error(much.At, much.Message);
            return null;
        }
    }

    private static string Explain(string text, YamlException mistake)
    {
        var lines = text.Split('\n');
        var line = mistake.Start.Line >= 1 && mistake.Start.Line <= lines.Length ? lines[(int)mistake.Start.Line - 1] : "";
        if (line.Contains('\t', StringComparison.Ordinal) && line.TrimStart(' ').StartsWith('\t')) return "a tab cannot indent: use spaces";
        var value = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].TrimStart(' ', '-', '[');
        if (value.StartsWith('*') || line.Contains(" *", StringComparison.Ordinal) || line.Contains("[*", StringComparison.Ordinal)) return "a value that begins with '*' is an alias: quote it, as in \"*.example.com\"";
        if (value.StartsWith('@') || value.StartsWith('`')) return $"a value cannot begin with '{value[0]}': quote it";
        if (value.StartsWith('%')) return "a value cannot begin with '%': quote it";
        var words = mistake.InnerException?.Message ?? mistake.Message;
        if (words.Contains(" tab ", StringComparison.Ordinal)) return "a tab cannot indent: use spaces";
        return "not readable: " + words.TrimEnd('.');
    }

    private sealed class TooMuchException(Position at, string message) : Exception(message)
    {
        public Position At { get; } = at;
    }

    private sealed class Builder(string file, Diagnostics diagnostics)
    {
        private readonly Dictionary<string, Node> anchors = [];
        private int nodes;

        public Position At(in Mark mark) => new(file, (int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));

        public Node ReadNode(IParser parser, int depth)
        {
            var at = At(parser.Current!.Start);
            if (depth > MostDepth) throw new TooMuchException(at, $"nested deeper than {MostDepth}");
            if (++nodes > MostNodes) throw new TooMuchException(at, $"more than {MostNodes} values");
            if (parser.TryConsume<AnchorAlias>(out var alias))
            {
                if (!anchors.TryGetValue(alias.Value.Value, out var target))
                {
                    diagnostics.Error(at, $"there is no anchor '{alias.Value.Value}'; if '*{alias.Value.Value}' is a value, quote it");
                    return new ScalarNode(at, "", false);
                }

                return Copy(target, at, depth);
            }

            if (parser.TryConsume<Scalar>(out var scalar)) return Keep(scalar, new ScalarNode(at, scalar.Value, scalar.Style == ScalarStyle.Plain));
            if (parser.TryConsume<SequenceStart>(out var sequence))
            {
                var list = Keep(sequence, new ListNode(at));
                while (!parser.TryConsume<SequenceEnd>(out _)) list.Items.Add(ReadNode(parser, depth + 1));
                return list;
            }

            var start = parser.Consume<MappingStart>();
            var map = Keep(start, new MapNode(at));
            while (!parser.TryConsume<MappingEnd>(out _)) ReadEntry(parser, map, depth);
            return map;
        }

        private void ReadEntry(IParser parser, MapNode map, int depth)
        {
            var keyNode = ReadNode(parser, depth + 1);
            var value = ReadNode(parser, depth + 1);
            if (keyNode is not ScalarNode key)
            {
                diagnostics.Error(keyNode.At, "a key must be a word; a value with braces must be quoted, as in \"https://{host}/\"");
                return;
            }

            if (key.Text == "<<" && key.IsPlain)
            {
                diagnostics.Error(key.At, "'<<' is not supported: write the keys out");
                return;
            }

            if (map.Entries.Find(e => e.Key.Text == key.Text).Key is { } first)
            {
                diagnostics.Error(key.At, $"'{key.Text}' stands twice; first at line {first.At.Line}");
                return;
            }

            map.Entries.Add((key, value));
        }

        private T Keep<T>(NodeEvent from, T node)
            where T : Node
        {
            if (!from.Anchor.IsEmpty) anchors[from.Anchor.Value] = node;
            return node;
        }

        // An alias stands for a copy, counted, so that a few lines cannot become millions.
        private Node Copy(Node from, Position at, int depth)
        {
            if (++nodes > MostNodes || depth > MostDepth) throw new TooMuchException(at, "aliases expand to too much");
            switch (from)
            {
                case ScalarNode scalar:
                    return new ScalarNode(scalar.At, scalar.Text, scalar.IsPlain);
                case ListNode list:
                    var items = new ListNode(list.At);
                    foreach (var item in list.Items) items.Items.Add(Copy(item, at, depth + 1));
                    return items;
                default:
                    var map = new MapNode(from.At);
                    foreach (var (key, value) in ((MapNode)from).Entries) map.Entries.Add((key, Copy(value, at, depth + 1)));
                    return map;
            }
        }
    }
}
