// What contradicts itself in what is said of automatic certificates, and which sites could never have one.

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Control.Configuration;

internal static class AcmeChecks
{
    public static void Check(ProxyConfig config, Diagnostics diagnostics)
    {
        var automatic = config.Sites.FindAll(static s => s.Tls is { Auto: true });
        if (config.Acme is { } acme) CheckAcme(acme, diagnostics);
        foreach (var site in automatic) CheckSite(config, site, diagnostics);
        if (automatic.Count > 0 && config.Acme is { Challenges: ["http-01"] } only && config.Listen.Count > 0 && config.Listen.TrueForAll(static l => l.Tls is { Off: false })) diagnostics.Warn(diagnostics.Where(only, "challenges"), "the issuer looks by http-01 on port 80 in the clear, and no listener here speaks without TLS: add one, or tls-alpn-01");
    }

    private static void CheckAcme(AcmeConfig acme, Diagnostics diagnostics)
    {
        foreach (var issuer in acme.Issuers)
        {
            if (issuer.Directory.Length == 0 && !diagnostics.IsTold(issuer, "directory")) diagnostics.Error(issuer.At, "an issuer needs a directory");
            if (issuer.Eab is { } eab && (eab.Kid is null || eab.Key is null) && !diagnostics.IsTold(eab, "key") && !diagnostics.IsTold(eab, "kid")) diagnostics.Error(eab.At, "eab needs kid and key");
            if (issuer.Ca is { } file && Unusable(file) is { } trouble) diagnostics.Error(diagnostics.Where(issuer, "ca"), trouble);
        }

        if (acme.Challenges.Count != acme.Challenges.Distinct().Count()) diagnostics.Error(diagnostics.Where(acme, "challenges"), "a challenge stands twice in challenges");
        if (acme.Challenges.Contains("dns-01") && acme.Dns is null && !diagnostics.IsTold(acme, "dns")) diagnostics.Error(diagnostics.Where(acme, "challenges"), "dns-01 needs dns: { hook: … } or dns: { rfc2136: … }");
        if (acme.Dns is { } dns && acme.Challenges.Count > 0 && !acme.Challenges.Contains("dns-01")) diagnostics.Error(dns.At, "dns is for dns-01, which is not among challenges");
        if (acme.Dns is not null) CheckDns(acme.Dns, diagnostics);
        if (acme.OnDemand is { Ask: null } open && !diagnostics.IsTold(open, "ask")) diagnostics.Error(open.At, "on_demand needs ask: without it anybody could have certificates ordered for any name that points here");
    }

    private static string? Unusable(string file)
    {
        if (!File.Exists(file)) return $"there is no file '{file}'";
        var read = new X509Certificate2Collection();
        try
        {
            read.ImportFromPemFile(file);
            return read.Count == 0 ? $"'{file}' holds no certificate in PEM (-----BEGIN CERTIFICATE-----)" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return $"cannot read '{file}': {e.Message}";
        }
        finally
        {
            foreach (var certificate in read) certificate.Dispose();
        }
    }

    private static void CheckDns(AcmeDnsConfig dns, Diagnostics diagnostics)
    {
        var ways = (dns.Hook is null ? 0 : 1) + (dns.Update is null ? 0 : 1);
        if (ways != 1 && !diagnostics.IsTold(dns, "hook") && !diagnostics.IsTold(dns, "rfc2136")) diagnostics.Error(dns.At, $"dns has exactly one of hook and rfc2136; this one has {(ways == 0 ? "none" : "both")}");
        if (dns.Timeout is not null && dns.Hook is null && ways == 1) diagnostics.Error(diagnostics.Where(dns, "timeout"), "timeout is for the hook");
        if (dns.Hook is { } hook && !File.Exists(hook)) diagnostics.Error(diagnostics.Where(dns, "hook"), $"there is no file '{hook}'");
        if (dns.Update is { } update)
        {
            foreach (var (name, isMissing) in (ReadOnlySpan<(string, bool)>)[("server", update.Server is null), ("key", update.Key is null), ("secret", update.Secret is null)])
            {
                if (isMissing && !diagnostics.IsTold(update, name)) diagnostics.Error(update.At, $"rfc2136 needs {name}");
            }
        }
    }

    private static void CheckSite(ProxyConfig config, SiteConfig site, Diagnostics diagnostics)
    {
        var at = diagnostics.Where(site, "tls");
        var onDemand = config.Acme?.OnDemand is not null;
        var hasDns = config.Acme?.Dns is not null;
        if (site.Tls!.All.Any()) diagnostics.Error(at, "tls: auto obtains the certificates: none is written beside it");
        if (site.Hosts.Count == 0 && !onDemand && !diagnostics.IsTold(site, "hosts")) diagnostics.Error(at, "tls: auto needs hosts to obtain certificates for, or acme: { on_demand: … }");
        foreach (var host in site.Hosts)
        {
            if (host.StartsWith("*.", StringComparison.Ordinal))
            {
                if (!hasDns && !onDemand && !(config.Acme is { } acme && diagnostics.IsTold(acme, "dns"))) diagnostics.Error(at, $"a certificate for '{host}' is given by dns-01 only: add acme: {{ dns: … }}");
            }
            else if (!host.Contains('.', StringComparison.Ordinal) && !host.Contains(':', StringComparison.Ordinal))
            {
                diagnostics.Warn(at, $"no public issuer gives a certificate for '{host}', which is no name of the internet");
            }
            else if (IPAddress.TryParse(host.Trim('[', ']'), out _) && config.Acme is { Challenges: ["dns-01"] })
            {
                diagnostics.Error(at, $"a certificate for the address '{host}' is given by http-01 only");
            }
        }
    }
}
