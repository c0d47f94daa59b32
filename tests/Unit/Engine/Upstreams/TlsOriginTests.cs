using System.Net;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Engine.Upstreams;
using Weir.Tests.Support;
using Weir.Tests.Unit.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Upstreams;

public sealed class TlsOriginTests : IDisposable
{
    private static readonly TicketKeys Tickets = new();

    private readonly TestAuthority authority = new();

    public void Dispose() => authority.Dispose();

    [Fact]
    public void An_endpoint_is_spoken_to_over_tls_and_asked_for_by_its_name()
    {
        var origins = new Origins(tls: Client("app.test"));
        var (lent, far) = Agree(origins, Server(authority.Issue("app.test")));
        Assert.Equal((FaultCause.None, 1, 0, 0), (lent.Cause, (int)origins.Endpoint.Handshakes.Full, (int)origins.Endpoint.Handshakes.Resumed, (int)origins.Endpoint.Handshakes.Failed));
        Assert.Equal(("app.test", "TLSv1.3", "http/1.1"), (Encoding.ASCII.GetString(far!.Facts.ServerName), Encoding.ASCII.GetString(far.Facts.Version), Encoding.ASCII.GetString(far.Facts.Protocol)));
    }

    [Theory]
    [InlineData("app.test", "app.test", null)]
    [InlineData("app.test", "APP.test", null)]
    [InlineData("a.app.test", "*.app.test", null)]
    [InlineData("b.a.app.test", "*.app.test", "hostname mismatch")]
    [InlineData("a.app.test", "a*.app.test", "hostname mismatch")]
    [InlineData("app.test", "other.test", "hostname mismatch")]
    [InlineData("10.0.0.1", "10.0.0.1", null)]
    [InlineData("10.0.0.1", "10.0.0.2", "IP address mismatch")]
    [InlineData("10.0.0.1", "app.test", "IP address mismatch")]
    [InlineData("::1", "::1", null)]
    public void The_certificate_must_be_for_the_name_that_is_asked_for(string asked, string shown, string? refused)
    {
        var origins = new Origins(tls: Client(asked));
        var (lent, far) = Agree(origins, Server(authority.Issue(shown)));
        Assert.Equal(refused is null ? FaultCause.None : FaultCause.Untrusted, lent.Cause);
        if (refused is null) Assert.Equal(IPAddress.TryParse(asked, out _) ? "" : asked, Encoding.ASCII.GetString(far!.Facts.ServerName));
        else Assert.Equal($"certificate of 10.0.0.1:9000 is not accepted: {refused}", origins.Endpoint.TlsTrouble);
    }

    [Fact]
    public void A_common_name_is_nobodys_word()
    {
        var origins = new Origins(tls: Client("app.test"));
        Assert.Equal(FaultCause.Untrusted, Agree(origins, Server(authority.IssueByCommonName("app.test"))).Lent.Cause);
        Assert.Equal("certificate of 10.0.0.1:9000 is not accepted: hostname mismatch", origins.Endpoint.TlsTrouble);
    }

    [Fact]
    public void What_is_wrong_with_a_certificate_is_told()
    {
        using var stranger = new TestAuthority("another CA");
        foreach (var (shown, why) in new[] { (authority.SelfSigned("app.test"), "self-signed certificate"), (authority.IssueExpired("app.test"), "certificate has expired"), (stranger.Issue("app.test"), "unable to get local issuer certificate") })
        {
            var origins = new Origins(tls: Client("app.test"));
            var (lent, _) = Agree(origins, Server(shown));
            Assert.Equal(FaultCause.Untrusted, lent.Cause);
            Assert.StartsWith($"certificate of 10.0.0.1:9000 is not accepted: {why}", origins.Endpoint.Absence.ReasonOf(Away.Unreachable), StringComparison.Ordinal);
            Assert.Equal((1, 0), ((int)origins.Endpoint.Handshakes.Failed, origins.Endpoint.Connections));
            Assert.Equal(0, origins.Endpoint.Held);
        }
    }

    [Fact]
    public void Without_verification_anybody_is_believed()
    {
        var origins = new Origins(tls: new OpenSslClient(new OriginTls(new OriginTlsSettings { Verifies = false }), "app.test", 1));
        Assert.Equal(FaultCause.None, Agree(origins, Server(authority.SelfSigned("somebody.test"))).Lent.Cause);
    }

    [Fact]
    public void The_next_connection_goes_on_with_the_session()
    {
        var client = Client("app.test");
        var origins = new Origins(tls: client);
        var server = Server(authority.Issue("app.test"));
        var (lent, _) = Agree(origins, server);
        origins.Wait(20);
        Assert.Null(Sent(lent)); // Reads what came: tickets only.
        var kept = client.Kept(0);
        Assert.InRange(kept, 1, OpenSslClient.MostSessions);
        Assert.True(Agree(origins, server).Far!.Facts.IsResumed);
        Assert.Equal(1, origins.Endpoint.Handshakes.Resumed);
        client.Leave(origins.Loop);
        Assert.Equal(0, client.Kept(0));
        Assert.False(Agree(origins, server).Far!.Facts.IsResumed);
    }

