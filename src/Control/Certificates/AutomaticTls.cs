// `tls: auto`: what the configuration wants, put to Issuance, and what is given, put to the TLS sites that show it. A name shows
// the last certificate that could be loaded; where there is none yet, one that we sign ourselves, or none, as the operator says.

using Weir.Control.Configuration;
using Weir.Control.Certificates.Dns;
using Weir.Engine.Observe;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>A name, and where its certificate is shown.</summary>
/// <param name="Name">The name; empty: any.</param>
/// <param name="Shown">What shows it.</param>
/// <param name="Clients">What its clients are asked for; null: nothing.</param>
/// <param name="Staples">Whether what its issuer says of it is stapled.</param>
public sealed record AutomaticName(string Name, SiteCertificates Shown, ClientDemands? Clients, bool Staples)
{
    /// <summary>Shows what is in a file with chain and key.</summary>
    /// <returns>Null, or what is wrong with it: what was shown stays.</returns>
    public string? Show(string name, string file)
    {
        var (loaded, now) = (LoadedCertificates.Read([new CertificateFiles(file, file)], Clients), DateTimeOffset.UtcNow);
        var trouble = Array.Find(loaded.Findings([name], now), static f => f.IsError)?.Text;
        Shown.Take(loaded, [name], Staples, now);
        return trouble;
    }
}

/// <summary>Automatic TLS. Control's thread, where nothing else is said.</summary>
public sealed class AutomaticTls : IDisposable
{
    // One that we sign ourselves is made anew after this time.
    private static readonly TimeSpan PlaceholderAge = TimeSpan.FromDays(3);

    private readonly Lock turn = new();
    private readonly CertificateFolder? folder;
    private readonly ErrorLog errors;
    private AutomaticName[] names = [];
    private DemandedNames[] demanded = [];
    private AcmeConfig? written;
    private IssuanceSettings? settings;
    private bool selfSigned;
    private bool isServing;
    private bool isStarted;

    /// <param name="state">The state folder; null: there is none.</param>
    /// <param name="errors">Takes what there is to tell.</param>
    /// <param name="owner">Who may own files beside root and whoever runs the program; null: nobody.</param>
    public AutomaticTls(string? state, ErrorLog errors, uint? owner = null)
    {
        this.errors = errors;
        if (state is null) return;
        folder = new CertificateFolder(Path.Combine(state, "certificates"), text => errors.Error(Issuance.Area, text)) { Owner = owner };
        Issuance = new Issuance(folder, errors);
        Issuance.Given += Show;
        Issuance.Answers.TlsAlpnChanged += () =>
        {
            foreach (var trouble in Proofs.Show(Issuance.Answers.AllTlsAlpn)) errors.Error(Issuance.Area, trouble);
        };
    }

    /// <summary>What is shown to issuers that look by tls-alpn-01.</summary>
    public AlpnProofs Proofs { get; } = new();

    /// <summary>What obtains certificates; null: there is no folder for them.</summary>
    public Issuance? Issuance { get; }

    /// <summary>Wants certificates for these names and no others; called when their plan is in force.</summary>
    /// <param name="acme">How.</param>
    /// <param name="wanted">The names.</param>
    /// <param name="open">The sites that show certificates on demand beside them.</param>
    public void Use(AcmeConfig? acme, AutomaticName[] wanted, AutomaticName[] open)
    {
        lock (turn)
        {
            if (Issuance is not null) Demand(Issuance, open);
            if (settings is null || !ReferenceEquals(written, acme)) settings = Compile(written = acme);
            selfSigned = acme?.UntilIssued == "self_signed";
            names = wanted;
            if (isStarted) ShowAll();
        }

        Issuance?.Want(settings, wanted.Select(static n => n.Name).Distinct());
        if (isServing && !isStarted) Start();
    }

    /// <summary>Begins: what is in the folder is shown when this is done.</summary>
    public void Start()
    {
        isServing = true;
        if (Issuance is null || (names.Length == 0 && settings?.OnDemand is null)) return;
        if (folder!.Open() is { } trouble)
        {
            errors.Error(Issuance.Area, trouble);
            return;
        }

        lock (turn)
        {
            isStarted = true;
            ShowAll();
        }

        Issuance.Start();
    }

    public void Dispose() => Issuance?.Dispose();

