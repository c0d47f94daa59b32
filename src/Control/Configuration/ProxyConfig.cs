// What the operator wrote, checked but not yet resolved. Null means "not written": the wider scope's value holds.

using System.Net;
using System.Text.RegularExpressions;
using Weir.Control.Discovery;
using Weir.Engine.Transports;

namespace Weir.Control.Configuration;

/// <summary>The whole configuration.</summary>
public sealed class ProxyConfig : IWritten
{
    public Position At { get; set; }
    public List<ListenConfig> Listen { get; set; } = [];
    public AdminConfig? Admin { get; set; }
    public string? Control { get; set; }
    public string? State { get; set; }
    public long? Loops { get; set; }
    public string? User { get; set; }
    public bool Watch { get; set; }
    /// <summary>Networks; null: whoever connects over a Unix socket.</summary>
    public List<IPNetwork?> TrustedProxies { get; set; } = [];
    public AccessLogConfig? AccessLog { get; set; }
    public ErrorLogConfig ErrorLog { get; set; } = new();
    public LimitsConfig Limits { get; set; } = new();
    public TimeoutsConfig Timeouts { get; set; } = new();
    public List<ErrorPageConfig> ErrorPages { get; set; } = [];
    public long DrainTimeout { get; set; } = 30_000;
    public long DrainDelay { get; set; }
    public string? Via { get; set; }
    public ResolveConfig Resolve { get; set; } = new();
    public AcmeConfig? Acme { get; set; }
    public SessionTicketsConfig SessionTickets { get; set; } = new();
    public HttpsRedirectConfig? HttpsRedirect { get; set; }
    public HstsConfig? Hsts { get; set; }
    public List<Named<UpstreamConfig>> Upstreams { get; set; } = [];
    public List<Named<CacheStoreConfig>> Caches { get; set; } = [];
    public List<SiteConfig> Sites { get; set; } = [];

    /// <summary>How the names of an upstream are looked up.</summary>
    public ResolveSettings ResolveSettings(UpstreamConfig upstream)
    {
        var (own, outer, otherwise) = (upstream.Resolve, Resolve, Discovery.ResolveSettings.Default);
        return new ResolveSettings([.. (own.Servers ?? outer.Servers ?? []).Distinct()], own.LeastTtl ?? outer.LeastTtl ?? otherwise.LeastTtl, own.MostTtl ?? outer.MostTtl ?? otherwise.MostTtl, own.Timeout ?? outer.Timeout ?? otherwise.Timeout, own.Ipv6 ?? outer.Ipv6 ?? otherwise.WithIpv6);
    }
}

public sealed class ListenConfig : IWritten
{
    public Position At { get; set; }
    public NetworkAddress Address { get; set; } = NetworkAddress.None;
    public bool SharesPort { get; set; }
    public long Backlog { get; set; } = 4096;
    public UnixFileMode? Mode { get; set; }
    public string? Owner { get; set; }
    public string? Group { get; set; }
    public ListenTlsConfig? Tls { get; set; }
}

public sealed class ListenTlsConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public string Profile { get; set; } = "intermediate";
    public bool StrictSni { get; set; }
}

public sealed class SiteTlsConfig : IWritten
{
    public Position At { get; set; }
    public bool Auto { get; set; }
    public string? Certificate { get; set; }
    public string? Key { get; set; }
    public List<CertificateConfig> Certificates { get; set; } = [];
    public bool Staples { get; set; } = true;
    public ClientAuthConfig? Clients { get; set; }

    /// <summary>All of them.</summary>
    public IEnumerable<CertificateConfig> All => Certificate is null ? Certificates : Certificates.Prepend(new CertificateConfig { At = At, Certificate = Certificate, Key = Key, Within = this });
}

public sealed class AcmeConfig : IWritten
{
    public Position At { get; set; }
    public List<IssuerConfig> Issuers { get; set; } = [];
    public string? Email { get; set; }
    public List<string> Challenges { get; set; } = [];
    public AcmeDnsConfig? Dns { get; set; }
    public string KeyType { get; set; } = "ecdsa_p256";
    public string UntilIssued { get; set; } = "refuse";
    public OnDemandConfig? OnDemand { get; set; }
}

