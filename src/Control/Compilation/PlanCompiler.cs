// From what the operator wrote to what the engine executes: names resolved, scopes folded into each other, files read.
// Whatever fails here is a diagnostic; the plan in force stays.

using System.Text;
using Weir.Control.Certificates;
using Weir.Control.Configuration;
using Weir.Control.Discovery;
using Weir.Engine;
using Weir.Engine.Acceleration;
using Weir.Engine.Caching;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Routing;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;
using Weir.Wire.Http1;

namespace Weir.Control.Compilation;

/// <summary>Compiles configurations.</summary>
/// <param name="live">What plans adopt.</param>
/// <param name="instance">The name of this hop unless the configuration gives one.</param>
/// <param name="made">Told of each listener's, site's, route's and forward's plan, with what it was made from.</param>
/// <param name="ownKey">Brings the key of sticky cookies where no secret is given; null: plans are not served.</param>
public sealed class PlanCompiler(LiveThings live, string instance, Action<object, IWritten>? made = null, OwnKey? ownKey = null)
{
    private readonly Stickies stickies = new(ownKey, live.Loops);
    private readonly HashSet<object> named = [];
    private readonly List<Action> changes = [];
    private readonly List<Action> withdrawals = [];
    private readonly List<(AccessLog Log, Position At)> logs = [];
    private readonly List<Upstream> upstreams = [];
    private readonly Dictionary<string, List<string>> inlineLists = [];
    private readonly Dictionary<string, OpenSslServer> tlsServers = [];
    private readonly List<AutomaticName> automatic = [];
    private readonly List<AutomaticName> open = [];
    private readonly Dictionary<(SiteConfig, string), TlsSite> hostsOf = [];
    private HashSet<object> inForce = [];
    private Diagnostics diagnostics = new();
    private ProxyConfig config = new();
    private Hops hops = new("weir");

    /// <summary>Where bodies are kept that do not stay in memory; null: nowhere.</summary>
    public SpillFolder? Spill { get; init; }

    /// <summary>The folder for what outlives the program; null: there is none.</summary>
    public string? StateFolder { get; init; }

    /// <summary>What obtains certificates; null: plans are not served.</summary>
    public AutomaticTls? Automatic { get; init; }

    /// <summary>The access logs of the last plan, and where each is written first.</summary>
    public IReadOnlyList<(AccessLog Log, Position At)> Logs => logs;

    /// <summary>Compiles; null, with diagnostics, where something is wrong.</summary>
    public Plan? Compile(ProxyConfig from, Diagnostics into, long descriptors)
    {
        (config, diagnostics) = (from, into);
        named.Clear();
        changes.Clear();
        withdrawals.Clear();
        logs.Clear();
        upstreams.Clear();
        inlineLists.Clear();
        automatic.Clear();
        open.Clear();
        hostsOf.Clear();
        stickies.Clear();
        hops = new Hops(config.Via ?? instance);
        LookupsAhead.Run(config, live.Names);
        var global = new Scope(config.Limits, config.Timeouts, config.ErrorPages, config.AccessLog) { StrictTransport = HttpsPlans.Strict(config.Hsts) };
        var pages = global.Pages(diagnostics);
        var listeners = config.Listen.Select(l => new ListenerPlan
        {
            Name = l.Address.ToString(),
            Address = l.Address,
            SharesPort = l.SharesPort,
            Backlog = (int)l.Backlog,
            Access = Access(l),
            Settings = Settings(),
            Tls = Tls(l),
            Hosts = new HostTable<SitePlan>(),
            ErrorPages = pages,
            AccessLog = Log(config.AccessLog),
        }).ToArray();
        foreach (var (listener, written) in listeners.Zip(config.Listen)) made?.Invoke(listener, written);
        var sites = config.Sites.Select(site => (Config: site, Plan: Site(site, global))).ToArray();
        foreach (var (site, (plan, inTheClear)) in sites)
        {
            foreach (var listener in listeners.Where(l => site.Listen.Count == 0 || site.Listen.Contains(l.Address)))
            {
                if (listener.Tls is not null && plan.Tls is null) continue;
                var served = listener.Tls is null ? inTheClear : plan;
                if (site.Hosts.Count == 0) listener.Hosts.Default = served;
                foreach (var host in site.Hosts) listener.Hosts.TryAdd(host, served);
                if (listener.Tls is OpenSslServer tls) Show(site, plan.Tls!, tls);
            }
        }

        Tickets(config.SessionTickets);
        Obtain();
        if (diagnostics.HasErrors) return null;
        return new Plan
        {
            Listeners = listeners,
            Sites = [.. sites.Select(s => s.Plan.Plan)],
            Upstreams = [.. upstreams],
            Hops = hops,
            TrustedProxies = new TrustedProxies([.. config.TrustedProxies.OfType<System.Net.IPNetwork>()], config.TrustedProxies.Contains(null)),
            MostConnections = (int)(config.Limits.Connections ?? DefaultConnections(descriptors)),
            MostHandshakes = (int)(config.Limits.Handshakes ?? 2_000),
            MostHandshakesPerClient = (int)(config.Limits.HandshakesPerClient ?? 200),
            MostConnectionsPerClient = (int)(config.Limits.ConnectionsPerClient ?? 0),
            MemoryLimit = config.Limits.Memory ?? 1L << 30,
            MostParts = (int)(config.Limits.Parts ?? 1024),
            Proofs = UsesCertificates ? Automatic?.Issuance?.Answers : null,
        };
    }

