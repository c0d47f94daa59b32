// The certificates that sites show, on the built program: by name, by kind, over reloads and changes of their files; and what
// belongs to them: redirects, HSTS, 421, stapling.

using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class CertificateTests : IDisposable
{
    private readonly TestCertificates made = new(Directory.CreateTempSubdirectory("weir-certs-").FullName);

    public void Dispose() => Directory.Delete(made.Folder, recursive: true);

    [Fact]
    public void A_name_finds_its_certificate_by_the_table_that_routes_requests()
    {
        made.Issue("a", ["a.test"]);
        made.Issue("w", ["*.b.test"]);
        made.Issue("x", ["x.b.test"]);
        using var weir = WeirProcess.Start($$"""
            listen: [{ address: "127.0.0.1:0", tls: true }, { address: "0.0.0.0:0", tls: { strict_sni: true } }]
            sites:
              - { hosts: [a.test], {{Tls("a")}}, respond: { body: "a" } }
              - { hosts: ["*.b.test"], {{Tls("w")}}, respond: { body: "w" } }
              - { hosts: [x.b.test], {{Tls("x")}}, respond: { body: "x" } }
            """);
        Assert.Equal(["a.test", "*.b.test", "x.b.test", "a.test", "a.test"], new[] { "a.test", "y.b.test", "x.b.test", "other.test", "127.0.0.1" }.Select(n => Shown(weir.Ports[0], n)));
        Assert.Equal(["a.test", "*.b.test", "x.b.test"], new[] { "a.test", "Y.B.test", "x.b.test" }.Select(n => Shown(weir.Ports[1], n)));
        foreach (var unknown in (string[])["-servername other.test", "-noservername"])
        {
            var refused = Command.Run("openssl", ["s_client", "-connect", $"127.0.0.1:{weir.Ports[1]}", .. unknown.Split(' ')]);
            Assert.Contains("unrecognized name", refused.Error, StringComparison.Ordinal);
        }

        Assert.EndsWith("w", Curl(weir.Ports[0], "https", "y.b.test", "/"), StringComparison.Ordinal); // Verified by curl against the root.
    }

    [Fact]
    public void A_client_is_shown_the_kind_it_takes()
    {
        made.Issue("ec", ["a.test"]);
        made.Issue("rsa", ["a.test"], "rsa");
        using var weir = WeirProcess.Start($$"""
            listen: { address: "127.0.0.1:0", tls: true }
            sites: [{ hosts: [a.test], tls: { certificates: [{{Pair("ec")}}, {{Pair("rsa")}}] }, respond: 200 }]
            """);
        Assert.Contains("id-ecPublicKey", Key("-cipher ECDHE-ECDSA-AES128-GCM-SHA256 -tls1_2"), StringComparison.Ordinal);
        Assert.Contains("rsaEncryption", Key("-cipher ECDHE-RSA-AES128-GCM-SHA256 -tls1_2"), StringComparison.Ordinal);
        Assert.Contains("rsaEncryption", Key("-tls1_3 -sigalgs rsa_pss_rsae_sha256"), StringComparison.Ordinal);

        string Key(string options) => Command.Run("sh", ["-c", $"openssl s_client -connect 127.0.0.1:{weir.Port} -servername a.test {options} </dev/null 2>/dev/null | openssl x509 -noout -text"]).Output;
    }

    [Fact]
    public void Listeners_with_different_profiles_serve_one_site_each_in_its_own_way()
    {
        made.Issue("a", ["a.test"]);
        using var weir = WeirProcess.Start($$"""
            listen: [{ address: "127.0.0.1:0", tls: true }, { address: "0.0.0.0:0", tls: { profile: modern } }]
            sites: [{ hosts: [a.test], {{Tls("a")}}, respond: 200 }]
            """);
        Assert.Equal([0, 0, 1, 0], new[] { (0, "-tls1_2"), (0, "-tls1_3"), (1, "-tls1_2"), (1, "-tls1_3") }.Select(t => Command.Run("sh", ["-c", $"openssl s_client -connect 127.0.0.1:{weir.Ports[t.Item1]} -servername a.test {t.Item2} </dev/null"]).Code));
    }

    [Fact]
    public void A_connection_carries_the_names_that_its_certificate_covers_and_no_others()
    {
        made.Issue("a", ["a.test", "b.test"]);
        made.Issue("b", ["b.test"]);
        made.Issue("c", ["c.test"]);
        using var weir = WeirProcess.Start($$"""
            listen: { address: "127.0.0.1:0", tls: true }
            sites:
              - { hosts: [a.test], {{Tls("a")}}, respond: { body: "a" } }
              - { hosts: [b.test], {{Tls("b")}}, respond: { body: "b" } }
              - { hosts: [c.test], {{Tls("c")}}, respond: { body: "c" } }
            """);
        Assert.Equal(["200 a", "200 b", "421", "421"], Ask("a.test", "a.test", "b.test", "c.test", "d.test"));
        Assert.Equal(["200 b", "421"], Ask("b.test", "b.test", "a.test"));
        Assert.Equal(["200 a", "200 b", "421"], Ask("127.0.0.1", "a.test", "b.test", "c.test")); // Asked for no name: the first's.

        IEnumerable<string> Ask(string name, params string[] hosts)
        {
            using var stream = TlsClientStream.Connect(weir.Port, name);
            foreach (var host in hosts) stream.Write(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {host}\r\n{(host == hosts[^1] ? "Connection: close\r\n" : "")}\r\n"));
            using var reader = new StreamReader(stream, Encoding.Latin1);
            var all = reader.ReadToEnd().Split("HTTP/1.1 ").Skip(1).ToArray();
            return all.Select(a => a.StartsWith("200", StringComparison.Ordinal) ? $"200 {a[^1]}" : a[..3]);
        }
    }

    [Fact]
    public void A_new_certificate_is_shown_when_its_files_change_and_connections_go_on()
    {
        made.Issue("a", ["a.test"], serial: [1]);
        using var weir = WeirProcess.Start(One("a"));
        using var kept = TlsClientStream.Connect(weir.Port, "a.test");
        Assert.Equal("01", Serial(weir.Port));
        made.Issue("a", ["a.test"], serial: [2]);
        Eventually.Holds(() => Serial(weir.Port) == "02", () => weir.Said);

        // A broken one changes nothing, and is told once.
        File.WriteAllText(made.At("a.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n");
        Eventually.Holds(() => weir.Said.Contains("a.pem' cannot be read", StringComparison.Ordinal), () => weir.Said);
        Assert.Contains("the certificate that was shown before stays", weir.Said, StringComparison.Ordinal);
        Assert.Equal("02", Serial(weir.Port));

        // Nor does one that is over, or a key of another; the configuration can be reloaded all the same.
        made.Issue("a", ["a.test"], until: DateTimeOffset.UtcNow.AddDays(-1), serial: [3]);
        Eventually.Holds(() => weir.Said.Contains("has expired", StringComparison.Ordinal), () => weir.Said);
        Assert.Equal(0, weir.Ask("reload").Code);
        Assert.Equal("02", Serial(weir.Port));
        made.Issue("other", ["other.test"]);
        File.Copy(made.At("other.key"), made.At("a.key"), overwrite: true);
        var reload = weir.Ask("reload");
        Assert.Contains($"the key in '{made.At("a.key")}' does not belong to the certificate in '{made.At("a.pem")}'; the certificate that was shown before stays", reload.Output + reload.Error, StringComparison.Ordinal);
        Assert.Equal("02", Serial(weir.Port));
        Assert.Contains("does not belong", weir.Ask("status").Output, StringComparison.Ordinal);

        made.Issue("a", ["a.test"], serial: [4]);
        Assert.Equal(0, weir.Ask("reload").Code);
        Assert.Equal("04", Serial(weir.Port));
        Assert.Contains(" 200 ", TlsClientStream.Ask(kept, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(1, weir.Said.Split("a.pem' cannot be read").Length - 1);
    }

    [Fact]
    public void Links_that_are_switched_are_a_change()
    {
        foreach (var number in new byte[] { 1, 2 })
        {
            made.Issue("a", ["a.test"], serial: [number]);
            Directory.CreateDirectory(made.At($"..{number}"));
            foreach (var file in new[] { "a.pem", "a.key" }) File.Move(made.At(file), Path.Combine(made.At($"..{number}"), file));
        }

        File.CreateSymbolicLink(made.At("..data"), "..1");
        foreach (var file in new[] { "a.pem", "a.key" }) File.CreateSymbolicLink(made.At(file), Path.Combine("..data", file));
        using var weir = WeirProcess.Start(One("a"));
        Assert.Equal("01", Serial(weir.Port));
        File.CreateSymbolicLink(made.At("..data.new"), "..2");
        Assert.Equal(0, Command.Run("mv", ["-T", made.At("..data.new"), made.At("..data")]).Code);
        Eventually.Holds(() => Serial(weir.Port) == "02", () => weir.Said);
    }

    [Fact]
    public void A_reload_that_is_refused_changes_nothing_that_is_shown()
    {
        made.Issue("a", ["a.test"], serial: [1]);
        made.Issue("b", ["a.test"], serial: [2]);
        using var weir = WeirProcess.Start(One("a"));
        weir.Configure(One("b") + "  - { hosts: [b.test], tls: { certificate: /none.pem }, respond: 200 }\n");
        var refused = weir.Ask("reload");
        Assert.Equal(1, refused.Code);
        Assert.Contains("there is no file '/none.pem'", refused.Output + refused.Error, StringComparison.Ordinal);
        Assert.Equal("01", Serial(weir.Port));
        weir.Configure(One("b"));
        Assert.Equal(0, weir.Ask("reload").Code);
        Assert.Equal("02", Serial(weir.Port));
    }

    [Fact]
    public void What_is_asked_in_the_clear_is_sent_to_https_and_browsers_are_told_to_stay_there()
    {
        made.Issue("a", ["a.test"]);
        int port;
        using (var free = new TcpListener(System.Net.IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((System.Net.IPEndPoint)free.LocalEndpoint).Port;
        }

        using var weir = WeirProcess.Start($$"""
            listen: [{ address: "127.0.0.1:{{port}}", tls: true }, "127.0.0.1:0"]
            https_redirect: true
            hsts: { max_age: 1y, include_subdomains: true }
            sites: [{ hosts: [a.test], {{Tls("a")}}, routes: [{ match: /x, respond: { headers: { strict-transport-security: "max-age=1" }, body: x } }] }]
            """);
        var clear = Curl(weir.Ports[1], "http", "a.test", "/x?y");
        Assert.StartsWith("HTTP/1.1 308 ", clear, StringComparison.Ordinal);
        Assert.Contains($"\r\nLocation: https://a.test:{port}/x?y\r\n", clear, StringComparison.Ordinal);
        Assert.DoesNotContain("strict-transport-security", clear, StringComparison.OrdinalIgnoreCase);
        var over = Curl(port, "https", "a.test", "/x?y");
        Assert.Equal("Strict-Transport-Security: max-age=31536000; includeSubDomains", over.Split("\r\n").Single(l => l.StartsWith("strict-", StringComparison.OrdinalIgnoreCase)));
        Assert.Contains("Strict-Transport-Security: max-age=31536000; includeSubDomains", Curl(port, "https", "a.test", "/none"), StringComparison.Ordinal); // A fault's answer too.
    }

    [Fact]
    public void What_is_shown_stands_in_the_status()
    {
        made.Issue("a", ["a.test", "b.test"], serial: [0x5a]);
        using var weir = WeirProcess.Start(One("a"));
        var certificate = JsonDocument.Parse(weir.Ask("status", "--json").Output).RootElement.GetProperty("certificates")[0];
        Assert.Equal(("a.test", "ecdsa", "Test Issuer", "5a", 2), (certificate.GetProperty("site").GetString(), certificate.GetProperty("kind").GetString(), certificate.GetProperty("issuer").GetString(), certificate.GetProperty("serial").GetString(), certificate.GetProperty("names").GetArrayLength()));
        Assert.Contains("site a.test: ecdsa certificate for a.test, b.test by Test Issuer, for ", weir.Ask("status").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_issuer_says_is_stapled_and_kept_over_a_restart()
    {
        using var responder = new OcspResponder(made);
        made.Issue("a", ["a.test"], extensions: [new X509AuthorityInformationAccessExtension([responder.Url], null)], serial: [0x21]);
        made.Issue("off", ["off.test"], extensions: [new X509AuthorityInformationAccessExtension([responder.Url], null)], serial: [0x22]);
        var configuration = $$"""
            listen: { address: "127.0.0.1:0", tls: true }
            sites: [{ hosts: [a.test], {{Tls("a")}}, respond: 200 }, { hosts: [off.test], tls: { {{Pair("off")[2..^2]}}, ocsp: off }, respond: 200 }]
            """;
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        configuration += $"\nstate: {made.At("state")}\n";
        using (var weir = WeirProcess.Start(configuration, folder))
        {
            Eventually.Holds(() => Stapled(weir.Port, "a.test").Contains("Cert Status: good", StringComparison.Ordinal), () => weir.Said + responder.Said);
            Assert.Contains("no response sent", Stapled(weir.Port, "off.test"), StringComparison.Ordinal);
        }

        Assert.Equal(1, responder.Asked);
        responder.IsBroken = true;
        using (var again = WeirProcess.Start(configuration))
        {
            Eventually.Holds(() => Stapled(again.Port, "a.test").Contains("Cert Status: good", StringComparison.Ordinal), () => again.Said);
        }

        Assert.Equal(1, responder.Asked);
    }

    [Fact]
    public void A_certificate_that_must_be_stapled_and_is_not_is_told_and_so_is_one_that_was_revoked()
    {
        using var responder = new OcspResponder(made);
        X509Extension[] must = [new("1.3.6.1.5.5.7.1.24", [0x30, 0x03, 0x02, 0x01, 0x05], false)];
        made.Issue("must", ["must.test"], extensions: must, serial: [0x31]);
        made.Issue("revoked", ["revoked.test"], extensions: [new X509AuthorityInformationAccessExtension([responder.Url], null)], serial: [0x32]);
        responder.Revoked = "32";
        using var weir = WeirProcess.Start($$"""
            state: {{made.At("state")}}
            listen: { address: "127.0.0.1:0", tls: true }
            sites: [{ hosts: [must.test], {{Tls("must")}}, respond: 200 }, { hosts: [revoked.test], {{Tls("revoked")}}, respond: 200 }]
            """);
        Eventually.Holds(() => weir.Said.Contains("says that it must be stapled (RFC 7633), and there is nothing to staple: it names no responder", StringComparison.Ordinal), () => weir.Said);
        Eventually.Holds(() => weir.Said.Contains("the certificate has been revoked", StringComparison.Ordinal), () => weir.Said + responder.Said);
        Assert.Contains("no response sent", Stapled(weir.Port, "revoked.test"), StringComparison.Ordinal);
    }

    private string One(string name) => $"listen: {{ address: \"127.0.0.1:0\", tls: true }}\nsites:\n  - {{ hosts: [a.test], {Tls(name)}, respond: 200 }}\n";

    private string Pair(string name) => $"{{ certificate: \"{made.At(name)}.pem\", key: \"{made.At(name)}.key\" }}";

    private string Tls(string name) => $"tls: {Pair(name)}";

    private static string Shown(int port, string name)
    {
        var subject = "";
        using var stream = TlsClientStream.Connect(port, name, check: c => subject = c.Subject);
        return subject["CN=".Length..];
    }

    private static string Serial(int port)
    {
        var serial = "";
        using var stream = TlsClientStream.Connect(port, "a.test", check: c => serial = c.SerialNumber);
        return serial;
    }

    private static string Stapled(int port, string name) => Command.Run("sh", ["-c", $"openssl s_client -connect 127.0.0.1:{port} -servername {name} -status </dev/null 2>&1"]).Output;

    // With its head, verified against the root.
    private string Curl(int port, string scheme, string host, string path) =>
        Command.Run("curl", ["-si", "--cacert", made.At("root.pem"), "--resolve", $"{host}:{port}:127.0.0.1", $"{scheme}://{host}:{port}{path}"]).Output;
}
