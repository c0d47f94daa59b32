// A site's certificates as they were found in their files: what is shown if nothing is wrong with them. Reading changes nothing
// that is shown.

using System.Security.Cryptography;
using Weir.Engine.Disk;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>What the files of a site's certificates held. Immutable.</summary>
public sealed class LoadedCertificates
{
    private readonly CertificateFinding[] lasting;

    private LoadedCertificates(CertificateFiles[] files, ClientDemands? clients, string judgedBy, FileStamp?[] stamps, CertificateFinding[] lasting, CertificateDetails[] details, ShownCertificates? shown)
    {
        (Files, Clients, JudgedBy, Stamps, this.lasting, Details, Shown) = (files, clients, judgedBy, stamps, lasting, details, shown);
    }

    public CertificateFiles[] Files { get; }

    /// <summary>What clients are asked for; null: nothing.</summary>
    public ClientDemands? Clients { get; }

    /// <summary>What the files that clients are judged by hold, in short: the same on every node that has the same.</summary>
    public string JudgedBy { get; }

    /// <summary>Each certificate's file and key's, then those that clients are judged by, as they were found.</summary>
    public FileStamp?[] Stamps { get; }

    /// <summary>The certificates; fewer than files where one could not be read.</summary>
    public CertificateDetails[] Details { get; }

    /// <summary>What is to be shown; null: something is wrong.</summary>
    public ShownCertificates? Shown { get; }

    /// <summary>Reads and judges.</summary>
    public static LoadedCertificates Read(CertificateFiles[] files, ClientDemands? clients)
    {
        var stamps = StampsOf(files, clients);
        var judgedBy = clients is null ? "" : $"{clients.IsRequired} {DigestOf(clients.Authorities)} {DigestOf(clients.Revoked)}";
        var findings = new List<CertificateFinding>();
        var read = new List<(int Place, KeyedCertificate Certificate, CertificateDetails Details)>();
        try
        {
            for (var place = 0; place < files.Length; place++) ReadOne(place, files[place], stamps[place * 2], stamps[(place * 2) + 1], read, findings);
            foreach (var same in read.GroupBy(static r => r.Details.Kind))
            {
                foreach (var (place, _, twice) in same.Skip(1)) findings.Add(new CertificateFinding(place, true, false, $"the certificates in '{same.First().Details.File}' and '{twice.File}' both have {twice.Kind.ToUpperInvariant()} keys: one of each kind can be shown"));
            }

            ShownCertificates? shown = null;
            if (!findings.Exists(static f => f.IsError))
            {
                shown = ShownCertificates.TryMake([.. read.Select(static r => (r.Certificate, r.Details.Covered))], clients, out var trouble);
                if (shown is null && trouble.Place < 0) findings.Add(new CertificateFinding(CertificateFinding.OfClients, true, false, trouble.Text));
                else if (shown is null) findings.Add(new CertificateFinding(read[trouble.Place].Place, true, false, $"OpenSSL does not take the certificate in '{read[trouble.Place].Details.File}': {trouble.Text}"));
            }

            return new LoadedCertificates(files, clients, judgedBy, stamps, [.. findings], [.. read.Select(static r => r.Details)], shown);
        }
        finally
        {
            foreach (var (_, certificate, _) in read) certificate.Dispose();
        }
    }

    /// <summary>What is to be said of them for a site with these hosts at this time.</summary>
    public CertificateFinding[] Findings(IReadOnlyList<string> hosts, DateTimeOffset now) =>
    [
        .. lasting, .. Details.SelectMany(d => CertificateJudge.Now(d, hosts, now).Select(f => new CertificateFinding(Array.FindIndex(Files, x => x.Chain == d.File), f.IsError, false, f.Text))),
    ];

    /// <summary>How the files are now.</summary>
    public static FileStamp?[] StampsOf(CertificateFiles[] files, ClientDemands? clients) =>
        [.. files.SelectMany(static f => (string?[])[f.Chain, f.Key]).Append(clients?.Authorities).Append(clients?.Revoked).Select(static file => file is null ? null : FileStamp.Of(file))];

    // What is wrong with a file is said by whoever reads it in earnest.
    private static string DigestOf(string? file)
    {
        try
        {
            return file is null ? "" : Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static void ReadOne(int place, CertificateFiles files, FileStamp? chain, FileStamp? key, List<(int Place, KeyedCertificate Certificate, CertificateDetails Details)> read, List<CertificateFinding> findings)
    {
        foreach (var (file, stamp, isOfKey) in new[] { (files.Chain, chain, false), (files.Key, key, true) })
        {
            if (stamp is not { IsRegular: false }) continue;
            findings.Add(new CertificateFinding(place, true, isOfKey, $"'{file}' is not a file"));
            return;
        }

        var certificate = KeyedCertificate.TryRead(files, out var trouble, out var lies);
        if (certificate is null)
        {
            findings.Add(new CertificateFinding(place, true, lies, trouble));
            return;
        }

        var details = CertificateDetails.Of(certificate.Chain, files.Chain, out trouble);
        if (details is null)
        {
            certificate.Dispose();
            findings.Add(new CertificateFinding(place, true, false, trouble));
            return;
        }

        read.Add((place, certificate, details));
        findings.AddRange(CertificateJudge.Warnings(details).Select(text => new CertificateFinding(place, false, false, text)));
        if (key is { } found && CertificateJudge.Readers(files.Key, found) is { } readers) findings.Add(new CertificateFinding(place, false, true, readers));
    }
}
