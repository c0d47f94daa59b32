// The table: every key of the language, once. It parses, validates, and is the source of the JSON Schema and of the
// reference.

namespace Weir.Control.Configuration;

/// <summary>The language.</summary>
public static class ProxySchema
{
    private static readonly Func<Node, bool> IsText = static node => node is ScalarNode;

    public static Section<TimeoutsConfig> Timeouts { get; } = new Section<TimeoutsConfig>("timeouts", "How long things may take.")
        .Add("handshake", Shapes.Duration, (t, v) => t.Handshake = v, "A TLS handshake with a client, from its connection on. Top level only.", "10s")
        .Add("header", Shapes.Duration, (t, v) => t.Header = v, "From a request's first byte to the end of its head. Top level only.", "30s")
        .Add("body", Shapes.Duration, (t, v) => t.Body = v, "Silence of the client within a request's body.", "60s")
        .Add("write", Shapes.Duration, (t, v) => t.Write = v, "A client that takes nothing of what is written to it.", "60s")
        .Add("keep_alive", Shapes.Duration, (t, v) => t.KeepAlive = v, "How long a client's connection may be idle between requests. Top level only; upstreams have one of their own.", "75s")
        .Add("connect", Shapes.Duration, (t, v) => t.Connect = v, "Making a connection to an endpoint.", "3s")
        .Add("first_byte", Shapes.Duration, (t, v) => t.FirstByte = v, "From the request sent to the head of the response.", "60s")
        .Add("idle", Shapes.Duration, (t, v) => t.Idle = v, "Silence of the origin within a body.", "60s")
        .Add("total", Shapes.Duration, (t, v) => t.Total = v, "The whole exchange.", "off")
        .Add("tunnel", Shapes.Duration, (t, v) => t.Tunnel = v, "Silence in both directions of a tunnel (WebSocket and the like).", "1h");

    public static Section<TimeoutsConfig> RouteTimeouts { get; } = Timeouts.Within("route_timeouts", "How long things may take in a site or a route; what is not written holds as outside.", BelongsTo, "body", "write", "connect", "first_byte", "idle", "total", "tunnel");

    public static Section<TimeoutsConfig> UpstreamTimeouts { get; } = Timeouts.Within("upstream_timeouts", "How long things may take with these servers; a route may say otherwise.", BelongsTo, "connect", "first_byte", "idle", "total")
        .Add("keep_alive", Shapes.Duration, (t, v) => t.KeepAlive = v, "How long an idle connection to a server is kept.", "60s");

    public static Section<LimitsConfig> Limits { get; } = new Section<LimitsConfig>("limits", "The most there may be of things.")
        .Add("connections", Shapes.Int(1, 10_000_000), (l, v) => l.Connections = v, "Client connections at once. Top level only.", "what the descriptor limit allows")
        .Add("connections_per_client", Shapes.Int(0, 10_000_000), (l, v) => l.ConnectionsPerClient = v, "Client connections at once from one address, of IPv6 from one /64; 0: no limit. Top level only.", "0")
        .Add("handshakes", Shapes.Int(1, 10_000_000), (l, v) => l.Handshakes = v, "TLS handshakes with clients at once; beyond that the longest under way make room for new ones. Top level only.", "2000")
        .Add("handshakes_per_client", Shapes.Int(0, 10_000_000), (l, v) => l.HandshakesPerClient = v, "TLS handshakes at once with one address, of IPv6 with one /64; 0: no limit. Top level only.", "200")
        .Add("memory", Shapes.Size, (l, v) => l.Memory = v, "Bytes in buffers at once. Top level only.", "1GiB")
        .Add("head", Shapes.SizeFrom("256B", "128KiB"), (l, v) => l.Head = v, "Bytes in a request's head (431 beyond). Top level only.", "32KiB")
        .Add("target", Shapes.SizeFrom("16B", "64KiB"), (l, v) => l.Target = v, "Bytes in a request's target (414 beyond). Top level only.", "8KiB")
        .Add("fields", Shapes.Int(1, 10_000), (l, v) => l.Fields = v, "Field lines in a head (431 beyond). Top level only.", "100")
        .Add("body", Shapes.Size, (l, v) => l.Body = v, "Bytes in a request's body (413 beyond).", "off")
        .Add("requests_per_connection", Shapes.Int(0, long.MaxValue), (l, v) => l.RequestsPerConnection = v, "Requests a client's connection may carry; 0: no limit. Top level only.", "0")
        .Add("connection_age", Shapes.Duration, (l, v) => l.ConnectionAge = v, "How old a client's connection may grow before its next response ends it. Top level only.", "off")
        .Add("min_rate", Shapes.ByteRate, (l, v) => l.MinRate = v, "The least a peer must move while it owes bytes: a client that sends its body, or reads its response. Never counted against an origin that thinks.", "240B/s")
        .Add("min_rate_grace", Shapes.Duration, (l, v) => l.MinRateGrace = v, "How long a peer may owe bytes whatever its rate.", "10s")
        .Add("parts", Shapes.Int(0, 1_000_000), (l, v) => l.Parts = v, "Requests for parts of accelerated answers at once, to all upstreams together. Top level only.", "1024");

    public static Section<LimitsConfig> RouteLimits { get; } = Limits.Within("route_limits", "The most there may be of things in a site or a route; what is not written holds as outside.", static key => $"'{key}' is a limit of the top level only", "body", "min_rate", "min_rate_grace");

    public static Section<ListenTlsConfig> ListenTls { get; } = new Section<ListenTlsConfig>("listener_tls", "How a listener speaks TLS.")
        .Short(Shapes.Bool, (t, v) => t.Off = !v)
        .Add("profile", Shapes.OneOf("intermediate", "modern"), (t, v) => t.Profile = v, "Versions and ciphers after Mozilla's: intermediate speaks TLS 1.2 and 1.3, modern 1.3 only.", "intermediate")
        .Add("strict_sni", Shapes.Bool, (t, v) => t.StrictSni = v, "Refuses clients that ask for no name, or for one that no site has. Else they are shown the certificate of the default site, or of the first.", "false");

    public static Section<CertificateConfig> Certificate { get; } = new Section<CertificateConfig>("certificate", "A certificate and its key.")
        .Add("certificate", Shapes.Text, (c, v) => c.Certificate = v, "The file with the certificate and its chain, in PEM.")
        .Add("key", Shapes.Text, (c, v) => c.Key = v, "The file with the private key, in PEM.", "the certificate's file");

    public static Section<ClientAuthConfig> ClientAuth { get; } = new Section<ClientAuthConfig>("client_auth", "Asks clients for a certificate.")
        .Short(Shapes.Text, (c, v) => c.Ca = v)
        .Add("ca", Shapes.Text, (c, v) => c.Ca = v, "The file with the certificates of the authorities that may have signed it, in PEM.")
        .Add("mode", Shapes.OneOf("required", "optional"), (c, v) => c.IsOptional = v == "optional", "optional: a client without one is let in as well; one with another is not.", "required")
        .Add("crl", Shapes.Text, (c, v) => c.Crl = v, "The file with the lists of revoked certificates of all these authorities, in PEM.");

    public static Section<SessionTicketsConfig> SessionTickets { get; } = new Section<SessionTicketsConfig>("session_tickets", "Lets clients go on with an earlier TLS session for eight hours, without a full handshake.")
        .Short(Shapes.OneOf("off"), (t, v) => t.Off = true)
        .Add("rotate", Shapes.Delay, (t, v) => t.Rotate = v, "How often a new key seals them; those that it sealed are opened until they expire.", "4h")
        .Add("keys", Shapes.Text, (t, v) => t.Keys = v, "A file with keys that several nodes share, 80 random bytes each, at most eight: the first seals, all open. Read anew when it changes; who writes it rotates them.", "made by the program, for itself")
        .Add("early_data", Shapes.Bool, (t, v) => t.EarlyData = v, "With keys that nodes share, a request that came early can be replayed at each of them: nothing is taken early unless this says that it may.", "false");

    public static Section<SiteTlsConfig> SiteTls { get; } = new Section<SiteTlsConfig>("site_tls", "The certificates that a site shows.")
        .Short(Shapes.AutomaticTls, (t, v) => t.Auto = true)
        .Add("auto", Shapes.Bool, (t, v) => t.Auto = v, "Certificates for its hosts are obtained and renewed by themselves, one for each, as acme says.", "false")
        .Add("certificate", Shapes.Text, (t, v) => t.Certificate = v, "The file with the certificate and its chain, in PEM.")
        .Add("key", Shapes.Text, (t, v) => t.Key = v, "The file with the private key, in PEM.", "the certificate's file")
        .Add("certificates", Shapes.ListOf(Certificate), (t, v) => t.Certificates = v, "Several, one for each kind of key: ECDSA and RSA.")
        .Add("ocsp", Shapes.OneOf("on", "off"), (t, v) => t.Staples = v == "on", "Staples what the issuer says of a certificate to handshakes, where the certificate names a responder: asked in the background, and kept in the state folder.", "on")
        .Add("clients", ClientAuth, (t, v) => t.Clients = v, "Asks clients for a certificate.");

    public static Section<EabConfig> Eab { get; } = new Section<EabConfig>("eab", "The account elsewhere that the account with an issuer belongs to.")
        .Add("kid", Shapes.Text, (e, v) => e.Kid = v, "Its name.")
        .Add("key", Shapes.EabKey, (e, v) => e.Key = v, "Its key, in base64url.");