    private void Tickets(SessionTicketsConfig tickets)
    {
        if (tickets.Keys is { } file && TicketRotation.Trouble(file) is { } trouble) diagnostics.Error(diagnostics.Where(tickets, "keys"), trouble);
        changes.Add(() => live.TicketRotation.Set(tickets.Keys, TimeSpan.FromMilliseconds(tickets.Rotate ?? 4 * 3_600_000), TimeSpan.FromMilliseconds(new TlsSettings().SessionLifetime)));
    }

    private OpenSslServer? Tls(ListenConfig listener)
    {
        if (listener.Tls is not { Off: false } tls) return null;
        var name = listener.Address.ToString();
        var settings = new TlsSettings { Profile = tls.Profile == "modern" ? TlsProfile.Modern : TlsProfile.Intermediate, Early = EarlyDataOn(listener) };
        var server = new OpenSslServer(settings, config.SessionTickets.Off ? null : live.Tickets, tlsServers.GetValueOrDefault(name)) { HandshakeTimeout = config.Timeouts.Handshake ?? 10_000, StrictServerName = tls.StrictSni, Proofs = UsesCertificates ? Automatic?.Proofs : null };
        changes.Add(() => tlsServers[name] = server);
        return server;
    }

    private bool UsesCertificates => config.Sites.Exists(static s => s.Tls is { Auto: true });

    // Names are wanted once the plan is in force.
    private void Obtain()
    {
        if (UsesCertificates && Automatic is { Issuance: null }) diagnostics.Error(config.At, "tls: auto needs a state folder to keep certificates in: write state: FOLDER");
        var (acme, wanted, demanding) = (config.Acme, automatic.ToArray(), open.ToArray());
        changes.Add(() => Automatic?.Use(acme, wanted, demanding));
    }

    // Each host has a certificate of its own: one that cannot be had leaves the others alone.
    private TlsSite Automatically(SiteConfig site, string name, string listeners)
    {
        var clients = HttpsPlans.ReadableClients(site, diagnostics);
        var whole = live.CertificatesOf($"auto\n{listeners}", name);
        named.Add(whole);
        changes.Add(() => whole.Ask(clients));
        if (site.Hosts.Count == 0 && config.Acme?.OnDemand is not null) open.Add(new AutomaticName("", whole, clients, false));
        foreach (var host in site.Hosts)
        {
            var one = live.CertificatesOf($"auto {host}\n{listeners}", host);
            named.Add(one);
            changes.Add(() => one.Ask(clients));
            hostsOf[(site, host)] = one.Site;
            if (!host.StartsWith("*.", StringComparison.Ordinal) || config.Acme?.Dns is not null) automatic.Add(new AutomaticName(host, one, clients, site.Tls!.Staples));
            else if (config.Acme?.OnDemand is not null) open.Add(new AutomaticName(host, one, clients, false));
        }

        return whole.Site;
    }

    private EarlyDataUse EarlyDataOn(ListenConfig listener)
    {
        if (!config.Sites.Exists(s => s.Tls is not null && (s.Listen.Count == 0 || s.Listen.Contains(listener.Address)) && s.Routes.Exists(static r => r.EarlyData == true))) return EarlyDataUse.Off;
        return config.SessionTickets.Keys is null ? EarlyDataUse.Once : config.SessionTickets.EarlyData ? EarlyDataUse.Replayable : EarlyDataUse.Off;
    }

