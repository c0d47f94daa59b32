using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Routing;
using Weir.Wire.Targets;

namespace Weir.Tests.Unit.Engine.Policies.Rewrite;

public class PathRewriteTests
{
    [Theory]
    [InlineData("/api", "/api", "/")]
    [InlineData("/api", "/api/", "/")]
    [InlineData("/api", "/api/x", "/x")]
    [InlineData("/api", "/api//x", "//x")]
    [InlineData("/api", "/apix", "/apix")]
    [InlineData("/api", "/apix/y", "/apix/y")]
    [InlineData("/api", "/x/api", "/x/api")]
    [InlineData("/api", "/API/x", "/API/x")]
    [InlineData("/api", "/", "/")]
    [InlineData("/api", "/%61pi/x%20y", "/x%20y")]
    [InlineData("/api", "/api/x?y=/api", "/x?y=/api")]
    [InlineData("/api", "/api?", "/?")]
    [InlineData("/api", "/x/../api/y", "/y")]
    [InlineData("/api", "/api/../y", "/y")]
    [InlineData("/a/b", "/a/b/c", "/c")]
    [InlineData("/a/b", "/a", "/a")]
    [InlineData("/a/b", "/a/c/b", "/a/c/b")]
    [InlineData("/a/*", "/a/b/c", "/c")]
    [InlineData("/a/*", "/a", "/a")]
    [InlineData("/a b", "/a%20b/c", "/c")]
    [InlineData("/é", "/%C3%A9/c", "/c")]
    [InlineData("/a", "/a%2Fb/c", "/a%2Fb/c")]
    public void A_prefix_is_taken_off_by_whole_segments(string prefix, string target, string forwarded) =>
        Assert.Equal(forwarded, Apply(new PathRewrite { StripPrefix = prefix[1..].Split('/') }, Find(target)));

    [Fact]
    public void A_prefix_is_taken_off_however_a_client_encodes_it() =>
        Gen.Select(Gen.OneOf(Gen.Char['a', 'z'], Gen.OneOf('é', '漢', ' ', '+')).Array[1, 100].Array[1, 3], Gen.Int, Gen.OneOf("", "/", "/rest", "/rest/")).Sample(
            (segments, seed, rest) =>
            {
                var random = new Random(seed);
                string Encode(char[] segment) => string.Concat(Encoding.UTF8.GetBytes(segment).Select(b => b is <= 0x20 or >= 0x7F || random.Next(2) == 0 ? $"%{b:X2}" : $"{(char)b}"));
                var target = string.Concat(segments.Select(s => "/" + Encode(s))) + rest;
                var rewrite = new PathRewrite { StripPrefix = [.. segments.Select(s => new string(s))] };
                Assert.Equal(rest.Length == 0 ? "/" : rest, Apply(rewrite, Find(target)));
            },
            iter: 1_000);

    [Theory]
    [InlineData("/base", "/x", "/base/x")]
    [InlineData("/base", "/", "/base/")]
    [InlineData("/base", "/x?q", "/base/x?q")]
    [InlineData("/a/b", "/../x", "/a/b/x")]
    public void A_prefix_is_put_in_front(string prefix, string target, string forwarded) =>
        Assert.Equal(forwarded, Apply(new PathRewrite { AddPrefix = Encoding.ASCII.GetBytes(prefix) }, Find(target)));

    [Fact]
    public void One_prefix_is_taken_off_before_another_is_put_in_front() =>
        Assert.Equal("/v2/x", Apply(new PathRewrite { StripPrefix = ["api"], AddPrefix = "/v2"u8.ToArray() }, Find("/api/x")));

    [Fact]
    public void An_expression_replaces_its_first_match_by_its_groups()
    {
        var rewrite = Regexed(@"/(?<year>\d{4})/(\d+)", Capture(2), Text("-"), Capture(1), Text("!"));
        Assert.Equal("/blog2024-7!/2025/8?y=/1999/1", Apply(rewrite, Find("/blog/2024/7/2025/8?y=/1999/1")));
        Assert.Equal("/blog/none", Apply(rewrite, Find("/blog/none")));
    }

    [Fact]
    public void Its_groups_stand_behind_those_of_the_path()
    {
        var exchange = Find("/users/7");
        exchange.Captures.Set(0, ByteRange.Of("whole"u8.ToArray()));
        exchange.Captures.Set(1, ByteRange.Of("path's"u8.ToArray()));
        var rewrite = new PathRewrite { Pattern = new Regex("(\\d)", RegexOptions.NonBacktracking), FirstGroup = 2, Replacement = new Template(Capture(1), Text("-"), Capture(3)) };
        Assert.Equal("/users/path's-7", Apply(rewrite, exchange));
    }

