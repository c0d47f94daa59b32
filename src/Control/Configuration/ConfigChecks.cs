// What can be wrong although every value is right: names that do not exist, routes that can never match, two of what there
// may be one of.

using System.Net;
using Weir.Engine.Transports;

namespace Weir.Control.Configuration;

/// <summary>Checks a configuration as a whole.</summary>
public static class ConfigChecks
{
    public static void Check(ProxyConfig config, Diagnostics diagnostics)
    {
        if (config.Listen.Count == 0) diagnostics.Error(config.At, "nothing to listen on: add listen: \":8080\"");
        if (config.Sites.Count == 0) diagnostics.Error(config.At, "no sites: add sites: [{ proxy: \"http://127.0.0.1:9000\" }]");
        CheckListeners(config, diagnostics);
        CheckAdmin(config, diagnostics);
        CheckSites(config, diagnostics);
        CheckLogs(config, diagnostics);
        foreach (var upstream in config.Upstreams) CheckUpstream(upstream.Value, diagnostics);
        foreach (var page in config.ErrorPages) CheckPage(page, diagnostics);
    }

    private static void CheckListeners(ProxyConfig config, Diagnostics diagnostics)
    {
        var seen = new Dictionary<string, Position>();
        foreach (var listen in config.Listen)
        {
            if (listen.Address == NetworkAddress.None)
            {
                diagnostics.Error(listen.At, "a listener needs an address");
                continue;
            }

            var name = listen.Address.ToString();
            if ((listen.Mode is not null || listen.Owner is not null || listen.Group is not null) && !listen.Address.HasFile) diagnostics.Error(listen.At, $"mode, owner and group are for Unix sockets that have a file, and {name} has none");
            if (!seen.TryAdd(name, listen.At)) diagnostics.Error(listen.At, $"{name} is listened on twice; first at {seen[name]}");
        }
    }

    private static void CheckAdmin(ProxyConfig config, Diagnostics diagnostics)
    {
        if (config.Admin is not { } admin) return;
        if (admin.Address == NetworkAddress.None) diagnostics.Error(admin.At, "admin needs an address");
        else if (admin.Token is null && !admin.Address.IsUnix && !(admin.Address.Ip is { } ip && IPAddress.IsLoopback(ip))) diagnostics.Error(admin.At, "an admin listener that is not on loopback needs a token");
        if (admin.Token is { Length: < 16 }) diagnostics.Error(admin.At, "the admin token is shorter than 16 characters");
        if (config.Listen.Exists(l => l.Address.Equals(admin.Address) && l.Address.Port != 0)) diagnostics.Error(admin.At, "the admin listener's address is listened on for sites too");
    }

    private static void CheckLogs(ProxyConfig config, Diagnostics diagnostics)
    {
        if (!IsTarget(config.ErrorLog.Target)) diagnostics.Error(config.ErrorLog.At, $"'{config.ErrorLog.Target}' is no target for a log");
        foreach (var log in config.Sites.Select(s => s.AccessLog).Append(config.AccessLog))
        {
            if (log is not null && !IsTarget(log.Target)) diagnostics.Error(log.At, $"'{log.Target}' is no target for a log{(log.Target.StartsWith("syslog:", StringComparison.Ordinal) ? ": write syslog:HOST:PORT" : "")}");
            if (log is null || log.Format is "json" or "combined") continue;
            if (!log.Format.Contains('{', StringComparison.Ordinal)) diagnostics.Error(log.At, $"the format '{log.Format}' is neither json nor combined, and names no field in braces");
            else if (Weir.Engine.Observe.LogFormat.TryCompile(log.Format, out var unknown) is null) diagnostics.Error(log.At, $"unknown field '{{{unknown}}}'{NearestWord.Suggest(unknown, Weir.Engine.Observe.LogFormat.Names.Select(n => n.Name))}");
        }
    }

    private static bool IsTarget(string target) =>
        target.StartsWith("syslog:", StringComparison.Ordinal) ? Engine.Observe.SyslogTarget.TrySplit(target[7..], out _, out _) : target.Length > 0 && !target.Contains('\0', StringComparison.Ordinal);

