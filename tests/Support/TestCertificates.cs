// Certificates made for a test, as files in a folder: of a little authority with one issuer below it, or signed by themselves.

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Tests.Support;

/// <summary>Makes certificates and writes them as PEM. Keys are their owner's alone.</summary>
public sealed class TestCertificates
{
    private readonly (X509Certificate2 Certificate, AsymmetricAlgorithm Key) root;
    private readonly (X509Certificate2 Certificate, AsymmetricAlgorithm Key) issuer;

    public TestCertificates(string folder)
    {
        Folder = folder;
        Directory.CreateDirectory(folder);
        var (from, until) = (DateTimeOffset.UnixEpoch.AddYears(30), DateTimeOffset.UnixEpoch.AddYears(130));
        root = Make("CN=Test Root", [], ECDsa.Create(ECCurve.NamedCurves.nistP256), null, from, until, isAuthority: true);
        issuer = Make("CN=Test Issuer", [], ECDsa.Create(ECCurve.NamedCurves.nistP256), root, from, until, isAuthority: true);
        File.WriteAllText(At("root.pem"), root.Certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(At("issuer.pem"), issuer.Certificate.ExportCertificatePem() + "\n");
        WritePrivate(At("issuer.key"), issuer.Key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    public string Folder { get; }

    public string At(string file) => Path.Combine(Folder, file);

    /// <summary>Writes NAME.pem, with the issuer's certificate behind it and the root's, and NAME.key.</summary>
    /// <param name="name">What the files are called.</param>
    /// <param name="hosts">What it is for: names and addresses.</param>
    /// <param name="kind">The key: ecdsa, rsa, rsa-1024.</param>
    /// <param name="from">When its time begins; null: long ago.</param>
    /// <param name="until">When it ends; null: in 2100.</param>
    /// <param name="extensions">Further ones.</param>
    /// <param name="serial">Its number; null: by chance.</param>
    public void Issue(string name, string[] hosts, string kind = "ecdsa", DateTimeOffset? from = null, DateTimeOffset? until = null, X509Extension[]? extensions = null, byte[]? serial = null)
    {
        var (certificate, key) = Make($"CN={hosts[0]}", hosts, KeyOf(kind), issuer, from ?? DateTimeOffset.UnixEpoch.AddYears(31), until ?? DateTimeOffset.UnixEpoch.AddYears(129), extensions: extensions, serial: serial);
        Write(name, [certificate, issuer.Certificate, root.Certificate], key);
    }

    /// <summary>Writes NAME.pem and NAME.key, signed by itself.</summary>
    public void SelfSign(string name, string[] hosts, string kind = "ecdsa", HashAlgorithmName? hash = null, DateTimeOffset? from = null, DateTimeOffset? until = null)
    {
        var (certificate, key) = Make($"CN={hosts[0]}", hosts, KeyOf(kind), null, from ?? DateTimeOffset.UnixEpoch.AddYears(31), until ?? DateTimeOffset.UnixEpoch.AddYears(129), hash: hash);
        Write(name, [certificate], key);
    }

    /// <summary>Writes the issuer's list of revoked certificates.</summary>
    public void Revoke(string file, params byte[] serials)
    {
        var list = new CertificateRevocationListBuilder();
        foreach (var serial in serials) list.AddEntry([serial]);
        using var signing = issuer.Certificate.HasPrivateKey ? issuer.Certificate : issuer.Certificate.CopyWithPrivateKey((ECDsa)issuer.Key);
        File.WriteAllText(At(file), new string(PemEncoding.Write("X509 CRL", list.Build(signing, 1, DateTimeOffset.UtcNow.AddDays(30), HashAlgorithmName.SHA256, thisUpdate: DateTimeOffset.UtcNow.AddDays(-1)))) + "\n");
    }

    /// <summary>Writes a file from parts of others: the certificates of NAME.pem by number, whole files by name.</summary>
    public void Compose(string file, params (string File, int Number)[] parts) =>
        File.WriteAllText(At(file), string.Concat(parts.Select(p => p.Number < 0 ? File.ReadAllText(At(p.File)) : File.ReadAllText(At(p.File)).Split("-----BEGIN ")[p.Number + 1] is var text ? "-----BEGIN " + text : "")));

    /// <summary>Encrypts a key.</summary>
    public void Encrypt(string key, string to)
    {
        using var read = ECDsa.Create();
        read.ImportFromPem(File.ReadAllText(At(key)));
        WritePrivate(At(to), read.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
    }

    internal static AsymmetricAlgorithm KeyOf(string kind) => kind switch
    {
        "rsa" => RSA.Create(2048),
        "rsa-1024" => RSA.Create(1024),
        _ => ECDsa.Create(ECCurve.NamedCurves.nistP256),
    };

    /// <summary>Makes a certificate, signed with another's key or its own.</summary>
    internal static (X509Certificate2 Certificate, AsymmetricAlgorithm Key) Make(string subject, string[] hosts, AsymmetricAlgorithm key, (X509Certificate2 Certificate, AsymmetricAlgorithm Key)? by, DateTimeOffset from, DateTimeOffset until, bool isAuthority = false, HashAlgorithmName? hash = null, X509Extension[]? extensions = null, byte[]? serial = null)
    {
        var digest = hash ?? HashAlgorithmName.SHA256;
        var request = key is RSA rsa ? new CertificateRequest(subject, rsa, digest, RSASignaturePadding.Pkcs1) : new CertificateRequest(subject, (ECDsa)key, digest);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, true));
        if (isAuthority) request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign | X509KeyUsageFlags.DigitalSignature, true));
        if (hosts.Length > 0)
        {
            var names = new SubjectAlternativeNameBuilder();
            foreach (var host in hosts)
            {
                if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
                else names.AddDnsName(host);
            }

            request.CertificateExtensions.Add(names.Build());
        }

        foreach (var extension in extensions ?? []) request.CertificateExtensions.Add(extension);
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var generator = by is null ? Generator(key) : Generator(by.Value.Key);
        if (hash == HashAlgorithmName.SHA1) generator = new Sha1Generator((RSA)key);
        var certificate = request.Create(by?.Certificate.SubjectName ?? request.SubjectName, generator, from, until, serial ?? RandomNumberGenerator.GetBytes(8));
        return (certificate, key);
    }

