// What a client can say that some server or framework believes (another host, path, method or address) and that no key tells: an
// answer that depends on it would be everybody's. A fetch for the cache goes without these fields, unless the operator names them
// in the key. X-Forwarded-For and the like are written by this proxy, or by one that is trusted, and stay.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Takes out of a fetch what its key does not tell.</summary>
public static class UnkeyedFields
{
    private static readonly byte[][] Names =
    [
        // Another target.
        .. Fields("X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Original-Path", "X-Envoy-Original-Path", "X-HTTP-Path-Override", "X-Proxy-URL", "X-Accel-Redirect", "X-Matched-Path", "X-HTTP-DestinationURL", "HTTP-URL"),
        // Another method.
        .. Fields("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"),
        // Another host, scheme or port.
        .. Fields("X-Host", "X-HTTP-Host-Override", "X-Original-Host", "X-Backend-Host", "X-Backend-Server", "X-Scheme", "X-URL-Scheme", "X-URI-Scheme", "Front-End-Https", "X-Script-Name", "Proxy-Host", "Request-URI", "Base-URL", "X-Proxy-Host", "X-Real-Host", "X-SSL", "X-HTTPS", "HTTPS", "Front-End-SSL"),
        // Another client.
        .. Fields("True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "CF-Connecting-IP", "Fastly-Client-IP", "Client-IP", "X-True-IP", "X-True-Client-IP", "X-ProxyUser-IP", "X-Original-Remote-Addr", "X-Forward-For", "X-Forwarder-For", "X-Forwarded", "X-HTTP-Forwarded-For"),
        // What switches an application's own inner ways.
        .. Fields("X-Invoke-Path", "X-Invoke-Query", "X-Invoke-Status", "X-Invoke-Error", "X-Middleware-Prefetch", "X-Middleware-Subrequest", "X-Middleware-Invoke", "X-Now-Route-Matches", "X-WAP-Profile", "X-React-Router-SPA-Mode", "X-React-Router-Prerender-Data", "Translate", "Proxy"),
    ];

    private static readonly byte[] CookieName = "Cookie"u8.ToArray();

    /// <summary>Drops them from a request that is to be sent for the cache, before anything an endpoint adds.</summary>
    /// <returns>False where there is no room.</returns>
    internal static bool TryDrop(Exchange exchange, KeyParts parts)
    {
        var fields = exchange.Request.Fields;
        if (fields.Index.Has(KnownField.Other)) DropOthers(fields, parts);
        if (parts.ByDevice) fields.Set(KnownField.Other, ByteRange.Of(DeviceClass.FieldName), ByteRange.Of(DeviceClass.Of(fields.First(KnownField.UserAgent))));
        return parts.Cookies is not { } cookies || TryKeepCookies(exchange, cookies);
    }

    /// <summary>Names of a request's fields that would be dropped, for people.</summary>
    public static IEnumerable<string> Of(Exchange exchange, KeyParts parts)
    {
        var fields = exchange.Request.Fields;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (IsUnkeyed(fields, i, parts)) yield return System.Text.Encoding.Latin1.GetString(fields.Name(i));
        }

        if (parts.Cookies is not null && fields.Index.Has(KnownField.Cookie)) yield return "cookies that do not count";
    }

    private static void DropOthers(FieldBlock fields, KeyParts parts)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (IsUnkeyed(fields, i, parts)) fields.Drop(i);
        }
    }

    private static bool IsUnkeyed(FieldBlock fields, int i, KeyParts parts)
    {
        if (fields.Index[i].Known != KnownField.Other || fields.IsDropped(i)) return false;
        var name = fields.Name(i);
        foreach (var unkeyed in Names)
        {
            if (Ascii.EqualsAsVariable(unkeyed, name)) return !parts.Names(name);
        }

        return false;
    }

    // The cookies that count, in the order they have; without any, none.
    private static bool TryKeepCookies(Exchange exchange, byte[][] cookies)
    {
        var fields = exchange.Request.Fields;
        if (!fields.Index.Has(KnownField.Cookie)) return true;
        var length = 0;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Cookie) length += fields.Value(i).Length + 2;
        }

        if (!exchange.Scratch.TryTake(length, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Cookie || fields.IsDropped(i)) continue;
            foreach (var pair in new CookiePairs(fields.Value(i)))
            {
                if (!Holds(cookies, pair)) continue;
                if (to.Length > 0) to.Write("; "u8);
                to.Write(pair);
            }
        }

        range = exchange.Scratch.Trim(range, to.Length);
        fields.Drop(KnownField.Cookie);
        if (!range.IsEmpty) fields.Add(KnownField.Cookie, ByteRange.Of(CookieName), range);
        return true;
    }

    private static bool Holds(byte[][] cookies, ReadOnlySpan<byte> pair)
    {
        foreach (var name in cookies)
        {
            if (CookiePairs.IsNamed(pair, name)) return true;
        }

        return false;
    }

    private static byte[][] Fields(params string[] names) => Array.ConvertAll(names, System.Text.Encoding.ASCII.GetBytes);
}
