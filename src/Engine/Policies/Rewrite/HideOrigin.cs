// The servers behind are not told of: what names their software is dropped, and where a response points at an endpoint by
// its own authority (Location, Content-Location, Refresh, a cookie's Domain and Path), it is made to point here.

using Weir.Engine.Exchanges;
using Weir.Engine.Upstreams;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>Hides the origin (`hide_origin`). Immutable.</summary>
public sealed class HideOrigin : IResponsePolicy
{
    private static readonly KnownField[] SoftwareFields =
    [
        KnownField.Server, KnownField.XPoweredBy, KnownField.XAspNetVersion, KnownField.XAspNetMvcVersion, KnownField.XRuntime, KnownField.XGenerator, KnownField.Via,
    ];

    private static readonly ulong Software = FieldIndex.SetOf(SoftwareFields);

    private static readonly ulong Places = FieldIndex.SetOf(KnownField.Location, KnownField.ContentLocation, KnownField.Refresh, KnownField.SetCookie);

    private static readonly System.Buffers.SearchValues<byte> AuthorityEnd = System.Buffers.SearchValues.Create("/?#\"' ;"u8);

    public bool Apply(Exchange exchange)
    {
        if ((exchange.KeptFrom ?? (exchange.Origin is null ? null : (exchange.Place.EndpointState as Endpoint)?.Named)) is not { } origin) return true;
        ApplyInterim(exchange);
        var fields = exchange.Response.Fields;
        if (!fields.Index.HasAny(Places)) return true;
        return PointHere(exchange, fields, KnownField.Location, origin)
            && PointHere(exchange, fields, KnownField.ContentLocation, origin)
            && PointHere(exchange, fields, KnownField.Refresh, origin)
            && Cookies(exchange, fields, origin);
    }

    public void ApplyInterim(Exchange exchange)
    {
        var fields = exchange.Response.Fields;
        if (!fields.Index.HasAny(Software)) return;
        foreach (var field in SoftwareFields)
        {
            if (fields.Index.Has(field)) fields.Drop(field);
        }
    }

