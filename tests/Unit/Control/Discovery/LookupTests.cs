// Lookups against a real server on loopback: what comes, what is cut, forged, refused or missing.

using System.Net;
using System.Net.Sockets;
using Weir.Control.Discovery;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Control.Discovery;

public sealed class LookupTests : IDisposable
{
    private static readonly CancellationToken Stop = TestContext.Current.CancellationToken;

    private readonly DnsServer server = new();

    public void Dispose() => server.Dispose();

    private Task<Lookup> Ask(string name, NameKind kind = NameKind.Addresses, long timeout = 20_000, bool ipv6 = true, params IPEndPoint[] before) =>
        Lookup.RunAsync(kind, name, new ResolveSettings([.. before, server.End], Timeout: timeout, WithIpv6: ipv6), Stop);

    private static string[] Texts(Lookup found) => [.. found.Addresses.Select(static a => a.ToString())];

    [Fact]
    public async Task Both_families_are_found_version_4_first_and_hold_for_the_shorter_time()
    {
        server.Set("app.internal", 60, "fd00::1", "10.0.0.2", "10.0.0.1");
        server.SetAlias("www.internal", 7, "app.internal");
        var found = await Ask("WWW.internal");
        Assert.Equal(LookupOutcome.Done, found.Outcome);
        Assert.Equal(["10.0.0.2", "10.0.0.1", "fd00::1"], Texts(found));
        Assert.Equal(7_000, found.Ttl);
        Assert.Equal(["10.0.0.2", "10.0.0.1"], Texts(await Ask("app.internal", ipv6: false)));
    }

    [Fact]
    public async Task A_cut_answer_is_asked_for_by_TCP()
    {
        server.Set("many.internal", 60, [.. Enumerable.Range(0, 300).Select(static i => $"10.0.{i / 250}.{i % 250}")]);
        var found = await Ask("many.internal", ipv6: false);
        Assert.Equal(300, found.Addresses.Length);
        Assert.Contains(server.Asked, static q => q.IsStream);
    }

    [Fact]
    public async Task No_more_are_taken_than_the_most_and_always_the_same()
    {
        string[] all = [.. Enumerable.Range(0, Lookup.Most).Select(static i => $"10.1.{i / 250}.{i % 250}")];
        server.Set("many.internal", 60, all);
        Assert.Equal(Lookup.Most, (await Ask("many.internal", ipv6: false)).Addresses.Length);
        server.Set("many.internal", 60, [.. all, "10.2.0.1"]);
        var first = await Ask("many.internal", ipv6: false);
        server.Set("many.internal", 60, ["10.2.0.1", .. all.Reverse()]);
        Assert.Equal(Lookup.Most, first.Addresses.Length);
        Assert.Equal(Texts(first), Texts(await Ask("many.internal", ipv6: false)));
    }

    [Fact]
    public async Task An_old_server_is_asked_without_options()
    {
        server.IsOld = true;
        server.Set("app.internal", 60, "10.0.0.1");
        Assert.Equal(["10.0.0.1"], Texts(await Ask("app.internal")));
    }

    [Fact]
    public async Task What_others_send_is_not_taken()
    {
        server.Set("app.internal", 60, "10.0.0.1");
        server.FromElsewhere = true;
        Assert.Equal(LookupOutcome.Timeout, (await Ask("app.internal", timeout: 200)).Outcome);
    }

    [Fact]
    public async Task What_answers_another_question_is_not_taken()
    {
        server.Set("app.internal", 60, "10.0.0.1");
        server.Twist = static (_, answer) => [.. answer[..12], (byte)(answer[12] - 1), .. answer[14..]];
        Assert.Equal(LookupOutcome.Timeout, (await Ask("app.internal", timeout: 200)).Outcome);
        server.Twist = static (_, answer) => [(byte)~answer[0], .. answer[1..]];
        Assert.Equal(LookupOutcome.Timeout, (await Ask("app.internal", timeout: 200)).Outcome);
    }