    public static Section<IssuerConfig> Issuer { get; } = new Section<IssuerConfig>("issuer", "Who gives certificates, by ACME (RFC 8555).")
        .Short(Shapes.Issuer, (i, v) => i.Directory = v)
        .Add("directory", Shapes.Issuer, (i, v) => i.Directory = v, "The URL of its directory, or a word: letsencrypt, letsencrypt-staging, zerossl, google.")
        .Add("email", Shapes.Email, (i, v) => i.Email = v, "Where it writes to.", "acme.email")
        .Add("eab", Eab, (i, v) => i.Eab = v, "An account elsewhere, where the issuer wants one.")
        .Add("profile", Shapes.Text, (i, v) => i.Profile = v, "The kind of certificate, by the issuer's name for it, as shortlived.", "the issuer's choice")
        .Add("ca", Shapes.Text, (i, v) => i.Ca = v, "A file with the certificates that vouch for the issuer's own, in PEM.", "the system's");

    public static Section<Rfc2136Config> Rfc2136 { get; } = new Section<Rfc2136Config>("rfc2136", "Updates of a zone (RFC 2136), signed by TSIG with hmac-sha256.")
        .Add("server", Shapes.NameServer, (r, v) => r.Server = v, "The zone's primary server.")
        .Add("key", Shapes.DnsName, (r, v) => r.Key = v, "The key, as the server calls it.")
        .Add("secret", Shapes.TsigSecret, (r, v) => r.Secret = v, "The key itself, in base64.")
        .Add("zone", Shapes.DnsName, (r, v) => r.Zone = v, "The zone.", "what the server says")
        .Add("ttl", Shapes.DurationFrom("1s", "1h"), (r, v) => r.Ttl = v, "How long others may keep the records.", "60s");

    public static Section<AcmeDnsConfig> AcmeDns { get; } = new Section<AcmeDnsConfig>("acme_dns", "How TXT records come into the DNS, for dns-01: by a command, or by updates.")
        .Add("hook", Shapes.Text, (d, v) => d.Hook = v, "A command that is called with present or cleanup, the record's name and its value, without a shell.")
        .Add("timeout", Shapes.DurationFrom("1s", "10m"), (d, v) => d.Timeout = v, "How long the command may take.", "2m")
        .Add("rfc2136", Rfc2136, (d, v) => d.Update = v, "Updates of the zone.")
        .Add("wait", Shapes.DurationFrom("0s", "30m"), (d, v) => d.Wait = v, "How long it is waited until the zone's servers show the record, before the issuer looks; 0s: not at all.", "2m");

    public static Section<OnDemandConfig> OnDemand { get; } = new Section<OnDemandConfig>("on_demand", "Certificates for names that no site writes down, ordered when a handshake asks for one.")
        .Add("ask", Shapes.AskUrl, (o, v) => o.Ask = v, "A URL that is asked with ?domain=NAME, and answers 200 where the name may have a certificate.")
        .Add("rate", Shapes.Int(1, 100_000), (o, v) => o.Rate = v, "Certificates an hour.", "20")
        .Add("burst", Shapes.Int(1, 100_000), (o, v) => o.Burst = v, "So many at once.", "10");

    public static Section<AcmeConfig> Acme { get; } = new Section<AcmeConfig>("acme", "Automatic certificates, for sites with tls: auto. Accounts, keys and certificates lie in the state folder, which several nodes may share.")
        .Add("issuers", Shapes.ListOf(Issuer), (a, v) => a.Issuers = v, "Who is asked, in this order: the next one where one fails.", "letsencrypt")
        .Add("email", Shapes.Email, (a, v) => a.Email = v, "Where issuers write to.", "nowhere")
        .Add("challenges", Shapes.ListOf(Shapes.OneOf("http-01", "tls-alpn-01", "dns-01")), (a, v) => a.Challenges = v, "How it may be shown that a name is ours, in this order: the next one where one is not found.", "http-01, tls-alpn-01, and dns-01 with dns")
        .Add("dns", AcmeDns, (a, v) => a.Dns = v, "How dns-01 is shown; wildcards need it.")
        .Add("key_type", Shapes.OneOf("ecdsa_p256", "ecdsa_p384", "rsa_2048", "rsa_3072", "rsa_4096"), (a, v) => a.KeyType = v, "The keys of certificates.", "ecdsa_p256")
        .Add("until_issued", Shapes.OneOf("refuse", "self_signed"), (a, v) => a.UntilIssued = v, "What a handshake gets until the first certificate of a name is there.", "refuse")
        .Add("on_demand", OnDemand, (a, v) => a.OnDemand = v, "Certificates for names that a handshake asks for.");
    public static Section<HttpsRedirectConfig> HttpsRedirect { get; } = new Section<HttpsRedirectConfig>("https_redirect", "Sends whoever asks in the clear to https (308), as sites with tls do where it is on. Who comes through a trusted proxy that says https is served.")
        .Short(Shapes.Bool, (r, v) => r.Off = !v)
        .Add("port", Shapes.Int(1, 65535), (r, v) => r.Port = v, "The port that clients are sent to, where it is not the one listened on.", "that of the site's first listener that speaks TLS");

    public static Section<HstsConfig> Hsts { get; } = new Section<HstsConfig>("hsts", "Tells browsers to come over https only (Strict-Transport-Security, RFC 6797). Said over TLS only; an origin's own word on it is dropped.")
        .Short(Shapes.Age, (h, v) => h.MaxAge = v)
        .Add("max_age", Shapes.Age, (h, v) => h.MaxAge = v, "For how long; 0s: no longer.", "1y")
        .Add("include_subdomains", Shapes.Bool, (h, v) => h.IncludeSubdomains = v, "For every name below the site's as well.", "false")
        .Add("preload", Shapes.Bool, (h, v) => h.Preload = v, "Browsers may bring it along, after the name was sent to hstspreload.org.", "false");

    public static Section<ListenConfig> Listen { get; } = new Section<ListenConfig>("listener", "An address to listen on.")
        .Short(Shapes.Address, (l, v) => l.Address = v)
        .Add("address", Shapes.Address, (l, v) => l.Address = v, "Where to listen; \":8080\" is every address, IPv6 and IPv4.")
        .Add("reuse_port", Shapes.OneOf("own", "shared"), (l, v) => l.SharesPort = v == "shared", "shared: other programs may listen on the same port.", "own")
        .Add("backlog", Shapes.Int(1, 1_000_000), (l, v) => l.Backlog = v, "Connections the kernel keeps waiting.", "4096")
        .Add("mode", Shapes.FileMode, (l, v) => l.Mode = v, "Who may connect to a Unix socket, as the mode of its file: those who may write to it.", "that of the files the program makes")
        .Add("owner", Shapes.Text, (l, v) => l.Owner = v, "The owner of a Unix socket's file.", "user, else whoever starts the program")
        .Add("group", Shapes.Text, (l, v) => l.Group = v, "The group of a Unix socket's file.", "that of user, else of whoever starts the program")
        .Add("tls", ListenTls, (l, v) => l.Tls = v, "Speaks TLS here: sites with a certificate answer.", "false");

    public static Section<AdminConfig> Admin { get; } = new Section<AdminConfig>("admin", "The admin listener: metrics, status, readiness.")
        .Short(Shapes.Address, (a, v) => a.Address = v)
        .Add("address", Shapes.Address, (a, v) => a.Address = v, "Where to listen.")
        .Add("token", Shapes.Text, (a, v) => a.Token = v, "Asked for as 'Authorization: Bearer …'; needed unless the address is on loopback or a Unix socket.");

    public static Section<AccessLogConfig> AccessLog { get; } = new Section<AccessLogConfig>("access_log", "A record for each exchange.")
        .Short(Shapes.AccessLogTarget, (a, v) => (a.Off, a.Target) = (v == "off", v))
        .Add("target", Shapes.AccessLogTarget, (a, v) => (a.Off, a.Target) = (v == "off", v), "Where to: syslog is the local one, syslog:HOST:PORT one by UDP.", "in a site the top level's, else stdout")
        .Add("format", Shapes.Text, (a, v) => a.Format = v, "json, combined, or a line with fields in braces such as \"{client_ip} {status}\"; {{ stands for {.", "in a site the top level's, else json");

    public static Section<ErrorLogConfig> ErrorLog { get; } = new Section<ErrorLogConfig>("error_log", "What the program says about itself.")
        .Short(Shapes.ErrorLogTarget, (e, v) => e.Target = v)
        .Add("target", Shapes.ErrorLogTarget, (e, v) => e.Target = v, "Where to: syslog is the local one, syslog:HOST:PORT one by UDP.", "stderr")
        .Add("level", Shapes.OneOf("debug", "info", "warn", "error"), (e, v) => e.Level = v, "The least grave lines that are written.", "info");

    public static Section<ErrorPageConfig> ErrorPage { get; } = new Section<ErrorPageConfig>("error_page", "What a fault's answer looks like.")
        .Add("status", Shapes.ListOf(Shapes.StatusRange), (e, v) => e.Status = v, "For which statuses.")
        .Add("file", Shapes.Text, (e, v) => e.File = v, "A file with the page; read when the configuration is.")
        .Add("body", Shapes.Text, (e, v) => e.Body = v, "The page itself.")
        .Add("content_type", Shapes.FieldValue, (e, v) => e.ContentType = v, "Its media type.", "text/html; charset=utf-8 for a file, text/plain; charset=utf-8 for a body");

