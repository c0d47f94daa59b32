// What an endpoint's URL says: who it is, where it listens, which path comes first.

using System.Net;
using System.Net.Sockets;
using Weir.Control.Configuration;
using Weir.Engine.Transports;

namespace Weir.Control.Discovery;

/// <summary>Endpoint URLs.</summary>
public static class EndpointUrl
{
    /// <summary>Scheme and authority: what adopts the endpoint over reloads, whatever its path.</summary>
    public static string Identity(Uri url) => url.Scheme == "unix" ? $"http://unix:{url.AbsolutePath}" : $"http://{Authority(url)}";

    /// <summary>What people call it: host and port, or the path of its socket.</summary>
    public static string Name(Uri url) => url.Scheme == "unix" ? $"unix:{url.AbsolutePath}" : Authority(url);

    /// <summary>Host and port, for `host: endpoint`.</summary>
    public static string Authority(Uri url) => url.Scheme == "unix" ? "localhost" : url.IsDefaultPort ? url.Host : $"{url.Host}:{url.Port}";

    /// <summary>The path put before what is forwarded; no trailing slash.</summary>
    public static string Prefix(Uri url) => url.Scheme == "unix" ? "" : url.AbsolutePath.TrimEnd('/');

    /// <summary>Says which hosts cannot be resolved, of a configuration that has other mistakes and so is not compiled.</summary>
    public static void CheckNames(ProxyConfig config, Diagnostics diagnostics)
    {
        var inline = config.Sites.SelectMany(s => s.Routes.Select(r => r.Proxy).Append(s.Proxy)).SelectMany(p => p?.Targets ?? []).Select(p => p.Inline).OfType<UpstreamConfig>();
        foreach (var endpoint in config.Upstreams.Select(u => u.Value).Concat(inline).SelectMany(u => u.Endpoints.Concat(u.Discover?.Found ?? [])))
        {
            if (endpoint.Url is not null && Resolve(endpoint.Url, out var trouble).Length == 0) diagnostics.Error(endpoint.At, trouble);
        }
    }

    /// <summary>Addresses of the host, IPv4 first: each is tried where the one before refuses.</summary>
    public static NetworkAddress[] Resolve(Uri url, out string trouble)
    {
        trouble = "";
        if (url.Scheme == "unix") return [NetworkAddress.FromPath(Uri.UnescapeDataString(url.AbsolutePath))];
        if (IPAddress.TryParse(url.Host.Trim('[', ']'), out var ip)) return [NetworkAddress.FromIp(ip, url.Port)];
        try
        {
            var found = Dns.GetHostAddresses(url.Host).OrderBy(a => a.AddressFamily == AddressFamily.InterNetworkV6).Select(a => NetworkAddress.FromIp(a, url.Port)).Distinct().ToArray();
            if (found.Length == 0) trouble = $"the name '{url.Host}' has no addresses";
            return found;
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            trouble = $"the name '{url.Host}' cannot be resolved: {e.Message}";
            return [];
        }
    }
}
