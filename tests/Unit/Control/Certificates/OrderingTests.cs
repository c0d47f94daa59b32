// Orders: what a CA is asked, what it may do to us, and what a kill at any point leaves.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Weir.Control.Certificates;
using Weir.Control.Certificates.Acme;
using Weir.Tests.Support;
using Weir.Tests.Unit.Control.Discovery;

namespace Weir.Tests.Unit.Control.Certificates;

public sealed class OrderingTests : IDisposable
{
    private readonly string path = Directory.CreateTempSubdirectory("weir-acme-").FullName;
    private readonly HeldTime time = new();
    private readonly AcmeServer server;

    public OrderingTests() => server = new AcmeServer(time.GetUtcNow);

    public void Dispose()
    {
        server.Dispose();
        Directory.Delete(path, recursive: true);
    }

    [Fact]
    public void A_certificate_is_ordered_shown_to_be_ours_and_kept()
    {
        var node = Node();
        server.Look = (type, name, answer) => type == "http-01" && name == "example.com" && Shows(node, answer);
        var given = node.Order("example.com");
        Assert.Equal(["example.com"], given.Names);
        Assert.Equal(("the CA", server.Directory.AbsoluteUri), (given.Issuer, given.Directory));
        Assert.Equal(time.GetUtcNow().AddDays(90), given.NotAfter, TimeSpan.FromHours(1));
        Assert.Equal(["account.json", "account.key", "certificate.json", "certificate.pem"], Files());
        Assert.Contains(node.Said, static s => s.Contains("the CA will look at http://example.com/.well-known/acme-challenge/", StringComparison.Ordinal));
        Assert.False(node.Answers.HasHttp);
        foreach (var file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        foreach (var folder in Directory.EnumerateDirectories(path, "*", SearchOption.AllDirectories)) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
    }

    [Theory]
    [InlineData(KeyType.EcdsaP256, "ECDSA 256")]
    [InlineData(KeyType.EcdsaP384, "ECDSA 384")]
    [InlineData(KeyType.Rsa2048, "RSA 2048")]
    [InlineData(KeyType.Rsa3072, "RSA 3072")]
    public void Its_key_is_of_the_kind_that_is_wanted(KeyType type, string words)
    {
        var node = Node();
        node.KeyType = type;
        Assert.Equal(words, node.Order("example.com").KeyAlgorithm);
    }

    [Fact]
    public void An_address_is_ordered_as_one()
    {
        Assert.Equal(["192.0.2.7"], Node().Order("192.0.2.7").Names);
        Assert.Equal("ip", (string?)server.Asked[0]["identifiers"]![0]!["type"]);
    }

    [Fact]
    public void The_other_challenge_is_shown_where_the_first_is_not_offered()
    {
        server.Offered = ["tls-alpn-01"];
        var node = Node();
        var seen = false;
        server.Look = (type, name, answer) =>
        {
            var pem = File.ReadAllText(node.Answers.TlsAlpn(name)!);
            using var certificate = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(pem, pem);
            var extension = certificate.Extensions.Single(static e => e.Oid!.Value == "1.3.6.1.5.5.7.1.31");
            seen = extension.Critical && extension.RawData.AsSpan(2).SequenceEqual(SHA256.HashData(Encoding.ASCII.GetBytes(answer)));
            return type == "tls-alpn-01" && seen;
        };
        node.Order("example.com");
        Assert.True(seen);
        Assert.Null(node.Answers.TlsAlpn("example.com"));
    }

    [Fact]
    public void Nonces_that_are_refused_are_replaced()
    {
        server.RefusedNonces = 0.4;
        for (var i = 0; i < 10; i++) Node().Order($"{i}.example.com");
        Assert.Equal((10, 10, 1), (server.Orders, server.Certificates, server.Accounts));
    }

    [Fact]
    public void Nonces_that_are_always_refused_end_the_order()
    {
        server.RefusedNonces = 1;
        Assert.Throws<AcmeException>(() => Node().Order("example.com"));
        Assert.Equal(AcmeClient.MostRefusals + 1, server.Requests.Count(static r => r.StartsWith("POST", StringComparison.Ordinal)));
    }

    [Fact]
    public void An_external_account_is_bound()
    {
        var key = RandomNumberGenerator.GetBytes(32);
        server.Eab = ("kid-1", key);
        var refused = Assert.Throws<AcmeException>(() => Node().Order("example.com"));
        Assert.Contains("eab", refused.Message, StringComparison.Ordinal);
        Node(new Issuer("the CA", server.Directory) { Email = "ops@example.com", Eab = new ExternalAccount("kid-1", Base64Url.EncodeToString(key)) }).Order("example.com");
        Assert.Equal(["mailto:ops@example.com"], server.Contacts);
    }

    [Fact]
    public void Another_address_is_told_to_the_CA()
    {
        Node(new Issuer("the CA", server.Directory) { Email = "a@example.com" }).Order("a.example.com");
        Node(new Issuer("the CA", server.Directory) { Email = "b@example.com" }).Order("b.example.com");
        Assert.Equal(["mailto:b@example.com"], server.Contacts);
    }

    [Fact]
    public void An_account_that_the_CA_has_forgotten_is_made_again()
    {
        var node = Node();
        node.Order("a.example.com");
        server.ForgetAccounts();
        node.Order("b.example.com");
        Assert.Equal(1, server.Accounts);
    }

    [Fact]
    public void A_profile_is_asked_for_and_one_that_is_not_there_is_named()
    {
        server.Profiles["shortlived"] = "six days";
        var trouble = Assert.Throws<AcmeException>(() => Node(new Issuer("the CA", server.Directory) { Profile = "short" }).Order("example.com"));
        Assert.Contains("it has shortlived", trouble.Message, StringComparison.Ordinal);
        Node(new Issuer("the CA", server.Directory) { Profile = "shortlived" }).Order("example.com");
        Assert.Equal("shortlived", (string?)server.Asked[0]["profile"]);
    }

    [Fact]
    public void The_CA_is_told_what_is_replaced_and_is_asked_again_where_it_minds()
    {
        server.Window = () => (time.GetUtcNow(), time.GetUtcNow());
        var node = Node();
        var first = node.Order("example.com");
        var second = node.Order("example.com", first);
        Assert.Equal(first.RenewalId, (string?)server.Asked[1]["replaces"]);
        Assert.NotEqual(first.Digest, second.Digest);
        node.Order("example.com", second with { RenewalId = first.RenewalId });
        Assert.Null(server.Asked[2]["replaces"]);
    }

    [Fact]
    public void What_is_not_shown_is_told_with_its_challenge()
    {
        server.Look = static (_, _, _) => false;
        var trouble = Assert.Throws<AcmeException>(() => Node().Order("example.com"));
        Assert.Equal((TroubleKind.NotShown, ChallengeType.Http), (trouble.Kind, trouble.Challenge));
        Assert.Contains("does the name point here", trouble.Message, StringComparison.Ordinal);
        Assert.Contains("something else was there", trouble.Message, StringComparison.Ordinal);
        Assert.Equal(["account.json", "account.key"], Files());
    }

    [Fact]
    public void A_wildcard_without_dns_is_told()
    {
        var trouble = Assert.Throws<AcmeException>(() => Node().Order("*.example.com"));
        Assert.Contains("dns-01", trouble.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_CA_that_hangs_costs_its_time_and_no_more()
    {
        foreach (var at in new[] { "/dir", "/nonce", "/account", "/order", "/authz/1", "/finalize/1", "/certificate/1" })
        {
            server.Before = p => p == at ? new TaskCompletionSource<HttpResponseMessage?>().Task : Task.FromResult<HttpResponseMessage?>(null);
            var before = time.GetUtcNow();
            var trouble = Assert.Throws<AcmeException>(() => Node().Order("example.com"));
            Assert.Equal(TroubleKind.Unreachable, trouble.Kind);
            Assert.InRange(time.GetUtcNow() - before, AcmeClient.Patience, AcmeClient.Patience + TimeSpan.FromMinutes(1));
        }

        server.Before = null;
        Node().Order("example.com");
        Assert.Equal((1, 1, 1), (server.Orders, server.Certificates, server.Accounts));
    }

    [Fact]
    public void A_CA_that_never_decides_is_looked_at_again_later_and_the_same_order_goes_on()
    {
        server.Slowness = 1_000_000;
        server.RetryAfter = 86_400;
        var before = time.GetUtcNow();
        var trouble = Assert.Throws<AcmeException>(() => Node().Order("example.com"));
        Assert.Contains("minutes", trouble.Message, StringComparison.Ordinal);
        Assert.InRange(time.GetUtcNow() - before, Ordering.Patience, Ordering.Patience + (Ordering.LongestPoll * 2));
        (server.Slowness, server.RetryAfter) = (0, 0);
        trouble = Assert.Throws<AcmeException>(() => Node().Order("example.com"));
        Assert.Equal(1, server.Orders);
    }

    [Fact]
    public void Limits_and_faults_of_a_CA_are_told_apart()
    {
        Assert.Equal((TroubleKind.RateLimited, TimeSpan.FromHours(1)), Refusal(AcmeServer.Problem(429, "rateLimited", "too many", retryAfter: 3600)));
        Assert.Equal((TroubleKind.RateLimited, AcmeClient.LongestRetryAfter), Refusal(AcmeServer.Problem(403, "rateLimited", "too many", retryAfter: 100_000_000)));
        Assert.Equal((TroubleKind.Unreachable, null), Refusal(AcmeServer.Problem(500, "serverInternal", "oh")));
        Assert.Equal((TroubleKind.Refused, null), Refusal(AcmeServer.Problem(400, "rejectedIdentifier", "no")));
        Assert.Equal((TroubleKind.Unreachable, null), Refusal(new HttpResponseMessage(System.Net.HttpStatusCode.BadGateway) { Content = new StringContent("<html>") }));
        Assert.Equal((TroubleKind.Unreachable, null), Refusal(new HttpResponseMessage(System.Net.HttpStatusCode.OK) { Content = new StringContent("<html>") }));
        Assert.Equal((TroubleKind.Unreachable, null), Refusal(new HttpResponseMessage(System.Net.HttpStatusCode.OK) { Content = new ByteArrayContent(new byte[AcmeClient.MostBytes + 1]) }));
    }

    [Fact]
    public void A_token_that_could_be_a_path_is_not_shown()
    {
        Assert.False(ChallengeAnswers.IsToken("../../etc/passwd"));
        Assert.False(ChallengeAnswers.IsToken(new string('a', ChallengeAnswers.LongestToken + 1)));
        Assert.True(ChallengeAnswers.IsToken(new string('a', ChallengeAnswers.LongestToken)));
    }

    /// <summary>Whatever is killed when, whoever comes next ends with one certificate of one order.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(0.15)]
    public void A_kill_at_any_point_costs_no_second_order(double refusedNonces)
    {
        var steps = Whole(refusedNonces);
        Assert.True(steps > 30, "an order has more steps than that");
        for (var kill = 0; kill < steps; kill++)
        {
            var folder = Path.Combine(path, $"at-{kill}");
            using var ca = new AcmeServer(time.GetUtcNow) { RefusedNonces = refusedNonces };
            var first = new Node(folder, ca, time, who: "first");
            first.KillAfter(kill);
            Assert.Throws<KilledException>(() => first.Order("example.com"));
            var second = new Node(folder, ca, time, who: "second");
            var given = second.Order("example.com");
            Assert.True((ca.Orders, ca.Certificates, ca.Accounts) == (1, 1, 1), $"killed at {kill}: {ca.Orders} orders, {ca.Certificates} certificates, {ca.Accounts} accounts\n{string.Join('\n', ca.Requests)}");
            Assert.Equal(given.Digest, GivenCertificate.TryRead(second.Folder, "example.com")!.Digest);
            Assert.Empty(Directory.EnumerateFiles(Path.Combine(folder, "names", "example.com"), "order.*"));
        }
    }

    [Fact]
    public void Many_kills_one_after_the_other_cost_no_second_order()
    {
        using var ca = new AcmeServer(time.GetUtcNow) { RefusedNonces = 0.15 };
        var chance = new Random(5);
        for (var i = 0; ; i++)
        {
            Assert.True(i < 200, "it never ends");
            var node = new Node(path, ca, time, who: $"number {i}");
            node.KillAfter(chance.Next(25));
            try
            {
                node.Order("example.com");
                break;
            }
            catch (KilledException)
            {
                // The next one goes on.
            }
        }

        Assert.Equal((1, 1, 1), (ca.Orders, ca.Certificates, ca.Accounts));
    }

    [Fact]
    public void Two_nodes_that_want_the_same_at_once_order_once()
    {
        var (one, two) = (new Node(path, server, time, who: "one"), new Node(path, server, time, who: "two"));
        time.Run(() => Task.WhenAll(one.OrderAsync("example.com"), Late(two)));
        Assert.Equal(1, server.Orders);

        async Task<GivenCertificate> Late(Node node)
        {
            CertificateFolder.MakeFolder(node.Folder.NameFolder("example.com"));
            var lease = new Lease(node.Folder.NameFolder("example.com"), node.Owner, time);
            while (!lease.TryTake(out _)) await Task.Delay(TimeSpan.FromSeconds(5), time);
            return GivenCertificate.TryRead(node.Folder, "example.com")!;
        }
    }

    private Node Node(Issuer? issuer = null) => new(path, server, time, issuer);

    private int Whole(double refusedNonces)
    {
        using var ca = new AcmeServer(time.GetUtcNow) { RefusedNonces = refusedNonces };
        var whole = new Node(Path.Combine(path, "whole"), ca, time);
        whole.Order("example.com");
        return whole.Count;
    }

    private (TroubleKind Kind, TimeSpan? RetryAfter) Refusal(HttpResponseMessage answer)
    {
        using var ca = new AcmeServer(time.GetUtcNow) { Before = p => Task.FromResult(p == "/order" ? answer : null) };
        var trouble = Assert.Throws<AcmeException>(() => new Node(Path.Combine(path, Guid.NewGuid().ToString("N")), ca, time).Order("example.com"));
        return (trouble.Kind, trouble.RetryAfter);
    }

    private static bool Shows(Node node, string answer) => node.Answers.Http(Encoding.ASCII.GetBytes(answer.Split('.')[0])) is { } shown && Encoding.ASCII.GetString(shown) == answer;

    private string[] Files() => [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Select(static f => Path.GetFileName(f)).Where(static f => !f.StartsWith("lease.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
}