    public static Section<EndpointConfig> Endpoint { get; } = new Section<EndpointConfig>("endpoint", "One server of an upstream.")
        .Short(Shapes.Url, (e, v) => e.Url = v)
        .Add("url", Shapes.Url, (e, v) => e.Url = v, "Scheme, host, port, and a path that is put before the request's.")
        .Add("weight", Shapes.Int(0, 1_000), (e, v) => e.Weight = v, "Its share relative to its siblings; 0 takes it out.", "1")
        .Add("backup", Shapes.Tier, (e, v) => e.Backup = v, "Stands in where none of the servers before it is there: true, or 1 to 9 for one after the other.", "false");

    public static Section<HashConfig> ConsistentHash { get; } = new Section<HashConfig>("consistent_hash", "A key of the request finds its server; one that comes or goes moves its own keys only, and none is overloaded by keys that are asked for often. A request without the key goes anywhere.")
        .Short(Shapes.HashedPart, (h, v) => h.Key = v)
        .Add("key", Shapes.HashedPart, (h, v) => h.Key = v, "What is hashed. The first field, cookie or parameter of the name counts.", "client_ip")
        .Add("load", Shapes.BoundedLoad, (h, v) => h.Load = v, "How much of its share of the requests under way a server takes before its keys go on to another.", "125%");

    public static Section<HashConfig> Maglev { get; } = ConsistentHash.Within("maglev", "A key of the request finds its server through a table: the evenest shares; where a server comes or goes a few keys of others move too.", static key => $"'{key}' is of consistent_hash only", "key")
        .Short(Shapes.HashedPart, (h, v) => h.Key = v);

    public static Section<BalanceConfig> Balance { get; } = new Section<BalanceConfig>("balance", "How an endpoint is chosen.") { OtherWords = BalancersElsewhere.Words }
        .Short(Shapes.OneOf(["round_robin", "random", "power_of_two", "least_requests", "peak_ewma", "ip_hash", "consistent_hash", "maglev"], BalancersElsewhere.Words), (b, v) => b.Algorithm = v)
        .Add("consistent_hash", ConsistentHash, (b, v) => b.Write("consistent_hash", v), "Hashing with bounded load.")
        .Add("maglev", Maglev, (b, v) => b.Write("maglev", v), "Hashing by a table.");

    public static Section<RetryConfig> Retry { get; } = new Section<RetryConfig>("retry", "A request whose attempt failed goes to another server while no byte of an answer has been passed on: one of which nothing was sent always, another where its method is idempotent and its body can be sent again.")
        .Short(Shapes.Attempts, (r, v) => r.Attempts = v)
        .Add("attempts", Shapes.Int(0, Engine.Exchanges.Tried.Most - 1), (r, v) => r.Attempts = v, "Attempts after the first, each on another server.", "2")
        .Add("per_try", Shapes.Duration, (r, v) => r.PerTry = v, "How long each attempt may take to connect, and from the request sent to the head of its response.", "off")
        .Add("on", Shapes.ListOf(Shapes.RetryCondition), (r, v) => r.On = v, "After what: connect (no connection), reset (it broke before an answer), timeout, malformed, statuses.", "connect, reset, timeout, 502, 503, 504")
        .Add("budget", Shapes.Percent(0, 100), (r, v) => r.Budget = v, "Retries a hundred requests of the last ten seconds, beside ten a second. Where nothing had been sent they are not counted.", "20%")
        .Add("back_off", Shapes.Delay, (r, v) => r.BackOff = v, "The longest wait before the second retry, doubled for each further one; half of it at least. The first goes at once.", "25ms")
        .Add("most_back_off", Shapes.Delay, (r, v) => r.MostBackOff = v, "The longest of these waits.", "250ms")
        .Add("buffer", Shapes.Size, (r, v) => r.Buffer = v, "Bytes of a request's body kept in memory so that it can be sent again; 0B: none. Those of requests that may not be sent again are not kept.", "64KiB")
        .Add("buffer_disk", Shapes.Size, (r, v) => r.BufferDisk = v, "Further bytes kept in a file without a name in the state folder. A longer body passes as if nobody had asked for it, and is not sent again. All together keep at most 1GiB there.", "1MiB")
        .Add("resume", Shapes.Int(0, 100), (r, v) => r.Resume = v, "How often in a row an answer that breaks off, or falls silent for half of timeouts.idle, is gone on with from where it stopped, on this server or another; of 64KiB at least, with a strong ETag, to GET.", "3");

    public static Section<HedgeConfig> Hedge { get; } = new Section<HedgeConfig>("hedge", "A request that is idempotent and has no body is sent to a second server where the first takes longer than usual; the first answer counts, and the other attempt is dropped.")
        .Short(Shapes.HedgeTime, (h, v) => h.After = v)
        .Add("after", Shapes.HedgeTime, (h, v) => h.After = v, "After this time; or the percentile of times to the head of an answer: nothing is sent twice before a hundred are known.")
        .Add("most", Shapes.Percent(1, 100), (h, v) => h.Most = v, "Requests sent twice in a hundred of the last ten seconds, beside one a second.", "10%");

    public static Section<PassiveConfig> Passive { get; } = new Section<PassiveConfig>("passive", "Ejects a server for how it answers, unless all others fail as well: what failed are connections, answers that break off or do not come in time, and the statuses.")
        .Short(Shapes.OneOf("off"), (p, v) => p.Off = true)
        .Add("failures", Shapes.Int(0, 1_000_000), (p, v) => p.Failures = v, "So many failures in a row; 0: not counted.", "5")
        .Add("within", Shapes.Duration, (p, v) => p.Within = v, "Within this time, failures in a row as well as their share.", "30s")
        .Add("errors", Shapes.Percent(0, 100), (p, v) => p.Errors = v, "This share of failures; 0%: not counted.", "0%")
        .Add("at_least", Shapes.Int(1, 1_000_000), (p, v) => p.AtLeast = v, "Fewer attempts say nothing about their share.", "20")
        .Add("latency", Shapes.Int(0, 1_000), (p, v) => p.Latency = v, "Answers this many times slower than the median of at least three; 0: not measured.", "0")
        .Add("statuses", Shapes.ListOf(Shapes.StatusRange), (p, v) => p.Statuses = v, "Statuses that are failures.", "502, 503, 504")
        .Add("eject_for", Shapes.Duration, (p, v) => p.EjectFor = v, "How long the first time; twice as long each time after that.", "30s")
        .Add("most_eject_for", Shapes.Duration, (p, v) => p.MostEjectFor = v, "The longest. Whoever has been in for so long begins anew.", "5m")
        .Add("most_ejected", Shapes.Percent(0, 100), (p, v) => p.MostEjected = v, "The share of the servers that may be ejected at once, rounded down.", "75%");

    public static Section<ActiveCheckConfig> ActiveCheck { get; } = new Section<ActiveCheckConfig>("active_check", "Asks each server again and again whether it is well; one that is not gets no requests. Its first check decides at once, and until then it is taken as healthy.")
        .Short(Shapes.CheckedTarget, (a, v) => a.Path = v)
        .Add("path", Shapes.CheckedTarget, (a, v) => a.Path = v, "What is asked for, with its query; the path of the server's URL is not put before it.", "/")
        .Add("method", Shapes.OneOf("GET", "HEAD", "OPTIONS", "POST"), (a, v) => a.Method = v, "How it is asked for; POST has no body.", "GET")
        .Add("headers", Fields(Shapes.FieldValue, EditedFields.SetInCheck), (a, v) => a.Headers = v, "Further fields of the request.")
        .Add("host", Shapes.CheckedHost, (a, v) => a.Host = v, "The Host that is sent.", "the upstream's where that is a name, else the server's own")
        .Add("port", Shapes.Int(1, 65_535), (a, v) => a.Port = v, "The port that is asked, where it is not the one that requests go to.", "the server's")
        .Add("tcp", Shapes.Bool, (a, v) => a.Tcp = v, "true: a connection is enough, nothing is asked.", "false")
        .Add("interval", Shapes.DurationFrom("100ms", "1d"), (a, v) => a.Interval = v, "From the beginning of a check to that of the next.", "5s")
        .Add("jitter", Shapes.Percent(0, 50), (a, v) => a.Jitter = v, "How much longer or shorter each interval may be, by chance.", "10%")
        .Add("timeout", Shapes.DurationFrom("10ms", "10m"), (a, v) => a.Timeout = v, "What a check may take, the connection included; each address of the server has it anew.", "2s")
        .Add("rise", Shapes.Int(1, 1_000), (a, v) => a.Rise = v, "Checks in a row that must pass before an unhealthy server is healthy again.", "2")
        .Add("fall", Shapes.Int(1, 1_000), (a, v) => a.Fall = v, "Checks in a row that must fail before a healthy server is unhealthy.", "3")
        .Add("expect", Shapes.ListOf(Shapes.StatusRange), (a, v) => a.Expect = v, "Statuses that pass.", "200-399")
        .Add("body", Shapes.CheckedText, (a, v) => a.Body = v, "Text that must stand in the first 64 KiB of the answer's body.");