    private static X509SignatureGenerator Generator(AsymmetricAlgorithm key) => key is RSA rsa ? X509SignatureGenerator.CreateForRSA(rsa, RSASignaturePadding.Pkcs1) : X509SignatureGenerator.CreateForECDsa((ECDsa)key);

    // .NET does not sign with it any more.
    private sealed class Sha1Generator(RSA rsa) : X509SignatureGenerator
    {
        public override byte[] GetSignatureAlgorithmIdentifier(HashAlgorithmName hashAlgorithm) => [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05, 0x05, 0x00];

#pragma warning disable CA5350 // What is tested is that it is warned of.
        public override byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm) => rsa.SignData(data, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1);
#pragma warning restore CA5350

        protected override PublicKey BuildPublicKey() => CreateForRSA(rsa, RSASignaturePadding.Pkcs1).PublicKey;
    }

    private void Write(string name, X509Certificate2[] chain, AsymmetricAlgorithm key)
    {
        WriteInPlace(At(name + ".pem"), string.Concat(chain.Select(static c => c.ExportCertificatePem() + "\n")));
        WritePrivate(At(name + ".key"), key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    internal static void WritePrivate(string path, string text)
    {
        WriteInPlace(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    // Beside it first: whoever looks sees the old file or the new one.
    private static void WriteInPlace(string path, string text)
    {
        File.WriteAllText(path + ".new", text);
        File.SetUnixFileMode(path + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(path + ".new", path, overwrite: true);
    }
}
