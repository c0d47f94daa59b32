// What an endpoint's URL says: who it is, where it listens, which path comes first.

using System.Net;
using Weir.Control.Configuration;
using Weir.Engine.Transports;

namespace Weir.Control.Discovery;

/// <summary>Endpoint URLs.</summary>
public static class EndpointUrl
{
    /// <summary>The schemes of URLs whose authority is the path of a socket, spoken to plainly and over TLS.</summary>
    public const string Socket = "unix", TlsSocket = "unixs";

    public static bool IsSocket(Uri url) => url.Scheme is Socket or TlsSocket;

    /// <summary>Whether it is spoken to over TLS.</summary>
    public static bool IsTls(Uri url) => url.Scheme is "https" or TlsSocket;

    /// <summary>Scheme and authority: with its TLS settings what adopts the endpoint over reloads, whatever its path.</summary>
    public static string Identity(Uri url) => $"{(IsTls(url) ? "https" : "http")}://{(IsSocket(url) ? $"unix:{url.AbsolutePath}" : Authority(url))}";

    /// <summary>What people call it: host and port, or the path of its socket. The port tells who is spoken to over TLS.</summary>
    public static string Name(Uri url) => IsSocket(url) ? $"unix:{url.AbsolutePath}" : IsTls(url) ? $"{url.Host}:{url.Port}" : Authority(url);

    /// <summary>Host and port, for `host: endpoint`.</summary>
    public static string Authority(Uri url) => IsSocket(url) ? "localhost" : url.IsDefaultPort ? url.Host : $"{url.Host}:{url.Port}";

    /// <summary>The name, or address, that its certificate is for; null: it shows none.</summary>
    public static string? CertifiedName(Uri url) => !IsTls(url) ? null : IsSocket(url) ? "localhost" : url.IdnHost.Trim('[', ']').TrimEnd('.');

    /// <summary>The path put before what is forwarded; no trailing slash.</summary>
    public static string Prefix(Uri url) => IsSocket(url) ? "" : url.AbsolutePath.TrimEnd('/');

    /// <summary>Says which hosts cannot be resolved, of a configuration that has other mistakes and so is not compiled.</summary>
    public static void CheckNames(ProxyConfig config, Diagnostics diagnostics)
    {
        using var names = new Names();
        var inline = config.Sites.SelectMany(s => s.Routes.Select(r => r.Proxy).Append(s.Proxy)).SelectMany(p => p?.Targets ?? []).Select(p => p.Inline).OfType<UpstreamConfig>();
        var all = config.Upstreams.Select(u => u.Value).Concat(inline).SelectMany(u => u.Endpoints.Concat(u.Discover?.Found ?? []).Select(e => (Endpoint: e, Settings: config.ResolveSettings(u)))).Where(static e => e.Endpoint.Url is not null).ToArray();
        Names.Await([.. all.Where(static e => AddressFollower.IsName(e.Endpoint.Url)).Select(e => names.Watch(NameKind.Addresses, e.Endpoint.Url.IdnHost, e.Settings))]);
        foreach (var (endpoint, settings) in all)
        {
            if (Resolve(endpoint.Url, names, settings, out var trouble).Length == 0) diagnostics.Error(endpoint.At, trouble);
        }
    }

    /// <summary>Addresses of the host, IPv4 first: each is tried where the one before refuses.</summary>
    /// <param name="url">The endpoint.</param>
    /// <param name="names">Where its name is looked up.</param>
    /// <param name="settings">How.</param>
    /// <param name="trouble">Why there are none, or why there may be others by now.</param>
    public static NetworkAddress[] Resolve(Uri url, Names names, ResolveSettings settings, out string trouble)
    {
        trouble = "";
        if (IsSocket(url)) return [NetworkAddress.FromPath(Uri.UnescapeDataString(url.AbsolutePath))];
        if (IPAddress.TryParse(url.Host.Trim('[', ']'), out var ip)) return [NetworkAddress.FromIp(ip, url.Port)];
        var watch = names.Watch(NameKind.Addresses, url.IdnHost, settings);
        Names.Await([watch]);
        if (watch.Trouble is { } reason) trouble = $"the name '{url.Host}' cannot be resolved: {reason}";
        else if (watch.Answer is null) trouble = $"the name '{url.Host}' cannot be resolved: there are too many names to look up in time";
        return watch.Answer is { } answer ? AddressFollower.Addresses(answer, url.Port) : [];
    }
}
