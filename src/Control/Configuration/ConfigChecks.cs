// What can be wrong although every value is right: names that do not exist, two of what there may be one of. What is told
// already is not asked for again.

using System.Globalization;
using System.Net;
using Weir.Engine.Exchanges;
using Weir.Engine.Observe;
using Weir.Engine.Transports;

namespace Weir.Control.Configuration;

/// <summary>Checks a configuration as a whole.</summary>
public static class ConfigChecks
{
    public static void Check(ProxyConfig config, Diagnostics diagnostics)
    {
        if (config.Listen.Count == 0 && !diagnostics.IsTold(config, "listen")) diagnostics.Error(config.At, "nothing to listen on: add listen: \":8080\"");
        if (config.Sites.Count == 0 && !diagnostics.IsTold(config, "sites")) diagnostics.Error(config.At, "no sites: add sites: [{ proxy: \"http://127.0.0.1:9000\" }]");
        if (config.User is { } user && SystemUser.Find(user) is null) diagnostics.Error(diagnostics.Where(config, "user"), $"there is no user '{user}'");
        CheckListeners(config, diagnostics);
        CheckTickets(config.SessionTickets, diagnostics);
        AcmeChecks.Check(config, diagnostics);
        CheckEarlyData(config, diagnostics);
        CheckAdmin(config, diagnostics);
        CheckSites(config, diagnostics);
        TlsChecks.Check(config, diagnostics);
        CacheChecks.Check(config, diagnostics);
        CheckLogs(config, diagnostics);
        CheckResolve(config.Resolve, config, diagnostics);
        foreach (var upstream in config.Upstreams) CheckUpstream(config, upstream.Value, diagnostics);
        foreach (var page in config.ErrorPages) CheckPage(page, diagnostics);
    }

    private static void CheckListeners(ProxyConfig config, Diagnostics diagnostics)
    {
        var seen = new Dictionary<string, Position>();
        foreach (var listen in config.Listen)
        {
            if (listen.Address == NetworkAddress.None)
            {
                if (!diagnostics.IsTold(listen, "address")) diagnostics.Error(listen.At, "a listener needs an address");
                continue;
            }

            var name = listen.Address.ToString();
            if ((listen.Mode is not null || listen.Owner is not null || listen.Group is not null) && !listen.Address.HasFile) diagnostics.Error(listen.At, $"mode, owner and group are for Unix sockets that have a file, and {name} has none");
            if (!seen.TryAdd(name, listen.At)) diagnostics.Error(listen.At, $"{name} is listened on twice; first at {seen[name]}");
            else if (config.Listen.TakeWhile(l => l != listen).FirstOrDefault(l => !listen.SharesPort && Overlap(l.Address, listen.Address)) is { } wider) diagnostics.Error(listen.At, $"{name} and {wider.Address} at {wider.At} are one port of one address: one of them is enough");
        }
    }

    private static void CheckTickets(SessionTicketsConfig tickets, Diagnostics diagnostics)
    {
        if (tickets.Keys is not null && tickets.Rotate is not null) diagnostics.Error(diagnostics.Where(tickets, "rotate"), "'rotate' is for keys of the program's own: who writes the file of 'keys' rotates them");
        if (tickets is { EarlyData: true, Keys: null }) diagnostics.Error(diagnostics.Where(tickets, "early_data"), "'early_data' here is for keys that nodes share; without them a route's 'early_data' is enough");
        if (tickets.Rotate is < 60_000) diagnostics.Error(diagnostics.Where(tickets, "rotate"), "'rotate' must be a minute at least");
    }

    private static void CheckEarlyData(ProxyConfig config, Diagnostics diagnostics)
    {
        foreach (var (site, route) in config.Sites.SelectMany(static s => s.Routes.Select(r => (s, r))).Where(static p => p.r.EarlyData == true))
        {
            var at = diagnostics.Where(route, "early_data");
            if (site.Tls is null) diagnostics.Error(at, "'early_data' is for sites with tls");
            else if (config.SessionTickets.Off) diagnostics.Error(at, "'early_data' needs session tickets, and session_tickets is off");
            else if (config.SessionTickets is { Keys: not null, EarlyData: false }) diagnostics.Warn(at, "nothing is taken early: nodes that share session_tickets.keys cannot tell a replay; session_tickets.early_data: true says that it may be one");
        }
    }

