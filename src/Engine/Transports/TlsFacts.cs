// What a handshake agreed on: for logs, routes and fields. Read-only; belongs to its connection.

namespace Weir.Engine.Transports;

/// <summary>The outcome of a handshake.</summary>
public sealed class TlsFacts
{
    /// <summary>"TLSv1.3" and the like, as OpenSSL calls them.</summary>
    public string Version { get; init; } = "";

    /// <summary>The cipher suite's name.</summary>
    public string Cipher { get; init; } = "";

    /// <summary>The name that the client asked for, in lower case, as bytes; empty: none.</summary>
    public byte[] ServerName { get; init; } = [];

    /// <summary>The protocol that was chosen (ALPN); empty: none.</summary>
    public string Protocol { get; init; } = "";

    /// <summary>Whether an earlier session was gone on with.</summary>
    public bool IsResumed { get; init; }
}
