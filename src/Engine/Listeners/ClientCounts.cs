// How many of something each client has at once. A client with IPv6 is given a /64 at least and may come from any address of it
// (RFC 6177), so that is what it is counted under.

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Weir.Engine.Listeners;

/// <summary>Counts by client. Any thread.</summary>
internal sealed class ClientCounts
{
    private readonly ConcurrentDictionary<IPAddress, int> counts = new();

    /// <summary>One more of a client, unless that is more than it may have.</summary>
    /// <param name="client">Its address; null: not a client that is counted.</param>
    /// <param name="most">How many it may have; 0: no limit, and nothing is counted.</param>
    /// <param name="counted">What <see cref="Leave"/> is to be told; null: nothing.</param>
    public bool TryEnter(IPAddress? client, int most, out IPAddress? counted)
    {
        counted = most > 0 && client is not null ? Of(client) : null;
        if (counted is null || counts.AddOrUpdate(counted, 1, static (_, n) => n + 1) <= most) return true;
        Leave(counted);
        counted = null;
        return false;
    }

    /// <summary>One less.</summary>
    public void Leave(IPAddress? counted)
    {
        while (counted is not null && counts.TryGetValue(counted, out var now))
        {
            if (now <= 1 ? counts.TryRemove(KeyValuePair.Create(counted, now)) : counts.TryUpdate(counted, now - 1, now)) return;
        }
    }

    /// <summary>What a client is counted under: of IPv6 its /64, except where many clients share one: on a link, and behind a translation from IPv4 (RFC 6052, RFC 8215).</summary>
    public static IPAddress Of(IPAddress client)
    {
        if (client.AddressFamily != AddressFamily.InterNetworkV6 || client.IsIPv4MappedToIPv6 || client.IsIPv6LinkLocal) return client;
        Span<byte> bytes = stackalloc byte[16];
        client.TryWriteBytes(bytes, out _);
        if (bytes.StartsWith<byte>([0x00, 0x64, 0xff, 0x9b])) return client;
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }
}
