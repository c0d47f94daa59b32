// The first route that matches wins: a route behind one that takes all its requests can never match. Judged where paths
// and conditions decide by themselves; of expressions, only equal ones are compared.

namespace Weir.Control.Configuration;

/// <summary>Names routes that can never match.</summary>
internal static class RouteOrder
{
    /// <param name="site">The site.</param>
    /// <param name="hasLast">Whether it has a last route of its own.</param>
    /// <param name="diagnostics">Where they are named.</param>
    public static void Check(SiteConfig site, bool hasLast, Diagnostics diagnostics)
    {
        // Earlier routes by the first segment of their path, so that ten thousand routes are compared with few each.
        var earlier = new Dictionary<string, List<RouteConfig>>();
        foreach (var route in site.Routes)
        {
            if (diagnostics.IsTold(route, "match") || diagnostics.IsFlawed(route.Match)) continue; // It is not what was written.
            var first = FirstSegment(route.Match);
            var before = Candidates(earlier, first).FirstOrDefault(r => Covers(r.Match, route.Match, route.Connect == true));
            if (!earlier.TryGetValue(first, out var alike)) earlier[first] = alike = [];
            alike.Add(route);
            if (before is not null) diagnostics.Warn(route.At, $"this route can never match: the one at line {before.At.Line} takes all its requests");
        }

        if (!hasLast) return;
        var last = Candidates(earlier, "**").FirstOrDefault(r => Covers(r.Match, new MatchConfig(), laterConnects: false));
        if (last is not null) diagnostics.Warn(site.At, $"the site's own last route can never match: the one at line {last.At.Line} takes every request");
    }

    private static string FirstSegment(MatchConfig match) => match.Path?.Pattern is { } path ? path.Text[1..].Split('/', 2)[0] : "**";

    private static IEnumerable<RouteConfig> Candidates(Dictionary<string, List<RouteConfig>> earlier, string first)
    {
        foreach (var key in new[] { first, "*", "**" }.Distinct())
        {
            if (!earlier.TryGetValue(key, out var routes)) continue;
            foreach (var route in routes) yield return route;
        }
    }

    // Whether every request of the later match is one of the earlier.
    private static bool Covers(MatchConfig earlier, MatchConfig later, bool laterConnects) =>
        CoversPath(earlier.Path, later.Path, laterConnects)
        && CoversMethods(earlier.Methods, later.Methods)
        && earlier.Headers.TrueForAll(e => later.Headers.Exists(l => string.Equals(e.Name, l.Name, StringComparison.OrdinalIgnoreCase) && CoversValue(e.Value, l.Value)))
        && earlier.Query.TrueForAll(e => later.Query.Exists(l => e.Name == l.Name && CoversValue(e.Value, l.Value)))
        && earlier.Cookies.TrueForAll(e => later.Cookies.Exists(l => e.Name == l.Name && CoversValue(e.Value, l.Value)))
        && earlier.Tls.TrueForAll(e => later.Tls.Exists(l => e.Name == l.Name && CoversValue(e.Value, l.Value)))
        && (earlier.ClientIp.Count == 0 || (later.ClientIp.Count > 0 && later.ClientIp.TrueForAll(l => earlier.ClientIp.Exists(e => e.PrefixLength <= l.PrefixLength && e.Contains(l.BaseAddress)))));

    // GET includes HEAD.
    private static bool CoversMethods(List<string> earlier, List<string> later) =>
        earlier.Count == 0 || (later.Count > 0 && later.TrueForAll(m => earlier.Contains(m) || (m == "HEAD" && earlier.Contains("GET"))));

    private static bool CoversValue(ValueConfig earlier, ValueConfig later)
    {
        var isAny = earlier is { Exact: null, Regex: null } && earlier.Present != false;
        if (isAny) return later.Present != false;
        return earlier.Exact == later.Exact && earlier.Regex?.ToString() == later.Regex?.ToString() && (earlier.Present == false) == (later.Present == false);
    }

    // Without a path a route takes the targets that have none too: the asterisk of OPTIONS, which has little use behind a
    // route for every path, and that of CONNECT.
    private static bool CoversPath(PathConfig? earlier, PathConfig? later, bool laterConnects)
    {
        if (earlier is null or { Pattern: null, Regex: null }) return true;
        if (earlier.Pattern is { Text: "/**" }) return !(laterConnects && later is null or { Pattern: null, Regex: null });
        if (earlier.Regex is not null) return later?.Regex is not null && later.Regex.ToString() == earlier.Regex.ToString();
        return later?.Pattern is not null && later.Regex is null && CoversPath(earlier.Pattern!.Text[1..].Split('/'), later.Pattern.Text[1..].Split('/'));
    }

    private static bool CoversPath(string[] earlier, string[] later)
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
