using System.Text;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Cookies;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;

namespace Weir.Tests.Unit.Engine.Policies.Cookies;

public class StickyTests
{
    private static readonly StickyKey Key = new("the key of these days"u8);
    private static readonly StickyKey Earlier = new("the key of the days before"u8);

    private readonly Endpoint first = new("http://10.0.0.1:80", "first", 1);
    private readonly Endpoint second = new("http://10.0.0.2:80", "second", 1);
    private readonly Endpoint third = new("http://10.0.0.3:80", "third", 1);
    private readonly Upstream upstream = new("u", "u", new RoundRobin(), 1);
    private readonly Sticky sticky;

    public StickyTests()
    {
        upstream.SetEndpoints([first, second, third], new UpstreamSettings { IsSticky = true });
        sticky = new Sticky(upstream, new CookieForm("id"), Key, Earlier, 1);
    }

    [Fact]
    public void Who_sends_a_value_gets_its_endpoint_whatever_the_balancer_says()
    {
        foreach (var endpoint in new[] { second, first, second, third, third })
        {
            var exchange = Ask($"Cookie: id={Value(endpoint)}");
            Assert.Same(endpoint, upstream.Choose(exchange));
            Assert.True(exchange.KeepsCookie);
            Assert.NotSame(endpoint, upstream.Choose(exchange)); // A retry goes elsewhere.
        }
    }

    [Fact]
    public void The_same_server_is_called_the_same_on_every_node_and_after_every_restart()
    {
        var there = new Upstream("v", "v", new RoundRobin(), 1);
        var same = new Endpoint("http://10.0.0.2:80", "second", 1);
        there.SetEndpoints([new Endpoint("http://10.0.0.9:80", "ninth", 1), same], new UpstreamSettings { IsSticky = true });
        Assert.Equal(second.Tag, same.Tag);
        Assert.Equal(3, new[] { first.Tag, second.Tag, third.Tag }.Distinct().Count());
        Assert.DoesNotContain(0UL, new[] { first.Tag, second.Tag, third.Tag });
    }

    [Theory]
    [InlineData(Away.Unhealthy)]
    [InlineData(Away.Drained)]
    [InlineData(Away.Ejected)]
    public void Where_the_endpoint_is_away_the_balancer_says_who(Away why)
    {
        second.Absence.Mark(why, "away");
        var exchange = Ask($"Cookie: id={Value(second)}");
        Assert.NotSame(second, upstream.Choose(exchange));
        second.Absence.Clear(why);
        Assert.Same(second, upstream.Choose(Ask($"Cookie: id={Value(second)}")));
    }

    [Fact]
    public void An_endpoint_without_a_weight_or_that_is_gone_keeps_nobody()
    {
        second.Weight = 0;
        Assert.NotSame(second, upstream.Choose(Ask($"Cookie: id={Value(second)}")));
        second.Weight = 1;
        var value = Value(second);
        upstream.SetEndpoints([first, third], upstream.Settings);
        var exchange = Ask($"Cookie: id={value}");
        Assert.Null(exchange.Preferred);
        Assert.NotNull(upstream.Choose(exchange));
    }

    [Fact]
    public void Where_health_is_ignored_clients_stay_with_who_is_unhealthy_but_not_with_who_is_drained()
    {
        foreach (var endpoint in new[] { first, second, third }) endpoint.Absence.Mark(Away.Unhealthy, "it fails");
        Assert.True(upstream.IsPanicking);
        for (var i = 0; i < 5; i++) Assert.Same(second, upstream.Choose(Ask($"Cookie: id={Value(second)}")));
        second.Absence.Mark(Away.Drained, "an operator");
        for (var i = 0; i < 5; i++) Assert.NotSame(second, upstream.Choose(Ask($"Cookie: id={Value(second)}")));
    }