public sealed class IssuerConfig : IWritten
{
    public Position At { get; set; }
    public string Directory { get; set; } = "";
    public string? Email { get; set; }
    public EabConfig? Eab { get; set; }
    public string? Profile { get; set; }
    public string? Ca { get; set; }
}

public sealed class EabConfig : IWritten
{
    public Position At { get; set; }
    public string? Kid { get; set; }
    public string? Key { get; set; }
}

public sealed class AcmeDnsConfig : IWritten
{
    public Position At { get; set; }
    public string? Hook { get; set; }
    public long? Timeout { get; set; }
    public Rfc2136Config? Update { get; set; }
    public long? Wait { get; set; }
}

public sealed class Rfc2136Config : IWritten
{
    public Position At { get; set; }
    public IPEndPoint? Server { get; set; }
    public string? Key { get; set; }
    public string? Secret { get; set; }
    public string? Zone { get; set; }
    public long? Ttl { get; set; }
}

public sealed class OnDemandConfig : IWritten
{
    public Position At { get; set; }
    public Uri? Ask { get; set; }
    public long? Rate { get; set; }
    public long? Burst { get; set; }
}

public sealed class ClientAuthConfig : IWritten
{
    public Position At { get; set; }
    public string? Ca { get; set; }
    public string? Crl { get; set; }
    public bool IsOptional { get; set; }
}

public sealed class SessionTicketsConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public string? Keys { get; set; }
    public bool EarlyData { get; set; }
    public long? Rotate { get; set; }
}

public sealed class CertificateConfig : IWritten
{
    public Position At { get; set; }
    public string? Certificate { get; set; }
    public string? Key { get; set; }

    /// <summary>The section that its keys stand in, where it is not one of its own.</summary>
    public IWritten? Within { get; init; }
}

public sealed class HttpsRedirectConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public long? Port { get; set; }
}

public sealed class HstsConfig : IWritten
{
    public Position At { get; set; }

    /// <summary>Milliseconds.</summary>
    public long? MaxAge { get; set; }
    public bool IncludeSubdomains { get; set; }
    public bool Preload { get; set; }
    public bool Off => MaxAge == Shapes.NoLimit;
}

public sealed class AdminConfig : IWritten
{
    public Position At { get; set; }
    public NetworkAddress Address { get; set; } = NetworkAddress.None;
    public string? Token { get; set; }
}

public sealed class AccessLogConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public string? Target { get; set; }
    public string? Format { get; set; }
}

public sealed class ErrorLogConfig : IWritten
{
    public Position At { get; set; }
    public string Target { get; set; } = "stderr";
    public string Level { get; set; } = "info";
}

public sealed class LimitsConfig : IWritten
{
    public Position At { get; set; }
    public long? Connections { get; set; }
    public long? ConnectionsPerClient { get; set; }
    public long? Handshakes { get; set; }
    public long? HandshakesPerClient { get; set; }
    public long? Memory { get; set; }
    public long? Head { get; set; }
    public long? Target { get; set; }
    public long? Fields { get; set; }
    public long? Body { get; set; }
    public long? RequestsPerConnection { get; set; }
    public long? ConnectionAge { get; set; }
    public long? MinRate { get; set; }
    public long? MinRateGrace { get; set; }
    public long? Parts { get; set; }
}

public sealed class TimeoutsConfig : IWritten
{
    public Position At { get; set; }
    public long? Handshake { get; set; }
    public long? Header { get; set; }
    public long? Body { get; set; }
    public long? Write { get; set; }
    public long? KeepAlive { get; set; }
    public long? Connect { get; set; }
    public long? FirstByte { get; set; }
    public long? Idle { get; set; }
    public long? Total { get; set; }
    public long? Tunnel { get; set; }
}

public sealed class ErrorPageConfig : IWritten
{
    public Position At { get; set; }
    public List<StatusRange> Status { get; set; } = [];
    public string? File { get; set; }
    public string? Body { get; set; }
    public string? ContentType { get; set; }

