// Whose request it is, and whether it began as https: the connection's peer knows, or trusted proxies say. Fields of
// untrusted peers are not believed. One family of fields is read, never both: X-Forwarded-For and -Proto where either is
// there, else Forwarded (RFC 7239). It is read from its end: the first address that is not a trusted proxy is the client, and
// what stands beside it is the scheme. Where an element cannot be read, whoever sent it is as far as anybody knows.

using System.Net;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Listeners;

/// <summary>Who may say on whose behalf it speaks. Immutable.</summary>
/// <param name="Networks">Addresses of proxies.</param>
/// <param name="Unix">Whoever connects over a Unix socket.</param>
public sealed record TrustedProxies(IPNetwork[] Networks, bool Unix = false)
{
    public static TrustedProxies None { get; } = new([]);

    /// <summary>Whether a peer is one of them.</summary>
    /// <param name="address">Its address; null: it came over a Unix socket.</param>
    public bool Include(IPAddress? address)
    {
        if (address is null) return Unix;
        foreach (var network in Networks)
        {
            if (network.Contains(address)) return true;
        }

        return false;
    }
}

/// <summary>Finds the client's address and scheme.</summary>
public static class ClientIdentity
{
    // Proxies looked at in a row, at most.
    private const int MostHops = 32;

    private const int LongestAddress = 45;

    /// <summary>
    /// Sets <see cref="Exchange.ClientAddress"/> and <see cref="Request.IsSecure"/>. Allocates only where a trusted proxy names
    /// somebody.
    /// </summary>
    public static void Find(Exchange exchange, TrustedProxies trusted)
    {
        exchange.ClientAddress = exchange.Ends.ClientAddress;
        if (!trusted.Include(exchange.Ends.ClientAddress)) return;
        exchange.IsFromTrustedProxy = true;
        var index = exchange.Request.Fields.Index;
        if (exchange.Request.HasXForwarded) FromXForwarded(exchange, trusted);
        else if (index.Has(KnownField.Forwarded)) FromForwarded(exchange, trusted);
    }

    private static void FromXForwarded(Exchange exchange, TrustedProxies trusted)
    {
        var hops = 0;
        var elements = new FromTheEnd(exchange.Request.Fields, KnownField.XForwardedFor);
        while (hops < MostHops && elements.TryNext(out var element))
        {
            hops++;
            if (!TryAddress(element, out var address)) break;
            exchange.ClientAddress = address;
            if (!trusted.Include(address)) break;
        }

        // Proxies that append say a scheme for each hop; one that sets it says one for all.
        var schemes = new FromTheEnd(exchange.Request.Fields, KnownField.XForwardedProto);
        for (var i = 0; i < Math.Max(hops, 1) && schemes.TryNext(out var scheme); i++) Believe(exchange, scheme);
    }

    private static void FromForwarded(Exchange exchange, TrustedProxies trusted)
    {
        var elements = new FromTheEnd(exchange.Request.Fields, KnownField.Forwarded);
        for (var hop = 0; hop < MostHops && elements.TryNext(out var element); hop++)
        {
            if (!TrySplit(element, out var from, out var scheme)) return;
            Believe(exchange, scheme);
            if (!TryAddress(from, out var address)) return;
            exchange.ClientAddress = address;
            if (!trusted.Include(address)) return;
        }
    }

    private static void Believe(Exchange exchange, ReadOnlySpan<byte> scheme)
    {
        if (Ascii.EqualsIgnoreCase(scheme, "https"u8) || Ascii.EqualsIgnoreCase(scheme, "wss"u8)) exchange.Request.IsSecure = true;
        else if (Ascii.EqualsIgnoreCase(scheme, "http"u8) || Ascii.EqualsIgnoreCase(scheme, "ws"u8)) exchange.Request.IsSecure = false;
    }

    // One element of Forwarded: pairs of a token and a token or quoted string (RFC 7239 §4). What is not, is no element: where
    // the comma that was cut at stood within quotes, neither half is.
    private static bool TrySplit(ReadOnlySpan<byte> element, out ReadOnlySpan<byte> from, out ReadOnlySpan<byte> scheme)
    {
        from = scheme = default;
        while (!element.IsEmpty)
        {
            var equals = element.IndexOf((byte)'=');
            if (equals < 0) return false;
            var name = Ascii.TrimWhiteSpace(element[..equals]);
            if (!Ascii.IsToken(name) || !TryValue(element[(equals + 1)..], out var value, out element)) return false;
            if (Ascii.EqualsIgnoreCase(name, "for"u8) && from.IsEmpty) from = value;
            else if (Ascii.EqualsIgnoreCase(name, "proto"u8) && scheme.IsEmpty) scheme = value;
            else if (Ascii.EqualsIgnoreCase(name, "for"u8) || Ascii.EqualsIgnoreCase(name, "proto"u8)) return false;
        }

        return true;
    }