    // Who asks for no name that is known sees the default site's, else the first's.
    private void Show(SiteConfig site, TlsSite shown, OpenSslServer on)
    {
        if (site.Hosts.Count == 0 || on.Sites.Default is null) on.Sites.Default = site.Hosts.Count > 0 ? hostsOf.GetValueOrDefault((site, site.Hosts[0]), shown) : shown;
        foreach (var host in site.Hosts) on.Sites.TryAdd(host, hostsOf.GetValueOrDefault((site, host), shown));
    }

    // Read now, shown when the plan is in force.
    private TlsSite? Certificates(SiteConfig site, string name)
    {
        if (site.Tls is null) return null;
        var identity = string.Join('\n', site.Listen.Select(static l => l.ToString()).Prepend(name));
        if (site.Tls.Auto) return Automatically(site, name, identity);
        var certificates = live.CertificatesOf(identity, name);
        named.Add(certificates);
        var now = DateTimeOffset.UtcNow;
        var loaded = HttpsPlans.Load(site, certificates, now, diagnostics);
        withdrawals.Add(() => certificates.Discard(loaded));
        changes.Add(() => certificates.Take(loaded, site.Hosts, site.Tls.Staples, now));
        return certificates.Site;
    }

    // Most connections are idle most of the time: a quarter of the descriptors is kept for origins, files and ourselves. Where
    // that is not enough, a request gets 503, the error log says so, and accepting waits.
    private static long DefaultConnections(long descriptors) => Math.Max(32, descriptors - Math.Max(64, descriptors / 4));

    /// <summary>
    /// Changes the live things as the last plan wants them: addresses, weights, pools. Called when nothing can be refused any
    /// more, just before the plan is in force; a plan that is refused leaves them alone.
    /// </summary>
    public void Apply()
    {
        foreach (var change in changes) change();
        inForce = [.. named];
        live.Keep(inForce);
    }

    /// <summary>Forgets what a plan that was refused has named.</summary>
    public void Withdraw()
    {
        foreach (var withdrawal in withdrawals) withdrawal();
        live.Keep(inForce);
    }

    private ServerSettings Settings() => new()
    {
        HeadLimits = new HeadLimits((int)(config.Limits.Head ?? 32 << 10), (int)(config.Limits.Target ?? 8 << 10), (int)(config.Limits.Fields ?? 100)),
        RequestsPerConnection = config.Limits.RequestsPerConnection ?? 0,
        ConnectionAge = config.Limits.ConnectionAge ?? Timeouts.None,
        Timeouts = new Scope(config.Limits, config.Timeouts, [], null).Times(new Timeouts()),
    };

    // A socket's owner is whom the program becomes unless another is named: it takes the name over at the next start.
    private SocketAccess? Access(ListenConfig listener)
    {
        if (!listener.Address.HasFile) return null;
        var (owner, group) = config.User is { } user && Accounts.FindUser(user) is { } self ? (self.User, self.Group) : ((uint?)null, (uint?)null);
        if (listener.Owner is { } name)
        {
            if (Accounts.FindUser(name) is { } found) owner = found.User;
            else diagnostics.Error(listener.At, $"there is no user '{name}'");
        }

        if (listener.Group is { } of)
        {
            group = Accounts.FindGroup(of);
            if (group is null) diagnostics.Error(listener.At, $"there is no group '{of}'");
        }

        return new SocketAccess(listener.Mode, owner, group);
    }