    public static Section<HealthConfig> Health { get; } = new Section<HealthConfig>("health", "Which servers are asked at all.")
        .Add("active", ActiveCheck, (h, v) => h.Active = v, "What they are asked, besides the requests of clients.")
        .Add("passive", Passive, (h, v) => h.Passive = v, "What answers say about a server.")
        .Add("panic", Shapes.Panic, (h, v) => h.Panic = v, "The share of the servers, by weight, that must be available; below it health is ignored. 0%: only where nobody is left; off: never: who is away by more than its answers (checks, breaker) is not asked, and where nobody else is left the answer is 503.", "0%");

    public static Section<BreakerConfig> CircuitBreaker { get; } = new Section<BreakerConfig>("circuit_breaker", "Where too many attempts failed, nothing is attempted for a while, and the answer is 503 at once; then one attempt a second, until one succeeds.")
        .Add("errors", Shapes.Percent(1, 100), (b, v) => b.Errors = v, "This share of failures, as health.passive counts them, be it off or not.", "50%")
        .Add("within", Shapes.Duration, (b, v) => b.Within = v, "Within this time.", "10s")
        .Add("at_least", Shapes.Int(1, 1_000_000), (b, v) => b.AtLeast = v, "Fewer attempts decide nothing.", "20")
        .Add("open_for", Shapes.Duration, (b, v) => b.OpenFor = v, "How long nothing is attempted.", "10s")
        .Add("scope", Shapes.OneOf("upstream", "endpoint", "both"), (b, v) => b.Scope = v, "One for the upstream, one for each of its servers (which is away then), or both.", "upstream");

    public static Section<ResolveConfig> Resolve { get; } = new Section<ResolveConfig>("resolve", "How names of servers are looked up. What an upstream does not say holds as at the top level.")
        .Add("servers", Shapes.ListOf(Shapes.NameServer), (r, v) => r.Servers = v, "The name servers, asked in this order; names are whole then. Without them: /etc/hosts, then those of /etc/resolv.conf with its search list, then whatever else the system asks.", "the system's")
        .Add("least_ttl", Shapes.DurationFrom("100ms", "1d"), (r, v) => r.LeastTtl = v, "An answer holds at least so long, whatever it says.", "1s")
        .Add("most_ttl", Shapes.DurationFrom("100ms", "1d"), (r, v) => r.MostTtl = v, "An answer holds at most so long.", "5m")
        .Add("timeout", Shapes.DurationFrom("10ms", "30s"), (r, v) => r.Timeout = v, "How long a lookup may take, all servers together.", "2s")
        .Add("ipv6", Shapes.Bool, (r, v) => r.Ipv6 = v, "Whether IPv6 addresses are asked for too.", "true");

    public static Section<DiscoverDnsConfig> DiscoverDns { get; } = new Section<DiscoverDnsConfig>("discover_dns", "An endpoint for each address of a name.")
        .Add("name", Shapes.DnsName, (d, v) => d.Name = v, "The name; its addresses are asked for again when their time is over.")
        .Add("port", Shapes.Int(1, 65_535), (d, v) => d.Port = v, "The port of each.", "80; with scheme: https 443");

    public static Section<DiscoverConfig> Discover { get; } = new Section<DiscoverConfig>("discover", "Where further servers are found, while it runs.")
        .Add("dns", Shapes.ListOf(DiscoverDns), (d, v) => d.Dns = v, "Names of which each address is an endpoint.")
        .Add("srv", Shapes.ListOf(Shapes.DnsName), (d, v) => d.Srv = v, "Names of services, as _http._tcp.example.com (RFC 2782): each address of each server is an endpoint, with its port and weight; those of further priorities are backups.")
        .Add("scheme", Shapes.OneOf("http", "https"), (d, v) => d.Scheme = v, "How those of dns and srv are spoken to. Over https their certificates are for the name in dns, and for the domain of the service in srv, unless tls.server_name says otherwise.", "http; https for services that are called _https")
        .Add("file", Shapes.Text, (d, v) => d.File = v, "A YAML or JSON file with a list as in endpoints; read when the configuration is, and again whenever it changes. While it is broken, its last good list stays.");

    public static Section<UpstreamLimitsConfig> UpstreamLimits { get; } = new Section<UpstreamLimitsConfig>("upstream_limits", "The most that the servers are asked to carry at once, whatever the loops. What is beyond waits in one queue, and beyond that is answered 503 with Retry-After. A server at its limit is not away: those that stand in for it are not asked because of it. Health checks are not counted.")
        .Add("connections", Shapes.Int(1, 10_000_000), (l, v) => l.Connections = v, "Connections open to all servers, idle ones included. Each request takes one.", "no limit")
        .Add("requests", Shapes.Int(1, 10_000_000), (l, v) => l.Requests = v, "Requests under way on all servers, from the first attempt to the end of the answer or the tunnel.", "no limit")
        .Add("endpoint_connections", Shapes.Int(1, 10_000_000), (l, v) => l.EndpointConnections = v, "Connections open to each server, idle ones included.", "no limit")
        .Add("endpoint_requests", Shapes.Int(1, 10_000_000), (l, v) => l.EndpointRequests = v, "Requests under way on each server.", "no limit")
        .Add("queue", Shapes.Int(0, 1_000_000), (l, v) => l.Queue = v, "Requests that may wait; 0: none.", "100")
        .Add("queue_timeout", Shapes.Delay, (l, v) => l.QueueTimeout = v, "How long each may wait.", "2s");

    public static Section<StickyConfig> Sticky { get; } = new Section<StickyConfig>("sticky", "A client stays with the server it was with, by a cookie of its own that tells nobody which that is; where the server is away the client moves. The cookie is not sent on to servers.")
        .Short(Shapes.CookieName, (s, v) => s.Cookie = v)
        .Add("cookie", Shapes.CookieName, (s, v) => s.Cookie = v, "Its name. Two such upstreams of one site need a name each.", "weir_id")
        .Add("secret", Shapes.Text, (s, v) => s.Secret = v, "What the key is made of, at least 16 characters: the same on all nodes that share the upstream.", "made once, and kept in the state folder")
        .Add("previous_secret", Shapes.Text, (s, v) => s.PreviousSecret = v, "An earlier secret: cookies made with it are taken, and replaced.")
        .Add("max_age", Shapes.Delay, (s, v) => s.MaxAge = v, "How long the cookie lives, from when it was set; in whole seconds.", "as long as the browser runs")
        .Add("path", Shapes.CookiePath, (s, v) => s.Path = v, "For which paths.", "/")
        .Add("domain", Shapes.Host, (s, v) => s.Domain = v, "For this domain and all below it.", "the host that was asked")
        .Add("secure", Shapes.OneOf("auto", "always", "never"), (s, v) => s.Secure = v, "Whether the cookie is for https only; auto: where it is set over https, or browsers would not take it otherwise.", "auto")
        .Add("same_site", Shapes.OneOf("lax", "strict", "none"), (s, v) => s.SameSite = v, "Whether the cookie goes along with requests that other sites bring about.", "lax");

    public static Section<OriginTlsConfig> OriginTls { get; } = new Section<OriginTlsConfig>("upstream_tls", "How servers with https:// are spoken to: TLS 1.2 and 1.3. Their certificates are verified, and must be for the name they are called by.")
        .Add("ca", Shapes.Text, (t, v) => t.Authorities = v, "The CAs that are trusted, in PEM: a file, or a folder of files that end in .pem, .crt or .cer.", "the system's; SSL_CERT_FILE and SSL_CERT_DIR say where")
        .Add("server_name", Shapes.CertifiedName, (t, v) => t.ServerName = v, "The name, or address, that is asked for (SNI) and that certificates must be for.", "each server's own")
        .Add("verify", Shapes.Switch, (t, v) => t.Verifies = v, "off: any certificate is accepted, of anybody.", "on")
        .Add("certificate", Shapes.Text, (t, v) => t.Certificate = v, "The file with the certificate that is shown to servers that ask for one, and its chain, in PEM.", "none")
        .Add("key", Shapes.Text, (t, v) => t.Key = v, "The file with its private key, in PEM.", "the certificate's file")
        .Add("min_version", Shapes.OneOf("1.2", "1.3"), (t, v) => t.OnlyTls13 = v == "1.3", "The oldest version that is spoken.", "1.2");

