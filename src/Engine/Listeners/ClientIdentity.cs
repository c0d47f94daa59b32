// Whose request it is: the connection's peer, or the client that trusted proxies name. Fields of untrusted peers are not
// believed. The list is read from its end: the first address that is not a trusted proxy is the client.

using System.Net;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Listeners;

/// <summary>Finds the client's address.</summary>
public static class ClientIdentity
{
    // Proxies looked at in a row, at most.
    private const int MostHops = 32;

    /// <summary>Sets <see cref="Exchange.ClientAddress"/>. Allocates only where a trusted proxy names somebody.</summary>
    public static void Find(Exchange exchange, IPNetwork[] trusted)
    {
        exchange.ClientAddress = exchange.Ends.ClientAddress;
        if (trusted.Length == 0 || !IsTrusted(exchange.Ends.ClientAddress, trusted)) return;
        exchange.IsFromTrustedProxy = true;
        var fields = exchange.Request.Fields;
        if (!fields.Index.Has(KnownField.XForwardedFor)) return;
        var hops = 0;
        for (var i = fields.Index.Count - 1; i >= 0; i--)
        {
            if (fields.Index[i].Known != KnownField.XForwardedFor) continue;
            var rest = fields.Value(i);
            while (!rest.IsEmpty)
            {
                var comma = rest.LastIndexOf((byte)',');
                var element = Wire.Bytes.Ascii.TrimWhiteSpace(rest[(comma + 1)..]);
                rest = comma < 0 ? default : rest[..comma];
                if (element.IsEmpty) continue;
                if (++hops > MostHops || !TryRead(element, out var address)) return;
                exchange.ClientAddress = address;
                if (!IsTrusted(address, trusted)) return;
            }
        }
    }

    private static bool IsTrusted(IPAddress? address, IPNetwork[] trusted)
    {
        if (address is null) return true; // A Unix peer is on this machine.
        foreach (var network in trusted)
        {
            if (network.Contains(address)) return true;
        }

        return false;
    }

    private static bool TryRead(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text.Length > 60) return false;
        if (text[0] != '[' && text.Count((byte)':') == 1) text = text[..text.IndexOf((byte)':')]; // "1.2.3.4:port"
        if (IPAddress.TryParse(Encoding.ASCII.GetString(text).Trim('[', ']'), out var read))
        {
            address = read.IsIPv4MappedToIPv6 ? read.MapToIPv4() : read;
            return true;
        }

        return IPEndPoint.TryParse(Encoding.ASCII.GetString(text), out var end) && (address = end.Address) is not null;
    }
}