    // As it is served, and on listeners that speak no TLS.
    private (SitePlan Plan, SitePlan InTheClear) Site(SiteConfig site, Scope outer)
    {
        var name = site.Hosts.Count > 0 ? site.Hosts[0] : "default";
        var scope = outer.Narrow(site.Limits, site.Timeouts, site.ErrorPages, site.AccessLog);
        scope = scope with { Cache = site.Cache, Kept = CachePlans.IsUsed(site) ? new SiteCaches() : null, Compress = site.Compress };
        if (site.Hsts is not null) scope = scope with { StrictTransport = HttpsPlans.Strict(site.Hsts) };
        var routes = new List<(RoutePlan Plan, MatchConfig Match)>();
        foreach (var route in site.Routes) routes.Add((Route(route, scope), route.Match));
        if (site.Proxy is not null || site.Redirect is not null || site.Respond is not null || site.Files is not null)
        {
            var last = new RouteConfig { At = site.At, Proxy = site.Proxy, Redirect = site.Redirect, Respond = site.Respond, Files = site.Files };
            routes.Add((Route(last, scope), new MatchConfig()));
        }

        var record = live.Site(name);
        named.Add(record);
        var plan = new SitePlan { Name = name, Routes = Table(routes, null), Record = record, Tls = Certificates(site, name), StrictTransport = scope.StrictTransport, ErrorPages = scope.Pages(diagnostics), AccessLog = Log(scope.AccessLog), ResponseCoding = CodingPlans.Response(scope.Compress, null) };
        made?.Invoke(plan, site);
        if (HttpsPlans.Redirect(site, config) is not { } redirect) return (plan, plan);
        var inTheClear = plan with { Routes = Table(routes, Route(redirect, scope)) };
        made?.Invoke(inTheClear, site);
        return (plan, inTheClear);
    }

    // Who comes in the clear goes by the first, if there is one.
    private static RouteTable<RoutePlan> Table(List<(RoutePlan Plan, MatchConfig Match)> routes, RoutePlan? inTheClear)
    {
        var table = new RouteTable<RoutePlan>();
        if (inTheClear is not null) table.Add(inTheClear, [new InTheClear()]);
        foreach (var (plan, match) in routes) Add(table, plan, match);
        return table;
    }

    /// <summary>Adds a route for what it matches.</summary>
    internal static void Add<T>(RouteTable<T> routes, T route, MatchConfig match)
        where T : class
    {
        var conditions = Conditions(match);
        if (match.Path?.Regex is { } regex) routes.Add(regex, route, conditions);
        else if (match.Path?.Pattern is { } path) routes.Add(path.Text, route, conditions);
        else routes.Add(route, conditions);
    }

    /// <summary>What a match asks besides the path.</summary>
    internal static Condition[] Conditions(MatchConfig match)
    {
        var conditions = new List<Condition>();
        if (match.Methods.Count > 0) conditions.Add(new MethodCondition([.. match.Methods.Select(Encoding.ASCII.GetBytes)]));
        if (match.ClientIp.Count > 0) conditions.Add(new ClientCondition([.. match.ClientIp]));
        conditions.AddRange(match.Headers.Select(h => Presence(h.Value, new HeaderCondition(Encoding.ASCII.GetBytes(h.Name), Test(h.Value)))));
        conditions.AddRange(match.Query.Select(q => Presence(q.Value, new QueryCondition(Encoding.UTF8.GetBytes(q.Name), Test(q.Value)))));
        conditions.AddRange(match.Cookies.Select(c => Presence(c.Value, new CookieCondition(Encoding.UTF8.GetBytes(c.Name), Test(c.Value)))));
        conditions.AddRange(match.Tls.Select(t => Presence(t.Value, new TlsCondition(Placeholders.Tls.First(p => p.Name == t.Name).Fact, Test(t.Value)))));
        return [.. conditions];
    }

    private static ValueTest Test(ValueConfig value) =>
        value.Exact is null && value.Regex is null ? ValueTest.Present : new ValueTest(value.Exact is null ? null : Encoding.UTF8.GetBytes(value.Exact), value.Regex);

    private static Condition Presence(ValueConfig value, Condition condition) => value.Present == false ? new NotCondition(condition) : condition;

    private RoutePlan Route(RouteConfig route, Scope outer)
    {
        var scope = outer.Narrow(route.Limits, route.Timeouts, route.ErrorPages, null);
        var stages = new RouteStages(route, hops, diagnostics);
        var mirror = Mirror(route.Mirror, outer);
        return route.Proxy?.Split is null ? Route(route, route.Proxy, scope, stages, mirror) : Split(route, scope, stages, mirror);
    }

    // The same on every side, but for what the upstream says.
    private RoutePlan Split(RouteConfig route, Scope scope, RouteStages stages, MirrorPlan? mirror)
    {
        var (from, by) = (route.Proxy!, route.Proxy!.By);
        var split = new Split(by.Kind == "request" ? null : Balancers.Key(by), gives: by.Kind == "cookie", from.Fallback);
        split.Sides = [.. from.Split!.Select(side => new SplitSide(side.Proxy!.Side, (int)side.Weight, Route(route, side.Proxy, scope, stages, mirror, split)))];
        var plan = split.Sides[0].Route with { };
        made?.Invoke(plan, route);
        return plan;
    }