    public static Section<UpstreamConfig> Upstream { get; } = new Section<UpstreamConfig>("upstream", "Servers that can stand in for each other.")
        .Short(Shapes.ListOf(Endpoint), (u, v) => u.Endpoints = v, static node => node is ScalarNode or ListNode)
        .Add("endpoints", Shapes.ListOf(Endpoint), (u, v) => u.Endpoints = v, "The servers.")
        .Add("discover", Discover, (u, v) => u.Discover = v, "Further servers that are found: an upstream may have these only.")
        .Add("resolve", Resolve, (u, v) => u.Resolve = v, "How names of these servers are looked up.")
        .Add("balance", Balance, (u, v) => u.Balance = v, "How one is chosen.", "round_robin")
        .Add("host", Shapes.SentHost, (u, v) => u.Host = v, "The Host the servers are sent: keep (the client's), endpoint (the server's own), or a name.", "keep; endpoint for https:// servers that are given by name")
        .Add("tls", OriginTls, (u, v) => u.Tls = v, "How servers with https:// are spoken to.")
        .Add("timeouts", UpstreamTimeouts, (u, v) => u.Timeouts = v, "Times for these servers.")
        .Add("idle_connections", Shapes.Int(0, 100_000), (u, v) => u.IdleConnections = v, "Idle connections kept to each server, per loop.", "256")
        .Add("connection_age", Shapes.Duration, (u, v) => u.ConnectionAge = v, "How old a connection to a server may grow.", "1h")
        .Add("reuse", Shapes.OneOf("always", "safe"), (u, v) => u.Reuse = v, "safe: requests that are not idempotent go on new connections only.", "always")
        .Add("retry", Retry, (u, v) => u.Retry = v, "When a request goes to another server.")
        .Add("hedge", Hedge, (u, v) => u.Hedge = v, "When a request that has no answer yet is sent to a second server as well.", "never")
        .Add("health", Health, (u, v) => u.Health = v, "Which servers are asked at all. One that could not be connected to is asked after the others for a second in any case, and twice as long each time after that, up to ten.")
        .Add("circuit_breaker", CircuitBreaker, (u, v) => u.CircuitBreaker = v, "Attempts nothing for a while where too much fails.", "none")
        .Add("limits", UpstreamLimits, (u, v) => u.Limits = v, "The most that the servers are asked to carry at once.", "none")
        .Add("slow_start", Shapes.Duration, (u, v) => u.SlowStart = v, "In how long a server that has come, or come back, grows from a tenth of its share to the whole.", "off")
        .Add("sticky", Sticky, (u, v) => u.Sticky = v, "Clients stay with their server, by a cookie.", "none");

    public static Section<ProxyTargetConfig> PlainTarget { get; } = Target("target", "Where to: an upstream's name, a URL, or a list of endpoints.", static _ => true);

    public static Section<SplitSideConfig> SplitSide { get; } = new Section<SplitSideConfig>("split_side", "One side of a split.")
        .Add("proxy", PlainTarget, (s, v) => s.Proxy = v, "Where it goes: to an upstream's name, a URL, or a list of endpoints.")
        .Add("weight", Shapes.Int(0, 1_000), (s, v) => s.Weight = v, "Its share relative to the others; 0: nobody's.", "1");

    public static Section<ProxyTargetConfig> ProxyTarget { get; } = Target("proxy", "Where to forward to: an upstream's name, a URL, or a list of endpoints; or a split between several of these.", static node => !IsSplit(node))
        .Add("split", Shapes.ListOf(SplitSide), (p, v) => p.Split = v, "The sides, each with its share. Growing one moves clients to it and nobody else.")
        .Add("by", Shapes.SplitPart, (p, v) => p.By = v, "What keeps a client on its side: its address, a cookie (set where a client has none), or nothing, each request being drawn anew.", "client_ip")
        .Add("fallback", Shapes.Bool, (p, v) => p.Fallback = v, "Whether a side of whose servers none is available leaves its requests to the others.", "false");

    public static Section<MirrorConfig> Mirror { get; } = new Section<MirrorConfig>("mirror", "Sends copies of requests to other servers too, whose answers are thrown away. No client waits for them. A copy carries X-Mirrored: 1.")
        .Short(PlainTarget, (m, v) => m.Proxy = v, static node => node is ScalarNode or ListNode)
        .Add("proxy", PlainTarget, (m, v) => m.Proxy = v, "Where to: an upstream's name, a URL, or a list of endpoints. Its host, timeouts, health and breaker hold; its retry and hedge do not.")
        .Add("share", Shapes.Share, (m, v) => m.Share = v, "How many of the requests, chosen by chance.", "100%")
        .Add("methods", Shapes.ListOf(Shapes.Method), (m, v) => m.Methods = v, "Only these methods; GET includes HEAD. CONNECT and changes of protocol are never mirrored.", "all, those too that change something")
        .Add("body", Shapes.SizeFrom("0", "256KiB"), (m, v) => m.Body = v, "Bytes in a request's body; one with a longer body is not mirrored.", "64KiB")
        .Add("most", Shapes.Int(1, 100_000), (m, v) => m.Most = v, "Copies under way at once to the upstream, per loop; beyond that none are made.", "100");

    public static Section<RedirectConfig> Redirect { get; } = new Section<RedirectConfig>("redirect", "Sends the client elsewhere.")
        .Short(Shapes.LineTemplate, (r, v) => r.To = v)
        .Add("to", Shapes.LineTemplate, (r, v) => r.To = v, "Where to.")
        .Add("status", Shapes.Int(300, 308), (r, v) => r.Status = v, "301, 302, 303, 307 or 308.", "302");

    public static Section<RespondConfig> Respond { get; } = new Section<RespondConfig>("respond", "A fixed answer.")
        .Short(Shapes.Int(200, 599), (r, v) => r.Status = v)
        .Add("status", Shapes.Int(200, 599), (r, v) => r.Status = v, "The status.", "200")
        .Add("body", Shapes.Template, (r, v) => r.Body = v, "The body.")
        .Add("content_type", Shapes.FieldValue, (r, v) => r.ContentType = v, "The body's media type.", "text/plain; charset=utf-8")
        .Add("headers", Fields(Shapes.LineTemplate, EditedFields.OfResponse), (r, v) => r.Headers = v, "Fields of the answer; Content-Type and Date here replace its own.");

    public static Section<FilesConfig> Files { get; } = new Section<FilesConfig>("files", "Files from a folder. Nothing outside it, no hidden files but those of /.well-known.")
        .Short(Shapes.Text, (f, v) => f.Root = v)
        .Add("root", Shapes.Text, (f, v) => f.Root = v, "The folder.")
        .Add("index", Shapes.ListOf(Shapes.Text), (f, v) => f.Index = v, "What is looked for where a folder is asked for.", "index.html")
        .Add("precompressed", Shapes.Bool, (f, v) => f.Precompressed = v, "Serves name.br, name.zst or name.gz beside a file to clients that take it.", "false");

    public static Section<ValueConfig> Value { get; } = new Section<ValueConfig>("value", "What a value must be.")
        .Short(Shapes.Text, (c, v) => c.Exact = v)
        .Add("is", Shapes.Text, (c, v) => c.Exact = v, "Exactly this.")
        .Add("regex", Shapes.Pattern, (c, v) => c.Regex = v, "Matched whole by this expression.")
        .Add("present", Shapes.Bool, (c, v) => c.Present = v, "There at all.");

    public static Section<PathConfig> Path { get; } = new Section<PathConfig>("path", "Which paths.")
        .Short(Shapes.Path, (p, v) => p.Pattern = v)
        .Add("regex", Shapes.Pattern, (p, v) => p.Regex = v, "Paths that this expression matches as a whole; its groups are placeholders.");

    public static Section<MatchConfig> Match { get; } = new Section<MatchConfig>("match", "Which requests a route is for; all conditions must hold.")
        .Short(Path, (m, v) => m.Path = v, IsText)
        .Add("path", Path, (m, v) => m.Path = v, "The path: /a exactly, /a/** everything below, * one segment.")
        .Add("methods", Shapes.ListOf(Shapes.Method), (m, v) => m.Methods = v, "One of these; GET includes HEAD.")
        .Add("headers", Fields(Value, EditedFields.Any), (m, v) => m.Headers = v, "Fields of the request.")
        .Add("query", new MapShape<ValueConfig>("parameters", Value), (m, v) => m.Query = v, "Parameters of the query, as written.")
        .Add("cookies", new MapShape<ValueConfig>("cookies", Value), (m, v) => m.Cookies = v, "Cookies.")
        .Add("client_ip", Shapes.ListOf(Shapes.Network), (m, v) => m.ClientIp = v, "The client's address, in one of these networks.")
        .Add("tls", new MapShape<ValueConfig>("facts", Value, CheckTlsFact), (m, v) => m.Tls = v, "Of the client's TLS and certificate: the placeholders of the same names (tls_version, client_cert_subject and others); one of the client_cert_names is enough.");

    public static Section<RegexRewriteConfig> RegexRewrite { get; } = new Section<RegexRewriteConfig>("regex_rewrite", "Rewrites the path by an expression.")
        .Add("match", Shapes.LoosePattern, (r, v) => r.Match = v, "What is looked for in the path.")
        .Add("replace", Shapes.LineTemplate, (r, v) => r.Replace = v, "What the first match becomes; {1}, {group:name} are its groups.");

    public static Section<RewriteConfig> Rewrite { get; } = new Section<RewriteConfig>("rewrite", "Changes the path and query that are sent on; in this order.")
        .Add("strip_prefix", Shapes.Path, (r, v) => r.StripPrefix = v, "Taken off the front of the path.")
        .Add("regex", RegexRewrite, (r, v) => r.Regex = v, "Rewritten by an expression.")
        .Add("path", Shapes.LineTemplate, (r, v) => r.Path = v, "The path as a whole.")
        .Add("query", Shapes.LineTemplate, (r, v) => r.Query = v, "The query as a whole; empty: none.")
        .Add("add_prefix", Shapes.PlainPath, (r, v) => r.AddPrefix = v, "Put in front of the path.");

    public static Section<HeaderEditsConfig> RequestHeaders { get; } = HeaderEdits("request_headers", "Changes fields of the request that is sent on: removed first, then set, then added. What frames it, and Host, cannot be changed here.", Shapes.LineTemplate, EditedFields.RemovedFromRequest, EditedFields.SetInRequest, EditedFields.AddedToRequest);

