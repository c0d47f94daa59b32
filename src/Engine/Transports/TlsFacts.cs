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