    private RoutePlan Route(RouteConfig route, ProxyTargetConfig? target, Scope scope, RouteStages stages, MirrorPlan? mirror, Split? split = null)
    {
        var upstreamConfig = Named(target);
        if (upstreamConfig is not null) scope = scope.Narrow(new LimitsConfig(), Narrowed(upstreamConfig.Timeouts, route.Timeouts), [], null);
        var forward = upstreamConfig is null ? null : Forward(route, target!, upstreamConfig);
        var sticky = forward is null ? null : stickies.Of(forward.Upstream, upstreamConfig!, diagnostics);
        var accelerate = forward is null ? null : Accelerate(route.Accelerate);
        var caching = forward is null ? null : CacheConfig.Of(route.Cache, scope.Cache);
        var compress = route.Compress ?? scope.Compress;
        var marks = caching is null ? null : CodingPlans.Marks(compress);
        var integrity = IntegrityPlans.Of(route.Integrity, forward is not null, accelerate is not null);
        var cache = caching is null ? null : Cache(caching, route, forward!, accelerate, integrity, mirror, marks, scope.Kept!);
        var request = stages.Request(sticky);
        if (marks is not null && route.ResponseBody is not { Accept.Count: > 0 }) request = [new AskedPlain(), .. request];
        if (cache is not null && CachePlans.Purge(caching!, cache) is { } purge) request = [.. request, purge];
        var plan = new RoutePlan
        {
            Name = $"{Path.GetFileName(route.At.File)}:{route.At.Line}",
            Rewrite = request,
            RewriteResponse = cache is { ShowsTags: false } ? [.. stages.Response(sticky, scope.StrictTransport), new HideTags()] : stages.Response(sticky, scope.StrictTransport),
            RequestCoding = CodingPlans.Request(route.RequestBody),
            ResponseCoding = CodingPlans.Response(compress, route.ResponseBody, isKept: marks is not null),
            Forward = forward,
            Answer = stages.Answer(),
            Mirror = mirror,
            Cache = cache,
            Kept = forward is null ? null : scope.Kept,
            Accelerate = accelerate,
            Integrity = integrity,
            Split = split,
            Timeouts = scope.Times(new Timeouts()),
            BodyLimit = scope.Limits.Body ?? long.MaxValue,
            MinRate = scope.Limits.MinRate ?? 240,
            MinRateGrace = scope.Limits.MinRateGrace ?? 10_000,
            AllowsEarlyData = route.EarlyData == true,
            AnswersHalfClosed = route.ClientHalfClose == "answer",
            ErrorPages = scope.Pages(diagnostics),
        };
        made?.Invoke(plan, route);
        return plan;
    }

    private UpstreamConfig? Named(ProxyTargetConfig? target) => target?.Inline ?? config.Upstreams.Find(u => u.Name == target?.Name)?.Value;

    // Of the route it is only what the requests have become by then: how copies are sent is their upstream's to say.
    private MirrorPlan? Mirror(MirrorConfig? from, Scope outer)
    {
        if (from is null || Named(from.Proxy) is not { } upstream) return null;
        var usual = Forward(new RouteConfig { At = from.At, Proxy = from.Proxy, Upgrade = false }, from.Proxy!, upstream);
        var forward = usual with { Retry = usual.Retry with { Attempts = 0 }, Hedge = null };
        made?.Invoke(forward, upstream);
        changes.Add(() => forward.Upstream.Mirrored.IsUsed = true);
        return new MirrorPlan
        {
            Forward = forward,
            Timeouts = outer.Narrow(new LimitsConfig(), Narrowed(upstream.Timeouts, new TimeoutsConfig()), [], null).Times(new Timeouts()),
            Share = from.Share ?? MirrorPlan.Whole,
            MostBody = (int)(from.Body ?? 64 << 10),
            Most = (int)(from.Most ?? 100),
            Methods = from.Methods.Count == 0 ? null : new MethodCondition([.. from.Methods.Select(Encoding.ASCII.GetBytes)]),
        };
    }

    private AcceleratePlan? Accelerate(AccelerateConfig? from)
    {
        if (from is null or { Off: true }) return null;
        var standard = new AcceleratePlan();
        var disk = from.Disk ?? standard.Disk;
        return standard with
        {
            Segments = (int)(from.Segments ?? standard.Segments),
            SegmentSize = from.SegmentSize ?? standard.SegmentSize,
            Smallest = from.MinSize ?? standard.Smallest,
            Memory = from.Memory ?? standard.Memory,
            Disk = disk,
            Folder = disk > 0 ? Spill : null,
            MostAtUpstream = (int)(from.PerUpstream ?? standard.MostAtUpstream),
            MirrorsByDigest = from.SameBy == "digest",
        };
    }