    [Theory]
    [InlineData("Cookie: id=V", "")]
    [InlineData("Cookie: a=b; id=V", "Cookie: a=b")]
    [InlineData("Cookie: id=V; a=b", "Cookie: a=b")]
    [InlineData("cookie: a=b; id=V; c=d", "cookie: a=b; c=d")]
    [InlineData("Cookie: a=b;id=V;c=d", "Cookie: a=b;c=d")]
    [InlineData("Cookie: a=b; id=wrong; c=d; id=V", "Cookie: a=b; c=d")]
    [InlineData("Cookie: id=", "")]
    [InlineData("Cookie: id=;;", "")]
    [InlineData("Cookie: id=; ;a=b", "Cookie: a=b")]
    [InlineData("Cookie: a=id=V; xid=V; idx=V; id", "Cookie: a=id=V; xid=V; idx=V; id")]
    [InlineData("Cookie: a=b", "Cookie: a=b")]
    [InlineData("Cookie: ", "Cookie: ")]
    public void The_cookie_is_not_sent_on_and_the_others_are(string sent, string kept) => Assert.Equal(kept, Sent(Ask(sent.Replace("=V", "=" + Value(first), StringComparison.Ordinal))));

    [Fact]
    public void Of_several_lines_each_loses_its_own() =>
        Assert.Equal("Cookie: c=d\nCookie: a=b", Sent(Ask($"Cookie: a=b; id={Value(first)}", "Cookie: c=d", "Cookie: id=x")));

    [Fact]
    public void Of_a_name_that_comes_twice_the_first_good_value_counts_and_of_many_only_two_are_read()
    {
        Assert.Same(second, Ask($"Cookie: id={Value(second)}; id={Value(third)}").Preferred);
        Assert.Same(third, Ask($"Cookie: id={Value(third, new StickyKey("of nobody"u8))}; id={Value(third)}").Preferred);
        Assert.Null(Ask($"Cookie: id=a; id=b; id={Value(third)}").Preferred);
        Assert.Null(Ask("Cookie: id=a", "Cookie: id=b", $"Cookie: id={Value(third)}").Preferred);
    }

    [Fact]
    public void What_was_tampered_with_or_is_too_long_says_nothing()
    {
        var value = Value(second);
        foreach (var wrong in new[] { value[..^1], value + "A", value[..^1] + (value[^1] == 'A' ? 'B' : 'A'), (value[0] == 'A' ? 'B' : 'A') + value[1..], new string('A', 48), new string('A', 8_000), $"\"{value}\"" })
        {
            var exchange = Ask($"Cookie: id={wrong}");
            Assert.Null(exchange.Preferred);
            Assert.NotNull(upstream.Choose(exchange));
        }
    }

    [Fact]
    public void A_value_of_the_earlier_key_is_taken_and_replaced()
    {
        var exchange = Ask($"Cookie: id={Value(second, Earlier)}");
        Assert.Same(second, exchange.Preferred);
        Assert.False(exchange.KeepsCookie);
        // Also where it was seen before.
        exchange = Ask($"Cookie: id={Value(second, Earlier)}");
        Assert.False(exchange.KeepsCookie);
        var field = Assert.Single(Answered(exchange, second));
        Assert.StartsWith("Set-Cookie: id=", field, StringComparison.Ordinal);
        Assert.True(StickyKeyTests.TryRead(Key, field[15..63], out var tag));
        Assert.Equal(second.Tag, tag);
    }