    /// <summary>How certificates are asked for, as it is written.</summary>
    internal static IssuanceSettings Compile(AcmeConfig? acme) => new()
    {
        Issuers = [.. (acme is { Issuers.Count: > 0 } ? acme.Issuers : [new IssuerConfig { Directory = "letsencrypt" }]).Select(i => Compile(i, acme))],
        Challenges = acme is { Challenges.Count: > 0 } ? [.. acme.Challenges.Select(static c => c switch { "http-01" => ChallengeType.Http, "tls-alpn-01" => ChallengeType.TlsAlpn, _ => ChallengeType.Dns })] : [ChallengeType.Http, ChallengeType.TlsAlpn, ChallengeType.Dns],
        KeyType = acme?.KeyType switch { "ecdsa_p384" => KeyType.EcdsaP384, "rsa_2048" => KeyType.Rsa2048, "rsa_3072" => KeyType.Rsa3072, "rsa_4096" => KeyType.Rsa4096, _ => KeyType.EcdsaP256 },
        Dns = acme?.Dns is not { } dns ? null : new DnsSettings
        {
            Hook = dns.Hook is null ? null : Path.GetFullPath(dns.Hook),
            HookTime = TimeSpan.FromMilliseconds(dns.Timeout ?? 120_000),
            Update = dns.Update is { Server: { } server, Key: { } key, Secret: { } secret } update ? new UpdateSettings(server, key, secret, update.Zone, (int)((update.Ttl ?? 60_000) / 1000)) : null,
            Wait = TimeSpan.FromMilliseconds(dns.Wait ?? 120_000),
        },
        OnDemand = acme?.OnDemand is { Ask: { } ask } demand ? new OnDemandSettings(ask, demand.Rate ?? 20, demand.Burst ?? 10) : null,
    };

    private static Issuer Compile(IssuerConfig issuer, AcmeConfig? acme)
    {
        var known = Array.Find(Issuer.Known, k => k.Word == issuer.Directory);
        var directory = new Uri(known.Directory ?? issuer.Directory);
        return new Issuer(known.Name ?? directory.Authority, directory)
        {
            Email = issuer.Email ?? acme?.Email,
            Eab = issuer.Eab is { Kid: { } kid, Key: { } key } ? new ExternalAccount(kid, key) : null,
            Profile = issuer.Profile,
            CaFile = issuer.Ca,
        };
    }

    // Those that stay keep what they show.
    private void Demand(Issuance by, AutomaticName[] open)
    {
        foreach (var gone in demanded.Where(d => !open.Any(o => o.Shown == d.Site.Shown))) gone.Site.Shown.Site.Demand = null;
        demanded = [.. open.Select(o => Array.Find(demanded, d => d.Site == o) ?? new DemandedNames(by, o))];
        foreach (var one in demanded) one.Site.Shown.Site.Demand = one;
    }

    private void ShowAll()
    {
        if (folder!.Open() is { } trouble)
        {
            errors.Error(Issuance.Area, trouble);
            return;
        }

        foreach (var same in names.GroupBy(static n => n.Name))
        {
            if (Issuance!.Find(same.Key) is { } given || (given = GivenCertificate.TryRead(folder, same.Key)) is not null) Show(given);
            else if (selfSigned) ShowPlaceholder(same.Key);
        }
    }

    private void ShowPlaceholder(string name)
    {
        try
        {
            CertificateFolder.MakeFolder(folder!.NameFolder(name));
            var file = Path.Combine(folder.NameFolder(name), "self-signed.pem");
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(file) > PlaceholderAge)
            {
                using var made = OwnSignature.Placeholder(name, DateTimeOffset.UtcNow);
                folder.Write(file, made.Span);
            }

            ShowFile(name, file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors.Error(Issuance.Area, $"{name}: no certificate of our own can be made: {e.Message}");
        }
    }

    private void Show(GivenCertificate given)
    {
        ShowFile(given.Name, given.Path);
        DemandedNames[] all;
        lock (turn) all = demanded;
        foreach (var one in all) one.Renewed(given);
    }

    private void ShowFile(string name, string file)
    {
        lock (turn)
        {
            foreach (var shown in names.Where(n => n.Name == name))
            {
                if (shown.Show(name, file) is { } trouble) errors.Error(Issuance.Area, $"{name}: {file} cannot be shown: {trouble}");
            }
        }
    }
}
