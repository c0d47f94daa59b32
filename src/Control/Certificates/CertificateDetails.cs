// What is public of a certificate: for judging it, for the status, the metrics and the log.

using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Weir.Engine.Transports;

namespace Weir.Control.Certificates;

/// <summary>A certificate. Immutable, but for what is stapled to it.</summary>
public sealed class CertificateDetails
{
    private const string CommonName = "2.5.4.3";
    private const string TlsFeature = "1.3.6.1.5.5.7.1.24";

    // The feature's number, 5, as an INTEGER.
    private static readonly byte[] StatusRequest = [0x02, 0x01, 0x05];

    private long stapledUntil;

    private CertificateDetails(byte[][] chain, X509Certificate2[] parsed, string file)
    {
        (Chain, Parsed, File) = (chain, parsed, file);
        var own = parsed[0];
        var alternative = own.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        var names = alternative?.EnumerateDnsNames().ToArray() ?? [];
        var addresses = alternative?.EnumerateIPAddresses().ToArray() ?? [];
        Names = [.. names, .. addresses.Select(static a => a.ToString())];
        Covered = new CertificateNames(names, addresses);
        Subject = NameOf(own.SubjectName);
        if (Subject.Length == 0) Subject = Names.FirstOrDefault() ?? "";
        Issuer = NameOf(own.IssuerName);
        Serial = own.SerialNumber.ToLowerInvariant();
        (From, Until) = (own.NotBefore.ToUniversalTime(), own.NotAfter.ToUniversalTime());
        (Kind, Bits) = KeyOf(own);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(chain[0]));
        Responder = own.Extensions.OfType<X509AuthorityInformationAccessExtension>().SelectMany(static a => a.EnumerateOcspUris()).Select(static u => Uri.TryCreate(u, UriKind.Absolute, out var uri) ? uri : null).FirstOrDefault(static u => u is { Scheme: "http" or "https" });
        MustStaple = own.Extensions.Any(static e => e.Oid?.Value == TlsFeature && e.RawData.AsSpan().IndexOf(StatusRequest) >= 0);
    }

    /// <summary>The file it is from.</summary>
    public string File { get; }

    /// <summary>It and what vouches for it; DER.</summary>
    public byte[][] Chain { get; }

    /// <summary>Names and addresses that it is for, as written in it.</summary>
    public string[] Names { get; }

    /// <summary>The same, to be asked.</summary>
    public CertificateNames Covered { get; }

    /// <summary>Its common name, else the first of its names.</summary>
    public string Subject { get; }

    public string Issuer { get; }

    /// <summary>Hexadecimal.</summary>
    public string Serial { get; }

    public DateTimeOffset From { get; }

    public DateTimeOffset Until { get; }

    /// <summary>The kind of its key: ecdsa, rsa, ed25519 or another.</summary>
    public string Kind { get; }

    /// <summary>The length of its key; 0: its kind says it.</summary>
    public int Bits { get; }

    /// <summary>"ECDSA 256" and the like.</summary>
    public string KeyWords => Bits == 0 ? Kind : string.Create(CultureInfo.InvariantCulture, $"{Kind.ToUpperInvariant()} {Bits}");

    /// <summary>SHA-256 of it, hexadecimal.</summary>
    public string Fingerprint { get; }

    /// <summary>Who is asked whether it is still good (OCSP); null: nobody.</summary>
    public Uri? Responder { get; }

    /// <summary>Whether clients refuse it unless the answer is stapled to it (RFC 7633).</summary>
    public bool MustStaple { get; }

    /// <summary>Until when what is stapled to it holds; null: nothing is.</summary>
    public DateTimeOffset? StapledUntil
    {
        get => Volatile.Read(ref stapledUntil) is > 0 and var ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;
        internal set => Volatile.Write(ref stapledUntil, value?.UtcTicks ?? 0);
    }

    internal X509Certificate2[] Parsed { get; }

    /// <summary>Reads one; null, with why, where .NET cannot.</summary>
    public static CertificateDetails? Of(byte[][] chain, string file, out string trouble)
    {
        trouble = "";
        try
        {
            return new CertificateDetails(chain, [.. chain.Select(static c => X509CertificateLoader.LoadCertificate(c))], file);
        }
        catch (CryptographicException e)
        {
            trouble = $"a certificate in '{file}' cannot be read: {e.Message}";
            return null;
        }
    }

    /// <summary>For people: who it is for, from whom, until when.</summary>
    public override string ToString() =>
        $"{KeyWords} certificate for {(Names.Length == 0 ? "nobody" : string.Join(", ", Names))} by {(Issuer.Length == 0 ? "an issuer without a name" : Issuer)} until {Day(Until)}, from '{File}'";

    /// <summary>A day as it is told.</summary>
    internal static string Day(DateTimeOffset at) => at.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    /// <summary>A name as it is told: what it is commonly called, else all of it.</summary>
    internal static string NameOf(X500DistinguishedName name)
    {
        foreach (var part in name.EnumerateRelativeDistinguishedNames())
        {
            if (!part.HasMultipleElements && part.GetSingleElementType().Value == CommonName) return part.GetSingleElementValue() ?? "";
        }

        return name.Name;
    }

    private static (string Kind, int Bits) KeyOf(X509Certificate2 certificate)
    {
        switch (certificate.PublicKey.Oid.Value)
        {
            case "1.2.840.113549.1.1.1" or "1.2.840.113549.1.1.10":
                using (var rsa = certificate.PublicKey.GetRSAPublicKey()) return ("rsa", rsa?.KeySize ?? 0);
            case "1.2.840.10045.2.1":
                using (var ecdsa = certificate.PublicKey.GetECDsaPublicKey()) return ("ecdsa", ecdsa?.KeySize ?? 0);
            case "1.3.101.112":
                return ("ed25519", 0);
            case "1.3.101.113":
                return ("ed448", 0);
            case var other:
                return (other ?? "unknown", 0);
        }
    }
}