    private static void CheckSites(ProxyConfig config, Diagnostics diagnostics)
    {
        var hosts = new Dictionary<(string Listener, string Host), Position>();
        foreach (var site in config.Sites)
        {
            foreach (var listen in site.Listen)
            {
                if (!config.Listen.Exists(l => l.Address.Equals(listen))) diagnostics.Error(site.At, $"{listen} is not one of the listeners{NearestWord.Suggest(listen.ToString(), config.Listen.Select(l => l.Address.ToString()))}");
            }

            IEnumerable<string> names = site.Hosts.Count == 0 ? [""] : site.Hosts;
            foreach (var name in names)
            {
                foreach (var listener in config.Listen.Where(l => site.Listen.Count == 0 || site.Listen.Contains(l.Address)).Select(l => l.Address.ToString()))
                {
                    if (hosts.TryAdd((listener, name), site.At)) continue;
                    diagnostics.Error(site.At, name.Length == 0 ? $"two sites without hosts on one listener; first at {hosts[(listener, name)]}" : $"the host '{name}' is served twice; first at {hosts[(listener, name)]}");
                }
            }

            foreach (var page in site.ErrorPages) CheckPage(page, diagnostics);
            if (Actions(site) > 1) diagnostics.Error(site.At, "a site has at most one of proxy, redirect, respond, files");
            if (site.Routes.Count == 0 && Actions(site) == 0) diagnostics.Error(site.At, "a site needs routes, or one of proxy, redirect, respond, files");
            CheckAction(config, site, diagnostics);
            CheckRoutes(config, site, diagnostics);
        }
    }

    private static void CheckRoutes(ProxyConfig config, SiteConfig site, Diagnostics diagnostics)
    {
        // Earlier routes by the first segment of their path, so that ten thousand routes are compared with few each.
        var earlier = new Dictionary<string, List<RouteConfig>>();
        foreach (var route in site.Routes)
        {
            if (Actions(route) != 1) diagnostics.Error(route.At, $"a route has exactly one of proxy, redirect, respond, files; this one has {(Actions(route) == 0 ? "none" : Actions(route))}");
            CheckAction(config, route, diagnostics);
            foreach (var page in route.ErrorPages) CheckPage(page, diagnostics);
            if (route.Rewrite?.Regex is { } regex && (regex.Match is null || regex.Replace is null)) diagnostics.Error(regex.At, "rewrite.regex needs match and replace");
            CheckGroups(route, diagnostics);
            var first = FirstSegment(route.Match);
            var before = Candidates(earlier, first).FirstOrDefault(r => Covers(r.Match, route.Match));
            if (!earlier.TryGetValue(first, out var alike)) earlier[first] = alike = [];
            alike.Add(route);
            if (before is not null) diagnostics.Warn(route.At, $"this route can never match: the one at line {before.At.Line} takes all its requests");
        }

        if (Actions(site) == 1 && site.Routes.Exists(r => r.Match is { Path: null, HasConditions: false })) diagnostics.Warn(site.At, "the site's own last route can never match: one of its routes takes every request");
    }

