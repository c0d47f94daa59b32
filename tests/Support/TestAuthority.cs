// An authority in a folder of its own, and certificates that are not as they should be.

namespace Weir.Tests.Support;

/// <summary>The files of a certificate.</summary>
public sealed record TestCertificate(string Certificate, string Key);

/// <summary>Issues certificates; their files are gone when it is disposed.</summary>
public sealed class TestAuthority : IDisposable
{
    private readonly Pki pki;

    public TestAuthority(string name = "Test authority")
    {
        Folder = Directory.CreateTempSubdirectory("weir-ca-").FullName;
        pki = new Pki(Folder, name);
    }

    public string Folder { get; }

    /// <summary>The file with its own certificate.</summary>
    public string File => pki.Authority;

    /// <summary>Issues a certificate for names and addresses.</summary>
    public TestCertificate Issue(params string[] names) => Of(pki.Issue(names[0], others: names[1..]));

    /// <summary>Issues one that names somebody in its subject only.</summary>
    public TestCertificate IssueByCommonName(string name) => Of(pki.Issue($"CN={name}"));

    /// <summary>Issues one that has expired.</summary>
    public TestCertificate IssueExpired(string name) => Of(pki.Issue(name, from: -9, to: -2));

    /// <summary>One that nobody has issued.</summary>
    public TestCertificate SelfSigned(string name)
    {
        var (made, key) = TestCertificates.Make($"CN={name}", [], TestCertificates.KeyOf("ecdsa"), null, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(7));
        var files = new TestCertificate(Path.Combine(Folder, $"{name}-self.pem"), Path.Combine(Folder, $"{name}-self.key"));
        System.IO.File.WriteAllText(files.Certificate, made.ExportCertificatePem());
        TestCertificates.WritePrivate(files.Key, key.ExportPkcs8PrivateKeyPem());
        return files;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static TestCertificate Of((string Certificate, string Key) files) => new(files.Certificate, files.Key);
}