    /// <summary>Why a file cannot be a page; null: it can.</summary>
    public static string? Trouble(string file)
    {
        const long MostBytes = 1 << 20;
        try
        {
            using var page = System.IO.File.OpenRead(file);
            return page.Length <= MostBytes ? null : $"'{file}' is larger than {MostBytes >> 20} MiB";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"there is no file '{file}'";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return $"cannot read '{file}': {e.Message}";
        }
    }
}

public sealed class UpstreamConfig : IWritten
{
    public Position At { get; set; }
    public List<EndpointConfig> Endpoints { get; set; } = [];
    public BalanceConfig Balance { get; set; } = new();
    public string? Host { get; set; }
    public TimeoutsConfig Timeouts { get; set; } = new();
    public long? IdleConnections { get; set; }
    public long? ConnectionAge { get; set; }
    public string? Reuse { get; set; }
    public DiscoverConfig? Discover { get; set; }
    public ResolveConfig Resolve { get; set; } = new();
    public RetryConfig Retry { get; set; } = new();
    public HedgeConfig? Hedge { get; set; }
    public HealthConfig Health { get; set; } = new();
    public BreakerConfig? CircuitBreaker { get; set; }
    public long? SlowStart { get; set; }
    public StickyConfig? Sticky { get; set; }
    public UpstreamLimitsConfig? Limits { get; set; }
    public OriginTlsConfig? Tls { get; set; }

    /// <summary>Whether some of its servers are spoken to over TLS, as far as that is written.</summary>
    public bool SpeaksTls => Endpoints.Concat(Discover?.Found ?? []).Any(static e => e.Url is { } url && EndpointUrl.IsTls(url)) || Discover is { SpeaksTls: true };
}

public sealed class OriginTlsConfig : IWritten
{
    public Position At { get; set; }
    public string? Authorities { get; set; }
    public string? ServerName { get; set; }
    public bool Verifies { get; set; } = true;
    public string? Certificate { get; set; }
    public string? Key { get; set; }
    public bool OnlyTls13 { get; set; }
}

public sealed class UpstreamLimitsConfig : IWritten
{
    public Position At { get; set; }
    public long? Connections { get; set; }
    public long? Requests { get; set; }
    public long? EndpointConnections { get; set; }
    public long? EndpointRequests { get; set; }
    public long? Queue { get; set; }
    public long? QueueTimeout { get; set; }
    public bool HasLimit => Connections is not null || Requests is not null || EndpointConnections is not null || EndpointRequests is not null;

    /// <summary>Whether a request may have to wait.</summary>
    public bool HasQueue => HasLimit && Queue != 0 && QueueTimeout != 0;
}

public sealed class StickyConfig : IWritten
{
    public Position At { get; set; }
    public string Cookie { get; set; } = "weir_id";
    public string? Secret { get; set; }
    public string? PreviousSecret { get; set; }

    /// <summary>Milliseconds.</summary>
    public long? MaxAge { get; set; }
    public string Path { get; set; } = "/";
    public string? Domain { get; set; }
    public string Secure { get; set; } = "auto";
    public string SameSite { get; set; } = "lax";
}

public sealed class RetryConfig : IWritten
{
    public Position At { get; set; }
    public long? Attempts { get; set; }
    public long? PerTry { get; set; }
    public List<string>? On { get; set; }
    public long? Budget { get; set; }
    public long? BackOff { get; set; }
    public long? MostBackOff { get; set; }
    public long? Buffer { get; set; }
    public long? BufferDisk { get; set; }
    public long? Resume { get; set; }
}

public sealed class HedgeConfig : IWritten
{
    public Position At { get; set; }

    /// <summary>Milliseconds, or a percentile.</summary>
    public (long Time, int Percentile) After { get; set; }
    public long? Most { get; set; }
}

public sealed class HealthConfig : IWritten
{
    public Position At { get; set; }
    public ActiveCheckConfig? Active { get; set; }
    public PassiveConfig Passive { get; set; } = new();

    /// <summary>Percent; -1: never.</summary>
    public long? Panic { get; set; }
}

public sealed class PassiveConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public long? Failures { get; set; }
    public long? Within { get; set; }
    public long? Errors { get; set; }
    public long? AtLeast { get; set; }
    public long? Latency { get; set; }
    public List<StatusRange>? Statuses { get; set; }
    public long? EjectFor { get; set; }
    public long? MostEjectFor { get; set; }
    public long? MostEjected { get; set; }
}