    private static void CheckGroups(RouteConfig route, Diagnostics diagnostics)
    {
        var names = new HashSet<string>();
        foreach (var expression in new[] { route.Match.Path?.Regex, route.Rewrite?.Regex?.Match })
        {
            if (expression is null) continue;
            names.UnionWith(expression.GetGroupNames());
            names.UnionWith(expression.GetGroupNumbers().Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        }

        var count = (route.Match.Path?.Regex?.GetGroupNumbers().Length ?? 0) + (route.Rewrite?.Regex?.Match?.GetGroupNumbers().Length ?? 0);
        if (count > Engine.Exchanges.Captures.Most) diagnostics.Warn(route.At, $"the expressions of this route have {count} groups; at most {Engine.Exchanges.Captures.Most} are kept: write (?:…) for those that are not used");

        IEnumerable<TemplateText?> templates =
        [
            route.Rewrite?.Path, route.Rewrite?.Query, route.Rewrite?.Regex?.Replace, route.Redirect?.To, route.Respond?.Body,
            .. route.RequestHeaders?.Set.Select(s => s.Value) ?? [], .. route.ResponseHeaders?.Set.Select(s => s.Value) ?? [],
            .. route.Respond?.Headers.Select(s => s.Value) ?? [],
            .. route.RequestHeaders?.Add.Select(s => s.Value) ?? [], .. route.ResponseHeaders?.Add.Select(s => s.Value) ?? [],
        ];
        foreach (var part in templates.SelectMany(t => t?.Parts ?? []).Where(p => p.Kind == Engine.Exchanges.Placeholder.Capture))
        {
            var group = part.Group >= 0 ? part.Group.ToString(System.Globalization.CultureInfo.InvariantCulture) : System.Text.Encoding.UTF8.GetString(part.Text);
            if (!names.Contains(group)) diagnostics.Error(route.At, $"no expression of this route has a group '{group}'{NearestWord.Suggest(group, names)}");
        }
    }

    private static void CheckAction(ProxyConfig config, IAction action, Diagnostics diagnostics)
    {
        if (action.Proxy is { Name: { } name } && !config.Upstreams.Exists(u => u.Name == name)) diagnostics.Error(action.Proxy.At, $"there is no upstream '{name}'{NearestWord.Suggest(name, config.Upstreams.Select(u => u.Name))}");
        if (action.Proxy?.Inline is { } inline) CheckUpstream(inline, diagnostics);
        if (action.Redirect is { } redirect)
        {
            if (redirect.Status is not (301 or 302 or 303 or 307 or 308)) diagnostics.Error(redirect.At, "a redirect's status is 301, 302, 303, 307 or 308");
            if (redirect.To.Text.Length == 0) diagnostics.Error(redirect.At, "a redirect needs a target: to");
        }

        if (action.Respond is { Body.Text.Length: > 0, Status: 204 or 304 } respond) diagnostics.Error(respond.At, $"a {respond.Status} has no body");
        if (action.Files is { } files && !Directory.Exists(files.Root)) diagnostics.Error(files.At, $"there is no folder '{files.Root}'");
    }

    private static void CheckUpstream(UpstreamConfig upstream, Diagnostics diagnostics)
    {
        if (upstream.Endpoints.Count == 0) diagnostics.Error(upstream.At, "an upstream needs endpoints");
        var seen = new HashSet<string>();
        foreach (var endpoint in upstream.Endpoints)
        {
            if (endpoint.Url is null) diagnostics.Error(endpoint.At, "an endpoint needs a url");
            else if (!seen.Add(endpoint.Url.ToString())) diagnostics.Error(endpoint.At, $"{endpoint.Url} stands twice; give it a weight instead");
        }
    }

    private static void CheckPage(ErrorPageConfig page, Diagnostics diagnostics)
    {
        if (page.Status.Count == 0) diagnostics.Error(page.At, "an error page needs a status");
        if ((page.File is null) == (page.Body is null)) diagnostics.Error(page.At, "an error page has exactly one of file and body");
        else if (page.File is not null && !File.Exists(page.File)) diagnostics.Error(page.At, $"there is no file '{page.File}'");
    }

    private static int Actions(IAction action) => (action.Proxy is null ? 0 : 1) + (action.Redirect is null ? 0 : 1) + (action.Respond is null ? 0 : 1) + (action.Files is null ? 0 : 1);

    private static string FirstSegment(MatchConfig match) => match.Path?.Pattern is { } path ? path.Text[1..].Split('/', 2)[0] : "**";

    private static IEnumerable<RouteConfig> Candidates(Dictionary<string, List<RouteConfig>> earlier, string first)
    {
        foreach (var key in new[] { first, "*", "**" }.Distinct())
        {
            if (!earlier.TryGetValue(key, out var routes)) continue;
            foreach (var route in routes) yield return route;
        }
    }

    // Whether every request of the later match is one of the earlier: judged where paths alone, or equal conditions, decide.
    private static bool Covers(MatchConfig earlier, MatchConfig later)
    {
        if (earlier.Methods.Count > 0 && !(later.Methods.Count > 0 && later.Methods.TrueForAll(earlier.Methods.Contains))) return false;
        if (earlier.Headers.Count + earlier.Query.Count + earlier.Cookies.Count + earlier.ClientIp.Count > 0) return false;
        if (earlier.Path is null) return true;
        if (earlier.Path.Regex is not null) return later.Path?.Regex is not null && later.Path.Regex.ToString() == earlier.Path.Regex.ToString();
        if (later.Path?.Pattern is null) return false;
        return Covers(earlier.Path.Pattern!.Text[1..].Split('/'), later.Path.Pattern.Text[1..].Split('/'));
    }

    private static bool Covers(string[] earlier, string[] later)
    {
        for (var i = 0; i < earlier.Length; i++)
        {
            if (earlier[i] == "**") return true;
            if (i >= later.Length) return false;
            if (later[i] == "**") return false;
            if (earlier[i] == later[i] || (earlier[i] == "*" && later[i].Length > 0)) continue;
            return false;
        }

        // "/a/**" takes "/a" too, which "/a" alone does not cover the other way round.
        return earlier.Length == later.Length;
    }
}
