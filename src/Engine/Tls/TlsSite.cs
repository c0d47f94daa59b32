// What TLS shows for the names of one site. It lives longer than plans: a new certificate is put in its place while
// connections that were made with the old one go on.

namespace Weir.Engine.Tls;

/// <summary>A site's certificates. Swapped whole; any thread.</summary>
public sealed class TlsSite
{
    private volatile ShownCertificates? shown;

    /// <summary>What is shown from the next handshake on; null: nothing yet.</summary>
    public ShownCertificates? Shown
    {
        get => shown;
        set => shown = value;
    }
}
