// What the engine executes: compiled from a configuration, immutable, every name resolved, swapped whole. Live things
// (upstreams, endpoints, sites' records) are keyed by identity, outlive plans, and are only referred to here.

using Weir.Engine.Acceleration;
using Weir.Engine.Answers;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Routing;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;

namespace Weir.Engine;

/// <summary>A whole plan.</summary>
public sealed record Plan
{
    public required ListenerPlan[] Listeners { get; init; }

    /// <summary>Every site that some listener serves.</summary>
    public SitePlan[] Sites { get; init; } = [];

    /// <summary>Every upstream that some route of the plan forwards to.</summary>
    public required Upstream[] Upstreams { get; init; }

    /// <summary>Client connections at once, over all loops.</summary>
    public int MostConnections { get; init; } = 100_000;

    /// <summary>Client connections at once from one address; 0: no limit.</summary>
    public int MostConnectionsPerClient { get; init; }

    /// <summary>TLS handshakes with clients at once, over all loops: beyond, the longest under way make room.</summary>
    public int MostHandshakes { get; init; } = 2_000;

    /// <summary>TLS handshakes at once with one address; 0: no limit.</summary>
    public int MostHandshakesPerClient { get; init; } = 200;

    /// <summary>Requests for parts of accelerated answers at once.</summary>
    public int MostParts { get; init; } = 1024;

    /// <summary>Bytes in buffers at once, over all loops.</summary>
    public long MemoryLimit { get; init; } = 1L << 30;

    /// <summary>Who may say on whose behalf it speaks.</summary>
    public TrustedProxies TrustedProxies { get; init; } = TrustedProxies.None;

    /// <summary>What is shown to issuers of certificates; null: nothing ever.</summary>
    public ShownProofs? Proofs { get; init; }

    /// <summary>The name of this hop, for Via and for recognising loops.</summary>
    public required Hops Hops { get; init; }
}

/// <summary>One address and what is served on it.</summary>
public sealed record ListenerPlan
{
    /// <summary>The address as written: what adopts the listener over reloads.</summary>
    public required string Name { get; init; }

    public required NetworkAddress Address { get; init; }

    /// <summary>Another program may listen on the same port.</summary>
    public bool SharesPort { get; init; }

    public int Backlog { get; init; } = 4096;

    /// <summary>Who may connect to a Unix socket; null: whom the process's own habits let.</summary>
    public SocketAccess? Access { get; init; }

    public ServerSettings Settings { get; init; } = new();

    /// <summary>Its TLS; null: it speaks none.</summary>
    public TlsServer? Tls { get; init; }

    public required HostTable<SitePlan> Hosts { get; init; }

    /// <summary>What faults look like of requests that reached no site.</summary>
    public ErrorPages ErrorPages { get; init; } = ErrorPages.None;

    /// <summary>Where records go of requests that reached no site; null: nowhere.</summary>
    public AccessLog? AccessLog { get; init; }
}

/// <summary>One site.</summary>
public sealed record SitePlan
{
    /// <summary>The first host, or "default": the label of its metrics.</summary>
    public required string Name { get; init; }

    public required RouteTable<RoutePlan> Routes { get; init; }

    /// <summary>What it shows on listeners that speak TLS; null: it is not served there.</summary>
    public TlsSite? Tls { get; init; }

    public ErrorPages ErrorPages { get; init; } = ErrorPages.None;

    /// <summary>Where its records go; null: nowhere.</summary>
    public AccessLog? AccessLog { get; init; }

    /// <summary>What browsers are told about https, in answers to faults too; null: nothing.</summary>
    public StrictTransport? StrictTransport { get; init; }

    /// <summary>What becomes of the codings of its answers to faults, where no route was found; null: nothing.</summary>
    public ResponseCodingPlan? ResponseCoding { get; init; }

    /// <summary>Its live counters.</summary>
    public SiteRecord? Record { get; init; }
}

/// <summary>One route: stages with what the operator put into them, and what answers.</summary>
public sealed record RoutePlan
{
    /// <summary>Where it is written, as "file:line": its name in logs and explanations.</summary>
    public required string Name { get; init; }

    /// <summary>Stage Rewrite, on the request.</summary>
    public IRequestPolicy[] Rewrite { get; init; } = [];

    /// <summary>Stage Rewrite, on the response.</summary>
    public IResponsePolicy[] RewriteResponse { get; init; } = [];

    /// <summary>What becomes of the codings of its requests' bodies; null: nothing.</summary>
    public RequestCodingPlan? RequestCoding { get; init; }

    /// <summary>What becomes of the codings of its responses; null: nothing.</summary>
    public ResponseCodingPlan? ResponseCoding { get; init; }

    /// <summary>Forwards; else <see cref="Answer"/> answers.</summary>
    public ForwardPlan? Forward { get; init; }

    public Answer? Answer { get; init; }

    /// <summary>Keeps what is forwarded for; null: nothing.</summary>
    public CachePlan? Cache { get; init; }

    /// <summary>Where its site keeps what its URLs bring; null: nowhere, or it forwards nothing.</summary>
    public SiteCaches? Kept { get; init; }

    /// <summary>Fetches large answers over several connections; null: over one.</summary>
    public AcceleratePlan? Accelerate { get; init; }

    /// <summary>Verifies digests, and tells them; null: neither.</summary>
    public IntegrityPlan? Integrity { get; init; }

    /// <summary>Sends copies to another upstream as well; null: none.</summary>
    public MirrorPlan? Mirror { get; init; }

    /// <summary>Takes requests with safe methods before their client's handshake is done.</summary>
    public bool AllowsEarlyData { get; init; }

    /// <summary>Shares it out: one of its sides is taken in its place.</summary>
    public Split? Split { get; init; }

    public Timeouts Timeouts { get; init; } = new();

    public long BodyLimit { get; init; } = long.MaxValue;

    public long MinRate { get; init; }

    public long MinRateGrace { get; init; } = 10_000;

    /// <summary>A client that ended its direction is still answered.</summary>
    public bool AnswersHalfClosed { get; init; }

    public ErrorPages ErrorPages { get; init; } = ErrorPages.None;
}
