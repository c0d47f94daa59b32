// What is public of a certificate: for judging it, for the status, the metrics and the log.

using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Weir.Engine.Transports;

namespace Weir.Control.Certificates;

/// <summary>A certificate. Immutable.</summary>
public sealed class CertificateDetails
{
    private const string CommonName = "2.5.4.3";

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
