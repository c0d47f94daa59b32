// Keeps the addresses of endpoints that are called by a name: whatever time their answer holds, it is theirs while it does, and
// the last good one afterwards. Under the lock of its membership, but for the calls.

using System.Net;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;

namespace Weir.Control.Discovery;

/// <summary>Follows the names of endpoints.</summary>
public sealed class AddressFollower
{
    private readonly Dictionary<Endpoint, NameSubscription> followed = [];

    /// <summary>Whether a host is a name that can mean something else tomorrow.</summary>
    public static bool IsName(Uri url) => !EndpointUrl.IsSocket(url) && !IPAddress.TryParse(url.Host.Trim('[', ']'), out _);

    /// <summary>Follows these and no others.</summary>
    public void Take(IEnumerable<(Endpoint Endpoint, Uri Url)> all, Names names, ResolveSettings settings)
    {
        var now = all.Where(static e => IsName(e.Url)).ToDictionary(static e => e.Endpoint, static e => e.Url);
        foreach (var (endpoint, subscription) in followed.ToArray())
        {
            if (now.ContainsKey(endpoint) && subscription.Watch.Settings.Key == settings.Key)
            {
                subscription.Poke(); // What a configuration brought may be older than what is known by now.
                continue;
            }

            subscription.Dispose();
            followed.Remove(endpoint);
        }

        foreach (var (endpoint, url) in now)
        {
            if (!followed.ContainsKey(endpoint)) followed[endpoint] = names.Subscribe(NameKind.Addresses, url.IdnHost, settings, watch => Take(endpoint, watch, url.Port));
        }
    }

    /// <summary>Follows none.</summary>
    public void End()
    {
        foreach (var subscription in followed.Values) subscription.Dispose();
        followed.Clear();
    }

    /// <summary>What an answer is to an endpoint of this port.</summary>
    public static NetworkAddress[] Addresses(NameAnswer answer, int port) => [.. answer.Addresses.Select(ip => NetworkAddress.FromIp(ip, port)).Distinct()];

    private static void Take(Endpoint endpoint, NameWatch watch, int port)
    {
        if (watch.Answer is not { } answer) return;
        var addresses = Addresses(answer, port);
        if (!addresses.AsSpan().SequenceEqual(endpoint.Addresses)) endpoint.Addresses = addresses;
    }
}