public sealed class BreakerConfig : IWritten
{
    public Position At { get; set; }
    public long? Errors { get; set; }
    public long? Within { get; set; }
    public long? AtLeast { get; set; }
    public long? OpenFor { get; set; }
    public string Scope { get; set; } = "upstream";
}

public sealed class BalanceConfig : IWritten
{
    public Position At { get; set; }
    public string Algorithm { get; set; } = "round_robin";

    /// <summary>The algorithms that are written as keys.</summary>
    public List<string> Written { get; } = [];

    public HashConfig Hash { get; set; } = new();

    public void Write(string algorithm, HashConfig hash)
    {
        Written.Add(algorithm);
        (Algorithm, Hash) = (algorithm, hash);
    }

    /// <summary>As an operator reads it.</summary>
    public override string ToString() => Algorithm switch
    {
        "maglev" => $"maglev of {Hash.Key}",
        "consistent_hash" => $"consistent_hash of {Hash.Key}, load {(Hash.Load == 0 ? "off" : $"{Hash.Load}%")}",
        _ => Algorithm,
    };
}

public sealed class HashConfig : IWritten
{
    public Position At { get; set; }
    public HashedPart Key { get; set; } = new("client_ip", "");

    /// <summary>Percent of its share; 0: no bound.</summary>
    public int Load { get; set; } = 125;
}

public sealed class DiscoverConfig : IWritten
{
    public Position At { get; set; }
    public List<DiscoverDnsConfig> Dns { get; set; } = [];
    public List<string> Srv { get; set; } = [];
    public string? File { get; set; }
    public string? Scheme { get; set; }

    /// <summary>Whether names or services found here are spoken to over TLS.</summary>
    public bool SpeaksTls => (Scheme == "https" && Dns.Count + Srv.Count > 0) || Srv.Exists(IsTls);

    /// <summary>Whether a service is spoken to over TLS: where it is said, or its name says so.</summary>
    public bool IsTls(string service) => Scheme == "https" || (Scheme is null && service.StartsWith("_https.", StringComparison.Ordinal));

    /// <summary>The port of a name's servers.</summary>
    public long PortOf(DiscoverDnsConfig dns) => dns.Port ?? (Scheme == "https" ? 443 : 80);

    /// <summary>What the file holds.</summary>
    public List<EndpointConfig> Found { get; set; } = [];

    /// <summary>What it looks at, for people.</summary>
    public IEnumerable<string> Names => [.. File is null ? (string[])[] : [$"file {File}"], .. Dns.Select(d => $"dns {d.Name}:{PortOf(d)}{(Scheme == "https" ? " https" : "")}"), .. Srv.Select(s => $"srv {s}{(Scheme == "https" ? " https" : "")}")];
}

public sealed class DiscoverDnsConfig : IWritten
{
    public Position At { get; set; }
    public string Name { get; set; } = "";
    public long? Port { get; set; }
}

public sealed class ResolveConfig : IWritten
{
    public Position At { get; set; }
    public List<IPEndPoint>? Servers { get; set; }
    public long? LeastTtl { get; set; }
    public long? MostTtl { get; set; }
    public long? Timeout { get; set; }
    public bool? Ipv6 { get; set; }
}

public sealed class ActiveCheckConfig : IWritten
{
    public Position At { get; set; }
    public bool Tcp { get; set; }
    public string? Method { get; set; }
    public string? Path { get; set; }
    public List<Named<string>> Headers { get; set; } = [];
    public string? Host { get; set; }
    public long Port { get; set; }
    public long Interval { get; set; } = 5_000;
    public long Jitter { get; set; } = 10;
    public long Timeout { get; set; } = 2_000;
    public long Rise { get; set; } = 2;
    public long Fall { get; set; } = 3;
    public List<StatusRange> Expect { get; set; } = [];
    public string? Body { get; set; }
}

public sealed class EndpointConfig : IWritten
{
    public Position At { get; set; }
    public Uri Url { get; set; } = null!;
    public long Weight { get; set; } = 1;
    public long Backup { get; set; }
}