    private CachePlan Cache(CacheConfig from, RouteConfig route, ForwardPlan forward, AcceleratePlan? accelerate, IntegrityPlan? integrity, MirrorPlan? mirror, IResponsePolicy? marks, SiteCaches kept)
    {
        var name = from.Store ?? CacheStoreConfig.Usual;
        var cache = live.Cache(name);
        named.Add(cache);
        var store = config.Caches.Find(c => c.Name == name)?.Value ?? new CacheStoreConfig();
        var disk = Disk(name, store);
        changes.Add(() =>
        {
            cache.MemoryLimit = store.Memory ?? CacheStoreConfig.UsualMemory;
            live.CacheDisks.Want(cache, disk);
        });
        var plan = CachePlans.Plan(from, cache, route, forward, accelerate, integrity, mirror) with { Site = kept, Dictionaries = marks };
        kept.Add(cache, plan.Key, CachePlans.RuleOf(from));
        made?.Invoke(plan, from);
        return plan;
    }

    private CacheDiskSettings? Disk(string name, CacheStoreConfig store)
    {
        if (store.Disk is not { } bytes) return null;
        if ((store.Folder ?? (StateFolder is { } state ? Path.Combine(state, "cache", name) : null)) is { } folder) return new CacheDiskSettings(folder, bytes, (int)(store.Entries ?? CacheStoreConfig.UsualEntries));
        diagnostics.Error(store.At, $"the cache {name} needs a folder for its disk: write folder, or state at the top");
        return null;
    }

    // An upstream's times hold unless the route says otherwise.
    private static TimeoutsConfig Narrowed(TimeoutsConfig upstream, TimeoutsConfig route) => new()
    {
        Connect = route.Connect ?? upstream.Connect,
        FirstByte = route.FirstByte ?? upstream.FirstByte,
        Idle = route.Idle ?? upstream.Idle,
        Total = route.Total ?? upstream.Total,
    };

    private ForwardPlan Forward(RouteConfig route, ProxyTargetConfig target, UpstreamConfig from)
    {
        var upstream = Upstream(target, from);
        var host = route.Host ?? from.Host ?? "";
        var plan = new ForwardPlan
        {
            Upstream = upstream,
            Host = host switch { "" => HostMode.Usual, "keep" => HostMode.Keep, "endpoint" => HostMode.Endpoint, _ => HostMode.Fixed },
            FixedHost = Encoding.ASCII.GetBytes(host),
            Retry = UpstreamPlans.Retry(from.Retry, Spill),
            Hedge = UpstreamPlans.Hedge(from.Hedge),
            Priority = route.Priority switch { "high" => Priority.High, "low" => Priority.Low, _ => Priority.Normal },
            SafeReuse = (route.Reuse ?? from.Reuse) == "safe",
            AllowsUpgrade = route.Upgrade ?? true,
            AllowsConnect = route.Connect ?? false,
        };
        made?.Invoke(plan, from);
        return plan;
    }

    private Upstream Upstream(ProxyTargetConfig proxy, UpstreamConfig from)
    {
        string[] servers = [.. from.Endpoints.Select(e => EndpointUrl.Identity(e.Url)), .. from.Discover?.Names ?? []];
        var identity = proxy.Name is not null ? $"name {proxy.Name}" : InlineIdentity(from, servers);
        var label = proxy.Name ?? (servers.Length == 1 ? servers[0] : $"{servers[0]} and {servers.Length - 1} more");
        var others = upstreams.Count(u => u.Identity != identity && (u.Name == label || u.Name.StartsWith(label + " #", StringComparison.Ordinal)));
        if (others > 0) label += $" #{others + 1}"; // A metric's label names one upstream.
        var membership = live.Membership(identity, label, Balancers.Of(from.Balance));
        if (!named.Add(membership)) return membership.Upstream; // Another route forwards there too.
        upstreams.Add(membership.Upstream);
        var resolve = config.ResolveSettings(from);
        var tls = Tls(from);
        var (members, sources) = (membership.Declared(from.Endpoints, diagnostics, resolve), Sources(from, membership, resolve));
        changes.Add(() => membership.Write(members, sources, UpstreamPlans.Settings(from), (from.Balance.ToString(), Balancers.Of(from.Balance)), resolve, tls));
        return membership.Upstream;
    }