    public static Section<HeaderEditsConfig> ResponseHeaders { get; } = HeaderEdits("response_headers", "Changes fields of the response: removed first, then set, then added. What frames it cannot be changed.", Shapes.ResponseLineTemplate, EditedFields.OfResponse, EditedFields.OfResponse, EditedFields.AddedToResponse);

    public static Section<CacheStoreConfig> CacheStore { get; } = new Section<CacheStoreConfig>("cache_store", "Where kept answers are.")
        .Short(Shapes.SizeFrom("1MiB", "1TiB"), (s, v) => s.Memory = v)
        .Add("memory", Shapes.SizeFrom("1MiB", "1TiB"), (s, v) => s.Memory = v, "Bytes of memory. What is asked for least goes first.", "256MiB")
        .Add("disk", Shapes.SizeFrom("1MiB", "1024TiB"), (s, v) => s.Disk = v, "Bytes of disk behind the memory. What is there survives a restart.", "none")
        .Add("folder", Shapes.Text, (s, v) => s.Folder = v, "The disk's folder, for this cache alone, owner only. Only one process uses it at a time.", "cache/NAME in the state folder")
        .Add("entries", Shapes.Int(1, 1_000_000_000), (s, v) => s.Entries = v, "Entries on the disk, at most; each takes some 80 bytes of memory.", "1000000");

    public static Section<CacheQueryConfig> CacheQuery { get; } = new Section<CacheQueryConfig>("cache_query", "Which parameters of the query are part of the key. Those that are not are not sent on either.")
        .Short(Shapes.OneOf("all", "none"), (q, v) => q.None = v == "none")
        .Add("keep", Shapes.ListOf(Shapes.Parameter), (q, v) => q.Keep = v, "Only these, as they are written; a last * stands for any end.", "all")
        .Add("drop", Shapes.ListOf(Shapes.Parameter), (q, v) => q.Drop = v, "Not these, such as utm_*.")
        .Add("sort", Shapes.Bool, (q, v) => q.Sort = v, "Sorts parameters by name, so that their order means nothing; those of one name stay as they stand.", "false");

    public static Section<CacheKeyConfig> CacheKey { get; } = new Section<CacheKeyConfig>("cache_key", "What an answer may depend on beside scheme, host, port and path, and what the origin names in Vary.")
        .Add("query", CacheQuery, (k, v) => k.Query = v, "Which parameters of the query.", "all, as they are written")
        .Add("headers", Shapes.ListOf(Shapes.HeaderName(EditedFields.Any)), (k, v) => k.Headers = v, "Fields of the request, as they are sent on.")
        .Add("cookies", Shapes.ListOf(Shapes.CookieName), (k, v) => k.Cookies = v, "Cookies. The others are not sent on by what fetches for the cache; [] sends none.", "none, and all are sent on")
        .Add("device", Shapes.Bool, (k, v) => k.Device = v, "The kind of the client's device by its User-Agent: desktop, mobile or tablet. The origin is told by X-Device-Type.", "false");

    public static Section<CacheConfig> Cache { get; } = new Section<CacheConfig>("cache", "Keeps answers as RFC 9111 allows a shared cache, and answers from them. A route's keys stand over its site's.")
        .Short(Shapes.Bool, (c, v) => c.On = v)
        .Add("store", Shapes.Text, (c, v) => c.Store = v, "Where: one of caches.", "default")
        .Add("default_ttl", Shapes.Freshness, (c, v) => c.DefaultTtl = v, "How long an answer is fresh that does not say it itself; of 200, 203, 204, 300, 301 and 308.", "it is not kept")
        .Add("status_ttl", new MapShape<long>("statuses", Shapes.Freshness, Shapes.StatusTrouble), (c, v) => c.StatusTtl = v, "The same by status or range of them, such as 404: 1m; before default_ttl.")
        .Add("min_ttl", Shapes.Freshness, (c, v) => c.MinTtl = v, "The least, whatever an answer says; what may not be kept is not.")
        .Add("max_ttl", Shapes.Freshness, (c, v) => c.MaxTtl = v, "The most, whatever an answer says.")
        .Add("ttl", Shapes.Freshness, (c, v) => c.Ttl = v, "In place of all that an answer says about how long, no-cache included; what may not be kept is not.")
        .Add("heuristic", Shapes.Heuristic, (c, v) => c.Heuristic = v, "Whether freshness is guessed, from Last-Modified, where nothing says it: this part of its age, a day at most; true: 10%.", "false")
        .Add("stale_while_revalidate", Shapes.Freshness, (c, v) => c.StaleWhileRevalidate = v, "How long a stale answer serves while it is renewed, where it does not say so itself (RFC 5861).", "0s")
        .Add("stale_if_error", Shapes.Freshness, (c, v) => c.StaleIfError = v, "How long a stale answer serves where its servers are away or answer 500, 502, 503 or 504, where it does not say so itself.", "0s")
        .Add("set_cookie", Shapes.Bool, (c, v) => c.SetCookie = v, "Keeps answers that set cookies: everybody gets the same cookie.", "false")
        .Add("request_directives", Shapes.Bool, (c, v) => c.RequestDirectives = v, "Whether Cache-Control and Pragma of requests count.", "true")
        .Add("max_object", Shapes.SizeFrom("1KiB", "1TiB"), (c, v) => c.MaxObject = v, "The largest body that is kept.", "64MiB")
        .Add("slice", Shapes.SizeFrom("16KiB", "1GiB"), (c, v) => c.Slice = v, "Fetches and keeps what is larger in slices of this size, those that are asked for; from servers that answer ranges and tell a strong ETag.", "bodies are fetched whole")
        .Add("key", CacheKey, (c, v) => c.Key = v, "What an answer may depend on.")
        .Add("bypass", Shapes.ListOf(Match), (c, v) => c.Bypass = v, "Requests that go past the cache.")
        .Add("no_store", Shapes.ListOf(Match), (c, v) => c.NoStore = v, "Requests that are answered from the cache, but whose answers are not kept.")
        .Add("deception_armor", Shapes.Bool, (c, v) => c.DeceptionArmor = v, "Does not keep a page or JSON under a path that ends as a file's does (/account/x.css), unless the answer itself says how long it is fresh.", "true")
        .Add("status", Shapes.Bool, (c, v) => c.Status = v, "Tells clients what the cache did, by Cache-Status (RFC 9211).", "true")
        .Add("show_tags", Shapes.Bool, (c, v) => c.ShowTags = v, "Lets clients see Surrogate-Key and Cache-Tag, by which answers are purged.", "false")
        .Add("purge", Shapes.ListOf(Shapes.Network), (c, v) => c.Purge = v, "Who may purge a URL of this route by the method PURGE: addresses and networks.", "nobody");

    public static Section<DictionariesConfig> Dictionaries { get; } = new Section<DictionariesConfig>("dictionaries", "Compresses kept answers by others that the client has already (RFC 9842), and says of kept answers that they are such. Over TLS, with zstd (dcz) and br (dcb), for browsers that know it; servers are asked for answers without a coding.")
        .Short(Shapes.Bool, (d, v) => d.Off = !v)
        .Add("match", Shapes.UrlMatch, (d, v) => d.Match = v, "URLs that the route's answers are dictionaries for: a path, with '*' for anything. Where the server sends Use-As-Dictionary itself, that holds.", "each answer's own path, with '*' for what looks like a version: /app.3f2a9c81.js is for /app.*.js")
        .Add("destinations", Shapes.ListOf(Shapes.OneOf("document", "script", "style", "font", "image", "worker", "manifest", "json")), (d, v) => d.Destinations = v, "What browsers use them for: the destinations of their requests.", "anything");

    public static Section<CompressConfig> Compress { get; } = new Section<CompressConfig>("compress", "Compresses responses for clients that take it. A response that has a coding already, a part of one, and one whose origin says no-transform stay as they are. A strong ETag becomes a weak one, Content-Length and Accept-Ranges go.")
        .Short(Shapes.Bool, (c, v) => c.Off = !v)
        .Add("codings", Shapes.ListOf(Shapes.OneOf("zstd", "br", "gzip")), (c, v) => c.Codings = v, "What is offered; of those that a client takes equally gladly, the first.", "zstd, br, gzip")
        .Add("types", Shapes.ListOf(Shapes.MediaType), (c, v) => c.Types = v, "Media types that are compressed, each with at most one '*', as text/* and application/*+json.", "text, JSON, XML, JavaScript, WebAssembly, SVG, fonts that are not compressed, and the like")
        .Add("min_size", Shapes.SizeFrom("0", "1GiB"), (c, v) => c.MinSize = v, "Shorter bodies, where their length is known, stay as they are.", "1KiB")
        .Add("levels", new MapShape<long>("codings", Shapes.Int(0, 12), CheckCoding), (c, v) => c.Levels = v, "How hard each coding tries: zstd 1 to 12, br 0 to 9, gzip 1 to 9.", "zstd 3, br 4, gzip 5")
        .Add("cross_site", Shapes.Bool, (c, v) => c.CrossSite = v, "false: answers to requests that other sites bring about (Sec-Fetch-Site: cross-site) stay as they are, so that nobody learns secrets in them from their length (BREACH).", "true")
        .Add("dictionaries", Dictionaries, (c, v) => c.Dictionaries = v, "Compresses kept answers by others that the client has already; with cache.", "false");

