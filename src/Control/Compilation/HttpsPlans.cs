// What a site says about https: its certificates, who is sent there, and what browsers are told.

using System.Globalization;
using System.Text;
using Weir.Control.Certificates;
using Weir.Control.Configuration;
using Weir.Engine.Exchanges;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Tls;

namespace Weir.Control.Compilation;

/// <summary>Compiles what sites say about https.</summary>
internal static class HttpsPlans
{
    private const long Year = 365L * 24 * 3_600_000;

    /// <summary>Reads a site's certificates; a site that showed good ones before keeps them where the new ones are not.</summary>
    public static LoadedCertificates Load(SiteConfig site, SiteCertificates certificates, DateTimeOffset now, Diagnostics diagnostics)
    {
        CertificateConfig[] written = [.. site.Tls!.All];
        var clients = Clients(site);
        var loaded = certificates.Load([.. written.Select(static c => new CertificateFiles(c.Certificate!, c.Key ?? c.Certificate!))], clients);
        foreach (var finding in loaded.Findings(site.Hosts, now))
        {
            var of = finding.Place == CertificateFinding.OfClients ? null : written[finding.Place];
            var at = of is null ? site.Tls.Clients!.At : diagnostics.Where(of.Within ?? of, finding.IsOfKey && of.Key is not null ? "key" : "certificate");
            if (!finding.IsError) diagnostics.Warn(at, finding.Text);
            else if (of is not null && certificates.IsShowing) diagnostics.Warn(at, $"{finding.Text}; the certificate that was shown before stays");
            else diagnostics.Error(at, finding.Text);
        }

        return loaded;
    }

    /// <summary>What a site asks of its clients; null: nothing.</summary>
    public static ClientDemands? Clients(SiteConfig site) => site.Tls!.Clients is { Ca: { } authorities } asked ? new ClientDemands(authorities, asked.Crl, !asked.IsOptional) : null;

    /// <summary>The same where no certificate is read yet with whose help its files would be judged.</summary>
    public static ClientDemands? ReadableClients(SiteConfig site, Diagnostics diagnostics)
    {
        if (Clients(site) is not { } clients) return null;
        using var tried = ShownCertificates.TryMake([], clients, out var trouble);
        if (tried is null) diagnostics.Error(site.Tls!.Clients!.At, trouble.Text);
        return clients;
    }

    /// <summary>The route of who comes in the clear; null: as everybody's.</summary>
    public static RouteConfig? Redirect(SiteConfig site, ProxyConfig config)
    {
        if (site.Tls is null || (site.HttpsRedirect ?? config.HttpsRedirect) is not { Off: false } redirect) return null;
        var port = redirect.Port ?? config.Listen.Find(l => l.Tls is { Off: false } && (site.Listen.Count == 0 || site.Listen.Contains(l.Address)))?.Address.Port ?? 443;
        List<Template.Part> to = [new(Placeholder.Literal, "https://"u8.ToArray()), new(Placeholder.Host, [])];
        if (port is not (0 or 443)) to.Add(new(Placeholder.Literal, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $":{port}"))));
        to.Add(new(Placeholder.Uri, []));
        return new RouteConfig { At = redirect.At, ComesFirst = true, Redirect = new RedirectConfig { At = redirect.At, Status = 308, To = new TemplateText("", [.. to], []) } };
    }

    /// <summary>What browsers are told; null: nothing.</summary>
    public static StrictTransport? Strict(HstsConfig? hsts) =>
        hsts is null or { Off: true } ? null : new StrictTransport((hsts.MaxAge ?? Year) / 1000, hsts.IncludeSubdomains, hsts.Preload);
}