    [Fact]
    public void A_session_of_tls_1_3_is_offered_once_and_few_are_kept()
    {
        var client = Client("app.test");
        var origins = new Origins(tls: client);
        var server = Server(authority.Issue("app.test"));
        for (var i = 0; i < 5; i++)
        {
            var (lent, _) = Agree(origins, server);
            origins.Wait(20);
            Sent(lent);
        }

        Assert.InRange(client.Kept(0), 1, OpenSslClient.MostSessions);
        var before = client.Kept(0);
        origins.Begin();
        Assert.Equal(before - 1, client.Kept(0));
    }

    [Fact]
    public void Sessions_are_given_up_where_the_certificate_was_verified_long_ago()
    {
        var client = Client("app.test");
        var origins = new Origins(tls: client);
        var server = Server(authority.Issue("app.test"));
        foreach (var (wait, resumes) in new[] { (0L, false), (OpenSslClient.MostAge / 2, true), ((OpenSslClient.MostAge / 2) + 10_000, false) })
        {
            origins.Wait(wait);
            var (lent, far) = Agree(origins, server);
            Assert.Equal(resumes, far!.Facts.IsResumed);
            origins.Wait(20);
            Sent(lent);
        }
    }

    [Fact]
    public void A_connection_that_a_ticket_comes_on_while_it_is_idle_is_used_again()
    {
        var client = Client("app.test");
        var origins = new Origins(tls: client);
        var server = Server(authority.Issue("app.test"));
        var lent = origins.Begin();
        var transport = origins.Accept()!;
        var engine = server.Accept(transport);
        while (lent() is null)
        {
            engine.Handshake();
            origins.Wait(1);
        }

        var connection = (Weir.Engine.Http1.ClientConnection)lent()!.Value.Stream!;
        Assert.Equal(0, client.Kept(0));
        origins.GiveBack(connection);
        for (var i = 0; i < 20; i++)
        {
            engine.Handshake(); // The tickets leave with its end.
            origins.Wait(1);
        }

        Assert.Same(connection, origins.Take());
        Assert.False(connection.IsDead);
        Assert.True(client.Kept(0) > 0);
    }

    [Fact]
    public void A_stalled_handshake_ends_with_the_time_for_connecting_and_when_the_client_leaves()
    {
        var origins = new Origins(tls: Client("app.test"));
        var lent = origins.Begin(timeout: 500);
        Assert.NotNull(origins.Accept());
        origins.Wait(400);
        Assert.Null(lent());
        origins.Wait(200);
        Assert.Equal(FaultCause.ConnectTimeout, lent()!.Value.Cause);
        Assert.Equal("no TLS with 10.0.0.1:9000: it took too long", origins.Endpoint.TlsTrouble);

        var gone = new Signal();
        lent = origins.Begin(gone: gone);
        var far = origins.Accept()!;
        gone.Raise();
        Assert.Equal(FaultCause.Closed, lent()!.Value.Cause);
        origins.Wait(10);
        Assert.True(far.Gone.IsSet);
        Assert.Equal(0, origins.Endpoint.Held);
    }