    // As bind sees it: every address holds each address, and IPv6's every address holds IPv4's too.
    private static bool Overlap(NetworkAddress a, NetworkAddress b)
    {
        if (a.Ip is not { } one || b.Ip is not { } other || a.Port != b.Port || a.Port == 0 || a.Equals(b)) return false;
        return one.Equals(IPAddress.IPv6Any) || other.Equals(IPAddress.IPv6Any) || (one.AddressFamily == other.AddressFamily && (one.Equals(IPAddress.Any) || other.Equals(IPAddress.Any)));
    }

    private static void CheckAdmin(ProxyConfig config, Diagnostics diagnostics)
    {
        if (config.Admin is not { } admin) return;
        if (admin.Address == NetworkAddress.None)
        {
            if (!diagnostics.IsTold(admin, "address")) diagnostics.Error(admin.At, "admin needs an address");
            return;
        }

        var isNear = admin.Address.IsUnix || (admin.Address.Ip is { } ip && IPAddress.IsLoopback(ip));
        if (admin.Token is null && !isNear && !diagnostics.IsTold(admin, "token")) diagnostics.Error(admin.At, "an admin listener that is not on loopback needs a token");
        if (admin.Token is { Length: < 16 }) diagnostics.Error(diagnostics.Where(admin, "token"), "the admin token is shorter than 16 characters");
        if (config.Listen.Exists(l => l.Address.Equals(admin.Address) && l.Address.Port != 0)) diagnostics.Error(admin.At, "the admin listener's address is listened on for sites too");
        else if (config.Listen.Find(l => Overlap(l.Address, admin.Address)) is { } wider) diagnostics.Error(diagnostics.Where(admin, "address"), $"{admin.Address} and {wider.Address} at {wider.At} are one port of one address: the admin listener needs a port of its own");
    }

    private static void CheckLogs(ProxyConfig config, Diagnostics diagnostics)
    {
        if (!IsTarget(config.ErrorLog.Target)) diagnostics.Error(config.ErrorLog.At, $"'{config.ErrorLog.Target}' is no target for a log");
        foreach (var log in config.Sites.Select(s => s.AccessLog).Append(config.AccessLog))
        {
            if (log?.Target is { } target && !IsTarget(target)) diagnostics.Error(log.At, $"'{target}' is no target for a log{(target.StartsWith("syslog:", StringComparison.Ordinal) ? ": write syslog:HOST:PORT" : "")}");
            if (log?.Format is not null and not ("json" or "combined")) CheckFormat(log, log.Format, diagnostics);
        }
    }

    private static void CheckFormat(AccessLogConfig log, string format, Diagnostics diagnostics)
    {
        if (!format.Replace("{{", "", StringComparison.Ordinal).Contains('{', StringComparison.Ordinal)) diagnostics.Error(log.At, $"the format '{format}' is neither json nor combined, and names no field in braces");
        else if (LogFormat.TryCompile(format, out var unknown) is not null) return;
        else if (unknown == LogFormat.TooLong) diagnostics.Error(log.At, "the format is too long: it leaves no room for what it is to tell");
        else if (unknown.StartsWith('{')) diagnostics.Error(log.At, "'{' without '}' in the format: write '{{' for the character itself");
        else diagnostics.Error(log.At, $"unknown field '{{{unknown}}}'{NearestWord.Suggest(unknown, LogFormat.Names.Select(n => n.Name))}");
    }

    private static bool IsTarget(string target) =>
        target.StartsWith("syslog:", StringComparison.Ordinal) ? SyslogTarget.TrySplit(target[7..], out _, out _) : target.Length > 0 && !target.Contains('\0', StringComparison.Ordinal);

