// Names kept in certificates over months of held time, whatever the CA does.

using System.Text;
using Weir.Control.Certificates;
using Weir.Engine.Observe;
using Weir.Tests.Support;
using Weir.Tests.Unit.Control.Discovery;

namespace Weir.Tests.Unit.Control.Certificates;

public sealed class IssuanceTests : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("weir-acme-").FullName;
    private readonly HeldTime time = new();
    private readonly AcmeServer server;
    private readonly List<Issuance> all = [];
    private readonly ErrorLog errors;
    private readonly MemoryStream log = new();
    private TimeSpan lookEvery = TimeSpan.FromDays(1); // Tests that last for months.

    public IssuanceTests() => (server, errors) = (new AcmeServer(time.GetUtcNow), new ErrorLog(new StreamTarget(log), time.GetTimestamp));

    private DateTimeOffset Now => time.GetUtcNow();

    public void Dispose()
    {
        foreach (var one in all) one.Dispose();
        server.Dispose();
        Directory.Delete(path, recursive: true);
    }

    [Fact]
    public void Names_that_are_wanted_get_certificates_and_each_is_told_of_once()
    {
        var (issuance, given) = Start("a.example.com", "b.example.com");
        Until(() => given.Count == 2);
        Assert.Equal(["a.example.com", "b.example.com"], given.Select(static g => g.Name).Order());
        Assert.All(issuance.All, s => Assert.InRange(s.RenewAt!.Value, Now.AddDays(56), Now.AddDays(60)));
        Pass(TimeSpan.FromDays(10));
        Assert.Equal((2, 2, 1), (given.Count, server.Orders, server.Accounts));
        Assert.Contains("got it, valid until", Log(), StringComparison.Ordinal);
        Assert.Contains("ordering from the CA", Log(), StringComparison.Ordinal);
    }

    [Fact]
    public void It_is_renewed_when_a_third_of_its_life_is_left()
    {
        var (issuance, given) = Start("example.com");
        Until(() => given.Count == 1);
        var first = given[0];
        var until = issuance.All[0].RenewAt!.Value;
        Pass(until - Now - TimeSpan.FromMinutes(5));
        Assert.Single(given);
        Pass(TimeSpan.FromMinutes(10));
        Assert.Equal(2, given.Count);
        Assert.NotEqual(first.Digest, given[1].Digest);
        Assert.Equal(given[1], issuance.Find("example.com"));
    }

    [Fact]
    public void What_is_in_the_folder_is_found_at_a_start_and_not_ordered()
    {
        var (one, given) = Start("example.com");
        Until(() => given.Count == 1);
        one.Dispose();
        var (_, again) = Start("example.com");
        Until(() => again.Count == 1);
        Pass(TimeSpan.FromDays(1));
        Assert.Equal(given[0].Digest, again[0].Digest);
        Assert.Equal(1, server.Orders);
    }

    [Fact]
    public void The_CA_says_when()
    {
        (DateTimeOffset, DateTimeOffset) window = (Now.AddDays(20), Now.AddDays(22));
        server.Window = () => window;
        var (issuance, given) = Start("example.com");
        Until(() => given.Count == 1 && issuance.All[0].RenewAt < Now.AddDays(30));
        Assert.InRange(issuance.All[0].RenewAt!.Value, window.Item1, window.Item2);
        Assert.Contains("why: https://ca.test/why", Log(), StringComparison.Ordinal);
        Pass(TimeSpan.FromDays(2));
        window = (Now.AddDays(-2), Now.AddDays(-1)); // It is to be revoked.
        Until(() => given.Count == 2);
        Assert.InRange(Now, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(3.5));
        Assert.Equal(given[0].RenewalId, (string?)server.Asked[1]["replaces"]);
    }

    [Fact]
    public void A_CA_is_not_asked_about_the_renewal_of_what_has_expired()
    {
        server.Window = () => (Now.AddDays(59), Now.AddDays(61));
        var (_, given) = Start("example.com");
        Until(() => given.Count == 1);
        server.Before = path => Task.FromResult(path.StartsWith("/renewal/", StringComparison.Ordinal) || path == "/dir" ? null : AcmeServer.Problem(403, "unauthorized", "no"));
        Pass(TimeSpan.FromDays(91));
        Assert.True(Now > given[0].NotAfter);
        var asked = server.Requests.Count(IsAboutRenewal);
        Assert.InRange(asked, 100, 600);
        Pass(TimeSpan.FromDays(2));
        Assert.Equal(asked, server.Requests.Count(IsAboutRenewal));

        static bool IsAboutRenewal(string request) => request.StartsWith("GET /renewal/", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hang")]
    [InlineData("error")]
    [InlineData("limit")]
    [InlineData("refuse")]
    public void A_CA_that_fails_costs_no_certificate_and_is_not_asked_too_often(string how)
    {
        var (issuance, given) = Start("example.com");
        Until(() => given.Count == 1);
        Pass(TimeSpan.FromDays(55));
        var asked = server.Requests.Count;
        server.Before = _ => how switch
        {
            "hang" => new TaskCompletionSource<HttpResponseMessage?>().Task,
            "error" => Task.FromResult<HttpResponseMessage?>(AcmeServer.Problem(500, "serverInternal", "oh")),
            "limit" => Task.FromResult<HttpResponseMessage?>(AcmeServer.Problem(429, "rateLimited", "too many", retryAfter: 40_000)),
            _ => Task.FromResult<HttpResponseMessage?>(AcmeServer.Problem(403, "unauthorized", "no")),
        };
        Pass(TimeSpan.FromDays(34));
        Assert.Single(given);
        Assert.Equal(given[0], issuance.Find("example.com"));
        Assert.NotNull(issuance.All[0].Trouble);
        // A month in which it fails: it is asked every six hours or so, once it has failed for long, or as seldom as it wants;
        // and every six hours whether it has to say something about the renewal.
        Assert.InRange(server.Requests.Count - asked, 100, how == "limit" ? 250 : 450);
        Assert.Contains("keeps the certificate it has", Log(), StringComparison.Ordinal);
        server.Before = null;
        Until(() => given.Count == 2);
        Assert.Null(issuance.All[0].Trouble);
        Assert.True(Now < given[0].NotAfter, "it came too late");
    }

    [Fact]
    public void The_next_issuer_is_asked_where_one_fails()
    {
        using var other = new AcmeServer(time.GetUtcNow, "other.test");
        var (issuance, given) = Start(new IssuanceSettings { Issuers = [new Issuer("the CA", server.Directory), new Issuer("the other CA", other.Directory)] }, [new Both(server, other)], "example.com");
        server.Before = _ => Task.FromResult<HttpResponseMessage?>(AcmeServer.Problem(503, "serverInternal", "oh"));
        Until(() => given.Count == 1);
        Assert.Equal("the other CA", given[0].Issuer);
        Assert.Equal([("the CA", "unreachable", 1L), ("the other CA", "given", 1L)], issuance.Outcomes.Where(static o => o.Count > 0));
        server.Before = null;
        Until(() => given.Count == 2);
        Assert.Equal("the CA", given[1].Issuer);
        Assert.Null(server.Asked[0]["replaces"]);
    }

    [Fact]
    public void The_other_challenge_is_tried_where_one_was_not_found()
    {
        server.Look = static (type, _, _) => type == "tls-alpn-01";
        var (_, given) = Start("example.com");
        Until(() => given.Count == 1);
        Assert.Equal(2, server.Orders);
    }

    [Fact]
    public void Two_nodes_order_once_and_renew_once()
    {
        var (one, given) = Start("example.com");
        var (two, also) = Start("example.com");
        Until(() => given.Count == 1 && also.Count == 1);
        Assert.Equal(given[0].Digest, also[0].Digest);
        Pass(TimeSpan.FromDays(85));
        Assert.Equal((2, 2, 2), (server.Orders, given.Count, also.Count));
        Assert.Equal(one.Find("example.com")!.Digest, two.Find("example.com")!.Digest);
    }

    [Fact]
    public void What_one_node_shows_the_other_shows_too()
    {
        lookEvery = ChallengeAnswers.LookEvery;
        var (_, given) = Start("example.com");
        var (two, _) = Start();
        var wasShown = false;
        server.Look = (_, _, answer) => wasShown = two.Answers.Http(Encoding.ASCII.GetBytes(answer.Split('.')[0])) is { } shown && Encoding.ASCII.GetString(shown) == answer;
        Until(() => given.Count == 1);
        Assert.True(wasShown);
        Pass(TimeSpan.FromSeconds(5));
        Assert.False(two.Answers.HasHttp);
    }

    [Fact]
    public void A_new_one_is_ordered_when_somebody_says_so_and_not_for_names_that_are_not_wanted()
    {
        var (issuance, given) = Start("example.com");
        Until(() => given.Count == 1);
        Assert.False(issuance.Renew("example.org"));
        Assert.True(issuance.Renew("example.com"));
        Until(() => given.Count == 2);
    }

    [Fact]
    public void A_name_that_is_not_wanted_any_more_is_let_go_and_what_has_been_given_stays()
    {
        var (issuance, given) = Start("a.example.com", "b.example.com");
        Until(() => given.Count == 2);
        issuance.Want(issuance.Settings, ["b.example.com", "c.example.com"]);
        Until(() => given.Count == 3);
        Assert.Equal(["b.example.com", "c.example.com"], issuance.All.Select(static s => s.Name));
        issuance.Want(issuance.Settings, ["a.example.com"]);
        Until(() => given.Count == 4);
        Assert.Equal(3, server.Orders);
    }

    [Fact]
    public void A_wildcard_without_dns_says_what_is_missing()
    {
        var (issuance, _) = Start("*.example.com");
        Until(() => issuance.All[0].Trouble is not null);
        Assert.Equal("a wildcard needs dns-01, and acme has no dns", issuance.All[0].Trouble);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public void A_file_of_somebody_elses_is_not_shown()
    {
        var (one, given) = Start("example.com");
        Until(() => given.Count == 1);
        one.Dispose();
        var text = File.ReadAllText(given[0].Path);
        File.SetUnixFileMode(given[0].Path, (UnixFileMode)0b110_010_000);
        var (_, second) = Start("example.com");
        Until(() => second.Count == 1);
        Assert.NotEqual(given[0].Digest, second[0].Digest);
        Assert.Contains("may be written by others", Log(), StringComparison.Ordinal);
        Assert.NotEqual(text, File.ReadAllText(given[0].Path));
    }

    [Fact]
    public void A_name_is_given_on_demand_where_the_ask_URL_allows_it()
    {
        var (issuance, given) = StartOnDemand(rate: 2, burst: 2);
        Assert.Equal("good1.example.com", Run(issuance.DemandAsync("GOOD1.example.com", default))!.Name);
        Assert.Null(Run(issuance.DemandAsync("bad.example.com", default)));
        Assert.Null(Run(issuance.DemandAsync("localhost", default)));
        Assert.Null(Run(issuance.DemandAsync("../../etc", default)));
        Assert.NotNull(Run(issuance.DemandAsync("good1.example.com", default)));
        Assert.NotNull(Run(issuance.DemandAsync("good2.example.com", default)));
        Assert.Null(Run(issuance.DemandAsync("good3.example.com", default))); // One past the rate.
        Assert.Equal((2, 2), (given.Count, server.Orders));
        Pass(TimeSpan.FromHours(0.51));
        Assert.NotNull(Run(issuance.DemandAsync("good3.example.com", default)));
        issuance.Dispose();
        var (again, _) = StartOnDemand(rate: 1, burst: 0); // What is there needs no order.
        Assert.NotNull(Run(again.DemandAsync("good1.example.com", default)));
        Assert.Equal(3, server.Orders);
    }

    [Fact]
    public void A_CA_that_hangs_holds_up_nobody_who_has_a_certificate()
    {
        var (issuance, _) = StartOnDemand(rate: 20, burst: 10);
        Assert.NotNull(Run(issuance.DemandAsync("good1.example.com", default)));
        server.Before = p => p == "/order" ? new TaskCompletionSource<HttpResponseMessage?>().Task : Task.FromResult<HttpResponseMessage?>(null);
        var waits = Run(() => Task.FromResult(issuance.DemandAsync("good2.example.com", default)));
        Assert.True(issuance.DemandAsync("good1.example.com", default).IsCompletedSuccessfully);
        Assert.Null(Run(waits));
    }

    // Whoever begins handshakes for one name, and gives them up, keeps nobody from having another.
    [Fact]
    public void Handshakes_that_wait_for_one_name_leave_room_for_others()
    {
        var (issuance, _) = StartOnDemand(rate: 20, burst: 10);
        server.Before = _ => new TaskCompletionSource<HttpResponseMessage?>().Task;
        var names = new DemandedNames(issuance, new AutomaticName("", new SiteCertificates("any", errors), null, false));
        for (var i = 0; i < DemandedNames.MostWaiting; i++) Assert.True(names.TryBegin("good1.example.com", static () => { }));
        Assert.False(names.TryBegin("good1.example.com", static () => { }));
        Assert.True(names.TryBegin("good2.example.com", static () => { }));
    }

    // The ask URL hangs: what handshakes ask of it is bounded, and no renewal waits for that.
    [Fact]
    public void Questions_of_handshakes_hold_up_no_renewal()
    {
        using var demand = new OnDemand(new OnDemandSettings(new Uri("http://ask.test/?key=1"), 20, 10), errors, time, new Hangs("bad"));
        var waiting = Enumerable.Range(0, OnDemand.MostQuestions).Select(i => Run(() => Task.FromResult(demand.Allowed($"bad{i}.example.com")))).ToArray();
        Assert.All(waiting, static w => Assert.False(w.IsCompleted));
        Assert.False(Run(demand.Allowed("good1.example.com"))); // One too many.
        Assert.Equal(Asked.Yes, Run(() => demand.AskAsync("good1.example.com")));
        Assert.Equal(Asked.Nothing, Run(() => demand.AskAsync("bad.example.com")));
    }

    [Fact]
    public void An_ask_URL_that_is_away_is_no_refusal_of_a_renewal()
    {
        var ask = new Ask(server);
        var (issuance, given) = StartOnDemand(rate: 20, burst: 10, ask);
        Assert.NotNull(Run(issuance.DemandAsync("good1.example.com", default)));
        ask.Status = System.Net.HttpStatusCode.ServiceUnavailable;
        Until(() => issuance.All[0].Trouble is not null);
        Assert.Equal("the ask URL does not answer", issuance.All[0].Trouble);
        ask.Status = null;
        Pass(TimeSpan.FromMinutes(11));
        Assert.Equal(2, given.Count);
    }

    [Fact]
    public void A_name_on_demand_that_comes_to_nothing_is_given_up_and_leaves_nothing()
    {
        var ask = new Ask(server);
        var (issuance, _) = StartOnDemand(rate: 20, burst: 10, ask);
        server.Before = p => Task.FromResult(p == "/order" ? AcmeServer.Problem(403, "unauthorized", "no") : null);
        Assert.Null(Run(issuance.DemandAsync("good1.example.com", default)));
        var remains = Path.Combine(path, "names", "good1.example.com");
        Assert.True(Directory.Exists(remains));
        Assert.Single(issuance.All);
        Pass(TimeSpan.FromDays(1));
        Assert.Empty(issuance.All);
        Assert.False(Directory.Exists(remains));
        Assert.Contains("good1.example.com is given up", Log(), StringComparison.Ordinal);
        Assert.Equal(3, ask.Count); // Each try has asked.
        server.Before = null;
        Assert.NotNull(Run(issuance.DemandAsync("good1.example.com", default)));
    }

    [Fact]
    public void Names_without_number_do_not_fill_the_log()
    {
        var (issuance, _) = StartOnDemand(rate: 2, burst: 2);
        for (var i = 0; i < 300; i++) Assert.Null(Run(issuance.DemandAsync($"bad{i}.example.com", default)));
        Assert.InRange(Log().Split('\n').Count(static line => line.Contains("not ordered on demand", StringComparison.Ordinal)), 1, 10);
        Assert.Contains("of which nothing is told for a minute", Log(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.example", true)]
    [InlineData("xn--bcher-kva.example", true)]
    [InlineData("a.b.c.d.e.xn--p1ai", true)]
    [InlineData("example", false)]
    [InlineData("a.example.", false)]
    [InlineData(".example", false)]
    [InlineData("a..example", false)]
    [InlineData("*.example", false)]
    [InlineData("a_b.example", false)]
    [InlineData("-a.example", false)]
    [InlineData("192.0.2.1", false)]
    [InlineData("127.1", false)]
    [InlineData("1.2.3.4.5", false)]
    [InlineData("a.7", false)]
    [InlineData("../a.example", false)]
    [InlineData("a\0.example", false)]
    [InlineData("bücher.example", false)]
    public void A_handshake_may_ask_for_names_only(string name, bool may) => Assert.Equal(may, OnDemand.IsName(name));

    [Fact]
    public void A_name_that_is_too_long_is_none()
    {
        var label = new string('a', 63);
        Assert.True(OnDemand.IsName($"{label}.{label}.{label}.{label[..61]}"));
        Assert.False(OnDemand.IsName($"{label}.{label}.{label}.{label[..62]}"));
        Assert.False(OnDemand.IsName($"{label}a.example"));
    }

    private (Issuance Issuance, List<GivenCertificate> Given) Start(params string[] names) => Start(new IssuanceSettings { Issuers = [new Issuer("the CA", server.Directory)] }, [], names);

    private (Issuance Issuance, List<GivenCertificate> Given) StartOnDemand(long rate, long burst, Ask? ask = null) =>
        Start(new IssuanceSettings { Issuers = [new Issuer("the CA", server.Directory)], OnDemand = new OnDemandSettings(new Uri("http://ask.test/?key=1"), rate, burst) }, [ask ?? new Ask(server)]);

    private (Issuance Issuance, List<GivenCertificate> Given) Start(IssuanceSettings settings, HttpMessageHandler[] handler, params string[] names)
    {
        var issuance = new Issuance(new CertificateFolder(path, text => errors.Error("certificate", text)), errors, time, new Random(all.Count), handler.Length > 0 ? handler[0] : server, null, new LeaseOwner($"node {all.Count}")) { LookEvery = lookEvery };
        all.Add(issuance);
        var given = new List<GivenCertificate>();
        issuance.Given += given.Add;
        issuance.Want(settings, names);
        Assert.Null(issuance.Start());
        return (issuance, given);
    }

    private void Until(Func<bool> holds)
    {
        var until = Now.AddDays(100);
        Quietly(() =>
        {
            while (!holds())
            {
                Assert.True(Now < until && time.Next is not null, "it does not come to pass");
                time.Advance(Math.Max(0, time.Next!.Value));
            }
        });
    }

    private void Pass(TimeSpan span)
    {
        var until = Now + span;
        Quietly(() =>
        {
            while (time.Next is { } next && Now.AddMilliseconds(next) < until) time.Advance(Math.Max(0, next));
            time.Advance((long)Math.Max(0, (until - Now).TotalMilliseconds));
        });
    }

    private string Log()
    {
        errors.Drain();
        return Encoding.UTF8.GetString(log.ToArray());
    }

    private T Run<T>(Task<T> task) => Run(() => task);

    private T Run<T>(Func<Task<T>> work) => time.Run(work);

    private static void Quietly(Action act)
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        act();
        SynchronizationContext.SetSynchronizationContext(context);
    }

    private sealed class Both(AcmeServer one, AcmeServer other) : HttpMessageHandler
    {
        private readonly HttpMessageInvoker first = new(one, disposeHandler: false);
        private readonly HttpMessageInvoker second = new(other, disposeHandler: false);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            (request.RequestUri!.Host == "other.test" ? second : first).SendAsync(request, cancellationToken);
    }

    private sealed class Hangs(string forThese) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var never = new TaskCompletionSource();
            using var cancelled = cancellationToken.Register(() => never.TrySetCanceled(cancellationToken));
            if (request.RequestUri!.Query.Contains(forThese, StringComparison.Ordinal)) await never.Task;
            return new HttpResponseMessage(System.Net.HttpStatusCode.OK);
        }
    }

    private sealed class Ask(AcmeServer server) : DelegatingHandler(server)
    {
        public System.Net.HttpStatusCode? Status { get; set; }

        public int Count { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => request.RequestUri!.Host != "ask.test"
            ? base.SendAsync(request, cancellationToken)
            : Answer(request.RequestUri);

        private Task<HttpResponseMessage> Answer(Uri asked)
        {
            Count++;
            return Task.FromResult(new HttpResponseMessage(Status ?? (asked.Query.StartsWith("?key=1&domain=good", StringComparison.Ordinal) ? System.Net.HttpStatusCode.OK : System.Net.HttpStatusCode.NotFound)));
        }
    }
}
