using System.Net;
using Weir.Control.Discovery;
using Weir.Engine.Balancing;
using Weir.Engine.Observe;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Control.Discovery;

public class MembershipTests
{
    private readonly Upstream upstream = new("name api", "api", new RoundRobin(), 1);
    private readonly List<Endpoint> forgotten = [];
    private readonly Membership membership;

    public MembershipTests() => membership = new Membership(upstream, 1, forget: forgotten.AddRange);

    [Fact]
    public void What_is_written_found_and_added_is_one_list_in_that_order()
    {
        Write(["a:1", "b:1"], Plan("file f", "c:1"), Plan("dns d"));
        membership.Sources[1].Succeeded([Of("d:1")]);
        Assert.Equal(MemberOutcome.Done, membership.Add(Of("e:1")));
        Assert.Equal(["a:1 written", "b:1 written", "c:1 file f", "d:1 dns d", "e:1 admin"], Seats());
        Assert.Equal(membership.Seats.Select(s => s.Endpoint), upstream.Endpoints.ToArray());
    }

    [Fact]
    public void The_same_endpoint_from_two_is_one_and_the_first_says_its_weight()
    {
        Write(["a:1*2"], Plan("file f", "a:1*7", "b:1*3"), Plan("dns d", "b:1*9"));
        Assert.Equal(["a:1 written", "b:1 file f"], Seats());
        Assert.Equal([2, 3], Weights());
        membership.Sources[0].Succeeded([]);
        Assert.Equal([2, 9], Weights());
        Assert.Equal(MemberOutcome.Exists, membership.Add(Of("a:1")));
    }

    [Fact]
    public void A_source_replaces_its_own_part_only_and_what_stays_is_not_touched()
    {
        Write(["a:1"], Plan("file f", "b:1", "c:1"), Plan("dns d", "d:1"));
        var before = upstream.Endpoints.ToArray();
        Assert.True(membership.Sources[0].Succeeded([Of("e:1"), Of("c:1")]));
        Assert.Equal(["a:1 written", "c:1 file f", "e:1 file f", "d:1 dns d"], Seats());
        var after = upstream.Endpoints.ToArray();
        Assert.Equal((before[0], before[2], before[3]), (after[0], after[1], after[3]));
        Assert.Equal([before[1]], forgotten);
    }

    [Fact]
    public void A_list_that_brings_nothing_new_changes_nothing()
    {
        Write(["a:1"], Plan("dns d", "b:1", "c:1"));
        var before = upstream.Endpoints;
        membership.Sources[0].Succeeded([Of("c:1"), Of("b:1")]);
        Write(["a:1"], Plan("dns d"));
        membership.Say("a:1", static w => w, null);
        Assert.True(before == upstream.Endpoints); // The same array.
        Write(["a:1"], new UpstreamSettings { IdleConnections = 7 }, Plan("dns d"));
        Assert.False(before == upstream.Endpoints);
        Assert.Equal(before.ToArray(), upstream.Endpoints.ToArray());
        Assert.Equal(7, upstream.Endpoints[0].Settings.IdleConnections);
        Assert.Empty(forgotten);
    }

    [Fact]
    public void A_source_that_fails_keeps_its_last_good_list_and_says_so()
    {
        Write([], Plan("dns d", "a:1"));
        var source = membership.Sources[0];
        var good = source.LastSuccess;
        Assert.NotEqual(0, good);
        source.Failed("no answer");
        source.Failed("no answer");
        Assert.Equal(["a:1 dns d"], Seats());
        Assert.Equal((2, "no answer", good), (source.Failures, source.Trouble, source.LastSuccess));
        source.Succeeded([Of("b:1")]);
        Assert.Null(source.Trouble);
        Assert.Equal(["b:1 dns d"], Seats());
    }

    [Fact]
    public void A_source_that_never_brought_a_list_is_not_said_to_keep_one()
    {
        var file = Path.GetTempFileName();
        var errors = new ErrorLog(new FileTarget(file));
        var told = new Membership(upstream, 1, errors);
        told.Write([], [Plan("dns d")], new UpstreamSettings());
        var source = told.Sources[0];
        source.Failed("no such name");
        source.Succeeded([Of("a:1")]);
        source.Failed("no answer");
        source.Succeeded([Of("a:1")]);
        errors.Drain(last: true);
        Assert.Equal(["error discovery: api: dns d: no such name; it has brought no list yet", "info discovery: api: dns d: good now", "error discovery: api: dns d: no answer; its last good list stays", "info discovery: api: dns d: good again"],
            File.ReadAllLines(file).Select(static l => l[(l.IndexOf(' ', StringComparison.Ordinal) + 1)..]));
        File.Delete(file);
    }

