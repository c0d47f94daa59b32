// Who gives certificates, and how they are asked for.

using System.Net;

namespace Weir.Control.Certificates;

/// <summary>A CA that speaks ACME. Immutable.</summary>
/// <param name="Name">As an operator calls it.</param>
/// <param name="Directory">Where it says what is where.</param>
public sealed record Issuer(string Name, Uri Directory)
{
    /// <summary>The issuers that have a word: the word, what they are called, and their directory.</summary>
    public static readonly (string Word, string Name, string Directory)[] Known =
    [
        ("letsencrypt", "Let's Encrypt", "https://acme-v02.api.letsencrypt.org/directory"),
        ("letsencrypt-staging", "Let's Encrypt (staging)", "https://acme-staging-v02.api.letsencrypt.org/directory"),
        ("zerossl", "ZeroSSL", "https://acme.zerossl.com/v2/DV90"),
        ("google", "Google Trust Services", "https://dv.acme-v02.api.pki.goog/directory"),
    ];

    /// <summary>Where it writes to its customers; null: nowhere.</summary>
    public string? Email { get; init; }

    /// <summary>The account elsewhere that the ACME account belongs to.</summary>
    public ExternalAccount? Eab { get; init; }

    /// <summary>The kind of certificate that is asked for, by the issuer's name for it; null: the issuer's choice.</summary>
    public string? Profile { get; init; }

    /// <summary>A file with the certificates that vouch for the issuer itself; null: the system's.</summary>
    public string? CaFile { get; init; }
}

/// <summary>An account elsewhere (RFC 8555 §7.3.4): its name, and its key in base64url.</summary>
public sealed record ExternalAccount(string KeyId, string Key);

/// <summary>How it is shown that a name is ours.</summary>
public enum ChallengeType : byte
{
    Http,
    TlsAlpn,
    Dns,
}

/// <summary>What is asked, and how. Immutable.</summary>
public sealed record IssuanceSettings
{
    /// <summary>Who is asked, in this order.</summary>
    public required Issuer[] Issuers { get; init; }

    /// <summary>What may be shown, in this order.</summary>
    public ChallengeType[] Challenges { get; init; } = [ChallengeType.Http, ChallengeType.TlsAlpn, ChallengeType.Dns];

    public KeyType KeyType { get; init; } = KeyType.EcdsaP256;

    /// <summary>How dns-01 is shown; null: it cannot be.</summary>
    public Dns.DnsSettings? Dns { get; init; }

    /// <summary>Certificates for names that are asked for in a handshake; null: none.</summary>
    public OnDemandSettings? OnDemand { get; init; }

    /// <summary>Whether a name can be shown to be ours at all.</summary>
    public bool Covers(string name, out string trouble)
    {
        trouble = "";
        if (name.StartsWith("*.", StringComparison.Ordinal) && (Dns is null || !Challenges.Contains(ChallengeType.Dns))) trouble = "a wildcard needs dns-01, and acme has no dns";
        else if (IPAddress.TryParse(name, out _) && !Challenges.Any(static c => c != ChallengeType.Dns)) trouble = "an address needs http-01 or tls-alpn-01";
        return trouble.Length == 0;
    }
}

/// <summary>Who may be given certificates on demand.</summary>
/// <param name="Ask">Answers 200 to GET with ?domain= where the name may have one.</param>
/// <param name="Rate">Certificates an hour.</param>
/// <param name="Burst">So many at once.</param>
public sealed record OnDemandSettings(Uri Ask, long Rate = 20, long Burst = 10);
