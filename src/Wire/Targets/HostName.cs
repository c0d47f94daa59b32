// The host and port of an authority. RFC 3986 §3.2.2, less what two parties could read differently: user information,
// percent-encoding, and the comma, which separates hosts where they are listed.

using System.Buffers;
using System.Net;
using Weir.Wire.Bytes;

namespace Weir.Wire.Targets;

/// <summary>Hosts.</summary>
public static class HostName
{
    private static readonly SearchValues<byte> Name = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+;="u8);

    private static readonly SearchValues<byte> Ipv6 = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    /// <summary>Splits "host", "host:port" or "[v6]:port".</summary>
    /// <param name="authority">What is to be split.</param>
    /// <param name="hostLength">Bytes of the host, brackets included.</param>
    /// <param name="port">The port; 0 where none is named.</param>
    /// <returns>Whether it is well-formed.</returns>
    public static bool TrySplit(ReadOnlySpan<byte> authority, out int hostLength, out int port)
    {
        hostLength = port = 0;
        if (authority.IsEmpty || authority.Length > 260) return false;
        if (authority[0] == '[')
        {
            var close = authority.IndexOf((byte)']');
            if (close < 0 || !IsIpv6(authority[1..close])) return false;
            hostLength = close + 1;
        }
        else
        {
            hostLength = authority.IndexOfAnyExcept(Name);
            if (hostLength < 0) hostLength = authority.Length;
            if (hostLength == 0 || authority[0] == '.' || authority[..hostLength].IndexOf(".."u8) >= 0) return false;
        }

        var rest = authority[hostLength..];
        if (rest.IsEmpty) return true;
        if (rest[0] != ':' || rest.Length > 6) return false;
        rest = rest[1..];
        if (rest.IsEmpty) return true;
        if (!Ascii.TryDecimal(rest, out var number) || number > 65535) return false;
        port = (int)number;
        return true;
    }

    /// <summary>Lower case, without a trailing dot: what sites are found by.</summary>
    /// <returns>Bytes written.</returns>
    public static int Normalize(ReadOnlySpan<byte> host, Span<byte> into)
    {
        if (host.Length > 1 && host[^1] == '.') host = host[..^1];
        Ascii.ToLower(host, into);
        return host.Length;
    }

    private static bool IsIpv6(ReadOnlySpan<byte> literal)
    {
        Span<char> text = stackalloc char[46];
        if (literal.Length is < 2 or > 45 || literal.IndexOfAnyExcept(Ipv6) >= 0) return false;
        for (var i = 0; i < literal.Length; i++) text[i] = (char)literal[i];
        return IPAddress.TryParse(text[..literal.Length], out var ip) && ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
    }
}
