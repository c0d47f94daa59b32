// The encrypted front door, on the built program: handshakes, sessions, clients' certificates, limits.

using System.Net.Sockets;
using System.Security.Authentication;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class TlsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-tls-").FullName;
    private readonly RawOrigin origin = new(Answer);
    private readonly Pki pki;

    public TlsTests() => pki = new Pki(folder);

    public void Dispose()
    {
        origin.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public void A_request_is_answered_over_each_version(SslProtocols version)
    {
        using var weir = Start();
        var answer = TlsClientStream.Ask(weir.Port, "one.example", protocols: version);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("hello", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nX-Forwarded-Proto: https\r\n", origin.Received.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_protocol_is_agreed_on_and_one_that_is_not_spoken_is_refused()
    {
        using var weir = Start();
        using (var stream = TlsClientStream.Connect(weir.Port, "one.example", alpn: ["h9", "http/1.1"])) Assert.Equal("http/1.1", stream.NegotiatedApplicationProtocol.ToString());
        Assert.ThrowsAny<Exception>(() => TlsClientStream.Connect(weir.Port, "one.example", alpn: ["h9"]));
    }

    [Fact]
    public void The_modern_profile_speaks_the_newest_version_only()
    {
        using var weir = Start(listener: "{ profile: modern }");
        Assert.ThrowsAny<Exception>(() => TlsClientStream.Connect(weir.Port, "one.example", SslProtocols.Tls12));
        Assert.Contains(" 200 ", TlsClientStream.Ask(weir.Port, "one.example"), StringComparison.Ordinal);
    }

    [Fact]
    public void Plain_http_gets_a_clear_answer()
    {
        using var weir = Start();
        var answer = weir.Exchange("GET / HTTP/1.1\r\nHost: one.example\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("speaks HTTPS", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-tls1_2")]
    [InlineData("-tls1_3")]
    public void A_session_is_gone_on_with_but_not_at_another_site_nor_for_another_name(string version)
    {
        using var weir = Start(sites: $"  - hosts: [two.example, three.example]\n    tls: {{ {Pki.Written(pki.Issue("two.example", others: "three.example"))} }}\n    proxy: \"{origin.Url}\"\n");
        var session = Path.Combine(folder, "session");
        Assert.Contains("New, ", Shake(weir.Port, "one.example", version, "-sess_out", session), StringComparison.Ordinal);
        var again = Shake(weir.Port, "one.example", version, "-sess_in", session);
        Assert.Contains("Reused, ", again, StringComparison.Ordinal);
        if (version == "-tls1_3") Assert.Contains("New Session Ticket arrived", again, StringComparison.Ordinal); // Each is used once.
        Assert.Contains("New, ", Shake(weir.Port, "two.example", version, "-sess_in", session, "-sess_out", session), StringComparison.Ordinal);
        Assert.Contains("New, ", Shake(weir.Port, "three.example", version, "-sess_in", session), StringComparison.Ordinal); // RFC 6066 §3.
    }

    [Theory]
    [InlineData("-tls1_2")]
    [InlineData("-tls1_3")]
    public void A_name_that_counted_is_acknowledged(string version)
    {
        const string Said = "TLS server extension \"server name\" (id=0), len=0";
        using var weir = Start();
        Assert.Contains(Said, Shake(weir.Port, "one.example", version, "-tlsextdebug"), StringComparison.Ordinal);
        Assert.DoesNotContain(Said, Shake(weir.Port, "strange.example", version, "-tlsextdebug"), StringComparison.Ordinal);
    }

    [Fact]
    public void Nodes_that_share_keys_go_on_with_each_others_sessions_and_an_older_key_still_opens()
    {
        var keys = Path.Combine(folder, "tickets");
        WriteKeys(keys, 1);
        using var one = Start(top: $"session_tickets: {{ keys: {keys} }}\n");
        using var other = Start(top: $"session_tickets: {{ keys: {keys} }}\n");
        var session = Path.Combine(folder, "session");
        Shake(one.Port, "one.example", "-tls1_3", "-sess_out", session);
        Assert.Contains("Reused, ", Shake(other.Port, "one.example", "-tls1_3", "-sess_in", session), StringComparison.Ordinal);

        // A new key in front: the old one opens. Alone: it does not.
        Shake(one.Port, "one.example", "-tls1_2", "-sess_out", session);
        WriteKeys(keys, 2, 1);
        Eventually.Holds(() => Times(other.Said, "are sealed with the keys of") == 2, () => other.Said);
        Assert.Contains("Reused, ", Shake(other.Port, "one.example", "-tls1_2", "-sess_in", session), StringComparison.Ordinal);
        WriteKeys(keys, 3);
        Eventually.Holds(() => Times(other.Said, "are sealed with the keys of") == 3, () => other.Said);
        Assert.Contains("New, ", Shake(other.Port, "one.example", "-tls1_2", "-sess_in", session), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_keys_that_others_may_read_is_refused()
    {
        var keys = Path.Combine(folder, "tickets");
        WriteKeys(keys, 1);
        File.SetUnixFileMode(keys, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        var refused = Assert.Throws<InvalidOperationException>(() => Start(top: $"session_tickets: {{ keys: {keys} }}\n"));
        Assert.Contains("its mode must be 600", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_tickets_no_session_is_gone_on_with()
    {
        using var weir = Start(top: "session_tickets: off\n");
        var session = Path.Combine(folder, "session");
        Assert.Contains("New, ", Shake(weir.Port, "one.example", "-tls1_2", "-sess_out", session), StringComparison.Ordinal);
        Assert.False(File.Exists(session));
    }

    [Fact]
    public void A_client_shows_its_certificate_and_routes_fields_and_records_know_it()
    {
        using var weir = Start(
            tls: $", clients: {{ ca: {pki.Authority}, mode: optional }}",
            top: "access_log: { target: stdout, format: \"record {tls_version} {client_cert_subject}.\" }\n",
            routes: $"[{{ match: {{ path: /boss, tls: {{ client_cert_subject: {{ regex: \".*CN=boss.*\" }} }} }}, respond: 201 }}, {{ match: /boss, respond: 403 }}, {{ request_headers: {{ set: {{ x-who: \"{{client_cert_subject}}\", x-cert: \"{{client_cert}}\" }} }}, proxy: \"{origin.Url}\" }}]");
        var boss = pki.Issue("O=Acme, CN=boss");
        var other = new Pki(Path.Combine(folder, "other"), "Another authority").Issue("CN=boss");
        Assert.Contains(" 201 ", TlsClientStream.Ask(weir.Port, "one.example", "/boss", own: boss), StringComparison.Ordinal);
        Assert.Contains(" 403 ", TlsClientStream.Ask(weir.Port, "one.example", "/boss"), StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => TlsClientStream.Ask(weir.Port, "one.example", "/boss", own: other));
        TlsClientStream.Ask(weir.Port, "one.example", own: boss);
        Assert.Contains("\r\nx-who: O=Acme, CN=boss\r\n", origin.Received.Single(), StringComparison.Ordinal);
        Assert.Matches("\r\nx-cert: :[A-Za-z0-9+/=]+:\r\n", origin.Received.Single());
        Eventually.Holds(() => weir.Said.Contains("record TLSv1.3 O=Acme, CN=boss.", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void Where_a_certificate_is_required_nobody_is_let_in_without()
    {
        using var weir = Start(tls: $", clients: {pki.Authority}");
        Assert.ThrowsAny<Exception>(() => TlsClientStream.Ask(weir.Port, "one.example"));
        Assert.Contains(" 200 ", TlsClientStream.Ask(weir.Port, "one.example", own: pki.Issue("CN=me")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-tls1_2")]
    [InlineData("-tls1_3")]
    public void A_client_whose_certificate_is_revoked_does_not_go_on_with_its_session(string version)
    {
        var (lists, client, another) = (Path.Combine(folder, "revoked"), pki.Issue("CN=me"), pki.Issue("CN=you"));
        pki.Revoke(lists);
        using var weir = Start(tls: $", clients: {{ ca: {pki.Authority}, crl: {lists} }}");
        string Ask((string Certificate, string Key) own, params string[] more) => Shake(weir.Port, "one.example", version, ["-cert", own.Certificate, "-key", own.Key, .. more]);
        string[] sessions = [Path.Combine(folder, "session"), Path.Combine(folder, "session-2")];
        foreach (var session in sessions) Assert.Contains(" 200 OK", Ask(client, "-sess_out", session), StringComparison.Ordinal);
        Assert.Contains("Reused, ", Ask(client, "-sess_in", sessions[0]), StringComparison.Ordinal);
        pki.Revoke(lists, client);
        Eventually.Holds(() => !Ask(client).Contains(" 200 OK", StringComparison.Ordinal), () => weir.Said);
        Assert.DoesNotContain(" 200 OK", Ask(client, "-sess_in", sessions[1]), StringComparison.Ordinal);
        Assert.Contains(" 200 OK", Ask(another), StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_among_the_lists_of_revoked_ones_vouches_for_nobody()
    {
        var other = new Pki(Path.Combine(folder, "other"), "Another authority");
        var (lists, others) = (Path.Combine(folder, "revoked"), Path.Combine(folder, "others"));
        pki.Revoke(lists);
        other.Revoke(others);
        File.AppendAllText(lists, $"\n{File.ReadAllText(others)}\n{File.ReadAllText(other.Authority)}\n");
        using var weir = Start(tls: $", clients: {{ ca: {pki.Authority}, crl: {lists} }}");
        Assert.Contains(" 200 ", TlsClientStream.Ask(weir.Port, "one.example", own: pki.Issue("CN=me")), StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => TlsClientStream.Ask(weir.Port, "one.example", own: other.Issue("CN=me")));
    }

    [Fact]
    public void A_client_may_have_so_many_handshakes_at_once_and_no_more()
    {
        using var weir = Start(top: "limits: { handshakes_per_client: 3 }\n");
        // Loops take them in any order: one of the four is too many.
        var half = Enumerable.Range(0, 4).Select(_ => Half(weir.Port)).ToArray();
        Eventually.Holds(() => half.Count(static s => IsClosed(s, 10)) == 1, () => weir.Said);
        foreach (var socket in half) socket.Dispose();
        Eventually.Holds(() => Answers(weir.Port), () => weir.Said);
    }

    [Fact]
    public void At_the_limit_the_longest_handshakes_make_room_and_others_are_served()
    {
        using var weir = Start(top: "limits: { handshakes: 50, handshakes_per_client: 0 }\n");
        var half = Enumerable.Range(0, 500).Select(_ => Half(weir.Port)).ToArray();
        for (var i = 0; i < 20; i++) Assert.True(Answers(weir.Port));
        Assert.True(half.Count(IsClosed) >= 400);
        foreach (var socket in half) socket.Dispose();
    }

    [Fact]
    public void A_handshake_has_its_time()
    {
        using var weir = Start(top: "timeouts: { handshake: 300ms }\n");
        using var silent = Half(weir.Port, sends: false);
        using var half = Half(weir.Port);
        Assert.True(IsClosed(silent) && IsClosed(half));
    }

    [Theory]
    [InlineData("GET /early", true)]
    [InlineData("GET /later", false)]
    [InlineData("POST /early", false)]
    public async Task What_comes_early_is_told_the_origin_or_waits_for_the_handshake(string request, bool isEarly)
    {
        using var weir = Start(routes: $"[{{ match: /early, early_data: true, proxy: \"{origin.Url}\" }}, {{ proxy: \"{origin.Url}\" }}]");
        var session = Path.Combine(folder, "session");
        Shake(weir.Port, "one.example", "-tls1_3", "-sess_out", session);
        var file = Path.Combine(folder, "early");
        File.WriteAllText(file, $"{request} HTTP/1.1\r\nHost: one.example\r\n{(request[0] == 'P' ? "Content-Length: 2\r\n\r\nab" : "\r\n")}");
        using var relay = new EarlyRelay(weir.Port);
        var shaking = Task.Run(() => Shake(relay.Port, "one.example", "-tls1_3", "-sess_in", session, "-early_data", file));
        bool Came(string head) => head.StartsWith(request + " ", StringComparison.Ordinal);
        if (isEarly) Eventually.Holds(() => origin.Received.Any(Came), () => weir.Said);
        else Assert.Contains(" 200 ", TlsClientStream.Ask(weir.Port, "one.example", "/meanwhile"), StringComparison.Ordinal); // It has been read by now, and waits.
        Assert.Equal(isEarly, origin.Received.Any(Came));
        relay.Release();
        var said = await shaking;
        Assert.Contains("Early data was accepted", said, StringComparison.Ordinal);
        Assert.Equal(2, Times(said, "hello")); // Both that came early and that of the script.
        var head = origin.Received.Single(Came);
        Assert.Equal(isEarly, head.Contains("\r\nEarly-Data: 1\r\n", StringComparison.Ordinal));

        // Its session was good for that once: a replay comes to nothing.
        said = Shake(weir.Port, "one.example", "-tls1_3", "-sess_in", session, "-early_data", file);
        Assert.Contains("Early data was rejected", said, StringComparison.Ordinal);
        Assert.Single(origin.Received, Came);
    }

    [Fact]
    public void Where_no_route_takes_anything_early_nothing_is_taken()
    {
        using var weir = Start();
        var session = Path.Combine(folder, "session");
        Shake(weir.Port, "one.example", "-tls1_3", "-sess_out", session);
        Assert.DoesNotContain("Max Early Data: 16384", Shake(weir.Port, "one.example", "-tls1_3", "-sess_in", session), StringComparison.Ordinal);
    }

    private static bool Answer(NetworkStream stream, string head)
    {
        if (head.Contains("\r\nContent-Length: 2\r\n", StringComparison.Ordinal)) stream.ReadExactly(new byte[2]);
        return RawOrigin.Hello(stream, head);
    }

    private static int Times(string text, string part) => text.Split(part).Length - 1;

    private static void WriteKeys(string path, params int[] keys)
    {
        File.WriteAllBytes(path + ".new", [.. keys.SelectMany(k => Enumerable.Repeat((byte)k, 80))]);
        File.SetUnixFileMode(path + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(path + ".new", path, overwrite: true);
    }

    // The beginning of a client's first message, or nothing.
    private static Socket Half(int port, bool sends = true)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000 };
        socket.Connect("127.0.0.1", port);
        if (sends) socket.Send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]);
        return socket;
    }

    private static bool IsClosed(Socket socket) => IsClosed(socket, 3_000);

    private static bool IsClosed(Socket socket, int patience)
    {
        try
        {
            return socket.Poll(patience * 1_000, SelectMode.SelectRead) && socket.Receive(new byte[64]) >= 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static bool Answers(int port)
    {
        try
        {
            return TlsClientStream.Ask(port, "one.example").Contains(" 200 ", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or AuthenticationException or SocketException)
        {
            return false;
        }
    }

    // By openssl s_client: a session is kept in a file, and taken from one.
    private static string Shake(int port, string name, string version, params string[] more)
    {
        var script = $"printf 'GET / HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n' | openssl s_client -ign_eof -connect 127.0.0.1:{port} -servername {name} {version} {string.Join(' ', more)} 2>&1";
        return Command.Run("sh", ["-c", script]).Output;
    }

    private WeirProcess Start(string listener = "true", string tls = "", string top = "", string sites = "", string? routes = null) => WeirProcess.Start(
        $"listen: [{{ address: \"127.0.0.1:0\", tls: {listener} }}]\n{top}sites:\n  - hosts: [one.example]\n    tls: {{ {Pki.Written(pki.Issue("one.example"))}{tls} }}\n    {(routes is null ? $"proxy: \"{origin.Url}\"" : $"routes: {routes}")}\n{sites}");
}
