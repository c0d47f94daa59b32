// From names to endpoints: what becomes of addresses, of services' weights and priorities, and of what fails.

using System.Net;
using Weir.Control.Discovery;
using Weir.Engine.Balancing;
using Weir.Engine.Upstreams;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Discovery;

public sealed class NameSourceTests : IDisposable
{
    private static readonly ResolveSettings Settings = ResolveSettings.Default;

    private readonly HeldTime time = new();
    private readonly Dictionary<string, Lookup> known = [];
    private readonly Names names;
    private readonly Membership membership;

    public NameSourceTests()
    {
        names = new Names(null, time, (_, name, _, _) =>
        {
            lock (known) return Task.FromResult(known.GetValueOrDefault(name) ?? Lookup.Nothing(LookupOutcome.NotFound, "there is no such name"));
        });
        names.Start();
        membership = new Membership(new Upstream("name a", "a", new RoundRobin(), 1), 1, names: names);
    }

    public void Dispose()
    {
        membership.Close();
        names.Dispose();
    }

    private void Addresses(string name, params string[] addresses) => Set(name, Lookup.Found([.. addresses.Select(IPAddress.Parse)], [], 10_000));

    private void Services(string name, params ServiceRecord[] services) => Set(name, Lookup.Found([], services, 10_000));

    private void Set(string name, Lookup lookup)
    {
        lock (known) known[name] = lookup;
    }

    private void Begin(params SourcePlan[] plans)
    {
        membership.Write([], plans, new UpstreamSettings());
        membership.Begin();
    }

    private string Text => string.Join(", ", membership.Seats.Select(static s => $"{s.Endpoint.Name} weight {s.Member.Weight} tier {s.Member.Tier}"));

    private void Becomes(string text)
    {
        Eventually.Holds(() => Text == text, () => $"'{Text}' instead of '{text}'");
    }

    [Fact]
    public void Each_address_of_a_name_is_an_endpoint_that_is_asked_as_the_name()
    {
        Addresses("app.internal", "10.0.0.2", "10.0.0.1", "fd00::1");
        Begin(DnsSource.Plan(names, "app.internal", 8080, Settings));
        Becomes("10.0.0.1:8080 weight 1 tier 0, 10.0.0.2:8080 weight 1 tier 0, [fd00::1]:8080 weight 1 tier 0");
        Assert.All(membership.Seats, static s => Assert.Equal("app.internal:8080", System.Text.Encoding.ASCII.GetString(s.Endpoint.Authority)));
        Assert.Equal("10.0.0.1:8080", membership.Seats[0].Endpoint.Addresses.Single().ToString());
        var stays = membership.Seats[0].Endpoint;
        Addresses("app.internal", "10.0.0.1", "10.0.0.3");
        time.Advance(11_000);
        Becomes("10.0.0.1:8080 weight 1 tier 0, 10.0.0.3:8080 weight 1 tier 0");
        Assert.Same(stays, membership.Seats[0].Endpoint);
    }

    [Fact]
    public void What_is_known_when_the_configuration_is_read_is_there_at_once()
    {
        Addresses("app.internal", "10.0.0.1");
        Services("_http._tcp.app", new ServiceRecord("app.internal", 81, 0, 7));
        Names.Await([names.Watch(NameKind.Addresses, "app.internal", Settings), names.Watch(NameKind.Services, "_http._tcp.app", Settings)]);
        membership.Write([], [DnsSource.Plan(names, "app.internal", 80, Settings), SrvSource.Plan(names, "_http._tcp.app", Settings)], new UpstreamSettings());
        Assert.Equal("10.0.0.1:80 weight 1 tier 0, 10.0.0.1:81 weight 7 tier 0", Text);
        Assert.Equal("app.internal", System.Text.Encoding.ASCII.GetString(membership.Seats[0].Endpoint.Authority));
    }