    // Files are read where they are named, the system's CAs where they will be needed.
    private OriginTls Tls(UpstreamConfig from)
    {
        var settings = UpstreamPlans.Tls(from.Tls);
        var tls = live.OriginTls(settings);
        named.Add(tls);
        if (from.Tls is null && !from.SpeaksTls) return tls;
        if (settings is { Verifies: true, Authorities: null } && SystemAuthorities.Paths.Length == 0) diagnostics.Warn(from.Tls?.At ?? from.At, "no CAs of the system were found: no certificate of these servers will be accepted before there are some, or tls.ca names others");
        if (settings.Certificate is { } own && FileStamp.Of(own.Key) is { } stamp && CertificateJudge.Readers(own.Key, stamp) is { } readers) diagnostics.Warn(diagnostics.Where(from.Tls!, from.Tls!.Key is null ? "certificate" : "key"), readers);
        if (tls.TryRead(out var trouble) is { } take) changes.Add(take);
        else diagnostics.Error(from.Tls is { } said ? diagnostics.Where(said, said.Authorities is { } ca && trouble.Contains(ca, StringComparison.Ordinal) ? "ca" : "certificate") : from.At, trouble);
        return tls;
    }

    // Begun once the plan is in force; what is found at once is part of it.
    private SourcePlan[] Sources(UpstreamConfig from, Membership membership, ResolveSettings resolve)
    {
        if (from.Discover is not { } discover) return [];
        var sources = new List<SourcePlan>();
        if (discover.File is { } file) sources.Add(WatchedFile.Plan(file, membership.Declared(discover.Found, diagnostics, resolve)));
        foreach (var dns in discover.Dns)
        {
            sources.Add(DnsSource.Plan(live.Names, dns.Name, (int)discover.PortOf(dns), resolve, discover.Scheme == "https"));
            if (sources[^1].Initial is null) diagnostics.Warn(dns.At, Unresolved(NameKind.Addresses, dns.Name, resolve));
        }

        foreach (var srv in discover.Srv)
        {
            sources.Add(SrvSource.Plan(live.Names, srv, resolve, discover.IsTls(srv)));
            if (sources[^1].Initial is null) diagnostics.Warn(diagnostics.Where(discover, "srv", srv), Unresolved(NameKind.Services, srv, resolve));
        }

        return [.. sources];
    }

    private string Unresolved(NameKind kind, string name, ResolveSettings resolve) =>
        $"the name '{name}' cannot be resolved: {live.Names.Watch(kind, name, resolve).Trouble ?? "none of its servers can be resolved"}; it is looked up further";

    // Its servers; and its place among the lists of this configuration that have the same ones but differ in paths, weights or
    // settings, so that changing these leaves health, load and connections alone.
    private string InlineIdentity(UpstreamConfig from, string[] urls)
    {
        var identity = $"inline {string.Join(' ', urls)}";
        var rest = $"{from.Balance} {UpstreamPlans.Settings(from) with { Active = null }} {from.Sticky?.Cookie} {from.Sticky?.Path} {from.Sticky?.Secret} {ActiveChecks.Identity(from.Health.Active)} {UpstreamPlans.Tls(from.Tls)} {string.Join(' ', from.Endpoints.Select(e => $"{e.Weight} {e.Url.AbsolutePath}"))}";
        if (!inlineLists.TryGetValue(identity, out var alike)) inlineLists[identity] = alike = [];
        if (!alike.Contains(rest)) alike.Add(rest);
        return $"{identity} #{alike.IndexOf(rest)}";
    }

    private AccessLog? Log(AccessLogConfig? log)
    {
        if (log is null || log.Off) return null;
        var (target, name) = (log.Target ?? "stdout", log.Format ?? "json");
        var format = name switch { "json" => LogFormat.Json, "combined" => LogFormat.TryCompile(LogFormat.Combined, out _)!, _ => LogFormat.TryCompile(name, out _)! };
        var made = live.Log($"{target}\n{name}", () => new AccessLog(target, format, LogTargets.Open(target), live.Loops));
        named.Add(made);
        if (!logs.Exists(l => l.Log == made)) logs.Add((made, log.At));
        return made;
    }
}
