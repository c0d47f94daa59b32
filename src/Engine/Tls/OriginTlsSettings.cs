// How origins are spoken to over TLS, as an upstream says it. Two that are equal share one context.

namespace Weir.Engine.Tls;

/// <summary>An upstream's TLS. Immutable.</summary>
public sealed record OriginTlsSettings
{
    /// <summary>The file or folder with the CAs; null: the system's.</summary>
    public string? Authorities { get; init; }

    /// <summary>The name, or address, that is asked for and verified; null: each endpoint's own.</summary>
    public string? ServerName { get; init; }

    /// <summary>Whether certificates are verified at all.</summary>
    public bool Verifies { get; init; } = true;

    /// <summary>Whom origins see us as; null: nobody.</summary>
    public CertificateFiles? Certificate { get; init; }

    /// <summary>Whether nothing older than TLS 1.3 is spoken.</summary>
    public bool OnlyTls13 { get; init; }
}