    // Every line of the field: one is usual, but nothing stops an origin from sending two.
    private static bool PointHere(Exchange exchange, FieldBlock fields, KnownField field, OriginName origin)
    {
        if (!fields.Index.Has(field)) return true;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == field && !fields.IsDropped(i) && !PointHere(exchange, fields, field, i, origin)) return false;
        }

        return true;
    }

    // Replaces "http://endpoint" at the value's URL by our own scheme and authority, and takes the endpoint's path prefix off.
    private static bool PointHere(Exchange exchange, FieldBlock fields, KnownField field, int index, OriginName origin)
    {
        var value = fields.Value(index);
        var start = field == KnownField.Refresh ? UrlOfRefresh(value) : 0;
        var url = value[start..];
        var authority = BeginsWith(url, "http://"u8) ? 7 : BeginsWith(url, "https://"u8) ? 8 : -1;
        if (authority < 0) return true;
        var length = url[authority..].IndexOfAny(AuthorityEnd);
        if (length < 0) length = url.Length - authority;
        if (!Ascii.EqualsIgnoreCase(WithoutDefaultPort(url.Slice(authority, length), authority == 8), WithoutDefaultPort(origin.Authority, origin.IsSecure))) return true;
        var rest = WithoutPrefix(url[(authority + length)..], origin.PathPrefix);

        // A client that named no host gets a path.
        var request = exchange.Request;
        var begin = request.Authority.IsEmpty ? (rest.IsEmpty || rest[0] != '/' ? "/"u8 : default) : request.IsSecure ? "https://"u8 : "http://"u8;
        if (!exchange.Scratch.TryTake(start + begin.Length + request.Authority.Length + rest.Length, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        to.Write(value[..start]);
        to.Write(begin);
        to.Write(request.Authority.Span);
        to.Write(rest);
        fields.Drop(index);
        fields.Add(field, NameOf(fields, index), range);
        return true;
    }

    // Where the URL of "5; url='http://…'" begins; the value's end where it has none.
    private static int UrlOfRefresh(ReadOnlySpan<byte> value)
    {
        var url = value[(value.IndexOfAny((byte)';', (byte)',') + 1)..].TrimStart(" \t"u8);
        if (!BeginsWith(url, "url"u8)) return value.Length;
        url = url[3..].TrimStart(" \t"u8);
        if (url.IsEmpty || url[0] != '=') return value.Length;
        return value.Length - url[1..].TrimStart(" \t\"'"u8).Length;
    }

    // From the first changed line on all are written anew, so that their order stays (RFC 9110 §5.3).
    private static bool Cookies(Exchange exchange, FieldBlock fields, OriginName origin)
    {
        if (!fields.Index.Has(KnownField.SetCookie)) return true;
        var changed = false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.SetCookie || fields.IsDropped(i)) continue;
            var value = fields.Value(i);
            if (!exchange.Scratch.TryTake(value.Length, out var room, out var range)) return false;
            var to = new SpanWriter(room);
            changed |= Write(value, origin, exchange.Request, ref to);
            range = exchange.Scratch.Trim(range, changed ? to.Length : 0);
            if (!changed) continue;
            fields.Drop(i);
            fields.Add(KnownField.SetCookie, NameOf(fields, i), range);
        }

        return true;
    }

    // A cookie for the endpoint's own host becomes one for the host that was asked: its Domain is taken out, and of its Path
    // the endpoint's own. The result is never longer.
    private static bool Write(ReadOnlySpan<byte> cookie, OriginName origin, Request request, ref SpanWriter to)
    {
        var changed = false;
        for (var at = 0; at < cookie.Length;)
        {
            var end = cookie[(at + 1)..].IndexOf((byte)';');
            var part = end < 0 ? cookie[at..] : cookie.Slice(at, end + 1);
            var equals = at == 0 && part[0] != ';' ? -1 : part.IndexOf((byte)'='); // The first part is the cookie's own name and value.
            at += part.Length;
            var name = equals < 0 ? default : Ascii.TrimWhiteSpace(part[1..equals]);
            var value = Ascii.TrimWhiteSpace(part[(equals + 1)..]);
            if (Ascii.EqualsIgnoreCase(name, "domain"u8) && Covers(value, HostOf(origin.Authority)) && !Covers(value, request.Host.Span))
            {
                changed = true;
                continue;
            }

            var path = Ascii.EqualsIgnoreCase(name, "path"u8) ? WithoutPrefix(value, origin.PathPrefix) : value;
            if (path.Length == value.Length)
            {
                to.Write(part);
                continue;
            }

            changed = true;
            to.Write(part[..(equals + 1)]);
            to.Write(path.IsEmpty ? "/"u8 : path);
        }

        return changed;
    }

    // Whether a cookie's Domain is a host or one above it.
    private static bool Covers(ReadOnlySpan<byte> domain, ReadOnlySpan<byte> host)
    {
        domain = domain.TrimStart((byte)'.');
        if (domain.IsEmpty || domain.Length > host.Length || !Ascii.EqualsIgnoreCase(host[^domain.Length..], domain)) return false;
        return domain.Length == host.Length || host[^(domain.Length + 1)] == '.';
    }

    // Whole segments only: what is left must not run into the authority before it.
    private static ReadOnlySpan<byte> WithoutPrefix(ReadOnlySpan<byte> path, ReadOnlySpan<byte> prefix)
    {
        if (prefix.IsEmpty || !path.StartsWith(prefix)) return path;
        var rest = path[prefix.Length..];
        return rest.IsEmpty || rest[0] is (byte)'/' or (byte)'?' or (byte)'#' || (rest.Length == 1 && rest[0] is (byte)'"' or (byte)'\'') ? rest : path;
    }

    private static bool BeginsWith(ReadOnlySpan<byte> value, ReadOnlySpan<byte> with) => value.Length >= with.Length && Ascii.EqualsIgnoreCase(value[..with.Length], with);

    private static ReadOnlySpan<byte> WithoutDefaultPort(ReadOnlySpan<byte> authority, bool isTls) =>
        authority.EndsWith(":80"u8) ? authority[..^3] : isTls && authority.EndsWith(":443"u8) ? authority[..^4] : authority;

    private static ReadOnlySpan<byte> HostOf(ReadOnlySpan<byte> authority)
    {
        var colon = authority.LastIndexOf((byte)':');
        return colon < 0 || authority[^1] == ']' ? authority : authority[..colon];
    }

    private static ByteRange NameOf(FieldBlock fields, int index)
    {
        ref readonly var field = ref fields.Index[index];
        return new ByteRange(fields.Bytes, fields.Origin + field.NameStart, field.NameLength);
    }
}
