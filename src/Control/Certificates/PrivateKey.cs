// Private keys of certificates and accounts. The key itself stays in OpenSSL's memory; its PEM passes through pinned bytes that
// are zeroed.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Weir.Engine.Disk;

namespace Weir.Control.Certificates;

/// <summary>What kind of key a certificate has.</summary>
public enum KeyType : byte
{
    EcdsaP256,
    EcdsaP384,
    Rsa2048,
    Rsa3072,
    Rsa4096,
}

/// <summary>A private key.</summary>
public sealed class PrivateKey : IDisposable
{
    // A key of 4096 bits as PKCS #8 has 2,375 bytes.
    private const int MostBytes = 4096;

    private PrivateKey(AsymmetricAlgorithm algorithm) => Algorithm = algorithm;

    internal AsymmetricAlgorithm Algorithm { get; }

    /// <summary>The public half, as certificates hold it.</summary>
    public byte[] PublicInfo => Algorithm.ExportSubjectPublicKeyInfo();

    public static PrivateKey Make(KeyType type) => new(type switch
    {
        KeyType.EcdsaP256 => ECDsa.Create(ECCurve.NamedCurves.nistP256),
        KeyType.EcdsaP384 => ECDsa.Create(ECCurve.NamedCurves.nistP384),
        KeyType.Rsa2048 => RSA.Create(2048),
        KeyType.Rsa3072 => RSA.Create(3072),
        _ => RSA.Create(4096),
    });

    /// <summary>The first key in a text of PEM; null: there is none that can be used.</summary>
    public static PrivateKey? Read(ReadOnlySpan<byte> pem)
    {
        while (PemEncoding.TryFindUtf8(pem, out var block))
        {
            if (pem[block.Label].SequenceEqual("PRIVATE KEY"u8))
            {
                using var bytes = new SecretBytes(block.DecodedDataLength);
                return Base64.DecodeFromUtf8(pem[block.Base64Data], bytes.Room, out _, out var count) == System.Buffers.OperationStatus.Done ? Import(bytes.Room[..count]) : null;
            }

            pem = pem[block.Location.End..];
        }

        return null;
    }

    /// <summary>As PEM (PKCS #8).</summary>
    public SecretBytes ToPem()
    {
        using var bytes = new SecretBytes(MostBytes);
        if (!Algorithm.TryExportPkcs8PrivateKey(bytes.Room, out var count)) throw new CryptographicException("the key is too large");
        bytes.Length = count;
        var pem = new SecretBytes(64 + Base64.GetMaxEncodedToUtf8Length(count) + (count / 48) + 64);
        var at = Put(pem.Room, 0, "-----BEGIN PRIVATE KEY-----\n"u8);
        for (var rest = bytes.Span; rest.Length > 0; rest = rest[Math.Min(48, rest.Length)..])
        {
            Base64.EncodeToUtf8(rest[..Math.Min(48, rest.Length)], pem.Room[at..], out _, out var written);
            at = Put(pem.Room, at + written, "\n"u8);
        }

        pem.Length = Put(pem.Room, at, "-----END PRIVATE KEY-----\n"u8);
        return pem;
    }

    /// <summary>What a certificate with this key is asked for by, or made from.</summary>
    internal CertificateRequest Request(string subject) => Algorithm is ECDsa ecdsa
        ? new CertificateRequest(subject, ecdsa, HashAlgorithmName.SHA256)
        : new CertificateRequest(subject, (RSA)Algorithm, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

    /// <summary>Whether it is of a kind.</summary>
    public bool Is(KeyType type) => Words == type switch
    {
        KeyType.EcdsaP256 => "ECDSA 256",
        KeyType.EcdsaP384 => "ECDSA 384",
        KeyType.Rsa2048 => "RSA 2048",
        KeyType.Rsa3072 => "RSA 3072",
        _ => "RSA 4096",
    };

    /// <summary>What kind it is.</summary>
    public string Words => $"{(Algorithm is ECDsa ? "ECDSA" : "RSA")} {Algorithm.KeySize}";

    /// <summary>Whether a certificate is for this key.</summary>
    public bool Fits(X509Certificate2 certificate) => certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(PublicInfo);

    public void Dispose() => Algorithm.Dispose();

    private static int Put(Span<byte> into, int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(into[at..]);
        return at + text.Length;
    }

    private static PrivateKey? Import(ReadOnlySpan<byte> pkcs8)
    {
        foreach (var make in (Func<AsymmetricAlgorithm>[])[ECDsa.Create, RSA.Create])
        {
            var algorithm = make();
            try
            {
                algorithm.ImportPkcs8PrivateKey(pkcs8, out _);
                return new PrivateKey(algorithm);
            }
            catch (CryptographicException)
            {
                algorithm.Dispose();
            }
        }

        return null;
    }
}