    [Fact]
    public void An_endpoint_that_left_and_comes_again_is_another_one()
    {
        Write([], Plan("dns d", "a:1"));
        var before = upstream.Endpoints[0];
        membership.Say("a:1", static _ => 5, true);
        membership.Sources[0].Succeeded([]);
        membership.Sources[0].Succeeded([Of("a:1")]);
        Assert.NotSame(before, upstream.Endpoints[0]); // The loops close whatever comes back to the old one.
        Assert.Equal((1, false), (membership.Seats[0].Weight, membership.Seats[0].IsDrained));
    }

    [Fact]
    public void What_the_admin_api_says_holds_over_reloads_until_another_weight_is_written()
    {
        Write(["a:1*2", "b:1"]);
        Assert.Equal(MemberOutcome.Done, membership.Say("a:1", static _ => 9, true));
        Write(["a:1*2", "b:1*4"]);
        Assert.Equal((9, 2, true), (membership.Seats[0].Weight, membership.Seats[0].Member.Weight, membership.Seats[0].IsDrained));
        Write(["a:1*3", "b:1*4"]);
        Assert.Equal((3, true), (membership.Seats[0].Weight, membership.Seats[0].IsDrained));
        Assert.Equal(MemberOutcome.Done, membership.Say("a:1", static w => w, false));
        Assert.Equal([3, 4], Weights());
    }

    [Fact]
    public void A_weight_that_a_source_finds_is_none_that_is_written()
    {
        Write([], Plan("dns d", "a:1*2"));
        membership.Say("a:1", static _ => 9, null);
        membership.Sources[0].Succeeded([Of("a:1*5")]);
        Assert.Equal((9, 5), (membership.Seats[0].Weight, membership.Seats[0].Member.Weight));
        membership.Say("a:1", static _ => null, null);
        Assert.Equal([5], Weights());
    }

    [Fact]
    public void What_was_added_stays_over_reloads_and_is_removed_by_its_name_alone()
    {
        Write(["a:1"]);
        membership.Add(Of("b:1*3"));
        Write(["a:1"]);
        Assert.Equal(["a:1 written", "b:1 admin"], Seats());
        Assert.Equal(MemberOutcome.NotAdded, membership.Remove("a:1"));
        Assert.Equal(MemberOutcome.Unknown, membership.Remove("c:1"));
        Write(["a:1", "b:1"]); // Written now too: it is the same endpoint, and stays when it is removed.
        var both = upstream.Endpoints[1];
        Assert.Equal((MemberOutcome.Done, MemberOutcome.NotAdded), (membership.Remove("b:1"), membership.Remove("b:1")));
        Assert.Same(both, upstream.Endpoints[1]);
        Write(["a:1"]);
        Assert.Equal(["a:1 written"], Seats());
        Assert.Equal([both], forgotten);
    }

    [Fact]
    public void Sources_that_no_plan_names_leave_with_their_endpoints_and_are_heard_no_more()
    {
        var ended = new List<string>();
        Write([], Plan("dns d", ended, "one", "a:1"), Plan("file f", ended, "one", "b:1"));
        membership.Begin();
        membership.Begin();
        var (gone, stays) = (membership.Sources[0], membership.Sources[1]);
        Write([], Plan("file f", ended, "one"));
        Assert.Equal(["dns d one"], ended);
        Assert.False(gone.Succeeded([Of("c:1")]));
        Assert.Equal(["b:1 file f"], Seats());
        Assert.Same(stays, membership.Sources[0]);
        Write([], Plan("file f", ended, "two")); // Begun anew, and its list stays meanwhile.
        Assert.Equal(["dns d one", "file f one"], ended);
        Assert.Equal(["b:1 file f"], Seats());
        membership.Begin();
        membership.Close();
        Assert.Equal(["dns d one", "file f one", "file f two"], ended);
        Assert.False(stays.Succeeded([Of("c:1")]));
        Assert.Equal(2, forgotten.Count);
    }

    [Fact]
    public void There_are_ten_thousand_endpoints_at_most()
    {
        Assert.Equal(10_000, Membership.Most);
        Write([.. Names(0, 9_000)], Plan("dns d", "x:1"));
        var source = membership.Sources[0];
        Assert.True(source.Succeeded([.. Names(9_000, 1_000).Select(Of)]));
        Assert.Equal(MemberOutcome.Full, membership.Add(Of("one-more:1")));
        Assert.False(source.Succeeded([.. Names(9_000, 1_001).Select(Of)]));
        Assert.Equal("more than 10000 endpoints in one upstream", source.Trouble);
        Assert.Equal(10_000, upstream.Endpoints.Length);
        Assert.True(source.Succeeded([.. Names(8_000, 2_000).Select(Of)])); // Half of them stand there already.
        Write([.. Names(0, 9_000).Append("written:1")], Plan("dns d")); // What is written goes first.
        Assert.Equal(10_000, upstream.Endpoints.Length);
        Assert.Contains(membership.Seats, s => s.Member.Name == "written:1");
    }

