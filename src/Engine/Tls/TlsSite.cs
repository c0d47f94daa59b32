// What TLS shows for the names of one site. It lives longer than plans: a new certificate is put in its place while
// connections that were made with the old one go on.

using System.Security.Cryptography;

namespace Weir.Engine.Tls;

/// <summary>A site's certificates. Swapped whole; any thread.</summary>
public sealed class TlsSite
{
    private volatile SslContext? context;
    private volatile ClientDemands? clients;
    private volatile CertificateDemand? demand;
    private volatile byte[] sessionContext = SHA256.HashData([]);

    /// <summary>Tells its sessions from those of other sites, the same on every node (at most 32 bytes).</summary>
    public byte[] SessionContext
    {
        get => sessionContext;
        set => sessionContext = value;
    }

    /// <summary>What it asks of clients; null: no certificate.</summary>
    public ClientDemands? Clients
    {
        get => clients;
        set => clients = value;
    }

    /// <summary>What obtains certificates for names that are asked for and have none of their own; null: nothing.</summary>
    public CertificateDemand? Demand
    {
        get => demand;
        set => demand = value;
    }

    /// <summary>Shows other certificates from now on.</summary>
    /// <returns>Null, or what is wrong with them: what was shown stays.</returns>
    public string? TryShow(TlsSettings settings, IEnumerable<CertificateFiles> files)
    {
        var next = ServerContext.TryMake(settings, files, clients, out var trouble);
        if (next is null) return trouble;
        context = next;
        return null;
    }

    /// <summary>What is shown; null: nothing yet.</summary>
    internal SslContext? Context => context;
}