/// <summary>What a route says, and what a site may say for its one last route.</summary>
public interface IAction
{
    ProxyTargetConfig? Proxy { get; set; }
    RedirectConfig? Redirect { get; set; }
    RespondConfig? Respond { get; set; }
    FilesConfig? Files { get; set; }
}

/// <summary>How responses are compressed for clients.</summary>
public sealed class CompressConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public List<string> Codings { get; set; } = [];
    public List<string> Types { get; set; } = [];
    public long? MinSize { get; set; }
    public List<Named<long>> Levels { get; set; } = [];
    public bool? CrossSite { get; set; }
    public DictionariesConfig? Dictionaries { get; set; }
}

/// <summary>Kept answers that others are compressed by.</summary>
public sealed class DictionariesConfig : IWritten
{
    public Position At { get; set; }
    public bool Off { get; set; }
    public string? Match { get; set; }
    public List<string> Destinations { get; set; } = [];
}

/// <summary>What becomes of requests' bodies.</summary>
public sealed class RequestBodyConfig : IWritten
{
    public Position At { get; set; }
    public bool Decompress { get; set; }
    public List<string> Codings { get; set; } = [];
    public string? Compress { get; set; }
    public long? Level { get; set; }
    public long? MinSize { get; set; }
    public List<string> Types { get; set; } = [];
    public long? MostSize { get; set; }
    public long? MostRatio { get; set; }
}

/// <summary>What becomes of responses' bodies before anything else looks at them.</summary>
public sealed class ResponseBodyConfig : IWritten
{
    public Position At { get; set; }
    public bool Decompress { get; set; }
    public List<string> Accept { get; set; } = [];
    public long? MostSize { get; set; }
    public long? MostRatio { get; set; }
}

public sealed class SiteConfig : IWritten, IAction
{
    public Position At { get; set; }
    public List<string> Hosts { get; set; } = [];
    public List<NetworkAddress> Listen { get; set; } = [];
    public SiteTlsConfig? Tls { get; set; }
    public HttpsRedirectConfig? HttpsRedirect { get; set; }
    public HstsConfig? Hsts { get; set; }
    public AccessLogConfig? AccessLog { get; set; }
    public CompressConfig? Compress { get; set; }
    public LimitsConfig Limits { get; set; } = new();
    public TimeoutsConfig Timeouts { get; set; } = new();
    public List<ErrorPageConfig> ErrorPages { get; set; } = [];
    public CacheConfig? Cache { get; set; }
    public List<RouteConfig> Routes { get; set; } = [];
    public ProxyTargetConfig? Proxy { get; set; }
    public RedirectConfig? Redirect { get; set; }
    public RespondConfig? Respond { get; set; }
    public FilesConfig? Files { get; set; }
}

public sealed class RouteConfig : IWritten, IAction
{
    public Position At { get; set; }

    /// <summary>It was not written as a route, and stands before all that were.</summary>
    public bool ComesFirst { get; init; }
    public MatchConfig Match { get; set; } = new();
    public RewriteConfig? Rewrite { get; set; }
    public HeaderEditsConfig? RequestHeaders { get; set; }
    public HeaderEditsConfig? ResponseHeaders { get; set; }
    public string? Forwarded { get; set; }
    public string? Host { get; set; }
    public bool? HideOrigin { get; set; }
    public bool? Upgrade { get; set; }
    public bool? Connect { get; set; }
    public string? ClientHalfClose { get; set; }
    public string? Reuse { get; set; }
    public string? Priority { get; set; }
    public bool? EarlyData { get; set; }
    public bool? RequestId { get; set; }
    public MirrorConfig? Mirror { get; set; }
    public CacheConfig? Cache { get; set; }
    public AccelerateConfig? Accelerate { get; set; }
    public IntegrityConfig? Integrity { get; set; }
    public CompressConfig? Compress { get; set; }
    public RequestBodyConfig? RequestBody { get; set; }
    public ResponseBodyConfig? ResponseBody { get; set; }
    public LimitsConfig Limits { get; set; } = new();
    public TimeoutsConfig Timeouts { get; set; } = new();
    public List<ErrorPageConfig> ErrorPages { get; set; } = [];
    public ProxyTargetConfig? Proxy { get; set; }
    public RedirectConfig? Redirect { get; set; }
    public RespondConfig? Respond { get; set; }
    public FilesConfig? Files { get; set; }
}

