// A CA made for a test, and the certificates that it issues, as files in a folder of their own.

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Tests.Support;

/// <summary>The files of a certificate.</summary>
public sealed record TestCertificate(string Certificate, string Key);

/// <summary>Issues certificates; their files are gone when it is disposed.</summary>
public sealed class TestAuthority : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 own;
    private int issued;

    public TestAuthority(string name = "Weir test CA")
    {
        Folder = Directory.CreateTempSubdirectory("weir-ca-").FullName;
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        own = request.CreateSelfSigned(Now.AddDays(-30), Now.AddDays(30));
        File = Path.Combine(Folder, "ca.pem");
        System.IO.File.WriteAllText(File, own.ExportCertificatePem());
    }

    public string Folder { get; }

    /// <summary>Its own certificate.</summary>
    public string File { get; }

    /// <summary>Issues a certificate, of a server and a client, for names and addresses.</summary>
    public TestCertificate Issue(params string[] names) => Issue(Now.AddDays(-1), Now.AddDays(7), names);

    /// <summary>Issues one that has expired.</summary>
    public TestCertificate IssueExpired(params string[] names) => Issue(Now.AddDays(-9), Now.AddDays(-2), names);

    /// <summary>One that nobody has issued.</summary>
    public TestCertificate SelfSigned(params string[] names)
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = Request(pair, names).CreateSelfSigned(Now.AddDays(-1), Now.AddDays(7));
        return Write(made, pair, "");
    }

    public void Dispose()
    {
        own.Dispose();
        key.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private TestCertificate Issue(DateTimeOffset from, DateTimeOffset until, string[] names)
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var serial = new byte[8];
        RandomNumberGenerator.Fill(serial);
        serial[0] &= 0x7f;
        using var made = Request(pair, names).Create(own, from, until, serial);
        return Write(made, pair, own.ExportCertificatePem());
    }

    private static CertificateRequest Request(ECDsa pair, string[] names)
    {
        var request = new CertificateRequest($"CN={names[0].Replace("*", "any", StringComparison.Ordinal)}", pair, HashAlgorithmName.SHA256);
        var alternatives = new SubjectAlternativeNameBuilder();
        foreach (var name in names)
        {
            if (IPAddress.TryParse(name, out var ip)) alternatives.AddIpAddress(ip);
            else alternatives.AddDnsName(name);
        }

        request.CertificateExtensions.Add(alternatives.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        return request;
    }

    private TestCertificate Write(X509Certificate2 made, ECDsa pair, string chain)
    {
        var number = ++issued;
        var files = new TestCertificate(Path.Combine(Folder, $"{number}.crt.pem"), Path.Combine(Folder, $"{number}.key.pem"));
        System.IO.File.WriteAllText(files.Certificate, made.ExportCertificatePem() + "\n" + chain);
        System.IO.File.WriteAllText(files.Key, pair.ExportPkcs8PrivateKeyPem());
        if (!OperatingSystem.IsWindows()) System.IO.File.SetUnixFileMode(files.Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return files;
    }
}