    [Fact]
    public async Task What_cannot_be_read_is_a_failure()
    {
        server.Set("app.internal", 60, "10.0.0.1");
        server.Twist = static (_, answer) => answer[..^1];
        var found = await Ask("app.internal", ipv6: false);
        Assert.Equal((LookupOutcome.Failed, $"{server.End} answers with what cannot be read"), (found.Outcome, found.Trouble));
    }

    [Fact]
    public async Task A_name_that_is_not_there_or_has_nothing_is_not_found()
    {
        Assert.Equal((LookupOutcome.NotFound, "there is no such name"), ((await Ask("no.internal")).Outcome, (await Ask("no.internal")).Trouble));
        server.SetServices("text.internal", 60);
        Assert.Equal((LookupOutcome.NotFound, "it has no addresses"), ((await Ask("text.internal")).Outcome, (await Ask("text.internal")).Trouble));
        var before = server.Asked.Length;
        Assert.Equal(LookupOutcome.NotFound, (await Ask("no-such.invalid")).Outcome);
        Assert.Equal(LookupOutcome.NotFound, (await Ask("no name")).Outcome);
        Assert.Equal(before, server.Asked.Length);
    }

    [Fact]
    public async Task A_server_that_refuses_is_passed_over_and_so_is_one_that_is_silent()
    {
        server.Set("app.internal", 60, "10.0.0.1");
        using var refusing = new DnsServer { Code = 5 };
        using var silent = new DnsServer { IsSilent = true };
        Assert.Equal(["10.0.0.1"], Texts(await Ask("app.internal", NameKind.Addresses, 20_000, true, refusing.End)));
        Assert.Equal(["10.0.0.1"], Texts(await Ask("app.internal", NameKind.Addresses, 4_000, true, silent.End)));
        server.Code = 2;
        Assert.Equal((LookupOutcome.Failed, $"{server.End} refuses to say"), ((await Ask("app.internal")).Outcome, (await Ask("app.internal")).Trouble));
        server.IsSilent = true;
        Assert.Equal($"{server.End} does not answer within 150 ms", (await Ask("app.internal", timeout: 150)).Trouble);
    }

    [Fact]
    public async Task A_lost_datagram_is_sent_again()
    {
        server.Set("app.internal", 60, "10.0.0.1");
        server.IsSilent = true;
        var asking = Ask("app.internal", timeout: 6_000, ipv6: false);
        Eventually.Holds(() => server.Asked.Length > 0, () => "nothing was asked");
        server.IsSilent = false;
        Assert.Equal(["10.0.0.1"], Texts(await asking));
    }

    [Fact]
    public async Task Silence_on_one_family_is_told()
    {
        server.Set("app.internal", 60, "10.0.0.1", "fd00::1");
        server.SilentOn = DnsServer.Aaaa;
        var found = await Ask("app.internal", timeout: 2_000);
        Assert.Equal((LookupOutcome.Done, AddressFamily.InterNetworkV6), (found.Outcome, found.Missing));
        Assert.Equal(["10.0.0.1"], Texts(found));
    }

    [Fact]
    public async Task Services_are_found_but_for_those_that_cannot_be_used()
    {
        server.SetServices("_http._tcp.app", 9, (0, 5, 8080, "one.app"), (1, 0, 0, "two.app"), (1, 0, 80, "no name.app"));
        var found = await Ask("_http._tcp.app", NameKind.Services);
        Assert.Equal([new ServiceRecord("one.app.", 8080, 0, 5)], found.Services); // Whole: no search list holds for it.
        Assert.Equal(9_000, found.Ttl);
        server.SetServices("_http._tcp.app", 9, (0, 0, 0, "."));
        Assert.Equal((LookupOutcome.NotFound, "it has no servers that can be used"), ((await Ask("_http._tcp.app", NameKind.Services)).Outcome, (await Ask("_http._tcp.app", NameKind.Services)).Trouble));
    }

    [Fact]
    public async Task Local_names_are_this_machine()
    {
        Assert.Equal(["127.0.0.1", "::1"], Texts(await Ask("any.localhost")));
        var system = await Lookup.RunAsync(NameKind.Addresses, "localhost", ResolveSettings.Default, Stop);
        Assert.Contains("127.0.0.1", Texts(system));
        Assert.Empty(server.Asked);
    }
}
