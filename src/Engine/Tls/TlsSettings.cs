// What is spoken, by profile. The profiles are Mozilla's (Server Side TLS 5.7, https://wiki.mozilla.org/Security/Server_Side_TLS).

namespace Weir.Engine.Tls;

/// <summary>Which versions and ciphers are spoken.</summary>
public enum TlsProfile : byte
{
    /// <summary>TLS 1.2 and 1.3, with forward secrecy and authenticated encryption only.</summary>
    Intermediate,

    /// <summary>TLS 1.3 only.</summary>
    Modern,
}

/// <summary>What a listener speaks. Immutable.</summary>
public sealed record TlsSettings
{
    public TlsProfile Profile { get; init; } = TlsProfile.Intermediate;

    public EarlyDataUse Early { get; init; }

    /// <summary>How long a session can be gone on with, in ms.</summary>
    public long SessionLifetime { get; init; } = 8 * 3_600_000;
}
