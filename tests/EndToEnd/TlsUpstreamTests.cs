// Origins over TLS: nginx, openssl and servers that misbehave, behind the built program.

using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class TlsUpstreamTests : IDisposable
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    private readonly TestAuthority authority = new();

    public void Dispose() => authority.Dispose();

    [Fact]
    public async Task Connections_are_kept_and_new_ones_go_on_with_the_session()
    {
        var shown = authority.Issue("localhost");
        foreach (var protocol in new[] { "TLSv1.2", "TLSv1.3" })
        {
            using var nginx = new Nginx(ports => $$"""
                server { listen 127.0.0.1:{{ports[0]}} ssl; {{Shown(shown)}} ssl_protocols {{protocol}}; ssl_session_cache shared:a:1m;
                  location / { return 200 "$ssl_protocol $ssl_session_reused $ssl_server_name $http_host $connection_requests"; }
                  location /once { keepalive_timeout 0; return 200 "$ssl_session_reused"; } }
                """);
            using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\nsites: [{{ proxy: {{ endpoints: [\"https://localhost:{nginx.Port}\"], tls: {{ ca: {authority.File} }} }} }}]\n");
            // One client's connection, and so one loop.
            using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{weir.Port}") };
            foreach (var request in new[] { 1, 2 }) Assert.Equal($"{protocol} . localhost localhost:{nginx.Port} {request}", await client.GetStringAsync("/", TestContext.Current.CancellationToken));
            Assert.Equal(".", await client.GetStringAsync("/once", TestContext.Current.CancellationToken));
            for (var i = 0; i < 10; i++) Assert.Equal("r", await client.GetStringAsync("/once", TestContext.Current.CancellationToken));
            var metrics = Metrics(weir);
            Assert.Equal(1, Handshakes(metrics, "full"));
            Assert.Equal(10, Handshakes(metrics, "resumed"));
            Assert.Equal(0, Handshakes(metrics, "failed"));
        }
    }

    [Fact]
    public void Large_bodies_pass_both_ways_whole()
    {
        var shown = authority.Issue("127.0.0.1");
        using var origin = new TlsOrigin(shown, stream =>
        {
            // Answers a request of 8 MiB with what it held.
            var got = new MemoryStream();
            var buffer = new byte[70_001];
            while (got.Length < (8 << 20) + HeadEnd(got)) got.Write(buffer, 0, stream.Read(buffer));
            var body = got.ToArray().AsSpan(HeadEnd(got));
            stream.Write(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n"));
            stream.Write(body);
        });
        using var weir = WeirProcess.Start(One($"https://127.0.0.1:{origin.Port}"));
        var content = RandomNumberGenerator.GetBytes(8 << 20);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{weir.Port}/") { Content = new ByteArrayContent(content) };
        using var answer = client.Send(request);
        using var read = new MemoryStream();
        answer.Content.ReadAsStream().CopyTo(read);
        Assert.Equal(SHA256.HashData(content), SHA256.HashData(read.ToArray()));

        static int HeadEnd(MemoryStream got) => got.GetBuffer().AsSpan(0, (int)got.Length).IndexOf("\r\n\r\n"u8) is >= 0 and var end ? end + 4 : int.MaxValue / 2;
    }

    [Fact]
    public void Certificates_that_are_not_good_are_refused_in_words_and_others_are_asked()
    {
        using var stranger = new TestAuthority("another CA");
        var (good, selfSigned) = (authority.Issue("127.0.0.1"), authority.SelfSigned("127.0.0.1"));
        TestCertificate[] shown = [authority.IssueExpired("127.0.0.1"), authority.Issue("other.test", "127.0.0.2"), selfSigned, stranger.Issue("127.0.0.1"), good];
        string[] why = ["certificate has expired", "IP address mismatch", "self-signed certificate", "unable to get local issuer certificate"];
        using var nginx = new Nginx(ports => string.Concat(ports.Zip(shown).Select(static p => $"server {{ listen 127.0.0.1:{p.First} ssl; {Shown(p.Second)} location / {{ return 200 hello; }} }}\n")), shown.Length);
        foreach (var (port, reason) in nginx.Ports.Zip(why))
        {
            using var weir = WeirProcess.Start(One($"https://127.0.0.1:{port}"));
            Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange(Get), StringComparison.Ordinal);
            Says(weir, $"127.0.0.1:{port}: certificate of 127.0.0.1:{port} is not accepted: {reason}");
            Assert.Contains($"certificate of 127.0.0.1:{port} is not accepted: {reason}", weir.Ask("status").Output, StringComparison.Ordinal);
            Assert.Equal(1, Handshakes(Metrics(weir), "failed"));
        }

        using var several = WeirProcess.Start(One([.. nginx.Ports.Skip(2).Select(static p => $"https://127.0.0.1:{p}")]));
        for (var i = 0; i < 6; i++)
        {
            Assert.StartsWith("HTTP/1.1 200 ", several.Exchange(Get), StringComparison.Ordinal);
            Assert.StartsWith("HTTP/1.1 200 ", several.Exchange("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_systems_cas_are_trusted_and_named()
    {
        var shown = authority.Issue("localhost");
        using var nginx = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]} ssl; {Shown(shown)} location / {{ return 200 hello; }} }}");
        var configuration = $"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"https://localhost:{nginx.Port}\" }}]\n";
        using (var weir = WeirProcess.Start(configuration, environment: ("SSL_CERT_FILE", authority.File))) Assert.StartsWith("HTTP/1.1 200 ", weir.Exchange(Get), StringComparison.Ordinal);
        using (var weir = WeirProcess.Start(configuration)) Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange(Get), StringComparison.Ordinal);
        using var file = new TemporaryFile(configuration);
        Assert.Contains($"over TLS, verified as localhost against the system's CAs ({authority.File}", WeirProcess.Run([], [("SSL_CERT_FILE", authority.File)], "explain", "GET", "http://a/", "-c", file.Path).Output, StringComparison.Ordinal);
        Assert.Contains("warning: no CAs of the system were found", WeirProcess.Run([], [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")], "check", "-c", file.Path) is var (_, output, error) ? output + error : "", StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_of_ours_is_shown_where_it_is_asked_for()
    {
        var (shown, own) = (authority.Issue("localhost"), authority.Issue("weir.test"));
        using var nginx = new Nginx(ports => $$"""
            server { listen 127.0.0.1:{{ports[0]}} ssl; {{Shown(shown)}} ssl_client_certificate {{authority.File}}; ssl_verify_client on;
              location / { return 200 "$ssl_client_verify $ssl_client_s_dn"; } }
            """);
        string Configuration(string with) => $"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: {{ endpoints: [\"https://localhost:{nginx.Port}\"], tls: {{ ca: {authority.File}{with} }} }} }}]\n";
        var pem = Path.Combine(authority.Folder, "own.pem");
        File.Copy(own.Certificate, pem);
        var key = Path.Combine(authority.Folder, "own.key");
        File.Copy(own.Key, key);
        var with = Configuration($", certificate: {pem}, key: {key}");
        using var weir = WeirProcess.Start(with);
        Assert.EndsWith("SUCCESS CN=weir.test", weir.Exchange(Get), StringComparison.Ordinal);

        // A file that changed is read without a reload too; the connection that there is stays what it was.
        var renewed = authority.Issue("renewed.test");
        File.Copy(renewed.Certificate, pem, overwrite: true);
        File.Copy(renewed.Key, key, overwrite: true);
        Says(weir, "changed, and holds for new connections");
        Assert.Contains("SUCCESS CN=", weir.Exchange(Get), StringComparison.Ordinal);

        // Other settings are another endpoint: nothing goes on the connections of before.
        weir.Configure(Configuration(""));
        Assert.Equal(0, weir.Ask("reload").Code);
        Assert.Contains("No required SSL certificate was sent", weir.Exchange(Get), StringComparison.Ordinal);
        weir.Configure(with);
        Assert.Equal(0, weir.Ask("reload").Code);
        Assert.EndsWith("SUCCESS CN=renewed.test", weir.Exchange(Get), StringComparison.Ordinal);

        // One that does not belong to its key is named, and the old one stays.
        File.Copy(own.Key, key, overwrite: true);
        var (code, _, error) = weir.Ask("reload");
        Assert.Equal(1, code);
        Assert.Contains($"the key in '{key}' does not belong to the certificate in '{pem}'", error, StringComparison.Ordinal);
        Assert.EndsWith("SUCCESS CN=renewed.test", weir.Exchange(Get), StringComparison.Ordinal);
    }

    [Fact]
    public void A_server_that_misses_our_certificate_only_after_the_handshake_is_told()
    {
        var shown = authority.Issue("127.0.0.1");
        var port = Lighttpd.FreePort();
        using var server = new Program("openssl", "s_server", "-accept", $"127.0.0.1:{port}", "-www", "-quiet", "-cert", shown.Certificate, "-key", shown.Key, "-CAfile", authority.File, "-Verify", "1", "-verify_return_error");
        Eventually.Holds(() => Listens(port), () => "openssl does not listen");
        using var weir = WeirProcess.Start(One($"https://127.0.0.1:{port}"));
        Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange(Get), StringComparison.Ordinal);
        Says(weir, $"127.0.0.1:{port}: it ended or broke the connection, while its response was awaited: tlsv13 alert certificate required");
    }

    [Fact]
    public void Nothing_older_is_spoken_than_is_said()
    {
        var shown = authority.Issue("127.0.0.1");
        using var nginx = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]} ssl; {Shown(shown)} ssl_protocols TLSv1.2; location / {{ return 200 $ssl_protocol; }} }}");
        using var weir = WeirProcess.Start(One($"https://127.0.0.1:{nginx.Port}"));
        Assert.EndsWith("TLSv1.2", weir.Exchange(Get), StringComparison.Ordinal);
        using var strict = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: {{ endpoints: [\"https://127.0.0.1:{nginx.Port}\"], tls: {{ ca: {authority.File}, min_version: 1.3 }} }} }}]\n");
        Assert.StartsWith("HTTP/1.1 502 ", strict.Exchange(Get), StringComparison.Ordinal);
        Says(strict, $"no TLS with 127.0.0.1:{nginx.Port}: tlsv1 alert protocol version");
    }

    [Fact]
    public void Servers_that_stall_or_speak_plainly_are_told_and_others_are_asked()
    {
        using var plain = new Nginx(static ports => $"server {{ listen 127.0.0.1:{ports[0]}; }}");
        using var silent = new TcpListenerOnly();
        var shown = authority.Issue("127.0.0.1");
        using var good = new TlsOrigin(shown, Hello);
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\ntimeouts: {{ connect: 300ms }}\nsites: [{{ routes: [{{ match: /plain, proxy: \"https://127.0.0.1:{plain.Port}\" }}, {{ match: /silent, proxy: \"https://127.0.0.1:{silent.Port}\" }}, {{ proxy: {{ endpoints: [\"https://127.0.0.1:{silent.Port}\", \"https://127.0.0.1:{plain.Port}\", \"https://127.0.0.1:{good.Port}\"], tls: {{ ca: {authority.File} }} }} }}] }}]\n");
        Assert.StartsWith("HTTP/1.1 502 ", weir.Exchange(Get.Replace("/ ", "/plain ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 504 ", weir.Exchange(Get.Replace("/ ", "/silent ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Says(weir, $"no TLS with 127.0.0.1:{silent.Port}: it took too long");
        Says(weir, $"no TLS with 127.0.0.1:{plain.Port}: what it answers is no TLS");
        for (var i = 0; i < 3; i++) Assert.EndsWith("hello", weir.Exchange(Get), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_answer_whose_end_is_not_said_is_cut_short(bool saysSo)
    {
        var shown = authority.Issue("127.0.0.1");
        using var arrived = new ManualResetEventSlim();
        using var origin = new TlsOrigin(shown, stream =>
        {
            Head(stream);
            stream.Write("HTTP/1.1 200 OK\r\n\r\nhalf of it"u8);
            arrived.Wait();
            if (saysSo) stream.ShutdownAsync().Wait();
        });
        using var weir = WeirProcess.Start(One($"https://127.0.0.1:{origin.Port}"));
        using var client = weir.Connect();
        client.Write(Encoding.ASCII.GetBytes(Get));
        var answer = ReadUntil(client, "half of it");
        arrived.Set();
        answer += WeirProcess.ReadToEnd(client);
        Assert.Equal(saysSo, answer.EndsWith("0\r\n\r\n", StringComparison.Ordinal)); // Chunked towards the client.
    }

    [Fact]
    public void An_answer_with_a_length_needs_no_word_at_its_end()
    {
        var shown = authority.Issue("127.0.0.1");
        using var origin = new TlsOrigin(shown, Hello);
        using var weir = WeirProcess.Start(One($"https://127.0.0.1:{origin.Port}"));
        for (var i = 0; i < 20; i++) Assert.EndsWith("hello", weir.Exchange(Get), StringComparison.Ordinal);
    }

    [Fact]
    public void Health_checks_look_at_the_certificate_unless_a_connection_is_enough()
    {
        var (good, expired) = (authority.Issue("127.0.0.1"), authority.IssueExpired("127.0.0.1"));
        using var nginx = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]} ssl; {Shown(good)} location / {{ return 200 hello; }} }} server {{ listen 127.0.0.1:{ports[1]} ssl; {Shown(expired)} location / {{ return 200 hello; }} }}", 2);
        string Configuration(string check) => $"listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\nupstreams: {{ api: {{ endpoints: [\"https://127.0.0.1:{nginx.Ports[0]}\", \"https://127.0.0.1:{nginx.Ports[1]}\"], tls: {{ ca: {authority.File} }}, health: {{ active: {{ {check}, interval: 100ms, fall: 1 }} }} }} }}\nsites: [{{ proxy: api }}]\n";
        using var weir = WeirProcess.Start(Configuration("path: /"));
        Eventually.Holds(() => weir.Said.Contains($"api: 127.0.0.1:{nginx.Ports[1]} is away: a check failed: certificate of 127.0.0.1:{nginx.Ports[1]} is not accepted: certificate has expired", StringComparison.Ordinal), () => weir.Said);
        Eventually.Holds(() => Regex.IsMatch(Metrics(weir), $"weir_health_checks_total{{upstream=\"api\",endpoint=\"127.0.0.1:{nginx.Ports[0]}\",outcome=\"passed\"}} [1-9]"), () => Metrics(weir));
        weir.Configure(Configuration("tcp: true"));
        Assert.Equal(0, weir.Ask("reload").Code);
        Eventually.Holds(() => weir.Said.Contains($"api: 127.0.0.1:{nginx.Ports[1]} is back", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void Tunnels_mirrors_and_second_attempts_go_over_tls()
    {
        var shown = authority.Issue("127.0.0.1");
        using var echo = new TlsOrigin(shown, static stream =>
        {
            Head(stream);
            stream.Write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"u8);
            var buffer = new byte[4096];
            for (int got; (got = stream.Read(buffer)) > 0;) stream.Write(buffer.AsSpan(0, got));
            stream.Write("bye"u8);
            stream.ShutdownAsync().Wait();
        });
        var copies = 0;
        using var mirrored = new TlsOrigin(shown, stream =>
        {
            Hello(stream);
            Interlocked.Increment(ref copies);
        });
        using var never = new ManualResetEventSlim();
        using var slow = new TlsOrigin(shown, stream =>
        {
            Head(stream);
            never.Wait();
        });
        using var good = new TlsOrigin(shown, Hello);
        var tls = $"tls: {{ ca: {authority.File} }}";
        using var weir = WeirProcess.Start($$"""
            listen: "127.0.0.1:0"
            upstreams:
              echo: { endpoints: ["https://127.0.0.1:{{echo.Port}}"], {{tls}} }
              copies: { endpoints: ["https://127.0.0.1:{{mirrored.Port}}"], {{tls}} }
              hedged: { endpoints: ["https://127.0.0.1:{{slow.Port}}", { url: "https://127.0.0.1:{{good.Port}}", backup: true }], hedge: 20ms, {{tls}} }
              good: { endpoints: ["https://127.0.0.1:{{good.Port}}"], {{tls}} }
            sites: [{ routes: [{ match: /echo, proxy: echo }, { match: /hedged, proxy: hedged }, { proxy: good, mirror: copies }] }]
            """);
        using (var client = weir.Connect())
        {
            client.Write("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\none two"u8);
            var said = ReadUntil(client, "one two");
            client.Socket.Shutdown(SocketShutdown.Send);
            Assert.EndsWith("\r\n\r\none twobye", said + WeirProcess.ReadToEnd(client), StringComparison.Ordinal);
        }

        Assert.EndsWith("hello", weir.Exchange(Get), StringComparison.Ordinal);
        Eventually.Holds(() => Volatile.Read(ref copies) == 1, () => Metrics(weir));
        Assert.EndsWith("hello", weir.Exchange(Get.Replace("/ ", "/hedged ", StringComparison.Ordinal)), StringComparison.Ordinal);
        never.Set();
    }

    [Fact]
    public void Unix_sockets_and_members_that_are_added_speak_tls()
    {
        var shown = authority.Issue("localhost");
        using var nginx = new Nginx(ports => $"server {{ listen 127.0.0.1:{ports[0]} ssl; listen unix:{authority.Folder}/app.sock ssl; {Shown(shown)} location / {{ return 200 \"$server_port$http_host\"; }} }}");
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nupstreams: {{ api: {{ endpoints: [\"https://unix:{authority.Folder}/app.sock\"], tls: {{ ca: {authority.File} }} }} }}\nsites: [{{ proxy: api }}]\n");
        Assert.EndsWith("\r\n\r\na", weir.Exchange(Get), StringComparison.Ordinal);
        Assert.Equal(0, weir.Ask("endpoint", "add", "api", $"https://localhost:{nginx.Port}").Code);
        Eventually.Holds(() => weir.Exchange(Get).EndsWith($"\r\n\r\n{nginx.Port}localhost:{nginx.Port}", StringComparison.Ordinal), () => weir.Ask("status").Output);
    }

    private string One(params string[] urls) =>
        $"listen: \"127.0.0.1:0\"\nadmin: \"127.0.0.1:0\"\nsites: [{{ proxy: {{ endpoints: [{string.Join(", ", urls.Select(static u => $"\"{u}\""))}], tls: {{ ca: {authority.File} }} }} }}]\n";

    private static void Says(WeirProcess weir, string text) => Eventually.Holds(() => weir.Said.Contains(text, StringComparison.Ordinal), () => $"'{text}' is not said: {weir.Said}");

    private static string Shown(TestCertificate certificate) => $"ssl_certificate {certificate.Certificate}; ssl_certificate_key {certificate.Key};";

    private static string Metrics(WeirProcess weir) => WeirProcess.Exchange(new UnixDomainSocketEndPoint(weir.ControlPath), "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

    private static int Handshakes(string metrics, string outcome) =>
        int.Parse(Regex.Match(metrics, $"weir_upstream_tls_handshakes_total{{upstream=\"[^\"]*\",outcome=\"{outcome}\"}} (\\d+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);

    private static void Hello(SslStream stream)
    {
        Head(stream);
        stream.Write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8);
    }

    private static void Head(SslStream stream)
    {
        var got = new StringBuilder();
        var buffer = new byte[4096];
        while (!got.ToString().Contains("\r\n\r\n", StringComparison.Ordinal) && stream.Read(buffer) is > 0 and var count) got.Append(Encoding.Latin1.GetString(buffer, 0, count));
    }

    private static string ReadUntil(NetworkStream stream, string text)
    {
        var all = "";
        var buffer = new byte[4096];
        while (!all.Contains(text, StringComparison.Ordinal) && stream.Read(buffer) is > 0 and var got) all += Encoding.ASCII.GetString(buffer, 0, got);
        return all;
    }

    private static bool Listens(int port)
    {
        try
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // Serves one exchange on each connection, and leaves without a word.
    private sealed class TlsOrigin : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private readonly X509Certificate2 certificate;
        private readonly Action<SslStream> serve;

        public TlsOrigin(TestCertificate shown, Action<SslStream> serve)
        {
            this.serve = serve;
            certificate = X509Certificate2.CreateFromPemFile(shown.Certificate, shown.Key);
            listener.Start();
            new Thread(Accept) { IsBackground = true }.Start();
        }

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public void Dispose()
        {
            listener.Dispose();
            certificate.Dispose();
        }

        private void Accept()
        {
            try
            {
                while (true)
                {
                    var socket = listener.AcceptSocket();
                    new Thread(() => Serve(socket)) { IsBackground = true }.Start();
                }
            }
            catch (SocketException)
            {
                // Disposed.
            }
        }

        private void Serve(Socket socket)
        {
            try
            {
                var stream = new SslStream(new NetworkStream(socket), leaveInnerStreamOpen: true);
                stream.AuthenticateAsServer(certificate);
                serve(stream);
                socket.Shutdown(SocketShutdown.Send);
                socket.Receive(new byte[1]);
                socket.Dispose();
            }
            catch (Exception e) when (e is IOException or SocketException or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
            {
                socket.Dispose();
            }
        }
    }

    private sealed class TcpListenerOnly : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);

        public TcpListenerOnly() => listener.Start();

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public void Dispose() => listener.Dispose();
    }

    private sealed class Program : IDisposable
    {
        private readonly Process process;

        public Program(string name, params string[] arguments)
        {
            process = Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true })!;
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
        }

        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
