// Why the routes before the one that matches do not: their path, or what else they ask, in few words.

using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Routing;

namespace Weir.Control.Explaining;

internal static class Unmatched
{
    // Of many routes those are told whose path matches; the others are counted.
    private const int Few = 20;

    /// <summary>Tells of the routes of a site, up to the one that matches.</summary>
    public static void Tell(Exchange exchange, SiteConfig site, IWritten? matching, StringBuilder text)
    {
        var earlier = site.Routes.TakeWhile(route => !ReferenceEquals(route, matching)).ToArray();
        var left = 0;
        foreach (var route in earlier)
        {
            var reasons = Reasons(exchange, route.Match).ToArray();
            if (earlier.Length > Few && (reasons.Length == 0 || !PathHolds(exchange, route.Match))) left++;
            else text.Append($"  not {Words.Place(route)}: {string.Join("; ", reasons)}\n");
        }

        if (left > 0) text.Append($"  not {left} more, by their path\n");
    }

    // Each condition is asked alone, by the engine's own test.
    private static IEnumerable<string> Reasons(Exchange exchange, MatchConfig match)
    {
        if (!PathHolds(exchange, match)) yield return match.Path!.Regex is { } regex ? $"the path does not match {Words.Expression(regex)}" : $"the path is not {match.Path.Pattern!.Text}";
        if (match.Methods.Count > 0 && !Holds(exchange, new MatchConfig { Methods = match.Methods })) yield return $"the method is not {Words.Or(match.Methods)}";
        if (match.ClientIp.Count > 0 && !Holds(exchange, new MatchConfig { ClientIp = match.ClientIp })) yield return $"the client is not in {Words.Or([.. match.ClientIp.Select(n => n.ToString())])}";
        foreach (var field in match.Headers.Where(f => !Holds(exchange, new MatchConfig { Headers = [f] }))) yield return $"the field {field.Name} {Lacks(field.Value)}";
        foreach (var parameter in match.Query.Where(p => !Holds(exchange, new MatchConfig { Query = [p] }))) yield return $"the parameter {parameter.Name} {Lacks(parameter.Value)}";
        foreach (var cookie in match.Cookies.Where(c => !Holds(exchange, new MatchConfig { Cookies = [c] }))) yield return $"the cookie {cookie.Name} {Lacks(cookie.Value)}";
        foreach (var fact in match.Tls.Where(c => !Holds(exchange, new MatchConfig { Tls = [c] }))) yield return $"{fact.Name} {Lacks(fact.Value)}";
    }

    private static string Lacks(ValueConfig value) => value switch
    {
        { Present: false } => "is there",
        { Exact: { } exact } => $"is not {exact}",
        { Regex: { } regex } => $"does not match {Words.Expression(regex)}",
        _ => "is not there",
    };

    private static bool Holds(Exchange exchange, MatchConfig match) => Array.TrueForAll(PlanCompiler.Conditions(match), c => c.Holds(exchange));

    private static bool PathHolds(Exchange exchange, MatchConfig match)
    {
        if (match.Path is null) return true;
        var routes = new RouteTable<RoutePlan>();
        PlanCompiler.Add(routes, new RoutePlan { Name = "" }, new MatchConfig { Path = match.Path });
        return routes.Find(exchange) is not null;
    }
}
