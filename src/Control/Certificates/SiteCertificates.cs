// What one site shows, over reloads and changes of its files. Good certificates take the place of those before them; what is
// wrong with new ones is said, once for each change, and those before stay.

using System.Security.Cryptography;
using System.Text;
using Weir.Engine.Disk;
using Weir.Engine.Observe;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>A certificate that is shown, and how something is stapled to it.</summary>
internal sealed record CertificatePlace(string Site, CertificateDetails Certificate, bool IsStapled, Action<OcspAnswer?> Staple);

/// <summary>The certificates of a site. Any thread.</summary>
/// <param name="name">The site's.</param>
/// <param name="errors">Where it says what becomes of them.</param>
public sealed class SiteCertificates(string name, ErrorLog? errors)
{
    // Days before the end at which it is said, where a certificate lives three times as long.
    private static readonly int[] Warnings = [30, 7, 1, 0];

    private readonly Lock turn = new();
    private string[] hosts = [];
    private volatile LoadedCertificates? inForce;
    private LoadedCertificates? tried;
    private volatile string? trouble;
    private volatile bool isStapled;
    private FileStamp?[] seen = [];
    private DateTimeOffset judgedAt;
    private int warned = int.MaxValue;

    public string Name { get; } = name;

    /// <summary>What handshakes see.</summary>
    public TlsSite Site { get; } = new();

    /// <summary>What is shown.</summary>
    public IReadOnlyList<CertificateDetails> Shown => inForce?.Details ?? [];

    /// <summary>Why what is shown is not what the files hold; null: it is.</summary>
    public string? Trouble => trouble;

    /// <summary>The same, for whoever has something to staple.</summary>
    internal IEnumerable<CertificatePlace> Places => inForce is { Shown: { } shown } now ? now.Details.Select((certificate, place) => new CertificatePlace(Name, certificate, isStapled, answer =>
    {
        shown.Staple(place, answer);
        certificate.StapledUntil = answer?.Until;
    })) : [];

    /// <summary>Whether there is something good to stay with.</summary>
    public bool IsShowing => inForce is not null;

    /// <summary>Reads what a configuration names, unless it is what is shown and unchanged. Changes nothing.</summary>
    public LoadedCertificates Load(CertificateFiles[] files, ClientDemands? clients) =>
        inForce is { } shown && shown.Files.SequenceEqual(files) && Equals(shown.Clients, clients) && shown.Stamps.SequenceEqual(LoadedCertificates.StampsOf(files, clients)) ? shown : LoadedCertificates.Read(files, clients);

    /// <summary>Makes what was loaded what is shown, if it is good; else looks for better in the same files.</summary>
    public void Take(LoadedCertificates loaded, IReadOnlyList<string> names, bool staples, DateTimeOffset now)
    {
        lock (turn)
        {
            hosts = [.. names];
            isStapled = staples;
            // Asked for even where the certificates are the old ones, whose context knows none of these authorities: nobody comes in then.
            if (!Equals(Site.Clients, loaded.Clients)) Site.Clients = loaded.Clients;
            Try(loaded, now);
            Site.SessionContext = SessionContextOf(tried!);
        }
    }

    /// <summary>Asks this of clients, whatever is shown.</summary>
    public void Ask(ClientDemands? clients)
    {
        lock (turn)
        {
            if (!Equals(Site.Clients, clients)) Site.Clients = clients;
        }
    }

    /// <summary>Lets go of what was loaded and is not shown: its plan was refused.</summary>
    public void Discard(LoadedCertificates loaded)
    {
        if (loaded != inForce) loaded.Shown?.Dispose();
    }

    /// <summary>Shows nothing any more, and lets go of the keys.</summary>
    public void End()
    {
        lock (turn)
        {
            var last = inForce;
            (inForce, tried, Site.Shown) = (null, null, null);
            last?.Shown?.Dispose();
        }
    }

    /// <summary>Looks whether the files have changed: what has been still since the last look is taken.</summary>
    public void Look(DateTimeOffset now)
    {
        lock (turn)
        {
            if (tried is null) return;
            var stamps = LoadedCertificates.StampsOf(tried.Files, tried.Clients);
            var (isNew, isStill) = (!stamps.SequenceEqual(tried.Stamps), stamps.SequenceEqual(seen));
            seen = stamps;
            if (isNew ? isStill : BecameValid(now)) Renew(LoadedCertificates.Read(tried.Files, tried.Clients), now);
            judgedAt = now;
            WarnOfEnd(now);
        }
    }

    // A certificate from tomorrow on.
    private bool BecameValid(DateTimeOffset now) => tried != inForce && Array.Exists(tried!.Details, d => d.From > judgedAt && d.From <= now);

    private void Renew(LoadedCertificates loaded, DateTimeOffset now)
    {
        foreach (var finding in loaded.Findings(hosts, now))
        {
            if (finding.IsError) errors?.Error("tls", $"site {Name}: {finding.Text}{(IsShowing ? "; the certificate that was shown before stays" : "")}");
            else errors?.Warn("tls", $"site {Name}: {finding.Text}");
        }

        Try(loaded, now);
    }

    private void Try(LoadedCertificates loaded, DateTimeOffset now)
    {
        if (loaded.Shown is { IsDisposed: true }) loaded = LoadedCertificates.Read(loaded.Files, loaded.Clients); // Replaced since it was loaded.
        tried = loaded;
        seen = loaded.Stamps;
        judgedAt = now;
        trouble = Array.Find(loaded.Findings(hosts, now), static f => f.IsError)?.Text;
        if (trouble is not null) Discard(loaded);
        if (loaded == inForce || trouble is not null) return;
        var before = inForce;
        inForce = loaded;
        Site.Shown = loaded.Shown;
        Site.SessionContext = SessionContextOf(loaded); // After it: no session that the old lists let in is one of the new context.
        before?.Shown?.Dispose();
        warned = int.MaxValue;
        foreach (var certificate in loaded.Details) errors?.Deed(LogLevel.Info, "tls", $"site {Name} shows the {certificate}");
        WarnOfEnd(now);
    }

    // Nothing asks again who resumes a session: those of clients that were judged by other authorities or lists are gone on with no more.
    private byte[] SessionContextOf(LoadedCertificates loaded) => SHA256.HashData(Encoding.UTF8.GetBytes($"{hosts.FirstOrDefault()} {loaded.JudgedBy}"));

    private void WarnOfEnd(DateTimeOffset now)
    {
        foreach (var certificate in Shown)
        {
            var left = certificate.Until - now;
            var life = certificate.Until - certificate.From;
            var stage = Warnings.Where(days => left <= TimeSpan.FromDays(days) && life >= TimeSpan.FromDays(days * 3)).DefaultIfEmpty(int.MaxValue).Min();
            if (stage >= warned) continue;
            warned = stage;
            if (left <= TimeSpan.Zero) errors?.Error("tls", $"site {Name}: the certificate in '{certificate.File}' has expired, and is shown for want of a better one");
            else errors?.Warn("tls", $"site {Name}: the certificate in '{certificate.File}' expires in {(left.TotalDays < 2 ? $"{(int)left.TotalHours} hours" : $"{(int)left.TotalDays} days")}, on {CertificateDetails.Day(certificate.Until)}");
        }
    }
}
