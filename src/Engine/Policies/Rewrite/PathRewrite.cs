// The path and query that are sent on. Works on what would be forwarded, still encoded. The result is looked at again: a
// rewrite can not make a path that climbs.

using System.Text;
using System.Text.RegularExpressions;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>Rewrites path and query (`rewrite`). Immutable.</summary>
public sealed class PathRewrite : IRequestPolicy
{
    private readonly byte[][] segments = [];

    /// <summary>Segments taken off the front; "*" stands for any.</summary>
    public string[] StripPrefix
    {
        get;
        init
        {
            field = value;
            segments = [.. value.Select(Encoding.UTF8.GetBytes)];
        }
    } = [];

    public Regex? Pattern { get; init; }

    /// <summary>Where the pattern's groups stand among the captures: behind those of the route's path.</summary>
    public int FirstGroup { get; init; }

    /// <summary>What the pattern's first match becomes.</summary>
    public Template? Replacement { get; init; }

    public Template? Path { get; init; }

    public Template? Query { get; init; }

    public byte[] AddPrefix { get; init; } = [];

    public Verdict Apply(Exchange exchange)
    {
        var request = exchange.Request;
        if (request.ForwardedPath.IsEmpty) return Verdict.Continue; // Authority and asterisk form have no path.
        if (segments.Length > 0 && !Strip(exchange)) return Exhausted();
        if (Pattern is not null && !Replace(exchange)) return Exhausted();
        if (Path is not null)
        {
            if (!Path.TryRender(exchange, out var path, TemplateUse.Path)) return Exhausted();
            request.ForwardedPath = path;
        }

        if (Query is not null)
        {
            if (!Query.TryRender(exchange, out var query, TemplateUse.Query)) return Exhausted();
            request.ForwardedQuery = query;
            request.HasForwardedQuery = !query.IsEmpty;
        }

        if (AddPrefix.Length > 0 && !Prepend(exchange, AddPrefix)) return Exhausted();
        return Check(exchange);
    }

    private static Verdict Exhausted() => new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);

    private bool Strip(Exchange exchange)
    {
        var request = exchange.Request;
        var rest = request.ForwardedPath.Span;
        if (!exchange.Scratch.TryTake(rest.Length, out var decoded, out var taken)) return false;
        var used = 0;
        foreach (var segment in segments)
        {
            if (rest.IsEmpty) break;
            var end = rest[1..].IndexOf((byte)'/') + 1;
            if (end == 0) end = rest.Length;
            var isWanted = segment.AsSpan().SequenceEqual("*"u8) || (TargetPath.TryDecode(rest[1..end], decoded, out var length) && decoded[..length].SequenceEqual(segment));
            if (!isWanted) break;
            used++;
            rest = rest[end..];
        }

        exchange.Scratch.Trim(taken, 0);
        if (used == segments.Length) request.ForwardedPath = rest.IsEmpty ? ByteRange.Of(Slash) : request.ForwardedPath.Slice(request.ForwardedPath.Length - rest.Length, rest.Length);
        return true;
    }

    private static readonly byte[] Slash = "/"u8.ToArray();

    // Allocates: an expression's match is a string.
    private bool Replace(Exchange exchange)
    {
        var request = exchange.Request;
        var text = Encoding.Latin1.GetString(request.ForwardedPath.Span);
        var match = Pattern!.Match(text);
        if (!match.Success) return true;
        var whole = request.ForwardedPath;
        for (var i = 0; i < match.Groups.Count; i++)
        {
            var group = match.Groups[i];
            exchange.Captures.Set(FirstGroup + i, group.Success ? whole.Slice(group.Index, group.Length) : default);
        }

        exchange.Captures.EncodedFrom = FirstGroup;
        if (!Replacement!.TryRender(exchange, out var replacement, TemplateUse.Path)) return false;
        var after = match.Index + match.Length;
        if (!exchange.Scratch.TryTake(match.Index + replacement.Length + whole.Length - after, out var room, out var range)) return false;
        whole.Span[..match.Index].CopyTo(room);
        replacement.Span.CopyTo(room[match.Index..]);
        whole.Span[after..].CopyTo(room[(match.Index + replacement.Length)..]);
        request.ForwardedPath = range;
        return true;
    }

    private static bool Prepend(Exchange exchange, byte[] prefix)
    {
        var request = exchange.Request;
        if (!exchange.Scratch.TryTake(prefix.Length + request.ForwardedPath.Length, out var room, out var range)) return false;
        prefix.CopyTo(room);
        request.ForwardedPath.Span.CopyTo(room[prefix.Length..]);
        request.ForwardedPath = range;
        return true;
    }

    private static Verdict Check(Exchange exchange)
    {
        var request = exchange.Request;
        var path = request.ForwardedPath.Span;
        if (path.IsEmpty || path[0] != '/')
        {
            if (!Prepend(exchange, Slash)) return Exhausted();
            path = request.ForwardedPath.Span;
        }

        // Values were encoded when they were put in; what the template itself says may need it too.
        if (!TryEncode(exchange, request.ForwardedPath, keepQuestion: false, out var encoded)) return Exhausted();
        request.ForwardedPath = encoded;
        if (!TryEncode(exchange, request.ForwardedQuery, keepQuestion: true, out encoded)) return Exhausted();
        request.ForwardedQuery = encoded;
        path = request.ForwardedPath.Span;
        if (!exchange.Scratch.TryTake(path.Length + 1, out var room, out var range)) return Exhausted();
        var verdict = TargetPath.Normalize(path, room, out _);
        exchange.Scratch.Trim(range, 0);
        return verdict == PathVerdict.Plain ? Verdict.Continue : new Fault(FaultCause.UnsafePath, Side.Client, Stage.Policy);
    }

    private static bool TryEncode(Exchange exchange, ByteRange text, bool keepQuestion, out ByteRange encoded)
    {
        encoded = text;
        if (RequestParser.IsTarget(text.Span) && (keepQuestion || !text.Span.Contains((byte)'?'))) return true;
        if (!exchange.Scratch.TryTake(text.Length * 3, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        foreach (var b in text.Span)
        {
            if (RequestParser.IsTarget([b]) && (keepQuestion || b != '?')) to.Write(b);
            else PercentEncoding.Write(ref to, b);
        }

        encoded = exchange.Scratch.Trim(range, to.Length);
        return true;
    }
}
