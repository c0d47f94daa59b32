// The servers behind are not told of: what names their software is dropped, and where a response points at an endpoint by
// its own authority (Location, Content-Location, Refresh, a cookie's Domain), it is made to point here.

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
        if (endpoint.PathPrefix.Length > 0 && rest.StartsWith(endpoint.PathPrefix)) rest = rest[endpoint.PathPrefix.Length..];

        var request = exchange.Request;
        var scheme = request.IsSecure ? "https://"u8 : "http://"u8;
        if (!exchange.Scratch.TryTake(start + scheme.Length + request.Authority.Length + rest.Length, out var room, out var range)) return;
        var to = new SpanWriter(room);
        to.Write(value[..start]);
        to.Write(scheme);
        to.Write(request.Authority.Span);
        to.Write(rest);
        fields.Set(field, NameOf(fields, index), range);
    }

    // A cookie for the endpoint's own host becomes one for the host that was asked: its Domain is taken out.
    private static void Cookies(Exchange exchange, FieldBlock fields, Endpoint endpoint)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.SetCookie) continue;
            var value = fields.Value(i);
            if (!FindDomain(value, endpoint, out var from, out var to)) continue;
            if (!exchange.Scratch.TryTake(value.Length, out var room, out var range)) return;
            var writer = new SpanWriter(room);
            writer.Write(value[..from]);
            writer.Write(value[to..]);
            fields.Drop(i);
            fields.Add(KnownField.SetCookie, NameOf(fields, i), exchange.Scratch.Trim(range, writer.Length));
        }
    }

    private static bool FindDomain(ReadOnlySpan<byte> cookie, Endpoint endpoint, out int from, out int to)
    {
        to = 0;
        for (from = cookie.IndexOf((byte)';'); from >= 0;)
        {
            var end = cookie[(from + 1)..].IndexOf((byte)';');
            to = end < 0 ? cookie.Length : from + 1 + end;
            var attribute = Ascii.TrimWhiteSpace(cookie[(from + 1)..to]);
            if (attribute.Length > 7 && Ascii.EqualsIgnoreCase(attribute[..7], "domain="u8))
            {
                var domain = Ascii.TrimWhiteSpace(attribute[7..]).TrimStart((byte)'.');
                if (HostOf(endpoint.Authority).EndsWith(domain) && !domain.IsEmpty) return true;
            }

            from = end < 0 ? -1 : to;
        }

        return false;
    }

    private static bool IsEndpoint(ReadOnlySpan<byte> authority, Endpoint endpoint) =>
        Ascii.EqualsIgnoreCase(authority, endpoint.Authority) || (endpoint.Authority.AsSpan().EndsWith(":80"u8) && Ascii.EqualsIgnoreCase(authority, HostOf(endpoint.Authority)));

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
