// Text with placeholders, compiled once: "https://{host}/new{path}". Rendering measures first and copies then, into the
// exchange's scratch. A value can carry no control byte, because no head with one is accepted.

using System.Net;
using System.Text;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Exchanges;

/// <summary>What a placeholder stands for.</summary>
public enum Placeholder : byte
{
    Literal,

    /// <summary>Host without port, lower case.</summary>
    Host,

    /// <summary>Host and port as the client wrote them.</summary>
    Authority,

    /// <summary>The path to be sent on, encoded.</summary>
    Path,
    Query,

    /// <summary>Path, and '?' with the query where there is one.</summary>
    Uri,
    Scheme,
    Method,
    ClientIp,
    ClientPort,
    RequestId,

    /// <summary>A field of the request.</summary>
    Header,

    /// <summary>A group of the route's expression.</summary>
    Capture,

    /// <summary>The response's status.</summary>
    Status,

    /// <summary>A fact of the client's TLS, by its number in <see cref="Template.Part.Group"/>.</summary>
    Tls,
}

/// <summary>Where rendered text will stand, and so what of a value must be percent-encoded there (RFC 3986 §2).</summary>
public enum TemplateUse : byte
{
    /// <summary>A field's value, or a body: as it is.</summary>
    Text,

    /// <summary>A path or a whole URI: a group of the expression stays a path, a field's value becomes one segment.</summary>
    Path,

    /// <summary>A query: a group or a field's value becomes part of one parameter.</summary>
    Query,
}

/// <summary>A compiled template. Immutable; any loop.</summary>
public sealed class Template
{
    /// <summary>One part of a template.</summary>
    public readonly record struct Part(Placeholder Kind, byte[] Text, int Group = 0);

    private readonly Part[] parts;
    private readonly byte[]? constant;

    public Template(params Part[] parts)
    {
        this.parts = parts;
        if (parts.Length == 0) constant = [];
        else if (parts.Length == 1 && parts[0].Kind == Placeholder.Literal) constant = parts[0].Text;
    }

    /// <summary>Whether it has no placeholders.</summary>
    public bool IsConstant => constant is not null;

    /// <summary>Whether it begins so whatever the request is.</summary>
    public bool BeginsWith(ReadOnlySpan<byte> text) => parts.Length > 0 && parts[0].Kind == Placeholder.Literal && parts[0].Text.AsSpan().StartsWith(text);

    /// <summary>A template without placeholders.</summary>
    public static Template Literal(string text) => new(new Part(Placeholder.Literal, Encoding.UTF8.GetBytes(text)));

    /// <summary>Renders; false where the scratch is full.</summary>
    public bool TryRender(Exchange exchange, out ByteRange text, TemplateUse use = TemplateUse.Text)
    {
        if (constant is not null)
        {
            text = ByteRange.Of(constant);
            return true;
        }

        var size = 0;
        foreach (ref readonly var part in parts.AsSpan()) size += Measure(part, exchange) * (IsEncoded(part, use, exchange) ? 3 : 1);
        if (!exchange.Scratch.TryTake(size, out var room, out var range))
        {
            text = default;
            return false;
        }

        var to = new SpanWriter(room);
        foreach (ref readonly var part in parts.AsSpan())
        {
            if (IsEncoded(part, use, exchange)) PercentEncoding.Write(ref to, Simple(part, exchange), keepSlash: use == TemplateUse.Path && part.Kind == Placeholder.Capture);
            else Write(part, exchange, ref to);
        }

        text = exchange.Scratch.Trim(range, to.Length);
        return true;
    }

    // Path, query and uri are encoded already, as are groups of an expression that saw the encoded path.
    private static bool IsEncoded(in Part part, TemplateUse use, Exchange exchange) =>
        use != TemplateUse.Text && (part.Kind is Placeholder.Header or Placeholder.Method or Placeholder.Tls || (part.Kind == Placeholder.Capture && (use == TemplateUse.Query || part.Group < exchange.Captures.EncodedFrom)));

    private static int Measure(in Part part, Exchange exchange)
    {
        var request = exchange.Request;
        return part.Kind switch
        {
            Placeholder.Uri => request.ForwardedPath.Length + 1 + request.ForwardedQuery.Length,
            Placeholder.ClientIp => 45,
            Placeholder.ClientPort or Placeholder.Status => 5,
            Placeholder.Scheme => 5,
            _ => Simple(part, exchange).Length,
        };
    }

    private static void Write(in Part part, Exchange exchange, ref SpanWriter to)
    {
        var request = exchange.Request;
        switch (part.Kind)
        {
            case Placeholder.Uri:
                to.Write(request.ForwardedPath.Span);
                if (!request.HasForwardedQuery) break;
                to.Write((byte)'?');
                to.Write(request.ForwardedQuery.Span);
                break;
            case Placeholder.ClientIp:
                WriteAddress(exchange.ClientAddress, ref to);
                break;
            case Placeholder.ClientPort:
                to.WriteDecimal(exchange.Ends.ClientPort);
                break;
            case Placeholder.Status:
                to.WriteDecimal(exchange.Response.Status);
                break;
            case Placeholder.Scheme:
                to.Write(request.IsSecure ? "https"u8 : "http"u8);
                break;
            default:
                to.Write(Simple(part, exchange));
                break;
        }
    }

    /// <summary>Writes an address as text; nothing for a Unix peer.</summary>
    public static void WriteAddress(IPAddress? address, ref SpanWriter to)
    {
        if (address is not null && address.TryFormat(to.Free, out var written)) to.Advance(written);
    }

    private static ReadOnlySpan<byte> Simple(Part part, Exchange exchange)
    {
        var request = exchange.Request;
        return part.Kind switch
        {
            Placeholder.Literal => part.Text,
            Placeholder.Host => request.Host.Span,
            Placeholder.Authority => request.Authority.Span,
            Placeholder.Path => request.ForwardedPath.Span,
            Placeholder.Query => request.ForwardedQuery.Span,
            Placeholder.Method => request.Method.Span,
            Placeholder.RequestId => RequestIds.Of(exchange).Span,
            Placeholder.Header => Field(request.Fields, part.Text),
            Placeholder.Capture => exchange.Captures[part.Group].Span,
            Placeholder.Tls when exchange.Ends.Tls is { } tls => tls.Get((TlsFact)part.Group),
            _ => default,
        };
    }

    private static ReadOnlySpan<byte> Field(FieldBlock fields, byte[] name)
    {
        var known = KnownFields.Lookup(name);
        if (known != KnownField.Other) return fields.First(known);
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && Wire.Bytes.Ascii.EqualsIgnoreCase(fields.Name(i), name)) return fields.Value(i);
        }

        return default;
    }
}
