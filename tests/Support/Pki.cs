// Certificates for tests: an authority of its own, and what it issues, as files in PEM that only their owner may read.

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Tests.Support;

/// <summary>An authority and its certificates, in a folder.</summary>
public sealed class Pki
{
    private readonly string folder;
    private readonly X509Certificate2 authority;
    private int issued;

    public Pki(string folder, string name = "Test authority")
    {
        this.folder = Directory.CreateDirectory(folder).FullName;
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(365));
        Authority = Path.Combine(this.folder, "authority.pem");
        File.WriteAllText(Authority, authority.ExportCertificatePem());
    }

    /// <summary>The file with the authority's certificate.</summary>
    public string Authority { get; }

    /// <summary>The authority's certificate.</summary>
    public X509Certificate2 Root => authority;

    /// <summary>Issues a certificate.</summary>
    /// <param name="name">The first name and the files' name.</param>
    /// <param name="rsa">An RSA key instead of one of P-256.</param>
    /// <param name="from">Days from now that it begins.</param>
    /// <param name="to">Days from now that it ends.</param>
    /// <param name="others">Further names.</param>
    public (string Certificate, string Key) Issue(string name, bool rsa = false, double from = -0.5, double to = 90, params string[] others)
    {
        using AsymmetricAlgorithm key = rsa ? RSA.Create(2048) : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var subject = new X500DistinguishedName(name.Contains('=', StringComparison.Ordinal) ? name : $"CN={name}");
        var request = key is RSA r ? new CertificateRequest(subject, r, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) : new CertificateRequest(subject, (ECDsa)key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        foreach (var each in others.Prepend(name).Where(n => !n.Contains('=', StringComparison.Ordinal)))
        {
            if (IPAddress.TryParse(each, out var address)) names.AddIpAddress(address);
            else names.AddDnsName(each);
        }

        if (!name.Contains('=', StringComparison.Ordinal)) request.CertificateExtensions.Add(names.Build());
        var serial = RandomNumberGenerator.GetBytes(12);
        serial[0] &= 0x7f;
        using var certificate = request.Create(authority.SubjectName, X509SignatureGenerator.CreateForECDsa(authority.GetECDsaPrivateKey()!), DateTimeOffset.UtcNow.AddDays(from), DateTimeOffset.UtcNow.AddDays(to), serial);
        var stem = Path.Combine(folder, $"{string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' ? c : '_'))}-{issued++}");
        File.WriteAllText(stem + ".pem", certificate.ExportCertificatePem());
        File.WriteAllText(stem + ".key", key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(stem + ".key", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return (stem + ".pem", stem + ".key");
    }

    /// <summary>Writes the list of those of its certificates that are revoked.</summary>
    public void Revoke(string file, params (string Certificate, string Key)[] revoked)
    {
        var list = new CertificateRevocationListBuilder();
        foreach (var (certificate, _) in revoked)
        {
            using var read = X509CertificateLoader.LoadCertificateFromFile(certificate);
            list.AddEntry(read);
        }

        var bytes = list.Build(authority.SubjectName, X509SignatureGenerator.CreateForECDsa(authority.GetECDsaPrivateKey()!), issued++, DateTimeOffset.UtcNow.AddDays(1), HashAlgorithmName.SHA256, X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        File.WriteAllText(file + ".new", PemEncoding.WriteString("X509 CRL", bytes));
        File.Move(file + ".new", file, overwrite: true);
    }

    /// <summary>What a site's or an upstream's `tls` says of a certificate.</summary>
    public static string Written((string Certificate, string Key) files) => $"certificate: {files.Certificate}, key: {files.Key}";
}
