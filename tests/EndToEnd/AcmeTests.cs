// Automatic certificates, on the built program, from Pebble, which refuses some of the nonces.

using System.Security.Cryptography.X509Certificates;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class AcmeTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-acme-").FullName;
    private readonly string state;

    public AcmeTests() => state = Directory.CreateDirectory(Path.Combine(folder, "state")).FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_certificate_is_given_by_http_01_shown_and_found_again()
    {
        using var pebble = new Pebble(folder);
        string first;
        using (var weir = Start(pebble, "challenges: [http-01]"))
        {
            first = Shown(weir, "one.example");
            Shown(weir, "two.example");
            Assert.Contains("certificate: one.example: ordering from localhost", weir.Said, StringComparison.Ordinal);
            Assert.Contains("certificate: one.example: the CA will look at http://one.example/.well-known/acme-challenge/", weir.Said, StringComparison.Ordinal);
            Eventually.Holds(() => weir.Said.Contains("certificate: one.example: got it, valid until", StringComparison.Ordinal), () => weir.Said);
            Assert.Contains(" 200 OK", TlsClientStream.Ask(weir.Ports[1], "one.example"), StringComparison.Ordinal);
        }

        pebble.Stop();
        using var again = Start(pebble, "challenges: [http-01]");
        Assert.Equal(first, SerialShown(again, "one.example", "one.example"));
    }

    [Fact]
    public void A_certificate_is_given_by_tls_alpn_01()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0);
        using var weir = Start(pebble, "challenges: [tls-alpn-01]");
        Shown(weir, "one.example");
        Assert.Contains("certificate: one.example: the CA will connect to one.example:443 and ask for acme-tls/1", weir.Said, StringComparison.Ordinal);
        Assert.Contains(" 200 OK", TlsClientStream.Ask(weir.Ports[1], "one.example"), StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => TlsClientStream.Connect(weir.Ports[1], "one.example", alpn: ["acme-tls/1"]));
    }

    [Fact]
    public void A_wildcard_is_given_by_dns_01_through_a_hook()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0);
        var hook = Script($$"""
            echo "$1 $2 $3 $WEIR_ACTION" >> {{folder}}/calls
            case $1 in
              present) curl -s -d "{\"host\":\"$2.\",\"value\":\"$3\"}" {{pebble.DnsManagement}}set-txt ;;
              cleanup) curl -s -d "{\"host\":\"$2.\"}" {{pebble.DnsManagement}}clear-txt ;;
            esac
            """);
        using var weir = Start(pebble, $"dns: {{ hook: {hook}, wait: 0s }}", hosts: "[\"*.example.org\"]");
        Shown(weir, "any.example.org", "*.example.org");
        Eventually.Holds(() => File.ReadAllLines(Path.Combine(folder, "calls")).Length == 2, () => weir.Said);
        var calls = File.ReadAllLines(Path.Combine(folder, "calls"));
        Assert.StartsWith("present _acme-challenge.example.org ", calls[0], StringComparison.Ordinal);
        Assert.EndsWith(" present", calls[0], StringComparison.Ordinal);
        Assert.StartsWith("cleanup _acme-challenge.example.org ", calls[1], StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_hook_says_when_it_fails_is_told()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0);
        using var weir = Start(pebble, $"dns: {{ hook: {Script("echo no such zone >&2; exit 3")} }}", hosts: "[\"*.example.org\"]");
        Eventually.Holds(() => weir.Said.Contains("present _acme-challenge.example.org ends with 3: no such zone", StringComparison.Ordinal), () => weir.Said);
        var (code, output, _) = weir.Ask("cert", "list");
        Assert.Equal(0, code);
        Assert.Contains("failing", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wildcard_is_given_by_dns_01_through_updates_of_the_zone()
    {
        using var named = new NamedServer(folder, "example.org");
        using var pebble = new Pebble(folder, noncesRefused: 0, dns: named.End);
        using var weir = Start(pebble, $"dns: {{ rfc2136: {{ server: \"{named.End}\", key: {NamedServer.KeyName}, secret: \"{NamedServer.Secret}\" }}, wait: 5s }}", hosts: "[\"*.example.org\"]");
        Shown(weir, "any.example.org", "*.example.org");
        Eventually.Holds(() => Command.Run("dig", ["@127.0.0.1", "-p", $"{named.End.Port}", "+short", "TXT", "_acme-challenge.example.org"]).Output.Trim().Length == 0, () => $"the record is still there: {weir.Said}");
    }

    [Fact]
    public void A_wrong_secret_is_told()
    {
        using var named = new NamedServer(folder, "example.org");
        using var pebble = new Pebble(folder, noncesRefused: 0, dns: named.End);
        using var weir = Start(pebble, $"dns: {{ rfc2136: {{ server: \"{named.End}\", key: {NamedServer.KeyName}, secret: \"{Convert.ToBase64String(new byte[32])}\" }} }}", hosts: "[\"*.example.org\"]");
        Eventually.Holds(() => weir.Said.Contains("is the secret the right one? (BADSIG)", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void Certificates_are_listed_shown_and_renewed()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0);
        using var weir = Start(pebble, "");
        var first = Shown(weir, "one.example");
        Shown(weir, "two.example");
        var (code, output, _) = weir.Ask("cert", "list");
        Assert.Equal(0, code);
        Assert.Matches(@"(?m)^one\.example\s+good\s+\d+ days\s+\d{4}-\d\d-\d\d \d\d:\d\d\s+localhost", output);
        var shown = weir.Ask("cert", "show", "one.example").Output;
        Assert.Contains(first.ToLowerInvariant(), shown.ToLowerInvariant(), StringComparison.Ordinal);
        Assert.Matches(@"(?m)^on demand: +no$", shown);
        Assert.Matches(@"(?m)^not after: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", shown);
        Assert.Matches(@"(?m)^renewal: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", shown);
        Assert.Equal(1, weir.Ask("cert", "renew", "tree.example").Code);
        Assert.Equal(0, weir.Ask("cert", "renew", "one.example").Code);
        Eventually.Holds(() => SerialShown(weir, "one.example", "one.example") is { } serial && serial != first, () => weir.Said);
        Assert.Equal(2, System.Text.Json.JsonDocument.Parse(weir.Ask("cert", "list", "--json").Output).RootElement.GetProperty("certificates").GetArrayLength());
    }

    [Fact]
    public void An_external_account_is_bound()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0, eab: true);
        using var weir = Start(pebble, "", issuer: $"{{ directory: \"{pebble.Directories}\", ca: {pebble.CaFile}, eab: {{ kid: kid-1, key: {Pebble.EabKey} }} }}");
        Shown(weir, "one.example");
    }

    [Fact]
    public void Until_the_first_certificate_there_is_one_of_our_own_and_a_dead_CA_costs_nothing()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0);
        pebble.Stop();
        using var weir = Start(pebble, "until_issued: self_signed");
        Assert.Contains(" 200 OK", TlsClientStream.Ask(weir.Ports[1], "one.example"), StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains("one.example has no certificate yet: localhost:", StringComparison.Ordinal), () => weir.Said);
    }

    [Fact]
    public void A_kill_in_the_midst_of_an_order_costs_no_second_order()
    {
        using var pebble = new Pebble(folder);
        var chance = new Random(3);
        for (var i = 0; i < 6; i++)
        {
            var weir = Start(pebble, "challenges: [http-01]", hosts: "[one.example]");
            Thread.Sleep(chance.Next(1_500)); // Wherever it is by then.
            weir.Dispose();
        }

        using var last = Start(pebble, "challenges: [http-01]", hosts: "[one.example]");
        Shown(last, "one.example");
        Assert.Equal(1, System.Text.RegularExpressions.Regex.Count(pebble.Said, "Issued certificate serial"));
        Assert.Equal(1, System.Text.RegularExpressions.Regex.Count(pebble.Said, "Added order"));
    }

    [Fact]
    public void A_handshake_waits_for_a_certificate_that_is_ordered_on_demand()
    {
        using var pebble = new Pebble(folder, noncesRefused: 0);
        using var ask = new RawOrigin();
        using var weir = Start(pebble, $"on_demand: {{ ask: \"{ask.Url}/may\", rate: 1, burst: 1 }}", hosts: "[]");
        Assert.NotNull(SerialShown(weir, "dynamic.example", "dynamic.example"));
        Assert.StartsWith("GET /may?domain=dynamic.example HTTP/1.1", ask.Received.Single(), StringComparison.Ordinal);
        Assert.NotNull(SerialShown(weir, "dynamic.example", "dynamic.example"));
        Assert.Null(SerialShown(weir, "another.example", "another.example")); // One past the rate.
        Assert.Null(SerialShown(weir, "localhost", "localhost"));
    }

    private string Script(string text)
    {
        var file = Path.Combine(folder, "hook");
        File.WriteAllText(file, "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(file, (UnixFileMode)0b111_000_000);
        return file;
    }

    private WeirProcess Start(Pebble pebble, string acme, string issuer = "", string hosts = "[one.example, two.example]")
    {
        return WeirProcess.Start($$"""
            listen: ["127.0.0.1:{{pebble.HttpPort}}", { address: "127.0.0.1:{{pebble.TlsPort}}", tls: true }]
            state: {{state}}
            acme:
              issuers: [{{(issuer.Length > 0 ? issuer : pebble.Issuer)}}]
              {{acme.ReplaceLineEndings("\n  ")}}
            sites:
              - hosts: {{hosts}}
                tls: auto
                respond: 200
            """);
    }

    /// <summary>Waits until a certificate is shown that Pebble has signed; its serial number.</summary>
    private static string Shown(WeirProcess weir, string name, string? written = null)
    {
        var serial = "";
        Eventually.Holds(() => (serial = SerialShown(weir, name, written ?? name) ?? "").Length > 0, () => $"{name} shows no certificate of Pebble's: {weir.Said}");
        return serial;
    }

    // Null: it is not Pebble's.
    private static string? SerialShown(WeirProcess weir, string name, string written)
    {
        string? serial = null;
        try
        {
            using var stream = TlsClientStream.Connect(weir.Ports[1], name, check: shown => serial = shown.Issuer.Contains("Pebble", StringComparison.Ordinal) && shown.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames().SequenceEqual([written]) ? shown.SerialNumber : null);
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException)
        {
            // Refused: there is none yet.
        }

        return serial;
    }
}
