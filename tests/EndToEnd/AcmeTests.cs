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
        Assert.Equal(first, SerialShown(again, "one.example"));
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

    private WeirProcess Start(Pebble pebble, string acme, string issuer = "")
    {
        return WeirProcess.Start($$"""
            listen: ["127.0.0.1:{{pebble.HttpPort}}", { address: "127.0.0.1:{{pebble.TlsPort}}", tls: true }]
            state: {{state}}
            acme:
              issuers: [{{(issuer.Length > 0 ? issuer : pebble.Issuer)}}]
              {{acme.ReplaceLineEndings("\n  ")}}
            sites:
              - hosts: [one.example, two.example]
                tls: auto
                respond: 200
            """);
    }

    /// <summary>Waits until a certificate is shown that Pebble has signed; its serial number.</summary>
    private static string Shown(WeirProcess weir, string name)
    {
        var serial = "";
        Eventually.Holds(() => (serial = SerialShown(weir, name) ?? "").Length > 0, () => $"{name} shows no certificate of Pebble's: {weir.Said}");
        return serial;
    }

    // Null: it is not Pebble's.
    private static string? SerialShown(WeirProcess weir, string name)
    {
        string? serial = null;
        try
        {
            using var stream = TlsClientStream.Connect(weir.Ports[1], name, check: shown => serial = shown.Issuer.Contains("Pebble", StringComparison.Ordinal) && shown.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single().EnumerateDnsNames().SequenceEqual([name]) ? shown.SerialNumber : null);
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException)
        {
            // Refused: there is none yet.
        }

        return serial;
    }
}