public sealed class MatchConfig : IWritten
{
    public Position At { get; set; }
    public PathConfig? Path { get; set; }
    public List<string> Methods { get; set; } = [];
    public List<Named<ValueConfig>> Headers { get; set; } = [];
    public List<Named<ValueConfig>> Query { get; set; } = [];
    public List<Named<ValueConfig>> Cookies { get; set; } = [];
    public List<IPNetwork> ClientIp { get; set; } = [];
    public List<Named<ValueConfig>> Tls { get; set; } = [];
    public bool HasConditions => Methods.Count + Headers.Count + Query.Count + Cookies.Count + ClientIp.Count + Tls.Count > 0;
}

public sealed class PathConfig : IWritten
{
    public Position At { get; set; }
    public PathPattern? Pattern { get; set; }
    public Regex? Regex { get; set; }
}

public sealed class ValueConfig : IWritten
{
    public Position At { get; set; }
    public string? Exact { get; set; }
    public Regex? Regex { get; set; }
    public bool? Present { get; set; }
}

public sealed class RewriteConfig : IWritten
{
    public Position At { get; set; }
    public PathPattern? StripPrefix { get; set; }
    public PathPattern? AddPrefix { get; set; }
    public TemplateText? Path { get; set; }
    public TemplateText? Query { get; set; }
    public RegexRewriteConfig? Regex { get; set; }
}

public sealed class RegexRewriteConfig : IWritten
{
    public Position At { get; set; }
    public Regex? Match { get; set; }
    public TemplateText? Replace { get; set; }
}

public sealed class HeaderEditsConfig : IWritten
{
    public Position At { get; set; }
    public List<Named<TemplateText>> Set { get; set; } = [];
    public List<Named<TemplateText>> Add { get; set; } = [];
    public List<string> Remove { get; set; } = [];
}

public sealed class MirrorConfig : IWritten
{
    public Position At { get; set; }
    public ProxyTargetConfig? Proxy { get; set; }

    /// <summary>In millionths.</summary>
    public int? Share { get; set; }
    public List<string> Methods { get; set; } = [];
    public long? Body { get; set; }
    public long? Most { get; set; }
}

/// <summary>An upstream by name, or endpoints in place, or a split between such.</summary>
public sealed class ProxyTargetConfig : IWritten
{
    public Position At { get; set; }
    public string? Name { get; set; }
    public UpstreamConfig? Inline { get; set; }
    public List<SplitSideConfig>? Split { get; set; }
    public HashedPart By { get; set; } = new("client_ip", "");
    public bool Fallback { get; set; }

    /// <summary>What it is as a side of a split: its upstream's name, or its servers.</summary>
    public string Side => Name ?? string.Join(' ', [.. Inline?.Endpoints.Select(static e => e.Url?.ToString()) ?? [], .. Inline?.Discover?.Names ?? []]);

    /// <summary>The upstreams it may forward to.</summary>
    public IEnumerable<ProxyTargetConfig> Targets => Split is null ? [this] : Split.Select(static s => s.Proxy).OfType<ProxyTargetConfig>();
}

public sealed class SplitSideConfig : IWritten
{
    public Position At { get; set; }
    public ProxyTargetConfig? Proxy { get; set; }
    public long Weight { get; set; } = 1;
}

public sealed class RedirectConfig : IWritten
{
    public Position At { get; set; }
    public TemplateText To { get; set; } = TemplateText.Empty;
    public long Status { get; set; } = 302;
}

public sealed class RespondConfig : IWritten
{
    public Position At { get; set; }
    public long Status { get; set; } = 200;
    public TemplateText Body { get; set; } = TemplateText.Empty;
    public string ContentType { get; set; } = "text/plain; charset=utf-8";
    public List<Named<TemplateText>> Headers { get; set; } = [];
}

public sealed class FilesConfig : IWritten
{
    public Position At { get; set; }
    public string Root { get; set; } = "";
    public List<string> Index { get; set; } = ["index.html"];
    public bool Precompressed { get; set; }
}
