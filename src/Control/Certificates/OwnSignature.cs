// Certificates that we sign ourselves: what is shown until a CA has given one, and what answers a tls-alpn-01 challenge
// (RFC 8737 §3). With their key, in PEM.

using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Weir.Engine.Disk;

namespace Weir.Control.Certificates;

/// <summary>Makes certificates.</summary>
public static class OwnSignature
{
    private const string AcmeIdentifier = "1.3.6.1.5.5.7.1.31";

    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");

    /// <summary>What is shown until there is something better.</summary>
    public static SecretBytes Placeholder(string name, DateTimeOffset now) => Make(name, now, TimeSpan.FromDays(7), static _ => { });

    /// <summary>What a CA that looks by tls-alpn-01 is to find.</summary>
    public static SecretBytes TlsAlpn(string name, string keyAuthorization, DateTimeOffset now) => Make(name, now, TimeSpan.FromDays(1), request =>
    {
        var value = new AsnWriter(AsnEncodingRules.DER);
        value.WriteOctetString(SHA256.HashData(Encoding.ASCII.GetBytes(keyAuthorization)));
        request.CertificateExtensions.Add(new X509Extension(AcmeIdentifier, value.Encode(), critical: true));
    });

    /// <summary>The names of a certificate, as an extension.</summary>
    internal static X509Extension Names(params string[] names)
    {
        var builder = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (IPAddress.TryParse(name, out var ip)) builder.AddIpAddress(ip);
            else builder.AddDnsName(name);
        }

        return builder.Build();
    }

    /// <summary>A certificate, then its key: one text.</summary>
    internal static SecretBytes Join(ReadOnlySpan<byte> chain, PrivateKey key)
    {
        using var secret = key.ToPem();
        var gap = chain is [.., (byte)'\n'] ? 0 : 1;
        var both = new SecretBytes(chain.Length + gap + secret.Length);
        chain.CopyTo(both.Span);
        if (gap > 0) both.Span[chain.Length] = (byte)'\n';
        secret.Span.CopyTo(both.Span[(chain.Length + gap)..]);
        return both;
    }

    private static SecretBytes Make(string name, DateTimeOffset now, TimeSpan life, Action<CertificateRequest> add)
    {
        using var key = PrivateKey.Make(KeyType.EcdsaP256);
        var request = key.Request("CN=weir self-signed"); // A name may be longer than a subject's may be.
        request.CertificateExtensions.Add(Names(name));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([ServerAuthentication], false));
        add(request);
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now + life);
        return Join(Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()), key);
    }
}
