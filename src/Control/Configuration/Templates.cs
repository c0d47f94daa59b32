// Text with placeholders. All that is wrong in one text is told at once, each at its own brace.

using System.Text;
using System.Text.Json.Nodes;
using Weir.Engine.Exchanges;

namespace Weir.Control.Configuration;

/// <summary>A template as written, its parts, and where each stands. Named groups are resolved when the route is compiled.</summary>
public sealed record TemplateText(string Text, Template.Part[] Parts, Position[] Places)
{
    public static TemplateText Empty { get; } = new("", [], []);
}

/// <summary>The shape of templates.</summary>
/// <param name="isLine">It becomes part of a head: one line.</param>
/// <param name="isOfResponse">It is rendered when there is a response: {status} is known.</param>
public sealed class TemplateShape(bool isLine, bool isOfResponse = false) : Shape<TemplateText>
{
    private static readonly ScalarShape<string> Plain = new("text, with placeholders such as {host} and {path}", "string", static text => (text, Unprintable(text)));

    private static readonly ScalarShape<string> Line = new(Plain.Words, "string", static text => (text, text.AsSpan().ContainsAny('\r', '\n') ? "a line break cannot stand here" : Unprintable(text)));

    public override string Words => Plain.Words;

    public override JsonObject Schema(SortedDictionary<string, JsonObject> definitions) => Plain.Schema(definitions);

    public override Reading Read(Node node, Diagnostics diagnostics, out TemplateText value)
    {
        value = TemplateText.Empty;
        var reading = (isLine ? Line : Plain).Read(node, diagnostics, out var text);
        if (reading != Reading.Good) return reading;
        var scalar = (ScalarNode)node;
        var (parts, places) = (new List<Template.Part>(), new List<Position>());
        var isGood = true;
        var at = 0;
        while (text.IndexOf('{', at) is >= 0 and var open)
        {
            var isLiteral = open + 1 < text.Length && text[open + 1] == '{';
            if (open > at || isLiteral) Add(new Template.Part(Placeholder.Literal, Encoding.UTF8.GetBytes(text[at..(isLiteral ? open + 1 : open)])), open);
            if (isLiteral)
            {
                at = open + 2;
                continue;
            }

            var close = text.IndexOf('}', open);
            if (close < 0)
            {
                Refuse(open, "'{' without '}': write '{{' for the character itself");
                return Reading.Lost;
            }

            var name = text[(open + 1)..close];
            if (Placeholders.Read(name) is not { } part) Refuse(open, $"unknown placeholder '{{{name}}}'{(open > 0 && text[open - 1] == '$' ? $": for the characters themselves, write '$${{{{{name}}}'" : NearestWord.Suggest(name, Placeholders.Names))}");
            else if (part.Kind == Placeholder.Status && !isOfResponse) Refuse(open, "'{status}' is known in response_headers only");
            else Add(part, open);
            at = close + 1;
        }

        if (at < text.Length) Add(new Template.Part(Placeholder.Literal, Encoding.UTF8.GetBytes(text[at..])), at);
        value = new TemplateText(text, [.. parts], [.. places]);
        return isGood ? Reading.Good : Reading.Marked;

        void Add(Template.Part part, int where)
        {
            parts.Add(part);
            places.Add(scalar.AtBrace(where));
        }

        void Refuse(int where, string trouble)
        {
            isGood = false;
            if (scalar.IsSecret) diagnostics.Error(scalar.At, $"expected {Words}");
            else diagnostics.Error(scalar.AtBrace(where), trouble);
        }
    }

    private static string? Unprintable(string text) => text.Any(static c => c is < ' ' and not ('\t' or '\n' or '\r') or '\x7f') ? "control characters cannot stand here" : null;
}