    public static Section<AccelerateConfig> Accelerate { get; } = new Section<AccelerateConfig>("accelerate", "Fetches large answers to GET in parts, over several connections at once, and passes them on in order from the first byte. Begun only where one connection is slow, and the server answers ranges (Accept-Ranges) and tells a strong ETag; how many there are follows what is measured.")
        .Short(Shapes.Bool, (a, v) => a.Off = !v)
        .Add("segments", Shapes.Int(2, 64), (a, v) => a.Segments = v, "Connections at once for one answer.", "8")
        .Add("segment_size", Shapes.SizeFrom("256KiB", "1GiB"), (a, v) => a.SegmentSize = v, "The most bytes of a part; slow connections are given shorter ones.", "16MiB")
        .Add("min_size", Shapes.SizeFrom("64KiB", "1TiB"), (a, v) => a.MinSize = v, "Shorter answers are fetched over one connection.", "4MiB")
        .Add("memory", Shapes.SizeFrom("1MiB", "16GiB"), (a, v) => a.Memory = v, "Bytes of one answer that wait in memory for its client; all answers together leave a quarter of limits.memory to others.", "64MiB")
        .Add("disk", Shapes.Size, (a, v) => a.Disk = v, "Further bytes of one answer that wait in a file without a name in the state folder; 0B: none. All together keep at most 1GiB there.", "256MiB")
        .Add("per_upstream", Shapes.Int(1, 100_000), (a, v) => a.PerUpstream = v, "Requests for parts at once to one upstream, for all answers together, beside those of clients.", "64")
        .Add("same_by", Shapes.OneOf("etag", "digest"), (a, v) => a.SameBy = v, "How the servers of the upstream show that they hold the same bytes: by the same ETag; or, as mirrors whose ETags differ, by the same Repr-Digest (RFC 9530), which each must send.", "etag");

    public static Section<IntegrityConfig> Integrity { get; } = new Section<IntegrityConfig>("integrity", "Digests of bodies (RFC 9530): those that servers tell are verified as the bodies pass, and clients that ask for them are told them.")
        .Short(Shapes.Bool, (i, v) => (i.Verify, i.Generate) = (v ? null : false, v))
        .Add("verify", Shapes.Bool, (i, v) => i.Verify = v, "A body, or a part of one, that comes with Repr-Digest or Content-Digest and is not what that says breaks off before its last bytes; a part is fetched again where that still helps. With proxy only.", "true")
        .Add("generate", Shapes.Bool, (i, v) => i.Generate = v, "Answers to Want-Repr-Digest and Want-Content-Digest: in the head where the digest is known (what is kept, files, short answers), else behind the body for clients that take trailers and are sent chunks, else not.", "true")
        .Add("algorithms", Shapes.ListOf(Shapes.OneOf("sha-256", "sha-512")), (i, v) => i.Algorithms = v, "What is verified, the strongest of those that are told; and what is told, the first of those that a client likes best.", "sha-256, sha-512");

    public static Section<RequestBodyConfig> RequestBody { get; } = new Section<RequestBodyConfig>("request_body", "Changes the coding of requests' bodies: takes it off for servers that cannot, or puts it on for servers that can.")
        .Short(Shapes.OneOf("decompress"), (r, v) => r.Decompress = true)
        .Add("decompress", Shapes.Bool, (r, v) => r.Decompress = v, "Bodies with Content-Encoding are decompressed. A coding that is not known is answered 415, a body that is not what it says 400.", "false")
        .Add("codings", Shapes.ListOf(Shapes.OneOf("zstd", "br", "gzip")), (r, v) => r.Codings = v, "What is decompressed; at most three, one over the other.", "zstd, br, gzip")
        .Add("compress", Shapes.OneOf("zstd", "br", "gzip"), (r, v) => r.Compress = v, "Bodies without Content-Encoding are compressed so.", "not at all")
        .Add("level", Shapes.Int(0, 12), (r, v) => r.Level = v, "How hard it tries: zstd 1 to 12, br 0 to 9, gzip 1 to 9.", "zstd 3, br 4, gzip 5")
        .Add("min_size", Shapes.SizeFrom("0", "1GiB"), (r, v) => r.MinSize = v, "Shorter bodies, where their length is known, are not compressed.", "1KiB")
        .Add("types", Shapes.ListOf(Shapes.MediaType), (r, v) => r.Types = v, "Media types that are compressed.", "as in compress")
        .Add("most_size", Shapes.Size, (r, v) => r.MostSize = v, "Bytes that a body may grow to when it is decompressed (413 beyond). limits.body holds for them as well.", "1GiB")
        .Add("most_ratio", Shapes.Int(0, 100_000), (r, v) => r.MostRatio = v, "So many times as long as it came a body may grow (413 beyond), once it has grown beyond 1 MiB; 0: any number.", "100");

    public static Section<ResponseBodyConfig> ResponseBody { get; } = new Section<ResponseBodyConfig>("response_body", "Decompresses responses for clients that do not take what came.")
        .Short(Shapes.OneOf("decompress"), (r, v) => r.Decompress = true)
        .Add("decompress", Shapes.Bool, (r, v) => r.Decompress = v, "Responses in a coding that the client does not name are decompressed.", "false; true with accept")
        .Add("accept", Shapes.ListOf(Shapes.OneOf("zstd", "br", "gzip")), (r, v) => r.Accept = v, "Servers are asked for these codings, whatever the client takes, but for a part of something.", "what the client takes")
        .Add("most_size", Shapes.Size, (r, v) => r.MostSize = v, "Bytes that a body may grow to; beyond, it breaks off.", "off")
        .Add("most_ratio", Shapes.Int(0, 100_000), (r, v) => r.MostRatio = v, "So many times as long as it came a body may grow, once it has grown beyond 1 MiB; beyond, it breaks off. 0: any number.", "100");

    public static Section<RouteConfig> Route { get; } = WithAction(new Section<RouteConfig>("route", "One route; the first that matches wins. It has exactly one of proxy, redirect, respond, files.")
        .Add("match", Match, (r, v) => r.Match = v, "Which requests; without it, all.")
        .Add("rewrite", Rewrite, (r, v) => r.Rewrite = v, "What is done to path and query.")
        .Add("request_headers", RequestHeaders, (r, v) => r.RequestHeaders = v, "Fields of the request that is sent on.")
        .Add("response_headers", ResponseHeaders, (r, v) => r.ResponseHeaders = v, "Fields of the response.")
        .Add("forwarded", Shapes.OneOf("x_forwarded", "rfc7239", "both", "off"), (r, v) => r.Forwarded = v, "How the origin is told of the client: X-Forwarded-For, -Proto, -Host; Forwarded; or not.", "x_forwarded")
        .Add("host", Shapes.SentHost, (r, v) => r.Host = v, "The Host the origin is sent: keep, endpoint, or a name.", "the upstream's")
        .Add("hide_origin", Shapes.Bool, (r, v) => r.HideOrigin = v, "Drops Server, X-Powered-By and the like; rewrites Location, Refresh, and the domain and path of cookies, where they name the origin.", "true")
        .Add("upgrade", Shapes.Bool, (r, v) => r.Upgrade = v, "Passes a change of protocol on (WebSocket and others).", "true")
        .Add("connect", Shapes.Bool, (r, v) => r.Connect = v, "Passes CONNECT on to the endpoint.", "false")
        .Add("client_half_close", Shapes.OneOf("leave", "answer"), (r, v) => r.ClientHalfClose = v, "What a client that ends its direction while its request is under way means: it has left, or it still wants the answer.", "leave")
        .Add("reuse", Shapes.OneOf("always", "safe"), (r, v) => r.Reuse = v, "As in the upstream.")
        .Add("priority", Shapes.OneOf("high", "normal", "low"), (r, v) => r.Priority = v, "Who waits first where the upstream is at one of its limits.", "normal")
        .Add("early_data", Shapes.Bool, (r, v) => r.EarlyData = v, "Takes GET, HEAD and OPTIONS that come before the client's TLS handshake is done (0-RTT); they may be replays, and the origin is told by Early-Data: 1 (RFC 8470). All other requests wait for the handshake.", "false")
        .Add("request_id", Shapes.Bool, (r, v) => r.RequestId = v, "Sends X-Request-ID on: what a trusted proxy sent, if it is plain and has at most 128 bytes, else one made here. Without it, what came is passed on as it is. Access records have an id in any case.", "false")
        .Add("cache", Cache, (r, v) => r.Cache = v, "Keeps answers of its upstream; with proxy only.", "the site's")
        .Add("accelerate", Accelerate, (r, v) => r.Accelerate = v, "Fetches large answers over several connections at once; with proxy only.", "false")
        .Add("integrity", Integrity, (r, v) => r.Integrity = v, "Verifies digests of bodies, and tells them.", "verified where it accelerates")
        .Add("mirror", Mirror, (r, v) => r.Mirror = v, "Sends copies of its requests to other servers too; with proxy only.")
        .Add("compress", Compress, (r, v) => r.Compress = v, "Compresses responses for clients that take it.", "the site's")
        .Add("request_body", RequestBody, (r, v) => r.RequestBody = v, "Decompresses requests' bodies, or compresses them; with proxy only.", "passed on as they come")
        .Add("response_body", ResponseBody, (r, v) => r.ResponseBody = v, "Decompresses responses for clients that do not take what came; with proxy only.", "passed on as they come")
        .Add("limits", RouteLimits, (r, v) => r.Limits = v, "Limits for this route.")
        .Add("timeouts", RouteTimeouts, (r, v) => r.Timeouts = v, "Times for this route.")
        .Add("error_pages", Shapes.ListOf(ErrorPage), (r, v) => r.ErrorPages = v, "Pages for this route's faults."));

