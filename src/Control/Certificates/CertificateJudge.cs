// What speaks against showing a certificate, in an operator's words: what clients would refuse, and what they should not have to
// put up with.

using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Weir.Control.Compilation;
using Weir.Engine.Disk;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>Something about one of a site's certificates, or its key.</summary>
/// <param name="Place">Which of them; or <see cref="OfClients"/>.</param>
/// <param name="IsError">It cannot be shown.</param>
/// <param name="IsOfKey">It lies with the key.</param>
/// <param name="Text">What, with the file's name.</param>
public sealed record CertificateFinding(int Place, bool IsError, bool IsOfKey, string Text)
{
    /// <summary>It is about the authorities of clients.</summary>
    public const int OfClients = -1;
}

/// <summary>Judges certificates.</summary>
internal static class CertificateJudge
{
    private const int LeastRsaBits = 2048;

    // SHA-1 and MD5 with RSA, SHA-1 with ECDSA and DSA.
    private static readonly string[] WeakSignatures = ["1.2.840.113549.1.1.5", "1.2.840.113549.1.1.4", "1.2.840.10045.4.1", "1.2.840.10040.4.3"];

    /// <summary>What time and names have to say: asked again and again.</summary>
    public static IEnumerable<(bool IsError, string Text)> Now(CertificateDetails certificate, IReadOnlyList<string> hosts, DateTimeOffset now)
    {
        if (certificate.Until <= now) yield return (true, $"the certificate in '{certificate.File}' has expired: it was valid until {Moment(certificate.Until)}");
        if (certificate.From > now) yield return (true, $"the certificate in '{certificate.File}' is not valid yet: it is valid from {Moment(certificate.From)} on");
        string[] bare = [.. hosts.Where(h => !certificate.Covered.Cover(Encoding.ASCII.GetBytes(h)))];
        if (bare.Length > 0) yield return (false, $"the certificate in '{certificate.File}' does not cover {string.Join(", ", bare.Select(static h => $"'{h}'"))}: it is for {(certificate.Names.Length == 0 ? "no name at all" : string.Join(", ", certificate.Names))}");
        foreach (var old in certificate.Parsed.Skip(1).Where(c => c.NotAfter.ToUniversalTime() <= now)) yield return (false, $"in the chain in '{certificate.File}' the certificate of '{CertificateDetails.NameOf(old.SubjectName)}' has expired: it was valid until {Moment(old.NotAfter.ToUniversalTime())}");
    }

    /// <summary>What it is.</summary>
    public static IEnumerable<string> Warnings(CertificateDetails certificate)
    {
        if (certificate.Kind == "rsa" && certificate.Bits < LeastRsaBits) yield return $"the key of the certificate in '{certificate.File}' is weak: RSA {certificate.Bits}, where clients ask for {LeastRsaBits} at least";
        foreach (var weak in certificate.Parsed.Where(static (c, place) => WeakSignatures.Contains(c.SignatureAlgorithm.Value) && (place == 0 || !IsOwnIssuer(c)))) yield return $"the certificate of '{CertificateDetails.NameOf(weak.SubjectName)}' in '{certificate.File}' is signed with {weak.SignatureAlgorithm.FriendlyName ?? weak.SignatureAlgorithm.Value}, which clients do not believe any more";
        if (Chain(certificate) is { } chain) yield return chain;
    }

    /// <summary>Who else may read a key's file; null: nobody who need not.</summary>
    public static string? Readers(string file, FileStamp stamp)
    {
        const int ByAll = 0x4;
        const int ByGroup = 0x20;
        var who = (stamp.Mode & ByAll) != 0 ? "everybody on this machine" : (stamp.Mode & ByGroup) != 0 && stamp.Group != 0 ? $"the group '{Accounts.GroupName(stamp.Group)}'" : null;
        return who is null ? null : $"the key in '{file}' may be read by {who} (mode {Convert.ToString(stamp.Mode & 0x1ff, 8)}): chmod 600 leaves it to its owner";
    }

    // Each is followed by its issuer's; the last is issued by itself, or by one that clients know.
    private static string? Chain(CertificateDetails certificate)
    {
        var chain = certificate.Parsed;
        for (var i = 0; i + 1 < chain.Length; i++)
        {
            if (Issued(chain[i + 1], chain[i])) continue;
            var (subject, issuer) = (CertificateDetails.NameOf(chain[i].SubjectName), CertificateDetails.NameOf(chain[i].IssuerName));
            if (Array.Exists(chain, c => Issued(c, chain[i]))) return $"the chain in '{certificate.File}' is not in order: that of '{issuer}' must follow the certificate of '{subject}', which it issued";
            return $"the chain in '{certificate.File}' is not whole: the certificate of '{issuer}', which issued that of '{subject}', is not in it; clients that do not have it refuse the connection";
        }

        var last = chain[^1];
        if (IsOwnIssuer(last) || SystemTrust.KnowsIssuerOf(certificate.Chain[^1])) return null;
        return $"the chain in '{certificate.File}' is not whole: the certificate of '{CertificateDetails.NameOf(last.IssuerName)}', which issued that of '{CertificateDetails.NameOf(last.SubjectName)}', is not in it, and this machine does not know it; clients that do not have it refuse the connection";
    }

    private static bool Issued(X509Certificate2 issuer, X509Certificate2 subject) => issuer.SubjectName.RawData.AsSpan().SequenceEqual(subject.IssuerName.RawData);

    private static bool IsOwnIssuer(X509Certificate2 certificate) => Issued(certificate, certificate);

    private static string Moment(DateTimeOffset at) => at.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
}
