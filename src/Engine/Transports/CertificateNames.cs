// What a certificate is for: names, names one level below others, addresses (RFC 6125 §6.4, RFC 9525). Its subject's common
// name is nobody's word.

using System.Net;
using System.Text;

namespace Weir.Engine.Transports;

/// <summary>The names that a certificate covers. Immutable.</summary>
public sealed class CertificateNames
{
    private readonly byte[][] exact;
    private readonly byte[][] below;

    /// <param name="names">Names, with "*." in front where the level below is meant.</param>
    /// <param name="addresses">Addresses.</param>
    public CertificateNames(IEnumerable<string> names, IEnumerable<IPAddress> addresses)
    {
        string[] all = [.. names.Select(static n => n.ToLowerInvariant().TrimEnd('.'))];
        exact = [.. all.Where(static n => !n.StartsWith("*.", StringComparison.Ordinal)).Select(Encoding.ASCII.GetBytes), .. addresses.Select(static a => Encoding.ASCII.GetBytes(a.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{a}]" : a.ToString()))];
        below = [.. all.Where(static n => n.StartsWith("*.", StringComparison.Ordinal)).Select(static n => Encoding.ASCII.GetBytes(n[1..]))];
    }

    /// <summary>Whether it covers a host, lower case and as it stands in a URL; one that begins with "*." as a whole level.</summary>
    public bool Cover(ReadOnlySpan<byte> host)
    {
        foreach (var name in exact)
        {
            if (host.SequenceEqual(name)) return true;
        }

        var dot = host.IndexOf((byte)'.');
        if (dot <= 0) return false;
        foreach (var name in below)
        {
            if (host[dot..].SequenceEqual(name)) return true;
        }

        return false;
    }
}