    public static Section<SiteConfig> Site { get; } = WithAction(new Section<SiteConfig>("site", "One site. proxy, redirect, respond or files here are its one last route.")
        .Add("hosts", Shapes.ListOf(Shapes.Host), (s, v) => s.Hosts = v, "Names it answers to; \"*.example.com\" covers every name below; without hosts it is the default.")
        .Add("listen", Shapes.ListOf(Shapes.Address), (s, v) => s.Listen = v, "Only on these of the listeners.", "all")
        .Add("tls", SiteTls, (s, v) => s.Tls = v, "Answers on listeners that speak TLS, with these certificates.")
        .Add("https_redirect", HttpsRedirect, (s, v) => s.HttpsRedirect = v, "Sends whoever asks in the clear to https.", "the top level's")
        .Add("hsts", Hsts, (s, v) => s.Hsts = v, "Tells browsers to come over https only.", "the top level's")
        .Add("access_log", AccessLog, (s, v) => s.AccessLog = v, "Where its records go.")
        .Add("compress", Compress, (s, v) => s.Compress = v, "Compresses responses for clients that take it.", "false")
        .Add("limits", RouteLimits, (s, v) => s.Limits = v, "Limits for this site.")
        .Add("timeouts", RouteTimeouts, (s, v) => s.Timeouts = v, "Times for this site.")
        .Add("error_pages", Shapes.ListOf(ErrorPage), (s, v) => s.ErrorPages = v, "Pages for this site's faults.")
        .Add("cache", Cache, (s, v) => s.Cache = v, "Keeps answers of its routes with proxy, unless a route says otherwise.")
        .Add("routes", Shapes.ListOf(Route), (s, v) => s.Routes = v, "Its routes; the first that matches wins."));

    public static Section<ProxyConfig> Root { get; } = new Section<ProxyConfig>("weir", "The configuration file.")
        .Add("listen", Shapes.ListOf(Listen), (c, v) => c.Listen = v, "Where to listen.")
        .Add("sites", Shapes.ListOf(Site), (c, v) => c.Sites = v, "What is served.")
        .Add("upstreams", new MapShape<UpstreamConfig>("names", Upstream, CheckUpstreamName), (c, v) => c.Upstreams = v, "Servers to forward to, by name.")
        .Add("caches", new MapShape<CacheStoreConfig>("names", CacheStore, CheckUpstreamName), (c, v) => c.Caches = v, "Where kept answers are, by name.", "default, with 256MiB of memory")
        .Add("admin", Admin, (c, v) => c.Admin = v, "The admin listener; off when absent.")
        .Add("control", Shapes.Text, (c, v) => c.Control = v, "The path of the control socket, for reload, status and drain; owner only.", "weir.sock in the state folder")
        .Add("state", Shapes.Text, (c, v) => c.State = v, "The folder for what outlives the program.", "$STATE_DIRECTORY, else $XDG_STATE_HOME/weir, else ~/.local/state/weir, else /var/lib/weir")
        .Add("loops", Shapes.Int(1, 1024), (c, v) => c.Loops = v, "Event loops. A reload cannot change it.", "the processors the process may use")
        .Add("user", Shapes.Text, (c, v) => c.User = v, "Started as root, becomes this user once everything is bound. A reload cannot change it.")
        .Add("watch", Shapes.Bool, (c, v) => c.Watch = v, "Reloads when the file changes.", "false")
        .Add("trusted_proxies", Shapes.ListOf(Shapes.Proxy), (c, v) => c.TrustedProxies = v, "Who may say on whose behalf it speaks, and whether that was https: by X-Forwarded-For and X-Forwarded-Proto where either is there, else by Forwarded. unix: whoever connects over a Unix socket. Each must replace or drop those of these fields that it does not write itself.")
        .Add("access_log", AccessLog, (c, v) => c.AccessLog = v, "A record for each exchange.", "off")
        .Add("error_log", ErrorLog, (c, v) => c.ErrorLog = v, "What the program says about itself.", "stderr")
        .Add("limits", Limits, (c, v) => c.Limits = v, "The most there may be of things.")
        .Add("timeouts", Timeouts, (c, v) => c.Timeouts = v, "How long things may take.")
        .Add("error_pages", Shapes.ListOf(ErrorPage), (c, v) => c.ErrorPages = v, "Pages for faults.")
        .Add("https_redirect", HttpsRedirect, (c, v) => c.HttpsRedirect = v, "Sends whoever asks a site with tls in the clear to https.", "false")
        .Add("hsts", Hsts, (c, v) => c.Hsts = v, "Tells browsers to come over https only.", "off")
        .Add("resolve", Resolve, (c, v) => c.Resolve = v, "How names of servers are looked up.")
        .Add("acme", Acme, (c, v) => c.Acme = v, "Automatic certificates.")
        .Add("session_tickets", SessionTickets, (c, v) => c.SessionTickets = v, "Resuming TLS sessions of clients.")
        .Add("drain_timeout", Shapes.Duration, (c, v) => c.DrainTimeout = v, "How long what is under way may take to end when the program stops.", "30s")
        .Add("drain_delay", Shapes.Delay, (c, v) => c.DrainDelay = v, "How long connections are still taken after the program was told to stop, while the readiness path answers 503 and answers end their connections: so that load balancers notice first.", "0s")
        .Add("via", Shapes.HopName, (c, v) => c.Via = v, "The name of this hop in Via.", "weir- and eight random digits");

    private static Section<T> WithAction<T>(Section<T> section)
        where T : IWritten, IAction, new() => section
        .Add("proxy", ProxyTarget, (a, v) => a.Proxy = v, "Forwards: to an upstream's name, a URL, or a list of endpoints.")
        .Add("redirect", Redirect, (a, v) => a.Redirect = v, "Sends the client elsewhere.")
        .Add("respond", Respond, (a, v) => a.Respond = v, "A fixed answer.")
        .Add("files", Files, (a, v) => a.Files = v, "Files from a folder.");

    /// <summary>"; it belongs in …": what else has a key of this name, in words; nothing where none has.</summary>
    public static string Belongs(string key)
    {
        (ISection Section, string Words)[] places = [(Root, "at the top level"), (Listen, "in a listener"), (Site, "in a site"), (Route, "in a route"), (Match, "in match"), (Rewrite, "in rewrite"), (Upstream, "in an upstream")];
        var words = places.Where(p => p.Section.Keys.Any(k => k.Name == key)).Select(p => p.Words).ToArray();
        return words.Length == 0 ? "" : $"; it belongs {string.Join(", or ", words)}";
    }

    private static string BelongsTo(string time) => time switch
    {
        "handshake" or "header" => $"'{time}' is a time of the top level only",
        "keep_alive" => "'keep_alive' is a time of the top level, for clients, or of an upstream, for its connections",
        _ => $"'{time}' is a time of the top level, a site or a route, not of an upstream",
    };

    private static Section<HeaderEditsConfig> HeaderEdits(string name, string doc, Shape<TemplateText> value, Func<string, string?> removed, Func<string, string?> set, Func<string, string?> added) => new Section<HeaderEditsConfig>(name, doc)
        .Add("remove", Shapes.ListOf(Shapes.HeaderName(removed)), (h, v) => h.Remove = v, "Fields not passed on.")
        .Add("set", Fields(value, set), (h, v) => h.Set = v, "Fields replaced, or added where there were none; one whose placeholders come to nothing is left out.")
        .Add("add", Fields(value, added), (h, v) => h.Add = v, "Fields added to what is there; one whose placeholders come to nothing is left out.");

    private static MapShape<T> Fields<T>(Shape<T> value, Func<string, string?> checkName) => new("field names", value, checkName, StringComparer.OrdinalIgnoreCase);

    private static Section<ProxyTargetConfig> Target(string name, string doc, Func<Node, bool> isUpstream) => new Section<ProxyTargetConfig>(name, doc)
        .Short(Shapes.Text, (p, v) => p.Name = v, static node => node is ScalarNode scalar && !scalar.Text.Contains("://", StringComparison.Ordinal) && !LooksLikeAddress(scalar.Text))
        .Short(Upstream, (p, v) => p.Inline = v, isUpstream);

    private static bool IsSplit(Node node) => node is MapNode map && map.Entries.Exists(static e => e.Key.Text is "split" or "by" or "fallback");

    private static bool LooksLikeAddress(string text) => text.Contains(':', StringComparison.Ordinal);

    private static string? CheckTlsFact(string name) =>
        Placeholders.Tls.Any(t => t.Name == name) ? null : $"'{name}' is none of {string.Join(", ", Placeholders.Tls.Select(static t => t.Name))}";

    private static string? CheckCoding(string name) => name is "zstd" or "br" or "gzip" ? null : $"'{name}' is none of zstd, br, gzip";

    private static string? CheckUpstreamName(string name) =>
        name.Length is > 0 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.') ? null : $"'{name}' is not a name: letters, digits, '_', '-' and '.', at most 64";
}
