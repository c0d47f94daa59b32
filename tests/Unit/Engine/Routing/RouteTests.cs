using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Weir.Engine;
using Weir.Engine.Routing;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Routing;

public class RouteTests
{
    // The runtime's expressions of a route match whole paths; the naive ones here backtrack.
    private static readonly string[] Expressions = ["/a/.*", "/(a|b)/?", "/[ab]+", ".*/b", "/(?<first>[^/]+)/(ab)?"];
    private static readonly Dictionary<string, (Regex Used, Regex Naive)> Compiled = Expressions.Append("1.*").ToDictionary(e => e, e => (new Regex($"^(?:{e})\\z", RegexOptions.NonBacktracking), new Regex($"\\A(?:{e})\\z")));
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "DELETE", "BREW"];
    private static readonly string[] Networks = ["192.0.2.0/24", "10.0.0.0/8", "::/0", "0.0.0.0/0"];
    private static readonly string[] Clients = ["192.0.2.1", "10.9.9.9", "203.0.113.5", "2001:db8::1"];
    private static readonly string[] Names = ["k", "K", "x"];
    private static readonly string[] Values = ["", "1", "2", "12"];

    [Theory]
    [InlineData("/a", "/a", true)]
    [InlineData("/a", "/a/", false)]
    [InlineData("/a", "/A", false)]
    [InlineData("/a/", "/a", false)]
    [InlineData("/a/", "/a/", true)]
    [InlineData("/", "/", true)]
    [InlineData("/", "/a", false)]
    [InlineData("/**", "/", true)]
    [InlineData("/**", "/a/b", true)]
    [InlineData("/a/**", "/a", true)]
    [InlineData("/a/**", "/a/", true)]
    [InlineData("/a/**", "/a/b/c", true)]
    [InlineData("/a/**", "/ab", false)]
    [InlineData("/a/**", "/b", false)]
    [InlineData("/a/*", "/a/b", true)]
    [InlineData("/a/*", "/a/", false)]
    [InlineData("/a/*", "/a", false)]
    [InlineData("/a/*", "/a/b/c", false)]
    [InlineData("/a/*/c", "/a/b/c", true)]
    [InlineData("/a/*/c", "/a//c", false)]
    [InlineData("/*/**", "/a", true)]
    [InlineData("/*/**", "/", false)]
    [InlineData("/a b", "/a%20b", true)]
    [InlineData("/a", "/%61", true)]
    [InlineData("/a", "/x/../a", true)]
    [InlineData("/a/**", "/a/../b", false)]
    [InlineData("/a/b", "/a%2Fb", false)]
    [InlineData("/é", "/%C3%A9", true)]
    [InlineData("/a", "/a?b", true)]
    public void A_path_matches_as_it_is_written(string pattern, string target, bool matches)
    {
        var routes = new RouteTable<RoutePlan>();
        routes.Add(pattern, new RoutePlan { Name = "it" }, []);
        Assert.Equal(matches, Requests.Find(Requests.Get(target), routes).Route is not null);
    }

    [Fact]
    public void The_first_written_wins_even_where_a_later_one_says_more()
    {
        var routes = new RouteTable<RoutePlan>();
        routes.Add(new Regex("^(?:/x.*)\\z", RegexOptions.NonBacktracking), new RoutePlan { Name = "expression" }, []);
        routes.Add("/a/**", new RoutePlan { Name = "below" }, []);
        routes.Add("/a/b", new RoutePlan { Name = "exact" }, []);
        routes.Add("/x/y", new RoutePlan { Name = "exact x" }, []);
        routes.Add(new RoutePlan { Name = "any" }, []);
        routes.Add("/z", new RoutePlan { Name = "too late" }, []);
        Assert.Equal("below", Requests.Find(Requests.Get("/a/b"), routes).Route!.Name);
        Assert.Equal("expression", Requests.Find(Requests.Get("/x/y"), routes).Route!.Name);
        Assert.Equal("any", Requests.Find(Requests.Get("/z"), routes).Route!.Name);
    }

    [Fact]
    public void An_expression_leaves_its_groups_behind_only_where_it_won()
    {
        var routes = new RouteTable<RoutePlan>();
        routes.Add("/users/me", new RoutePlan { Name = "me" }, []);
        routes.Add(new Regex("^(?:/users/(?<id>[^/]+)(/.*)?)\\z", RegexOptions.NonBacktracking), new RoutePlan { Name = "user" }, []);
        var exchange = Requests.Get("/users/j%20d/x");
        Assert.Equal("user", Requests.Find(exchange, routes).Route!.Name);
        Assert.Equal(["/users/j d/x", "/x", "j d"], Enumerable.Range(0, exchange.Captures.Count).Select(i => exchange.Captures[i].ToString()));
        exchange = Requests.Get("/users/me");
        Assert.Equal("me", Requests.Find(exchange, routes).Route!.Name);
        Assert.Equal(0, exchange.Captures.Count);
    }

    [Fact]
    public void A_target_without_a_path_meets_only_routes_for_every_path()
    {
        var routes = new RouteTable<RoutePlan>();
        routes.Add("/**", new RoutePlan { Name = "paths" }, []);
        routes.Add(new Regex(".*", RegexOptions.NonBacktracking), new RoutePlan { Name = "expression" }, []);
        routes.Add(new RoutePlan { Name = "any" }, []);
        Assert.Equal("any", Requests.Find(Requests.Of("OPTIONS * HTTP/1.1", "Host: a"), routes).Route!.Name);
    }

    [Fact]
    public void Any_set_of_routes_finds_what_a_naive_matcher_finds()
    {
        var segment = Gen.OneOf("a", "b", "ab", "");
        var path = segment.Array[1, 4].Select(s => "/" + string.Join('/', s));
        var pattern = Gen.Select(Gen.OneOf("a", "b", "ab", "", "*", "*").Array[0, 3], Gen.Bool, (segments, below) => "/" + string.Join('/', below ? [.. segments, "**"] : segments));
        var value = Gen.OneOf(Gen.Const((string?)null), Gen.OneOf(Values)!, Gen.Const("~1.*"));
        var condition = Gen.Select(Gen.Int[0, 4], Gen.Bool, Gen.Int[0, 9], value, (kind, not, which, wanted) => new Wanted(kind, not, which, wanted));
        var route = Gen.Select(Gen.Int[0, 9], pattern, Gen.Int[0, Expressions.Length - 1], condition.Array[0, 2], (kind, text, expression, conditions) =>
            new Written(kind == 0 ? null : kind <= 2 ? Expressions[expression] : text, kind is 1 or 2, conditions));
        var pair = Gen.Select(Gen.OneOf(Names), Gen.OneOf(Gen.Const((string?)null), Gen.OneOf(Values)!));
        var asked = Gen.Select(path, Gen.OneOf(Methods), Gen.OneOf(Clients), pair.Array[0, 3], pair.Array[0, 3], pair.Array[0, 3], (p, m, c, q, h, k) => new Asked(p, m, c, q, h, k));
        Gen.Select(route.Array[0, 12], asked.Array[1, 6]).Sample(
            (written, requests) =>
            {
                var routes = new RouteTable<RoutePlan>();
                foreach (var (i, one) in written.Index()) one.AddTo(routes, new RoutePlan { Name = $"{i}" });
                foreach (var request in requests)
                {
                    var (found, fault) = Requests.Find(request.Exchange(), routes);
                    var expected = Array.FindIndex(written, w => w.Matches(request));
                    Assert.True((found?.Name ?? "-1") == $"{expected}", $"{request}: {found?.Name} {fault}, expected {expected} of\n{string.Join('\n', written.AsEnumerable())}");
                }
            },
            iter: 4_000);
    }

    // A request as text, so that what is expected is judged on text.
    private sealed record Asked(string Path, string Method, string Client, (string Name, string? Value)[] Query, (string Name, string? Value)[] Fields, (string Name, string? Value)[] Cookies)
    {
        public string Target => Query.Length == 0 ? Path : $"{Path}?{string.Join('&', Query.Select(Pair))}";

        public Exchange Exchange()
        {
            string[] cookies = Cookies.Length == 0 ? [] : [$"Cookie: {string.Join("; ", Cookies.Select(Pair))}"];
            var exchange = Requests.Of($"{Method} {Target} HTTP/1.1", ["Host: front.example", .. Fields.Select(f => $"{f.Name}:  {f.Value} "), .. cookies]);
            exchange.Ends = new ConnectionEnds(IPAddress.Parse(Client), 1, 80);
            return exchange;
        }

        public override string ToString() => $"{Method} {Target} from {Client} | {string.Join(" | ", Fields.Select(f => $"{f.Name}: {f.Value}"))} | Cookie: {string.Join("; ", Cookies.Select(Pair))}";

        private static string Pair((string Name, string? Value) pair) => pair.Value is null ? pair.Name : $"{pair.Name}={pair.Value}";
    }

    // A condition: what it looks at, whether it is turned round, which name or list, which value (null: any; "~": an expression).
    private sealed record Wanted(int Kind, bool Not, int Which, string? Value)
    {
        private string Name => Names[Which % Names.Length];

        private string[] SomeMethods => [Methods[Which % Methods.Length], Methods[Which / 2]];

        public Condition Condition()
        {
            var name = Encoding.ASCII.GetBytes(Name);
            Condition condition = Kind switch
            {
                0 => new MethodCondition([.. SomeMethods.Select(Encoding.ASCII.GetBytes)]),
                1 => new HeaderCondition(name, Test()),
                2 => new QueryCondition(name, Test()),
                3 => new CookieCondition(name, Test()),
                _ => new ClientCondition([IPNetwork.Parse(Networks[Which % Networks.Length])]),
            };
            return Not ? new NotCondition(condition) : condition;
        }

        public bool Holds(Asked asked) => Not != Kind switch
        {
            0 => SomeMethods.Contains(asked.Method) || (asked.Method == "HEAD" && SomeMethods.Contains("GET")),
            1 => asked.Fields.Any(f => f.Name.Equals(Name, StringComparison.OrdinalIgnoreCase) && Passes(f.Value)),
            2 => asked.Query.Any(q => q.Name == Name && Passes(q.Value)),
            3 => asked.Cookies.Any(c => c.Value is not null && c.Name == Name && Passes(c.Value)),
            _ => IPNetwork.Parse(Networks[Which % Networks.Length]).Contains(IPAddress.Parse(asked.Client)),
        };

        private ValueTest Test() => Value is null ? ValueTest.Present
            : Value.StartsWith('~') ? new ValueTest(null, Compiled[Value[1..]].Used)
            : new ValueTest(Encoding.ASCII.GetBytes(Value), null);

        private bool Passes(string? value) => Value is null || (Value.StartsWith('~') ? Compiled[Value[1..]].Naive.IsMatch(value ?? "") : (value ?? "") == Value);
    }

    // A route: a pattern, an expression, or every path.
    private sealed record Written(string? Path, bool IsExpression, Wanted[] Conditions)
    {
        public void AddTo(RouteTable<RoutePlan> routes, RoutePlan plan)
        {
            Condition[] conditions = [.. Conditions.Select(c => c.Condition())];
            if (Path is null) routes.Add(plan, conditions);
            else if (IsExpression) routes.Add(Compiled[Path].Used, plan, conditions);
            else routes.Add(Path, plan, conditions);
        }

        public bool Matches(Asked asked) => Array.TrueForAll(Conditions, c => c.Holds(asked)) && (Path is null || (IsExpression ? Compiled[Path].Naive.IsMatch(asked.Path) : Matches(Path[1..].Split('/'), asked.Path[1..].Split('/'))));

        public override string ToString() => $"{(IsExpression ? "~" : "")}{Path ?? "any"} {string.Join(", ", Conditions.AsEnumerable())}";

        private static bool Matches(string[] pattern, string[] path)
        {
            for (var i = 0; i < pattern.Length; i++)
            {
                if (pattern[i] == "**") return true;
                if (i == path.Length || (pattern[i] == "*" ? path[i].Length == 0 : pattern[i] != path[i])) return false;
            }

            return pattern.Length == path.Length;
        }
    }
}