    [Fact]
    public void What_a_template_puts_in_is_encoded()
    {
        Assert.Equal("/a%20b%23c%3Fd%22%3Ce%3E%C3%A9", Apply(new PathRewrite { Path = Template.Literal("/a b#c?d\"<e>é") }, Find("/")));
        Assert.Equal("/x", Apply(new PathRewrite { Path = Template.Literal("x") }, Find("/")));
        Assert.Equal("/", Apply(new PathRewrite { Path = Template.Literal("") }, Find("/y")));
    }

    [Fact]
    public void A_query_is_replaced_or_removed()
    {
        Assert.Equal("/a?n=1", Apply(new PathRewrite { Query = Template.Literal("n=1") }, Find("/a?b=2")));
        Assert.Equal("/a", Apply(new PathRewrite { Query = Template.Literal("") }, Find("/a?b=2")));
        Assert.Equal("/a?a%20b?c", Apply(new PathRewrite { Query = Template.Literal("a b?c") }, Find("/a")));
    }

    [Fact]
    public void A_target_without_a_path_stays_as_it_is()
    {
        var exchange = Requests.Of("OPTIONS * HTTP/1.1", "Host: a");
        Assert.True(new PathRewrite { StripPrefix = ["a"], AddPrefix = "/b"u8.ToArray() }.Apply(exchange).IsContinue);
        Assert.True(exchange.Request.ForwardedPath.IsEmpty);
    }

    [Fact]
    public void No_rewrite_makes_a_path_that_climbs() =>
        Gen.Select(
            Gen.OneOf("/", "a", ".", "%2e", "%2F", "%5c", ";", "//", "b").List[0, 10].Select(parts => "/" + string.Concat(parts)),
            Gen.OneOf("a", "b", "/", "a/b", "%2F", "(a|b)+", "[.]"),
            Gen.OneOf("", ".", "..", "/", "/..", "%2e", "a", " ", "?", "#", "\u00E9", "%", ";").List[0, 3],
            Gen.OneOf("", "/..", "/a", "/a/..", "/.")).Sample(
            (target, expression, replacement, prefix) =>
            {
                var exchange = Requests.Get(target);
                if (!Requests.Find(exchange, Everything()).Fault.IsNone) return; // Refused before any rewrite.
                var rewrite = Regexed(expression, Text(string.Concat(replacement)));
                rewrite = new PathRewrite { Pattern = rewrite.Pattern, Replacement = rewrite.Replacement, AddPrefix = Encoding.ASCII.GetBytes(prefix) };
                var verdict = rewrite.Apply(exchange);
                if (!verdict.IsContinue)
                {
                    Assert.Equal(400, verdict.Fault.Status);
                    return;
                }

                var path = exchange.Request.ForwardedPath.Span.ToArray();
                Assert.Equal(PathVerdict.Plain, TargetPath.Normalize(path, new byte[path.Length + 1], out _));
                Assert.DoesNotContain(path, b => b is <= 0x20 or >= 0x7F or (byte)'?' or (byte)'#');
            },
            iter: 5_000);

    private static PathRewrite Regexed(string pattern, params Template.Part[] replacement) =>
        new() { Pattern = new Regex(pattern, RegexOptions.NonBacktracking), Replacement = new Template(replacement) };

    private static Template.Part Text(string text) => new(Placeholder.Literal, Encoding.UTF8.GetBytes(text));

    private static Template.Part Capture(int group) => new(Placeholder.Capture, [], group);

    // Routed first, as on the way: only then are dots resolved.
    private static Exchange Find(string target)
    {
        var exchange = Requests.Get(target);
        Assert.True(Requests.Find(exchange, Everything()).Fault.IsNone);
        return exchange;
    }

    private static RouteTable<RoutePlan> Everything()
    {
        var routes = new RouteTable<RoutePlan>();
        routes.Add(new RoutePlan { Name = "all" }, []);
        return routes;
    }

    private static string Apply(PathRewrite rewrite, Exchange exchange)
    {
        Assert.True(rewrite.Apply(exchange).IsContinue);
        var request = exchange.Request;
        return $"{request.ForwardedPath}{(request.HasForwardedQuery ? "?" : "")}{(request.HasForwardedQuery ? request.ForwardedQuery : "")}";
    }
}
