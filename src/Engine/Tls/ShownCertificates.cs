// Certificates in a context of OpenSSL, with what each covers and what is stapled to it. How a connection speaks (versions,
// groups, tickets, ALPN) is its listener's and was settled when it was accepted: libssl takes from the context that is put in
// its place nothing but certificates and what to staple, and its ciphers, which are the same everywhere. So one is enough for
// all listeners of a site, whatever their profiles.

using Weir.Engine.Transports;

namespace Weir.Engine.Tls;

/// <summary>Certificates to be shown, one of each kind of key. Immutable but for what is stapled; any thread.</summary>
public sealed unsafe class ShownCertificates
{
    private ShownCertificates(SslContext context, CertificateNames[] names) => (Context, Names) = (context, names);

    internal SslContext Context { get; }

    /// <summary>What each covers.</summary>
    public CertificateNames[] Names { get; }

    /// <summary>Makes it.</summary>
    /// <param name="certificates">The certificates, and what each covers.</param>
    /// <param name="clients">What clients are asked for; null: nothing.</param>
    /// <param name="trouble">What libssl has against one of them, and which; -1: against what clients are asked for.</param>
    public static ShownCertificates? TryMake(IReadOnlyList<(KeyedCertificate Certificate, CertificateNames Names)> certificates, ClientDemands? clients, out (int Place, string Text) trouble)
    {
        trouble = (-1, "");
        var context = ServerContext.Make(new TlsSettings());
        if (clients?.ApplyTo(context.Pointer) is { } unusable)
        {
            trouble = (-1, unusable);
            context.Dispose();
            return null;
        }

        foreach (var (place, (certificate, _)) in certificates.Index())
        {
            var text = certificate.Use(context);
            if (text.Length == 0) continue;
            trouble = (place, text);
            context.Dispose();
            return null;
        }

        OpenSsl.ERR_clear_error();
        return new ShownCertificates(context, [.. certificates.Select(static c => c.Names)]);
    }
}
