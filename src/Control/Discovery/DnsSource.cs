// `discover: { dns: … }`: an endpoint for each address of a name. Called by Names, one call at a time.

using System.Net;
using System.Net.Sockets;
using Weir.Engine.Transports;

namespace Weir.Control.Discovery;

/// <summary>Feeds a source from a name's addresses.</summary>
public sealed class DnsSource : IDisposable
{
    private readonly Source source;
    private readonly int port;
    private readonly bool isTls;
    private readonly NameSubscription subscription;
    private NameAnswer? taken;

    private DnsSource(Source source, Names names, string name, int port, bool isTls, ResolveSettings settings)
    {
        (this.source, this.port, this.isTls) = (source, port, isTls);
        subscription = names.Subscribe(NameKind.Addresses, name, settings, Take);
    }

    /// <summary>The source that a name is, with what is known of it when the configuration is read.</summary>
    public static SourcePlan Plan(Names names, string name, int port, ResolveSettings settings, bool isTls = false) => new($"dns {Authority(name, port, isTls)}", $"{settings.Key}{(isTls ? " https" : "")}", source => new DnsSource(source, names, name, port, isTls, settings))
    {
        Initial = names.Watch(NameKind.Addresses, name, settings).Answer is { } answer ? Members(answer, name, port, isTls) : null,
    };

    public void Dispose() => subscription.Dispose();

    /// <summary>An address of a name as an endpoint: called by its address, and asked as the name.</summary>
    internal static Member Member(IPAddress ip, string name, int port, bool isTls = false)
    {
        var host = ip.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{ip}]" : ip.ToString();
        name = name.TrimEnd('.');
        return new Member(new Uri($"{(isTls ? "https" : "http")}://{host}:{port}"), [NetworkAddress.FromIp(ip, port)]) { Name = $"{host}:{port}", Authority = Authority(name, port, isTls), CertifiedName = isTls ? name : null, IsNamed = true };
    }

    private static string Authority(string name, int port, bool isTls) => port == (isTls ? 443 : 80) ? name : $"{name}:{port}";

    private static Member[] Members(NameAnswer answer, string name, int port, bool isTls) => [.. answer.Addresses.Select(ip => Member(ip, name, port, isTls))];

    private void Take(NameWatch watch)
    {
        if (watch.Trouble is { } trouble) source.Failed(trouble);
        else if (watch.Answer is { } answer && answer == taken && source.Trouble is null) source.Confirmed();
        else if (watch.Answer is { } news && source.Succeeded(Members(news, watch.Name, port, isTls))) taken = news;
    }
}