    private static bool TryValue(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> value, out ReadOnlySpan<byte> rest)
    {
        value = rest = default;
        int end;
        if (text.StartsWith((byte)'"'))
        {
            for (end = 1; end < text.Length && text[end] != '"'; end++)
            {
                if (text[end] == '\\') end++;
            }

            if (end >= text.Length) return false;
            value = text[1..end++];
        }
        else
        {
            end = text.IndexOfAnyExcept(Ascii.Token);
            if (end < 0) end = text.Length;
            value = text[..end];
            if (value.IsEmpty) return false;
        }

        rest = text[end..].TrimStart(" \t"u8);
        if (rest.IsEmpty) return true;
        if (rest[0] != ';') return false;
        rest = rest[1..].TrimStart(" \t"u8);
        return true;
    }

    // "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80": numbers only; "unknown", "_hidden" and
    // what the system's own reading would stretch to an address ("10", "0x7f.1", "1.2.3.010") are none.
    private static bool TryAddress(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        var port = text.Length;
        if (text.StartsWith((byte)'['))
        {
            var close = text.IndexOf((byte)']');
            if (close < 0) return false;
            port = close + 1;
            return IsPort(text[port..]) && TryV6(text[1..close], out address);
        }

        if (text.Count((byte)':') > 1) return TryV6(text, out address);
        if (text.IndexOf((byte)':') is >= 0 and var colon) port = colon;
        return IsPort(text[port..]) && TryV4(text[..port], out address);
    }

    // RFC 7239 §6.2: digits, or a name that hides them.
    private static bool IsPort(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return true;
        if (text[0] != ':' || text.Length < 2) return false;
        return text[1] == '_' ? Ascii.IsToken(text[2..]) : text.Length <= 6 && text[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;
    }

    private static bool TryV4(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text.Length > 15) return false;
        Span<byte> bytes = stackalloc byte[4];
        for (var i = 0; i < 4; i++)
        {
            var dot = i < 3 ? text.IndexOf((byte)'.') : text.Length;
            if (dot < 1 || dot > 3 || (dot > 1 && text[0] == '0') || !Ascii.TryDecimal(text[..dot], out var number) || number > 255) return false;
            bytes[i] = (byte)number;
            text = text[Math.Min(dot + 1, text.Length)..];
        }

        address = new IPAddress(bytes);
        return true;
    }

    private static bool TryV6(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text.Length is < 2 or > LongestAddress) return false;
        Span<char> letters = stackalloc char[LongestAddress];
        for (var i = 0; i < text.Length; i++)
        {
            if (Ascii.Hex(text[i]) < 0 && text[i] is not ((byte)':' or (byte)'.')) return false;
            letters[i] = (char)text[i];
        }

        if (!IPAddress.TryParse(letters[..text.Length], out var read) || read.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6) return false;
        address = read.IsIPv4MappedToIPv6 ? read.MapToIPv4() : read;
        return true;
    }

    /// <summary>
    /// A field's elements from its last line's end. They are cut at every comma: what a proxy appended is found whatever stands
    /// before it, a quote that is never closed too.
    /// </summary>
    private ref struct FromTheEnd(FieldBlock fields, KnownField field)
    {
        private ReadOnlySpan<byte> rest;
        private int line = fields.Index.Count;

        public bool TryNext(out ReadOnlySpan<byte> element)
        {
            while (true)
            {
                while (!rest.IsEmpty)
                {
                    var comma = rest.LastIndexOf((byte)',');
                    element = Ascii.TrimWhiteSpace(rest[(comma + 1)..]);
                    rest = comma < 0 ? default : rest[..comma];
                    if (!element.IsEmpty) return true;
                }

                do
                {
                    element = default;
                    if (--line < 0) return false;
                }
                while (fields.Index[line].Known != field || fields.IsDropped(line));
                rest = fields.Value(line);
            }
        }
    }
}
