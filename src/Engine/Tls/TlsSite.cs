// What TLS shows for the names of one site, and asks of its clients. It lives longer than plans: a new certificate is put in
// its place while connections that were made with the old one go on.

using System.Security.Cryptography;

namespace Weir.Engine.Tls;

/// <summary>A site's side of handshakes. Swapped whole; any thread.</summary>
public sealed class TlsSite
{
    private volatile ShownCertificates? shown;
    private volatile ClientDemands? clients;
    private volatile CertificateDemand? demand;
    private volatile byte[] sessionContext = SHA256.HashData([]);

    /// <summary>What is shown from the next handshake on; null: nothing yet.</summary>
    public ShownCertificates? Shown
    {
        get => shown;
        set => shown = value;
    }

    /// <summary>What it asks of clients; null: no certificate. The same object as long as it asks the same.</summary>
    public ClientDemands? Clients
    {
        get => clients;
        set => clients = value;
    }

    /// <summary>Tells its sessions from those of other sites, and of clients that were judged by other files; the same on every node (at most 32 bytes).</summary>
    public byte[] SessionContext
    {
        get => sessionContext;
        set => sessionContext = value;
    }

    /// <summary>What obtains certificates for names that are asked for and have none of their own; null: nothing.</summary>
    public CertificateDemand? Demand
    {
        get => demand;
        set => demand = value;
    }
}