    private static void CheckSites(ProxyConfig config, Diagnostics diagnostics)
    {
        var hosts = new Dictionary<(string Listener, string Host), Position>();
        var knowsListeners = !diagnostics.IsTold(config, "listen") && !config.Listen.Exists(l => diagnostics.IsTold(l, "address"));
        foreach (var site in config.Sites)
        {
            foreach (var listen in site.Listen)
            {
                if (knowsListeners && !config.Listen.Exists(l => l.Address.Equals(listen))) diagnostics.Error(diagnostics.Where(site, "listen"), $"{listen} is not one of the listeners{NearestWord.Suggest(listen.ToString(), config.Listen.Select(l => l.Address.ToString()))}");
            }

            if (!diagnostics.IsTold(site, "listen")) CheckHosts(config, site, hosts, diagnostics);
            foreach (var page in site.ErrorPages) CheckPage(page, diagnostics);
            if (Actions(site) > 1) diagnostics.Error(site.At, "a site has at most one of proxy, redirect, respond, files");
            if (site.Routes.Count == 0 && Actions(site) == 0 && !diagnostics.IsTold(site, "routes") && !MissesAction(site, diagnostics)) diagnostics.Error(site.At, "a site needs routes, or one of proxy, redirect, respond, files");
            CheckAction(config, site, diagnostics);
            CheckGroups(new RouteConfig { At = site.At, Redirect = site.Redirect, Respond = site.Respond }, "site", diagnostics);
            CodingChecks.Check(site, diagnostics);
            foreach (var route in site.Routes) CheckRoute(config, site, route, diagnostics);
            CookieChecks.Check(config, site, diagnostics);
            RouteOrder.Check(site, hasLast: Actions(site) == 1, diagnostics);
        }
    }

    private static void CheckHosts(ProxyConfig config, SiteConfig site, Dictionary<(string Listener, string Host), Position> hosts, Diagnostics diagnostics)
    {
        if (site.Hosts.Count == 0 && diagnostics.IsTold(site, "hosts")) return;
        IEnumerable<string> names = site.Hosts.Count == 0 ? [""] : site.Hosts;
        foreach (var (place, name) in names.Index())
        {
            var at = diagnostics.Where(site, "hosts", name, names.Take(place).Count(n => n == name));
            foreach (var listener in config.Listen.Where(l => site.Listen.Count == 0 || site.Listen.Contains(l.Address)).Select(l => l.Address.ToString()))
            {
                if (hosts.TryAdd((listener, name), at)) continue;
                diagnostics.Error(at, name.Length == 0 ? $"two sites without hosts on one listener; first at {hosts[(listener, name)]}" : $"the host '{name}' is served twice; first at {hosts[(listener, name)]}");
            }
        }
    }

    private static void CheckRoute(ProxyConfig config, SiteConfig site, RouteConfig route, Diagnostics diagnostics)
    {
        if (Actions(route) > 1 || (Actions(route) == 0 && !MissesAction(route, diagnostics))) diagnostics.Error(route.At, $"a route has exactly one of proxy, redirect, respond, files; this one has {(Actions(route) == 0 ? "none" : Actions(route))}");
        CheckAction(config, route, diagnostics);
        foreach (var page in route.ErrorPages) CheckPage(page, diagnostics);
        if (route.Rewrite?.Regex is { } regex && ((regex.Match is null && !diagnostics.IsTold(regex, "match")) || (regex.Replace is null && !diagnostics.IsTold(regex, "replace")))) diagnostics.Error(regex.At, "rewrite.regex needs match and replace");
        CheckGroups(route, "route", diagnostics);
        CodingChecks.Check(site, route, diagnostics);
        if (route.Mirror is { } mirror) CheckMirror(config, route, mirror, diagnostics);
        if (route.Integrity is { Verify: true } integrity && route.Proxy is null && !diagnostics.IsTold(route, "proxy")) diagnostics.Error(integrity.At, "integrity.verify: there is no server whose digests could be verified; only a route with proxy has one");
        if (route.Accelerate is { Off: false } accelerate && route.Proxy is null && !diagnostics.IsTold(route, "proxy")) diagnostics.Error(accelerate.At, "only a route with proxy is accelerated");
        if (route.Priority is not null) CheckPriority(config, route, diagnostics);
    }

