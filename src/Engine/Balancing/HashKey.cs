// What a hash is taken of: part of a request, the same in every process and after every restart.

using System.Buffers.Binary;
using System.Net;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Balancing;

/// <summary>Where a key comes from.</summary>
public enum KeySource
{
    ClientIp,
    Path,
    Header,
    Cookie,
    Query,
}

/// <summary>A part of a request, hashed.</summary>
public sealed class HashKey(KeySource source, byte[] name)
{
    private readonly KnownField known = source == KeySource.Header ? KnownFields.Lookup(name) : KnownField.Other;

    /// <summary>The client's whole address, as trusted proxies tell it.</summary>
    public static HashKey ClientIp { get; } = new(KeySource.ClientIp, []);

    /// <summary>Whether the request has the key, and its hash.</summary>
    public bool TryHash(Exchange exchange, out ulong hash)
    {
        if (source == KeySource.ClientIp) return TryHash(exchange.ClientAddress, out hash);
        ReadOnlySpan<byte> value;
        var has = source switch
        {
            KeySource.Header => TryHeader(exchange.Request.Fields, out value),
            KeySource.Cookie => TryCookie(exchange.Request.Fields, out value),
            KeySource.Query => TryPair(exchange.Request.Query.Span, (byte)'&', out value),
            _ => TryPath(exchange.Request, out value),
        };
        hash = has ? Hash(value) : 0;
        return has;
    }

    internal static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        var hash = 0x9E3779B97F4A7C15 ^ (ulong)bytes.Length;
        for (; bytes.Length >= 8; bytes = bytes[8..]) hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        ulong last = 0;
        foreach (var b in bytes) last = (last << 8) | b;
        return Mix(hash ^ last);
    }

    /// <summary>Spreads every bit over all (the finisher of splitmix64): one to one.</summary>
    internal static ulong Mix(ulong value)
    {
        unchecked
        {
            value += 0x9E3779B97F4A7C15;
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }

    /// <summary>What endpoints are placed by; those of one identity are told apart by their order.</summary>
    internal static ulong[] Places(ReadOnlySpan<IBalanced> endpoints)
    {
        var places = new ulong[endpoints.Length];
        var seen = new Dictionary<string, int>();
        for (var i = 0; i < places.Length; i++)
        {
            var identity = endpoints[i].Identity;
            seen[identity] = seen.GetValueOrDefault(identity) + 1;
            places[i] = Mix(Hash(System.Text.Encoding.UTF8.GetBytes(identity)) ^ (ulong)seen[identity]);
        }

        return places;
    }

    // An IPv4 client is the same one on a socket of both families.
    private static bool TryHash(IPAddress? client, out ulong hash)
    {
        hash = 0;
        Span<byte> bytes = stackalloc byte[16];
        if (client is null || !client.TryWriteBytes(bytes, out var length)) return false;
        hash = Hash(client.IsIPv4MappedToIPv6 ? bytes[12..length] : bytes[..length]);
        return true;
    }

    private static bool TryPath(Request request, out ReadOnlySpan<byte> value)
    {
        value = request.MatchedPath.IsEmpty ? request.Path.Span : request.MatchedPath.Span;
        return !value.IsEmpty;
    }

    private bool TryHeader(FieldBlock fields, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (known != KnownField.Other && !fields.Index.Has(known)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != known || (known == KnownField.Other && !Ascii.EqualsIgnoreCase(fields.Name(i), name))) continue;
            value = fields.Value(i);
            return !value.IsEmpty;
        }

        return false;
    }

    private bool TryCookie(FieldBlock fields, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!fields.Index.Has(KnownField.Cookie)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Cookie && TryPair(fields.Value(i), (byte)';', out value)) return true;
        }

        return false;
    }

    private bool TryPair(ReadOnlySpan<byte> rest, byte separator, out ReadOnlySpan<byte> value)
    {
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf(separator);
            var pair = Ascii.TrimWhiteSpace(end < 0 ? rest : rest[..end]);
            rest = end < 0 ? default : rest[(end + 1)..];
            var equals = pair.IndexOf((byte)'=');
            if (equals <= 0 || !pair[..equals].SequenceEqual(name)) continue;
            value = pair[(equals + 1)..];
            return !value.IsEmpty;
        }

        value = default;
        return false;
    }
}
