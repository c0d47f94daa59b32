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
    private static readonly KnownField[] Software =
    [
        KnownField.Server, KnownField.XPoweredBy, KnownField.XAspNetVersion, KnownField.XAspNetMvcVersion, KnownField.XRuntime, KnownField.XGenerator, KnownField.Via,
    ];

    private static readonly System.Buffers.SearchValues<byte> AuthorityEnd = System.Buffers.SearchValues.Create("/?#\"' ;"u8);

    public void Apply(Exchange exchange)
    {
        if (exchange.Place.EndpointState is not Endpoint endpoint || exchange.Origin is null) return;
        var fields = exchange.Response.Fields;
        foreach (var field in Software)
        {
            if (fields.Index.Has(field)) fields.Drop(field);
        }

        if (fields.Index.Has(KnownField.Location)) PointHere(exchange, fields, KnownField.Location, endpoint);
        if (fields.Index.Has(KnownField.ContentLocation)) PointHere(exchange, fields, KnownField.ContentLocation, endpoint);
        if (fields.Index.Has(KnownField.Refresh)) PointHere(exchange, fields, KnownField.Refresh, endpoint);
        if (fields.Index.Has(KnownField.SetCookie)) Cookies(exchange, fields, endpoint);
    }

    // Replaces "http://endpoint" at the value's URL by our own scheme and authority, and takes the endpoint's path prefix off.
    private static void PointHere(Exchange exchange, FieldBlock fields, KnownField field, Endpoint endpoint)
    {
        var index = fields.Index.IndexOf(field);
        var value = fields.Value(index);
        var start = value.IndexOf("http://"u8);
        if (start < 0) start = value.IndexOf("https://"u8);
        if (start < 0) return;
        var authority = start + value[start..].IndexOf("//"u8) + 2;
        var length = value[authority..].IndexOfAny(AuthorityEnd);
        if (length < 0) length = value.Length - authority;
        if (!IsEndpoint(value.Slice(authority, length), endpoint)) return;
        var rest = value[(authority + length)..];
        if (IsBelow(rest, endpoint.PathPrefix)) rest = rest[endpoint.PathPrefix.Length..];

        // A client of HTTP/1.0 need not name a host: it is told the path alone (RFC 9110 §4.2.1: no URI without a host).
        var request = exchange.Request;
        var scheme = request.Authority.IsEmpty ? default : request.IsSecure ? "https://"u8 : "http://"u8;
        if (scheme.IsEmpty && (rest.IsEmpty || rest[0] != '/')) rest = "/"u8;
        if (!exchange.Scratch.TryTake(start + scheme.Length + request.Authority.Length + rest.Length, out var room, out var range)) return;
        var to = new SpanWriter(room);
        to.Write(value[..start]);
        to.Write(scheme);
        to.Write(request.Authority.Span);
        to.Write(rest);
        fields.Set(field, NameOf(fields, index), range);
    }

    // A cookie for the endpoint's own host becomes one for the host that was asked: its Domain is taken out, and the endpoint's
    // path prefix off its Path. From the first changed line on all are written anew, so that their order stays (RFC 9110 §5.3).
    private static void Cookies(Exchange exchange, FieldBlock fields, Endpoint endpoint)
    {
        var changed = false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.SetCookie || fields.IsDropped(i)) continue;
            var value = fields.Value(i);
            if (!changed && !NamesEndpoint(value, endpoint)) continue;
            changed = true;
            if (!exchange.Scratch.TryTake(value.Length, out var room, out var range)) return;
            var writer = new SpanWriter(room);
            WriteCookie(ref writer, value, endpoint);
            fields.Drop(i);
            fields.Add(KnownField.SetCookie, NameOf(fields, i), exchange.Scratch.Trim(range, writer.Length));
        }
    }

    private static bool NamesEndpoint(ReadOnlySpan<byte> cookie, Endpoint endpoint)
    {
        foreach (var part in cookie.Split((byte)';'))
        {
            if (part.Start.Value > 0 && PlaceOf(cookie[part], endpoint, out _) != Place.Elsewhere) return true;
        }

        return false;
    }

    private static void WriteCookie(ref SpanWriter to, ReadOnlySpan<byte> cookie, Endpoint endpoint)
    {
        foreach (var part in cookie.Split((byte)';'))
        {
            var attribute = cookie[part];
            var place = part.Start.Value == 0 ? Place.Elsewhere : PlaceOf(attribute, endpoint, out attribute);
            if (place == Place.Domain) continue;
            if (part.Start.Value > 0) to.Write((byte)';');
            if (place == Place.Path) to.Write(" Path="u8);
            to.Write(place == Place.Path && attribute.IsEmpty ? "/"u8 : attribute);
        }
    }

    // Whether a cookie's attribute names the endpoint's host, or its path prefix; of the path, what is behind the prefix.
    private static Place PlaceOf(ReadOnlySpan<byte> attribute, Endpoint endpoint, out ReadOnlySpan<byte> rest)
    {
        rest = attribute;
        var trimmed = Ascii.TrimWhiteSpace(attribute);
        var equals = trimmed.IndexOf((byte)'=');
        if (equals < 0) return Place.Elsewhere;
        var name = Ascii.TrimWhiteSpace(trimmed[..equals]);
        var value = Ascii.TrimWhiteSpace(trimmed[(equals + 1)..]);
        if (Ascii.EqualsIgnoreCase(name, "domain"u8)) return IsDomainOf(value.TrimStart((byte)'.'), HostOf(endpoint.Authority)) ? Place.Domain : Place.Elsewhere;
        if (!Ascii.EqualsIgnoreCase(name, "path"u8) || !IsBelow(value, endpoint.PathPrefix)) return Place.Elsewhere;
        rest = value[endpoint.PathPrefix.Length..];
        return Place.Path;
    }

    private static bool IsDomainOf(ReadOnlySpan<byte> domain, ReadOnlySpan<byte> host) =>
        !domain.IsEmpty && domain.Length <= host.Length && Ascii.EqualsIgnoreCase(host[^domain.Length..], domain) && (domain.Length == host.Length || host[^(domain.Length + 1)] == '.');

    // Whether a path is the prefix or lies below it: "/v1" is not above "/v10".
    private static bool IsBelow(ReadOnlySpan<byte> path, ReadOnlySpan<byte> prefix) =>
        !prefix.IsEmpty && path.StartsWith(prefix) && (path.Length == prefix.Length || path[prefix.Length] is (byte)'/' or (byte)'?' or (byte)'#');

    private static bool IsEndpoint(ReadOnlySpan<byte> authority, Endpoint endpoint) =>
        Ascii.EqualsIgnoreCase(authority, endpoint.Authority) || (endpoint.Authority.AsSpan().EndsWith(":80"u8) && Ascii.EqualsIgnoreCase(authority, HostOf(endpoint.Authority)));

    private static ReadOnlySpan<byte> HostOf(ReadOnlySpan<byte> authority)
    {
        var colon = authority.LastIndexOf((byte)':');
        return colon < 0 || authority[^1] == ']' ? authority : authority[..colon];
    }

    private enum Place
    {
        Elsewhere,
        Domain,
        Path,
    }

    private static ByteRange NameOf(FieldBlock fields, int index)
    {
        ref readonly var field = ref fields.Index[index];
        return new ByteRange(fields.Bytes, fields.Origin + field.NameStart, field.NameLength);
    }
}