    [Fact]
    public void Addresses_that_were_found_since_are_not_put_back()
    {
        Write(["127.0.0.1:1", "127.0.0.2:1"]);
        NetworkAddress[] found = [NetworkAddress.FromIp(IPAddress.Parse("127.0.0.9"), 1)];
        upstream.Endpoints[0].Addresses = found;
        membership.Say("127.0.0.1:1", static _ => 2, null);
        Write(["127.0.0.1:1", "127.0.0.2:1"]);
        Assert.Equal(found, upstream.Endpoints[0].Addresses);
    }

    [Fact]
    public async Task Whoever_hands_in_meanwhile_none_is_lost_and_what_stays_is_the_same()
    {
        Write(["a:1"], Plan("dns d"), Plan("file f"));
        var stays = upstream.Endpoints[0];
        var (one, other) = (membership.Sources[0], membership.Sources[1]);
        await Task.WhenAll(
            Task.Run(() => Repeat(i => one.Succeeded([Of($"d{i % 3}:1")]))),
            Task.Run(() => Repeat(i => other.Succeeded([Of($"f{i % 5}:1")]))),
            Task.Run(() => Repeat(i => membership.Say("a:1", _ => i % 9, i % 2 == 0))),
            Task.Run(() => Repeat(i => Assert.Equal((MemberOutcome.Done, MemberOutcome.Done), (membership.Add(Of($"x{i}:1")), membership.Remove($"x{i}:1"))))),
            Task.Run(() => Repeat(_ => Assert.Same(stays, upstream.Endpoints[0]))));
        Assert.Equal(["a:1 written", "d1:1 dns d", "f4:1 file f"], Seats());
        Assert.Equal(upstream.Endpoints.ToArray(), membership.Seats.Select(s => s.Endpoint));
        Assert.Equal(forgotten.Count, forgotten.Distinct().Count());
        Assert.DoesNotContain(forgotten, upstream.Endpoints.ToArray().Contains);
    }

    [Fact]
    public void What_is_drained_or_a_backup_is_so_in_the_engine_and_the_balancer_stays_until_another_is_written()
    {
        Member[] members = [Of("a:1"), Of("b:1") with { Tier = 2 }];
        membership.Write(members, [], new UpstreamSettings(), ("round_robin", new RoundRobin()));
        var before = upstream.Endpoints;
        membership.Say("a:1", static w => w, true);
        Assert.Equal([Away.Drained, Away.None], before.ToArray().Select(e => e.Absence.Now));
        Assert.Equal([0, 2], before.ToArray().Select(e => e.Tier));
        membership.Write(members, [], new UpstreamSettings(), ("round_robin", new RoundRobin()));
        Assert.True(before == upstream.Endpoints);
        membership.Write(members, [], new UpstreamSettings(), ("random", new WeightedRandom()));
        Assert.False(before == upstream.Endpoints);
        membership.Say("a:1", static w => w, false);
        Assert.True(upstream.Endpoints[0].IsAvailable);
    }

    private static void Repeat(Action<int> act)
    {
        for (var i = 0; i < 500; i++) act(i);
    }

    private static IEnumerable<string> Names(int from, int count) => Enumerable.Range(from, count).Select(i => $"h{i}:1");

    private static Member Of(string text)
    {
        var parts = text.Split('*');
        var url = new Uri($"http://{parts[0]}");
        NetworkAddress[] addresses = IPAddress.TryParse(url.Host, out var ip) ? [NetworkAddress.FromIp(ip, url.Port)] : [];
        return new Member(url, addresses) { Weight = parts.Length > 1 ? int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture) : 1 };
    }

    private static SourcePlan Plan(string name, params string[] initial) => Plan(name, [], "", initial);

    private static SourcePlan Plan(string name, List<string> ended, string settings, params string[] initial) =>
        new(name, settings, _ => new Feed(() => ended.Add($"{name} {settings}"))) { Initial = initial.Length == 0 ? null : [.. initial.Select(Of)] };

    private void Write(string[] written, params SourcePlan[] plans) => Write(written, new UpstreamSettings(), plans);

    private void Write(string[] written, UpstreamSettings settings, params SourcePlan[] plans) => membership.Write([.. written.Select(Of)], plans, settings);

    private IEnumerable<string> Seats() => membership.Seats.Select(s => $"{s.Member.Name} {s.From}");

    private IEnumerable<int> Weights() => upstream.Endpoints.ToArray().Select(e => e.Weight);

    private sealed class Feed(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
