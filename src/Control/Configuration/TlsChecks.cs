// What can be wrong about TLS although every value is right: listeners that nobody answers on, sites that answer nowhere. The
// certificates themselves are judged when they are read.

namespace Weir.Control.Configuration;

/// <summary>Checks what a configuration says about TLS.</summary>
internal static class TlsChecks
{
    public static void Check(ProxyConfig config, Diagnostics diagnostics)
    {
        foreach (var site in config.Sites.Where(static s => s.Tls is not null)) CheckCertificates(site.Tls!, diagnostics);
        foreach (var hsts in config.Sites.Select(static s => s.Hsts).Append(config.Hsts).OfType<HstsConfig>()) CheckHsts(hsts, diagnostics);
        foreach (var site in config.Sites.Where(s => s.Tls is null && !diagnostics.IsTold(s, "tls")))
        {
            if (site.HttpsRedirect is { Off: false } redirect && !diagnostics.IsFlawed(redirect)) diagnostics.Error(redirect.At, "there is no https to be sent to: this site has no tls");
            if (site.Hsts is { Off: false } hsts && !diagnostics.IsFlawed(hsts) && config.TrustedProxies.Count == 0) diagnostics.Warn(hsts.At, "this is never said: it is said over TLS only, and this site has no tls, nor is there a trusted proxy that could have it");
        }

        if (!config.Sites.Exists(s => s.Tls is not null || diagnostics.IsTold(s, "tls")) && config.Sites.Count > 0 && !diagnostics.IsTold(config, "sites"))
        {
            if (config.HttpsRedirect is { Off: false } redirect && !diagnostics.IsFlawed(redirect)) diagnostics.Warn(redirect.At, "nobody is sent to https: no site has tls");
            if (config.Hsts is { Off: false } hsts && !diagnostics.IsFlawed(hsts) && config.TrustedProxies.Count == 0) diagnostics.Warn(hsts.At, "this is never said: it is said over TLS only, and no site has tls, nor is there a trusted proxy that could have it");
        }

        if (diagnostics.IsTold(config, "listen") || diagnostics.IsTold(config, "sites") || config.Sites.Exists(s => diagnostics.IsTold(s, "tls") || diagnostics.IsTold(s, "listen"))) return;
        foreach (var listen in config.Listen.Where(static l => SpeaksTls(l))) CheckListener(config, listen, diagnostics);
        foreach (var site in config.Sites)
        {
            ListenConfig[] on = [.. config.Listen.Where(l => IsOn(site, l))];
            if (on.Length == 0) continue;
            if (site.Tls is not null && !Array.Exists(on, SpeaksTls)) diagnostics.Error(site.Tls.At, "no listener that this site answers on speaks TLS: add tls: true to one, or leave tls out here");
            else if (site.Tls is not null && (site.HttpsRedirect ?? config.HttpsRedirect) is { Off: false, Port: null } redirect && Array.Exists(on, static l => !SpeaksTls(l)) && Array.Find(on, SpeaksTls)!.Address is { Ip: not null, Port: 0 } chosen) diagnostics.Warn(redirect.At, $"https is looked for on port 443: the port of {chosen} is known only once it is bound; write https_redirect: {{ port: … }}");
            else if (site.Tls is null && Array.TrueForAll(on, l => SpeaksTls(l) && config.Sites.Exists(s => s.Tls is not null && IsOn(s, l)))) diagnostics.Error(site.At, "this site answers nowhere: its listeners speak TLS, and it has no tls");
        }
    }

    private static void CheckCertificates(SiteTlsConfig tls, Diagnostics diagnostics)
    {
        if (!tls.Auto && tls.Certificate is null && tls.Certificates.Count == 0 && !diagnostics.IsFlawed(tls)) diagnostics.Error(tls.At, tls.Key is null ? "tls needs a certificate" : "a key without a certificate shows nothing: add certificate");
        foreach (var certificate in tls.Certificates)
        {
            if (certificate.Certificate is null && !diagnostics.IsTold(certificate, "certificate")) diagnostics.Error(certificate.At, "here a certificate is missing");
        }
    }

    private static void CheckHsts(HstsConfig hsts, Diagnostics diagnostics)
    {
        const long Year = 365L * 24 * 3_600_000;
        if (hsts.Preload && (!hsts.IncludeSubdomains || hsts.MaxAge < Year)) diagnostics.Warn(diagnostics.Where(hsts, "preload"), "the lists of browsers take names with include_subdomains: true and a max_age of 1y at least only");
    }

    private static void CheckListener(ProxyConfig config, ListenConfig listen, Diagnostics diagnostics)
    {
        SiteConfig[] shown = [.. config.Sites.Where(s => s.Tls is not null && IsOn(s, listen))];
        if (shown.Length == 0) diagnostics.Error(listen.Tls!.At, "no site with tls answers on this listener: there is no certificate to show");
        else if (listen.Tls!.StrictSni && Array.TrueForAll(shown, static s => s.Hosts.Count == 0)) diagnostics.Error(diagnostics.Where(listen.Tls, "strict_sni"), "strict_sni would refuse everybody: no site with tls on this listener has hosts");
    }

    private static bool SpeaksTls(ListenConfig listen) => listen.Tls is { Off: false };

    private static bool IsOn(SiteConfig site, ListenConfig listen) => site.Listen.Count == 0 || site.Listen.Contains(listen.Address);
}
