// Certificates for tests: an authority of its own, and what it issues, as files in PEM that only their owner may read.

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Tests.Support;

/// <summary>An authority and its certificates, in a folder.</summary>
public sealed class Pki
{
    private readonly string folder;
    private readonly (X509Certificate2 Certificate, AsymmetricAlgorithm Key) authority;
    private int issued;

    public Pki(string folder, string name = "Test authority")
    {
        this.folder = Directory.CreateDirectory(folder).FullName;
        authority = TestCertificates.Make($"CN={name}", [], TestCertificates.KeyOf("ecdsa"), null, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(365), isAuthority: true);
        Authority = Path.Combine(this.folder, "authority.pem");
        File.WriteAllText(Authority, authority.Certificate.ExportCertificatePem());
    }

    /// <summary>The file with the authority's certificate.</summary>
    public string Authority { get; }

    /// <summary>The authority's certificate.</summary>
    public X509Certificate2 Root => authority.Certificate;

    /// <summary>Issues a certificate.</summary>
    /// <param name="name">The first name and the files' name.</param>
    /// <param name="rsa">An RSA key instead of one of P-256.</param>
    /// <param name="from">Days from now that it begins.</param>
    /// <param name="to">Days from now that it ends.</param>
    /// <param name="others">Further names.</param>
    public (string Certificate, string Key) Issue(string name, bool rsa = false, double from = -0.5, double to = 90, params string[] others)
    {
        var hasSubject = name.Contains('=', StringComparison.Ordinal);
        var (certificate, key) = TestCertificates.Make(hasSubject ? name : $"CN={name}", hasSubject ? [] : [name, .. others], TestCertificates.KeyOf(rsa ? "rsa" : "ecdsa"), authority, DateTimeOffset.UtcNow.AddDays(from), DateTimeOffset.UtcNow.AddDays(to));
        var stem = Path.Combine(folder, $"{string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' ? c : '_'))}-{issued++}");
        File.WriteAllText(stem + ".pem", certificate.ExportCertificatePem());
        TestCertificates.WritePrivate(stem + ".key", key.ExportPkcs8PrivateKeyPem());
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

        var bytes = list.Build(authority.Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa((ECDsa)authority.Key), issued++, DateTimeOffset.UtcNow.AddDays(1), HashAlgorithmName.SHA256, X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority.Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        File.WriteAllText(file + ".new", PemEncoding.WriteString("X509 CRL", bytes));
        File.Move(file + ".new", file, overwrite: true);
    }

    /// <summary>What a site's or an upstream's `tls` says of a certificate.</summary>
    public static string Written((string Certificate, string Key) files) => $"certificate: {files.Certificate}, key: {files.Key}";
}