    [Fact]
    public void Over_tls_a_names_servers_are_verified_as_the_name_and_a_services_as_its_domain()
    {
        Addresses("app.internal", "10.0.0.1");
        Addresses("one.elsewhere", "10.0.0.2");
        Services("_https._tcp.example.com", new ServiceRecord("one.elsewhere", 443, 0, 7));
        Begin(DnsSource.Plan(names, "app.internal", 443, Settings, isTls: true), SrvSource.Plan(names, "_https._tcp.example.com", Settings, isTls: true));
        Becomes("10.0.0.1:443 weight 1 tier 0, 10.0.0.2:443 weight 7 tier 0");
        Assert.Equal(["app.internal", "one.elsewhere"], membership.Seats.Select(static s => System.Text.Encoding.ASCII.GetString(s.Endpoint.Authority)));
        Assert.Equal(["app.internal", "example.com"], membership.Seats.Select(static s => ((Weir.Engine.Tls.OpenSslClient)s.Endpoint.Tls!).Name));
        Assert.All(membership.Seats, static s => Assert.True(s.Endpoint.WantsOwnHost));
    }

    [Fact]
    public void A_failure_is_told_of_the_source_which_keeps_its_list()
    {
        Addresses("app.internal", "10.0.0.1");
        Begin(DnsSource.Plan(names, "app.internal", 80, Settings));
        Becomes("10.0.0.1:80 weight 1 tier 0");
        Set("app.internal", Lookup.Nothing(LookupOutcome.Timeout, "nobody answers"));
        time.Advance(11_000);
        Eventually.Holds(() => membership.Sources[0].Trouble == "nobody answers", () => $"{membership.Sources[0].Trouble}");
        time.Advance(1_100);
        Eventually.Holds(() => membership.Sources[0].Failures == 2, () => $"{membership.Sources[0].Failures} failures");
        Assert.Equal("10.0.0.1:80 weight 1 tier 0", Text);
        Addresses("app.internal", "10.0.0.1");
        time.Advance(3_000);
        Eventually.Holds(() => membership.Sources[0].Trouble is null, () => "it is not told to be well again");
    }

    [Fact]
    public void Priorities_become_tiers_and_weights_stay()
    {
        Addresses("one.app", "10.0.0.1", "10.0.0.2");
        Addresses("two.app", "10.0.0.3");
        Addresses("three.app", "10.0.0.4");
        Services("_http._tcp.app", new ServiceRecord("one.app", 80, 10, 5), new ServiceRecord("TWO.app", 81, 20, 3), new ServiceRecord("three.app", 82, 10, 1));
        Begin(SrvSource.Plan(names, "_http._tcp.app", Settings));
        Becomes("10.0.0.1:80 weight 5 tier 0, 10.0.0.2:80 weight 5 tier 0, 10.0.0.3:81 weight 3 tier 1, 10.0.0.4:82 weight 1 tier 0");
        // Reweighted, and a target that moves by itself.
        Services("_http._tcp.app", new ServiceRecord("one.app", 80, 10, 9), new ServiceRecord("two.app", 81, 20, 3));
        Addresses("one.app", "10.0.0.2");
        time.Advance(11_000);
        Becomes("10.0.0.2:80 weight 9 tier 0, 10.0.0.3:81 weight 3 tier 1");
        // A target that cannot be resolved any more keeps what it had; the service's failure is told.
        Set("one.app", Lookup.Nothing(LookupOutcome.Failed, "no"));
        Set("_http._tcp.app", Lookup.Nothing(LookupOutcome.Failed, "nobody says"));
        Addresses("two.app", "10.0.0.5");
        time.Advance(11_000);
        Becomes("10.0.0.2:80 weight 9 tier 0, 10.0.0.5:81 weight 3 tier 1");
        Eventually.Holds(() => membership.Sources[0].Trouble == "nobody says", () => $"{membership.Sources[0].Trouble}");
    }