    [Fact]
    public void Only_who_has_no_value_for_who_answered_is_given_one()
    {
        Assert.Empty(Answered(Ask($"Cookie: id={Value(second)}"), second));
        Assert.Single(Answered(Ask($"Cookie: id={Value(second)}"), first)); // A retry went there.
        Assert.Single(Answered(Ask(), first));
        Assert.Single(Answered(Ask("Cookie: id=x"), first));
        var ours = Ask();
        Assert.True(((IResponsePolicy)sticky).Apply(ours)); // An answer of our own: nobody answered.
        Assert.True(ours.Response.Fields.Added.IsEmpty);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_server_cannot_set_it(bool isAdded)
    {
        var exchange = Ask($"Cookie: id={Value(second)}");
        string[] fields = ["Set-Cookie: idx=1; id=2", "Set-Cookie: id=theirs; Path=/", "Set-Cookie:  id =theirs", "Set-Cookie: ID=1", "Set-Cookie: other=1"];
        CookieFormTests.Answer(exchange, second, fields);
        var response = exchange.Response.Fields;
        for (var i = 0; isAdded && i < fields.Length; i++)
        {
            var value = response.Range(i);
            response.Drop(i);
            response.Add(KnownField.SetCookie, ByteRange.Of("Set-Cookie"u8.ToArray()), value); // As what edits it leaves it.
        }

        Assert.True(((IResponsePolicy)sticky).Apply(exchange));
        var kept = Enumerable.Range(0, response.Index.Count).Where(i => !response.IsDropped(i)).Select(i => Encoding.ASCII.GetString(response.Value(i))).Concat(response.Added.ToArray().Select(static a => a.Value.ToString()));
        Assert.Equal(["idx=1; id=2", "ID=1", "other=1"], kept);
    }

    [Fact]
    public void Who_is_stuck_anew_is_counted_and_who_only_gets_another_value_is_not()
    {
        foreach (var exchange in new[] { Ask(), Ask("Cookie: id=x") }) Answered(exchange, first);
        Answered(Ask($"Cookie: id={Value(first)}"), first);
        Answered(Ask($"Cookie: id={Value(first, Earlier)}"), first);
        Assert.Equal(0, upstream.Moved);
        Answered(Ask($"Cookie: id={Value(second)}"), first);
        Answered(Ask($"Cookie: id={Value(second, Earlier)}"), first);
        Assert.Equal(2, upstream.Moved);
        upstream.SetEndpoints([first, third], upstream.Settings);
        Answered(Ask($"Cookie: id={Value(second)}"), third); // Gone for good.
        Assert.Equal(3, upstream.Moved);
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        var exchange = Requests.Get("/", $"Cookie: a=b; id={Value(second)}; c=d");
        sticky.Apply(exchange);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
        {
            exchange.Preferred = null;
            exchange.Request.Fields.Reset(exchange.Request.Fields.Bytes, exchange.Request.Fields.Origin, exchange.Request.Fields.Index);
            sticky.Apply(exchange);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Same(second, exchange.Preferred);
    }

    private static string Value(Endpoint endpoint, StickyKey? key = null) => StickyKeyTests.Write(key ?? Key, endpoint.Tag);

    private Exchange Ask(params string[] fields)
    {
        var exchange = Requests.Get("/", fields);
        Assert.True(sticky.Apply(exchange).IsContinue);
        return exchange;
    }

    private static string Sent(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        var kept = Enumerable.Range(0, fields.Index.Count).Where(i => fields.Index[i].Known == KnownField.Cookie && !fields.IsDropped(i)).Select(i => $"{Encoding.ASCII.GetString(fields.Name(i))}: {Encoding.ASCII.GetString(fields.Value(i))}");
        return Shortened(string.Join('\n', kept.Concat(fields.Added.ToArray().Select(a => $"{a.Name}: {a.Value}"))));
    }

    // Values are made by chance.
    private static string Shortened(string text) => System.Text.RegularExpressions.Regex.Replace(text, "=[A-Za-z0-9_-]{48}", "=V");

    private string[] Answered(Exchange exchange, Endpoint by)
    {
        CookieFormTests.Answer(exchange, by, "Cache-Control: no-store");
        Assert.True(((IResponsePolicy)sticky).Apply(exchange));
        return [.. exchange.Response.Fields.Added.ToArray().Select(a => $"{a.Name}: {a.Value}")];
    }
}