    private static void CheckPriority(ProxyConfig config, RouteConfig route, Diagnostics diagnostics)
    {
        if (route.Proxy is null)
        {
            if (!diagnostics.IsTold(route, "proxy")) diagnostics.Error(diagnostics.Where(route, "priority"), "only requests of a route with proxy may have to wait: priority means nothing here");
            return;
        }

        UpstreamConfig?[] upstreams = [.. route.Proxy.Targets.Select(t => Named(config, t))];
        if (upstreams.Length == 0 || Array.Exists(upstreams, u => u is null || diagnostics.IsTold(u, "limits") || (u.Limits is { } limits && (limits.HasQueue || diagnostics.IsFlawed(limits))))) return;
        var why = Array.Exists(upstreams, static u => u!.Limits is not null) ? "has a queue" : "has limits";
        diagnostics.Warn(diagnostics.Where(route, "priority"), $"priority does nothing: no upstream of this route {why}, so that nobody waits");
    }

    private static UpstreamConfig? Named(ProxyConfig config, ProxyTargetConfig target) => target.Inline ?? config.Upstreams.Find(u => u.Name == target.Name)?.Value;

    private static void CheckMirror(ProxyConfig config, RouteConfig route, MirrorConfig mirror, Diagnostics diagnostics)
    {
        if (route.Proxy is null && !diagnostics.IsTold(route, "proxy")) diagnostics.Error(mirror.At, "only a route with proxy is mirrored");
        if (mirror.Proxy is null && !diagnostics.IsTold(mirror, "proxy")) diagnostics.Error(mirror.At, "mirror needs proxy: where the copies go");
        if (mirror.Proxy?.Name is { } name && name == route.Proxy?.Name) diagnostics.Error(mirror.Proxy.At, $"the route forwards to '{name}' already: each of its requests would come twice");
        else if (mirror.Proxy is not null) CheckCopies(config, route, mirror.Proxy, diagnostics);
        CheckTarget(config, mirror.Proxy, diagnostics);
    }

    // A server that is asked twice may be meant, on one side of a split at least.
    private static void CheckCopies(ProxyConfig config, RouteConfig route, ProxyTargetConfig copies, Diagnostics diagnostics)
    {
        foreach (var target in route.Proxy?.Targets ?? [])
        {
            var isNamed = target.Name is not null && target.Name == copies.Name;
            var server = isNamed ? null : Servers(config, target).Intersect(Servers(config, copies)).FirstOrDefault();
            if (!isNamed && server is null) continue;
            diagnostics.Warn(copies.At, $"the route forwards to {server ?? $"'{target.Name}'"} too: requests that go there come twice");
            return;
        }
    }

    private static IEnumerable<string> Servers(ProxyConfig config, ProxyTargetConfig target) => Named(config, target)?.Endpoints.Select(static e => e.Url?.ToString()).OfType<string>() ?? [];

    // What should have been its action has been told to be wrong.
    private static bool MissesAction(IWritten section, Diagnostics diagnostics) => Array.Exists(["proxy", "redirect", "respond", "files"], key => diagnostics.IsTold(section, key));

    private static void CheckGroups(RouteConfig route, string scope, Diagnostics diagnostics)
    {
        if (diagnostics.IsFlawed(route.Match) || (route.Rewrite is { } rewrite && diagnostics.IsFlawed(rewrite))) return;
        var names = new HashSet<string>();
        foreach (var expression in new[] { route.Match.Path?.Regex, route.Rewrite?.Regex?.Match })
        {
            if (expression is null) continue;
            names.UnionWith(expression.GetGroupNames());
            names.UnionWith(expression.GetGroupNumbers().Select(n => n.ToString(CultureInfo.InvariantCulture)));
        }

        var count = (route.Match.Path?.Regex?.GetGroupNumbers().Length ?? 0) + (route.Rewrite?.Regex?.Match?.GetGroupNumbers().Length ?? 0);
        if (count > Captures.Most) diagnostics.Warn(route.At, $"the expressions of this route have {count} groups; at most {Captures.Most} are kept: write (?:…) for those that are not used");

        IEnumerable<TemplateText?> templates =
        [
            route.Rewrite?.Path, route.Rewrite?.Query, route.Rewrite?.Regex?.Replace, route.Redirect?.To, route.Respond?.Body,
            .. route.RequestHeaders?.Set.Select(s => s.Value) ?? [], .. route.ResponseHeaders?.Set.Select(s => s.Value) ?? [],
            .. route.Respond?.Headers.Select(s => s.Value) ?? [],
            .. route.RequestHeaders?.Add.Select(s => s.Value) ?? [], .. route.ResponseHeaders?.Add.Select(s => s.Value) ?? [],
        ];
        foreach (var (part, at) in templates.OfType<TemplateText>().SelectMany(static t => t.Parts.Zip(t.Places)).Where(static p => p.First.Kind == Placeholder.Capture))
        {
            var group = part.Group >= 0 ? part.Group.ToString(CultureInfo.InvariantCulture) : System.Text.Encoding.UTF8.GetString(part.Text);
            if (!names.Contains(group)) diagnostics.Error(at, $"no expression of this {scope} has a group '{group}'{NearestWord.Suggest(group, names)}");
        }
    }