    [Fact]
    public void An_origin_that_speaks_plain_http_is_told()
    {
        var origins = new Origins(tls: Client("app.test"));
        var lent = origins.Begin();
        var far = origins.Accept()!;
        far.TryWrite("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8);
        origins.Wait(50);
        Assert.Equal((FaultCause.TlsFailed, "no TLS with 10.0.0.1:9000: what it answers is no TLS"), (lent()!.Value.Cause, origins.Endpoint.TlsTrouble));
    }

    [Fact]
    public void An_origin_that_leaves_within_the_handshake_is_told()
    {
        var origins = new Origins(tls: Client("app.test"));
        var lent = origins.Begin();
        origins.Accept()!.Close();
        origins.Wait(50);
        Assert.Equal(FaultCause.TlsFailed, lent()!.Value.Cause);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_end_without_a_word_is_a_break(bool saysSo)
    {
        var origins = new Origins(tls: Client("app.test"));
        var (lent, far) = Agree(origins, Server(authority.Issue("app.test")));
        far!.Write("HTTP/1.1 200 OK\r\n\r\nhalf of it");
        if (saysSo) far.Engine.SendEnd();
        far.Transport.Close();
        origins.Wait(50);
        var response = new Response();
        Assert.Equal(HeadStatus.Done, lent.Stream!.TryReceiveHead(new Request(), response));
        var body = lent.Stream.ResponseBody;
        Assert.Equal(BodyStatus.Piece, body.TryRead(out var piece));
        body.Advance(piece.Length);
        Assert.Equal(saysSo ? BodyStatus.End : BodyStatus.Broken, body.TryRead(out _));
    }

    [Fact]
    public void Files_that_changed_are_read_again_and_broken_ones_leave_what_there_was()
    {
        var path = Path.Combine(authority.Folder, "trusted.pem");
        File.Copy(authority.File, path);
        var tls = new OriginTls(new OriginTlsSettings { Authorities = path });
        tls.TryRead(out _)!();
        var first = tls.Context;
        tls.TryRead(out _)!();
        Assert.Same(first, tls.Context);
        Assert.False(tls.HasChanged());
        File.WriteAllText(path, "nothing of the kind");
        Assert.False(tls.HasChanged()); // It may be in the midst of being written.
        Assert.True(tls.HasChanged());
        Assert.Null(tls.TryRead(out var trouble));
        Assert.False(tls.HasChanged()); // Told once.
        Assert.StartsWith($"'{path}' holds no certificate in PEM", trouble, StringComparison.Ordinal);
        Assert.Same(first, tls.Context);
        File.WriteAllText(path, File.ReadAllText(authority.File) + "\n");
        tls.TryRead(out _)!();
        Assert.NotSame(first, tls.Context);
    }

    [Fact]
    public void Sessions_of_files_that_have_changed_are_not_gone_on_with()
    {
        var path = Path.Combine(authority.Folder, "trusted.pem");
        File.Copy(authority.File, path);
        var tls = new OriginTls(new OriginTlsSettings { Authorities = path });
        var client = new OpenSslClient(tls, "app.test", 1);
        var origins = new Origins(tls: client);
        var server = Server(authority.Issue("app.test"));
        var (lent, _) = Agree(origins, server);
        origins.Wait(20);
        Sent(lent);
        Assert.True(client.Kept(0) > 0);
        File.AppendAllText(path, "\n");
        tls.TryRead(out _)!();
        Assert.False(Agree(origins, server).Far!.Facts.IsResumed);
    }

    [Fact]
    public void A_folder_of_authorities_needs_no_hashing()
    {
        using var second = new TestAuthority("another CA");
        var folder = Directory.CreateDirectory(Path.Combine(authority.Folder, "trusted")).FullName;
        var settings = new OriginTlsSettings { Authorities = folder };
        Assert.Null(new OriginTls(settings).TryRead(out var trouble));
        Assert.Contains("holds no certificates", trouble, StringComparison.Ordinal);
        File.Copy(authority.File, Path.Combine(folder, "one.pem"));
        File.Copy(second.File, Path.Combine(folder, "two.crt"));
        File.WriteAllText(Path.Combine(folder, "README"), "not one of them");
        var tls = new OriginTls(settings);
        Assert.NotNull(tls.TryRead(out _));
        foreach (var issuer in new[] { authority, second })
        {
            var origins = new Origins(tls: new OpenSslClient(tls, "app.test", 1));
            Assert.Equal(FaultCause.None, Agree(origins, Server(issuer.Issue("app.test"))).Lent.Cause);
        }
    }

    [Fact]
    public void A_name_that_cannot_be_verified_is_nobodys()
    {
        var origins = new Origins(tls: Client(""));
        Assert.Equal(FaultCause.TlsFailed, origins.Begin()()!.Value.Cause);
    }

    private OpenSslClient Client(string name) => new(new OriginTls(new OriginTlsSettings { Authorities = authority.File }), name, 1);

    private static OpenSslServer Server(TestCertificate shown, TlsProfile profile = TlsProfile.Intermediate)
    {
        var server = new OpenSslServer(new TlsSettings { Profile = profile }, Tickets);
        server.Sites.Default = ShownSite.Of(shown.Certificate, shown.Key);
        return server;
    }

    // Connects, and plays the origin until the handshake has ended on both sides.
    private static (Lent Lent, Far? Far) Agree(Origins origins, OpenSslServer server)
    {
        var lent = origins.Begin();
        var transport = origins.Accept()!;
        var far = new Far(transport, server.Accept(transport));
        for (var i = 0; i < 200 && (lent() is null || !far.IsDone); i++)
        {
            far.Step();
            origins.Wait(1);
            if (lent() is { Cause: not FaultCause.None }) break;
        }

        Assert.NotNull(lent());
        return (lent()!.Value, far.IsDone ? far : null);
    }

    // What came on a connection so far that is no ticket.
    private static string? Sent(Lent lent) => lent.Stream!.TryReceiveHead(new Request(), new Response()) == HeadStatus.Wait ? null : "something";

    private sealed class Far(Transport transport, TlsEngine engine)
    {
        public Transport Transport { get; } = transport;

        public TlsEngine Engine { get; } = engine;

        public bool IsDone { get; private set; }

        public TlsFacts Facts => Engine.Facts;

        public void Step() => IsDone |= Engine.Handshake() == TlsStatus.Done;

        public void Write(string text) => Assert.Equal(TlsStatus.Done, Engine.Write(Encoding.ASCII.GetBytes(text)));
    }
}
