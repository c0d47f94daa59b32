// A certificate as it lies in the folder: what it says of itself, who gave it, and whether it may be shown at all.

using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Weir.Control.Certificates.Acme;

namespace Weir.Control.Certificates;

/// <summary>A certificate with its key. Immutable.</summary>
/// <param name="Name">The name it was asked for by.</param>
/// <param name="Path">Its file: the chain in PEM, its own certificate first, and its key.</param>
/// <param name="Digest">SHA-256 of it, in hex digits.</param>
/// <param name="NotBefore">From when it holds.</param>
/// <param name="NotAfter">Until when.</param>
public sealed record GivenCertificate(string Name, string Path, string Digest, DateTimeOffset NotBefore, DateTimeOffset NotAfter)
{
    private const int MostChain = 16;

    /// <summary>The issuer, as an operator calls it; null: it is not known.</summary>
    public string? Issuer { get; init; }

    /// <summary>The issuer's directory; null: it is not known.</summary>
    public string? Directory { get; init; }

    /// <summary>Who signed it, by its own words.</summary>
    public string SignedBy { get; init; } = "";

    public string Serial { get; init; } = "";

    /// <summary>What key it has.</summary>
    public string KeyAlgorithm { get; init; } = "";

    /// <summary>The names it holds for.</summary>
    public string[] Names { get; init; } = [];

    /// <summary>What it is called by when a CA is asked about its renewal (RFC 9773 §4.1); null: it cannot be asked about.</summary>
    public string? RenewalId { get; init; }

    public TimeSpan Life => NotAfter - NotBefore;

    /// <summary>The one in the folder; null: there is none that can be used.</summary>
    public static GivenCertificate? TryRead(CertificateFolder folder, string name, Action<string>? say = null)
    {
        var path = folder.CertificatePath(name);
        using var pem = folder.Read(path);
        if (pem is null) return null;
        if (Check(pem.Span, name, out var trouble) is not { } leaf)
        {
            say?.Invoke($"'{path}' cannot be used: {trouble}");
            return null;
        }

        using (leaf)
        {
            using var key = PrivateKey.Read(pem.Span);
            if (key?.Fits(leaf) != true)
            {
                say?.Invoke($"'{path}' cannot be used: it holds no key, or not that of its certificate");
                return null;
            }

            var digest = leaf.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
            var from = folder.ReadJson(System.IO.Path.Combine(folder.NameFolder(name), "certificate.json"), AcmeJson.Default.CertificateState) is { } state && state.Digest == digest ? state : null;
            return new GivenCertificate(name, path, digest, leaf.NotBefore.ToUniversalTime(), leaf.NotAfter.ToUniversalTime())
            {
                Issuer = from?.Issuer,
                Directory = from?.Directory,
                SignedBy = leaf.GetNameInfo(X509NameType.SimpleName, forIssuer: true),
                Serial = leaf.SerialNumber,
                KeyAlgorithm = key.Words,
                Names = NamesOf(leaf),
                RenewalId = RenewalIdOf(leaf),
            };
        }
    }

    /// <summary>The first certificate of a chain, if it is one for the name; null: it is not.</summary>
    internal static X509Certificate2? Check(ReadOnlySpan<byte> pem, string name, out string trouble)
    {
        X509Certificate2? leaf = null;
        trouble = "it holds no certificate";
        var count = 0;
        try
        {
            for (var rest = pem; PemEncoding.TryFindUtf8(rest, out var block); rest = rest[block.Location.End..])
            {
                if (!rest[block.Label].SequenceEqual("CERTIFICATE"u8)) continue;
                var bytes = new byte[block.DecodedDataLength];
                Base64.DecodeFromUtf8(rest[block.Base64Data], bytes, out _, out _);
                var one = X509CertificateLoader.LoadCertificate(bytes);
                if (count++ == 0) leaf = one;
                else one.Dispose();
                if (count <= MostChain) continue;
                trouble = $"its chain has more than {MostChain} certificates";
                leaf!.Dispose();
                return null;
            }
        }
        catch (CryptographicException e)
        {
            trouble = $"it cannot be read: {e.Message}";
            leaf?.Dispose();
            return null;
        }

        if (leaf is null || NamesOf(leaf).Contains(name, StringComparer.OrdinalIgnoreCase)) return leaf;
        trouble = $"it is not for {name}";
        leaf.Dispose();
        return null;
    }

    private static string[] NamesOf(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        return names is null ? [] : [.. names.EnumerateDnsNames(), .. names.EnumerateIPAddresses().Select(static ip => ip.ToString())];
    }

    private static string? RenewalIdOf(X509Certificate2 certificate)
    {
        if (certificate.Extensions.OfType<X509AuthorityKeyIdentifierExtension>().FirstOrDefault()?.KeyIdentifier is not { } issuer) return null;
        var serial = certificate.SerialNumberBytes.Span;
        return $"{Base64Url.EncodeToString(issuer.Span)}.{Base64Url.EncodeToString(serial[0] < 0x80 ? serial : [0, .. serial])}";
    }
}
