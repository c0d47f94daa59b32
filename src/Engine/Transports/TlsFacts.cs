// What a handshake agreed on, as bytes: for logs, routes and fields. Belongs to its connection; what costs something is read when
// it is asked for first.

namespace Weir.Engine.Transports;

/// <summary>One of the facts.</summary>
public enum TlsFact : byte
{
    /// <summary>"TLSv1.3" and the like, as OpenSSL calls them.</summary>
    Version,

    /// <summary>The cipher suite's name.</summary>
    Cipher,

    /// <summary>The name that the client asked for, in lower case.</summary>
    ServerName,

    /// <summary>"yes" where an earlier session was gone on with, else "no".</summary>
    Resumed,

    /// <summary>Of the client's certificate: its subject.</summary>
    ClientSubject,
    ClientIssuer,

    /// <summary>The number in hexadecimal digits.</summary>
    ClientSerial,

    /// <summary>SHA-256 of it, in hexadecimal digits.</summary>
    ClientFingerprint,

    /// <summary>Its alternative names: hosts and mail addresses, with commas between.</summary>
    ClientNames,

    /// <summary>All of it as RFC 9440 §2.1 has it: base64 between colons.</summary>
    ClientCertificate,
}

/// <summary>The outcome of a handshake.</summary>
public sealed class TlsFacts
{
    public byte[] Version { get; init; } = [];

    public byte[] Cipher { get; init; } = [];

    /// <summary>The name that the client asked for, in lower case; empty: none.</summary>
    public byte[] ServerName { get; init; } = [];

    /// <summary>The protocol that was chosen (ALPN); empty: none.</summary>
    public byte[] Protocol { get; init; } = [];

    /// <summary>Whether an earlier session was gone on with.</summary>
    public bool IsResumed { get; init; }

    /// <summary>Whose certificates were shown; null: nobody's are known.</summary>
    public object? Site { get; init; }

    /// <summary>What the client was asked to show; null: nothing.</summary>
    public object? Demands { get; init; }

    /// <summary>What each of them covers: which one the client was shown is not known of a resumed session.</summary>
    public CertificateNames[] Names { get; init; } = [];

    /// <summary>
    /// Whether a request for a host may come over this connection (RFC 9110 §15.5.20). Never where more would have been asked of the
    /// client. Else for the name that was asked for in the handshake; for another where the certificate covers it too, as
    /// browsers reuse connections. A client that asked for no name knows an address only: it is served by the site that showed
    /// itself. A trusted proxy knows whom it has connected to.
    /// </summary>
    /// <param name="host">Lower case, without a port; empty: the request has none.</param>
    /// <param name="site">Whose certificates a handshake for the host would show; null: nobody's.</param>
    /// <param name="demands">What it would ask.</param>
    /// <param name="isTrusted">Whether the client is a trusted proxy.</param>
    public bool MayCarry(ReadOnlySpan<byte> host, object? site, object? demands, bool isTrusted)
    {
        if (!Equals(demands, Demands)) return false;
        if (isTrusted) return true;
        if (host.SequenceEqual(ServerName) && !host.IsEmpty) return true;
        if ((ServerName.Length == 0 || host.IsEmpty) && ReferenceEquals(site, Site)) return true;
        foreach (var names in Names)
        {
            if (!names.Cover(host)) return false;
        }

        return Names.Length > 0;
    }

    /// <summary>The peer's certificate; null: it showed none.</summary>
    public PeerCertificate? Peer { get; init; }

    /// <summary>A fact; empty where there is none.</summary>
    public ReadOnlySpan<byte> Get(TlsFact fact) => fact switch
    {
        TlsFact.Version => Version,
        TlsFact.Cipher => Cipher,
        TlsFact.ServerName => ServerName,
        TlsFact.Resumed => IsResumed ? "yes"u8 : "no"u8,
        _ => Peer is null ? default : Peer.Get(fact),
    };
}