    private static void CheckAction(ProxyConfig config, IAction action, Diagnostics diagnostics)
    {
        if (action.Proxy is { } proxy) CheckProxy(config, proxy, diagnostics);
        if (action.Redirect is { } redirect)
        {
            if (redirect.Status is not (301 or 302 or 303 or 307 or 308)) diagnostics.Error(redirect.At, "a redirect's status is 301, 302, 303, 307 or 308");
            if (redirect.To is { Parts: [{ Kind: Placeholder.Literal }, ..] } to && !diagnostics.IsFlawed(redirect) && !IsAbsolute(to.Text)) diagnostics.Error(to.Places[0], $"'{to.Text}' would be taken for a path beside the one asked for; did you mean 'https://{to.Text}' or '/{to.Text}'?");
            if (redirect.To.Text.Length == 0 && !diagnostics.IsTold(redirect, "to")) diagnostics.Error(redirect.At, "a redirect needs a target: to");
        }

        if (action.Respond is { Body.Text.Length: > 0, Status: 204 or 304 } respond) diagnostics.Error(respond.At, $"a {respond.Status} has no body");
        if (action.Files is { } files && !Directory.Exists(files.Root) && !diagnostics.IsTold(files, "root")) diagnostics.Error(files.At, File.Exists(files.Root) ? $"'{files.Root}' is not a folder" : $"there is no folder '{files.Root}'");
    }

    private static void CheckTarget(ProxyConfig config, ProxyTargetConfig? target, Diagnostics diagnostics)
    {
        if (target is { Name: { } name } && !config.Upstreams.Exists(u => u.Name == name) && !diagnostics.IsTold(config, "upstreams")) diagnostics.Error(target.At, $"there is no upstream '{name}'{NearestWord.Suggest(name, config.Upstreams.Select(u => u.Name))}");
        if (target?.Inline is { } inline) CheckUpstream(config, inline, diagnostics);
    }

    private static void CheckProxy(ProxyConfig config, ProxyTargetConfig proxy, Diagnostics diagnostics)
    {
        foreach (var target in proxy.Targets)
        {
            CheckTarget(config, target, diagnostics);
        }

        if (proxy.Split is not { } sides)
        {
            if (proxy is { Name: null, Inline: null } && !diagnostics.IsTold(proxy, "split")) diagnostics.Error(proxy.At, "by and fallback are of a split: add split: [{ proxy: NAME, weight: 95 }, { proxy: OTHER, weight: 5 }]");
            return;
        }

        var names = new HashSet<string>();
        foreach (var side in sides)
        {
            if (side.Proxy is null && !diagnostics.IsTold(side, "proxy")) diagnostics.Error(side.At, "a side of a split needs a proxy");
            if (side.Proxy is { Side: { Length: > 0 } name } && !names.Add(name)) diagnostics.Error(side.At, $"'{name}' is on two sides; give it the sum of their weights instead");
        }

        if (diagnostics.IsTold(proxy, "split") || diagnostics.IsFlawed(proxy)) return;
        if (sides.Count < 2) diagnostics.Error(proxy.At, "a split has at least two sides");
        else if (sides.TrueForAll(static s => s.Weight == 0)) diagnostics.Error(proxy.At, "every side of this split has the weight 0: one must be somebody's");
    }

