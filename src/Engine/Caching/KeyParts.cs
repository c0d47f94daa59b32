// What of a request belongs to the key because the operator names it, or because the origin is told it by somebody who is trusted.
// Each part begins with its form and ends with LF, neither of which a value can hold, so that no two requests share a key that
// say different things.

using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Parts of keys beside the URL. Immutable.</summary>
public sealed class KeyParts
{
    /// <summary>Bytes that all parts may have together; a request that brings more is passed on.</summary>
    public const int Most = 2048;

    private const byte Absent = 0x01;
    private const byte Present = 0x02;
    private const byte Next = 0x05;
    private const byte Told = 0x06;

    private readonly (KnownField Known, byte[] Name)[] headers;

    /// <param name="headers">Fields whose values count.</param>
    /// <param name="cookies">Cookies whose values count; null: none, and all are sent on.</param>
    /// <param name="byDevice">Whether the class of the device counts.</param>
    public KeyParts(byte[][] headers, byte[][]? cookies, bool byDevice)
    {
        this.headers = [.. headers.Select(static name => (KnownFields.Lookup(name), name))];
        (Cookies, ByDevice) = (cookies, byDevice);
    }

    public static KeyParts None { get; } = new([], null, false);

    public byte[][]? Cookies { get; }

    public bool ByDevice { get; }

    /// <summary>The class of the device that asks, for people.</summary>
    public static string DeviceOf(Exchange exchange) => System.Text.Encoding.ASCII.GetString(DeviceClass.Of(exchange.Request.Fields.First(KnownField.UserAgent)));

    /// <summary>Whether a field is part of the key, by its name, '_' and '-' being the same.</summary>
    public bool Names(ReadOnlySpan<byte> field)
    {
        foreach (var (_, name) in headers)
        {
            if (Ascii.EqualsAsVariable(name, field)) return true;
        }

        return false;
    }

    /// <summary>Writes a request's parts.</summary>
    /// <returns>False where they are too long.</returns>
    public bool TryWrite(Exchange exchange, ref SpanWriter to)
    {
        var fields = exchange.Request.Fields;
        foreach (var (known, name) in headers)
        {
            if (!VaryValue.TryWrite(ref to, fields, known, name)) return false;
        }

        foreach (var cookie in Cookies ?? [])
        {
            if (!TryWriteCookie(fields, cookie, ref to)) return false;
        }

        if (ByDevice)
        {
            var device = DeviceClass.Of(fields.First(KnownField.UserAgent));
            if (to.Free.Length < device.Length + 1) return false;
            to.Write(device);
            to.Write((byte)'\n');
        }

        return !exchange.IsFromTrustedProxy || TryWriteTold(fields, ref to);
    }

    private static bool TryWriteCookie(FieldBlock fields, byte[] cookie, ref SpanWriter to)
    {
        var any = false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Cookie || fields.IsDropped(i)) continue;
            foreach (var pair in new CookiePairs(fields.Value(i)))
            {
                if (!CookiePairs.IsNamed(pair, cookie)) continue;
                if (to.Free.Length < pair.Length + 2) return false;
                to.Write(any ? Next : Present);
                to.Write(pair[cookie.Length..]);
                any = true;
            }
        }

        if (to.Free.Length < 2) return false;
        if (!any) to.Write(Absent);
        to.Write((byte)'\n');
        return true;
    }

    // What a trusted proxy says of the host, the port, the path: origins build links of it. Whom it speaks for is in no key.
    private static bool TryWriteTold(FieldBlock fields, ref SpanWriter to)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            var known = fields.Index[i].Known;
            if (fields.IsDropped(i) || known is KnownField.XForwardedFor or KnownField.XForwardedProto or KnownField.XRealIp) continue;
            if (known == KnownField.Forwarded)
            {
                if (!TryWriteForwarded(fields.Value(i), ref to)) return false;
                continue;
            }

            var name = fields.Name(i);
            if (known is not (KnownField.XForwardedHost or KnownField.XForwardedPort) && !(known == KnownField.Other && Trailers.IsForwarded(name))) continue;
            if (to.Free.Length < name.Length + fields.Value(i).Length + 3) return false;
            to.Write(Told);
            foreach (var b in name) to.Write(Ascii.ToLower(b));
            to.Write((byte)':');
            to.Write(fields.Value(i));
            to.Write((byte)'\n');
        }

        return true;
    }

    // RFC 7239 §4: all but "for" and "by".
    private static bool TryWriteForwarded(ReadOnlySpan<byte> value, ref SpanWriter to)
    {
        var (start, isQuoted) = (0, false);
        for (var i = 0; i <= value.Length; i++)
        {
            if (i < value.Length)
            {
                if (isQuoted && value[i] == '\\') i++;
                else if (value[i] == '"') isQuoted = !isQuoted;
                if (isQuoted || i >= value.Length || value[i] is not ((byte)',' or (byte)';')) continue;
            }

            var pair = Ascii.TrimWhiteSpace(value[start..Math.Min(i, value.Length)]);
            start = i + 1;
            if (pair.IsEmpty || IsWho(pair)) continue;
            if (to.Free.Length < pair.Length + 2) return false;
            to.Write(Told);
            to.Write(pair);
            to.Write((byte)'\n');
        }

        return true;
    }

    private static bool IsWho(ReadOnlySpan<byte> pair) =>
        (pair.Length > 4 && Ascii.EqualsIgnoreCase(pair[..4], "for="u8)) || (pair.Length > 3 && Ascii.EqualsIgnoreCase(pair[..3], "by="u8));
}

/// <summary>The cookies of a Cookie field, as they are written: name=value.</summary>
internal ref struct CookiePairs(ReadOnlySpan<byte> value)
{
    private ReadOnlySpan<byte> rest = value;

    public ReadOnlySpan<byte> Current { get; private set; }

    public readonly CookiePairs GetEnumerator() => this;

    public bool MoveNext()
    {
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf((byte)';');
            Current = Ascii.TrimWhiteSpace(end < 0 ? rest : rest[..end]);
            rest = end < 0 ? default : rest[(end + 1)..];
            if (!Current.IsEmpty) return true;
        }

        return false;
    }

    public static bool IsNamed(ReadOnlySpan<byte> pair, ReadOnlySpan<byte> name) => pair.StartsWith(name) && (pair.Length == name.Length || pair[name.Length] == '=');
}