    [Fact]
    public void A_service_none_of_whose_servers_can_be_resolved_has_failed()
    {
        Services("_http._tcp.app", new ServiceRecord("one.app", 80, 0, 0));
        Begin(SrvSource.Plan(names, "_http._tcp.app", Settings));
        Eventually.Holds(() => membership.Sources[0].Trouble == "none of its servers can be resolved", () => $"{membership.Sources[0].Trouble}");
        Addresses("one.app", "10.0.0.1");
        time.Advance(1_100);
        Becomes("10.0.0.1:80 weight 1 tier 0");
        Eventually.Holds(() => membership.Sources[0].Trouble is null, () => "it is not told to be well again");
    }

    [Theory]
    [InlineData("0 0", "1 1")]
    [InlineData("1 2", "1 2")]
    [InlineData("1000 1", "1000 1")]
    [InlineData("65535 0", "1000 1")]
    [InlineData("65535 32768 1", "1000 500 1")]
    [InlineData("1001 500", "1000 499")]
    [InlineData("0 1", "1 1000")]
    public void Weights_are_what_they_are_among_their_priority(string written, string become)
    {
        var services = written.Split(' ').Select((w, i) => new ServiceRecord($"s{i}.app", 80, 0, int.Parse(w, System.Globalization.CultureInfo.InvariantCulture))).ToArray();
        var members = SrvSource.Members([.. services, new ServiceRecord("other.app", 80, 1, 65535)], static name => new NameAnswer([IPAddress.Parse(name == "other.app" ? "10.9.9.9" : "10.0.0." + name[1])], []));
        Assert.Equal(become, string.Join(' ', members.SkipLast(1).Select(static m => m.Weight)));
        Assert.Equal(1_000, members[^1].Weight);
    }

    [Fact]
    public void Tiers_and_endpoints_have_a_most()
    {
        var services = Enumerable.Range(0, 12).Select(static i => new ServiceRecord($"s{i}.app", 80, i, 1)).ToArray();
        var one = new NameAnswer([IPAddress.Loopback], []);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9], SrvSource.Members(services, _ => one).Select(static m => m.Tier));
        // Of a service whose first servers cannot be resolved the others stay the backups they are.
        Assert.Equal([1], SrvSource.Members(services[..2], name => name == "s1.app" ? one : null).Select(static m => m.Tier));
        var many = new NameAnswer([.. Enumerable.Range(0, 1000).Select(static i => new IPAddress([10, 0, (byte)(i / 250), (byte)(i % 250)]))], []);
        Assert.Equal(Lookup.Most, SrvSource.Members(services, _ => many).Length);
    }

    [Fact]
    public void An_endpoint_that_is_called_by_a_name_stays_itself_and_follows_its_addresses()
    {
        Addresses("app.internal", "10.0.0.1");
        var url = new Uri("http://app.internal:8080");
        membership.Write([new Member(url, EndpointUrl.Resolve(url, names, Settings, out _))], [], new UpstreamSettings(), by: Settings);
        var endpoint = membership.Seats[0].Endpoint;
        Assert.Equal("10.0.0.1:8080", endpoint.Addresses.Single().ToString());
        Addresses("app.internal", "10.0.0.2", "10.0.0.3");
        time.Advance(11_000);
        Eventually.Holds(() => endpoint.Addresses.Length == 2, () => "it has not moved");
        Set("app.internal", Lookup.Nothing(LookupOutcome.Failed, "no"));
        time.Advance(11_000);
        Eventually.Holds(() => names.Count(LookupOutcome.Failed) == 1, () => "not asked");
        Assert.Equal(2, endpoint.Addresses.Length);
        // What a configuration brought late does not win over what is known.
        membership.Write([new Member(url, [Weir.Engine.Transports.NetworkAddress.FromIp(IPAddress.Parse("10.0.0.9"), 8080)])], [], new UpstreamSettings(), by: Settings);
        Eventually.Holds(() => endpoint.Addresses.Length == 2, () => "it has gone back");
        membership.Close();
        time.Advance(60_000);
        Eventually.Holds(() => names.All.Length == 0, () => "the name is still followed");
    }
}