    // A scheme with its authority, or a path from the root; so is what is left to a placeholder.
    private static bool IsAbsolute(string target) =>
        target.StartsWith('/') || (target.IndexOf("://", StringComparison.Ordinal) is > 0 and var end && target.AsSpan(0, end).IndexOfAnyExcept(System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")) < 0);

    // What holds is that of the upstream over that of the top level: told where the nearer of the two stands.
    private static void CheckResolve(ResolveConfig resolve, ProxyConfig outer, Diagnostics diagnostics)
    {
        const int MostServers = 8;
        if (resolve.Servers is { Count: > MostServers } servers) diagnostics.Error(diagnostics.Where(resolve, "servers"), $"at most {MostServers} name servers are asked; these are {servers.Count}");
        if (resolve.Servers is { Count: 0 } && !diagnostics.IsTold(resolve, "servers")) diagnostics.Error(diagnostics.Where(resolve, "servers"), "a list of name servers names at least one");
        var now = outer.ResolveSettings(new UpstreamConfig { Resolve = resolve });
        if (now.LeastTtl > now.MostTtl && (resolve.LeastTtl ?? resolve.MostTtl) is not null && !diagnostics.IsFlawed(resolve)) diagnostics.Error(diagnostics.Where(resolve, resolve.LeastTtl is null ? "most_ttl" : "least_ttl"), "least_ttl is longer than most_ttl");
    }

    private static void CheckDiscover(DiscoverConfig discover, Diagnostics diagnostics)
    {
        if (discover.Dns.Count + discover.Srv.Count == 0 && discover.File is null && !diagnostics.IsFlawed(discover)) diagnostics.Error(discover.At, "discover needs something to look at: dns, srv or file");
        foreach (var dns in discover.Dns.Where(d => d.Name.Length == 0 && !diagnostics.IsTold(d, "name"))) diagnostics.Error(dns.At, "what is discovered by DNS needs a name");
        foreach (var twice in discover.Dns.GroupBy(d => (d.Name, Port: discover.PortOf(d))).Where(static g => g.Key.Name.Length > 0).SelectMany(static g => g.Skip(1))) diagnostics.Error(twice.At, $"{twice.Name} stands twice with the port {discover.PortOf(twice)}");
        foreach (var twice in discover.Srv.GroupBy(static s => s).Where(static g => g.Count() > 1)) diagnostics.Error(diagnostics.Where(discover, "srv", twice.Key, 1), $"{twice.Key} stands twice");
    }

    private static void CheckUpstream(ProxyConfig config, UpstreamConfig upstream, Diagnostics diagnostics)
    {
        CheckResolve(upstream.Resolve, config, diagnostics);
        if (upstream.Discover is { } discover) CheckDiscover(discover, diagnostics);
        if (upstream.Endpoints.Count == 0 && upstream.Discover is null && !diagnostics.IsTold(upstream, "endpoints") && !diagnostics.IsTold(upstream, "discover")) diagnostics.Error(upstream.At, "an upstream needs endpoints, or discover");
        if (upstream.Discover is { File: { } file } found) found.Found = EndpointFile.Read(file, diagnostics.Where(found, "file"), diagnostics) ?? [];
        if (upstream.Sticky is { } sticky) CookieChecks.Check(sticky, diagnostics);
        if (upstream.Balance.Written.Count > 1) diagnostics.Error(upstream.Balance.At, $"one algorithm balances: {string.Join(" or ", upstream.Balance.Written)}");
        if (upstream.Limits is { } limits) CheckLimits(limits, diagnostics);
        if (upstream.Hedge is { After: (0, 0) } hedge && !diagnostics.IsTold(hedge, "after")) diagnostics.Error(hedge.At, "a hedge needs a time: after");
        if (upstream.Health.Active is { } check) CheckActive(upstream, check, diagnostics);
        if (upstream.Tls is { } tls) CheckTls(upstream, tls, diagnostics);
        CheckEndpoints(upstream.Endpoints, diagnostics.Where(upstream, "endpoints"), diagnostics);
    }

    /// <summary>Checks a list of endpoints, wherever it was read.</summary>
    public static void CheckEndpoints(List<EndpointConfig> endpoints, Position at, Diagnostics diagnostics)
    {
        if (endpoints.Count > Discovery.Membership.Most) diagnostics.Error(at, $"an upstream has at most {Discovery.Membership.Most} endpoints; these are {endpoints.Count}");
        var seen = new HashSet<string>();
        foreach (var endpoint in endpoints)
        {
            if (endpoint.Url is not null)
            {
                if (!seen.Add(endpoint.Url.ToString())) diagnostics.Error(endpoint.At, $"{endpoint.Url} stands twice; give it a weight instead");
            }
            else if (!diagnostics.IsTold(endpoint, "url"))
            {
                diagnostics.Error(endpoint.At, "an endpoint needs a url");
            }
        }
    }

    private static void CheckActive(UpstreamConfig upstream, ActiveCheckConfig check, Diagnostics diagnostics)
    {
        (string Key, bool IsWritten)[] asked =
        [
            ("path", check.Path is not null), ("method", check.Method is not null), ("headers", check.Headers.Count > 0), ("host", check.Host is not null), ("expect", check.Expect.Count > 0), ("body", check.Body is not null),
        ];
        if (check.Tcp && Array.Find(asked, static a => a.IsWritten) is { Key: { } idle }) diagnostics.Error(diagnostics.Where(check, idle), $"with tcp: true nothing is asked, and '{idle}' means nothing");
        if (check.Method == "HEAD" && check.Body is not null) diagnostics.Error(diagnostics.Where(check, "body"), "the answer to HEAD has no body: write method: GET");
        if (check.Port != 0 && upstream.Endpoints.Find(static e => e.Url is { } url && Discovery.EndpointUrl.IsSocket(url)) is not null) diagnostics.Error(diagnostics.Where(check, "port"), "a Unix socket has no port");
    }

    private static void CheckTls(UpstreamConfig upstream, OriginTlsConfig tls, Diagnostics diagnostics)
    {
        if (!tls.Verifies)
        {
            diagnostics.Warn(diagnostics.Where(tls, "verify"), "with verify: off whoever stands between reads and changes everything: name the CA of these servers with ca instead");
            if (tls.Authorities is not null) diagnostics.Error(diagnostics.Where(tls, "ca"), "with verify: off no certificate is verified, and 'ca' means nothing");
        }

        if (tls.Key is not null && tls.Certificate is null && !diagnostics.IsTold(tls, "certificate")) diagnostics.Error(diagnostics.Where(tls, "key"), "a key needs its certificate");
        if (!upstream.SpeaksTls && upstream.Discover?.File is null && !diagnostics.IsFlawed(upstream)) diagnostics.Warn(diagnostics.Where(upstream, "tls"), "none of these servers is spoken to over TLS: their URLs begin with https:// where they are");
    }

    // A limit that another one never lets be reached is a mistake about one of them.
    private static void CheckLimits(UpstreamLimitsConfig limits, Diagnostics diagnostics)
    {
        if (!limits.HasLimit && !diagnostics.IsFlawed(limits)) diagnostics.Error(limits.At, "nothing is limited: limits needs requests, connections, endpoint_requests or endpoint_connections; a queue alone holds nobody");
        (long? Smaller, string Name, long? Larger, string Whole)[] pairs =
        [
            (limits.EndpointRequests, "endpoint_requests", limits.Requests, "requests"),
            (limits.EndpointConnections, "endpoint_connections", limits.Connections, "connections"),
            (limits.Requests, "requests", limits.Connections, "connections"),
            (limits.EndpointRequests, "endpoint_requests", limits.EndpointConnections, "endpoint_connections"),
        ];
        foreach (var (smaller, name, larger, whole) in pairs)
        {
            if (smaller > larger) diagnostics.Warn(diagnostics.Where(limits, name), $"{name} {smaller} is never reached: {whole} is {larger}");
        }
    }

    private static void CheckPage(ErrorPageConfig page, Diagnostics diagnostics)
    {
        if (page.Status.Count == 0 && !diagnostics.IsTold(page, "status")) diagnostics.Error(page.At, "an error page needs a status");
        var knowsBoth = !diagnostics.IsTold(page, "file") && !diagnostics.IsTold(page, "body");
        if ((page.File is null) == (page.Body is null) && (knowsBoth || page.File is not null)) diagnostics.Error(page.At, "an error page has exactly one of file and body");
        else if (page.File is not null && ErrorPageConfig.Trouble(page.File) is { } trouble) diagnostics.Error(page.At, trouble);
    }

    private static int Actions(IAction action) => (action.Proxy is null ? 0 : 1) + (action.Redirect is null ? 0 : 1) + (action.Respond is null ? 0 : 1) + (action.Files is null ? 0 : 1);
}
