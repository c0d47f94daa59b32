// Why a CA gives nothing, in words that an operator understands, and when it may be asked again.

using System.Globalization;

namespace Weir.Control.Certificates.Acme;

/// <summary>What kind of trouble it is.</summary>
public enum TroubleKind : byte
{
    /// <summary>Nobody answers, or not in time, or not with ACME; or the CA has a fault of its own.</summary>
    Unreachable,

    /// <summary>The CA has been asked too often.</summary>
    RateLimited,

    /// <summary>The CA will not, and says why.</summary>
    Refused,

    /// <summary>The CA looked, and did not find that the name is ours.</summary>
    NotShown,

    /// <summary>Something of ours: the folder, a hook, a lease that was lost.</summary>
    Own,
}

/// <summary>An order that came to nothing for now.</summary>
public sealed class AcmeException : Exception
{
    private const string Prefix = "urn:ietf:params:acme:error:";

    public AcmeException(TroubleKind kind, string text)
        : base(text) => Kind = kind;

    internal AcmeException(TroubleKind kind, string text, Problem? problem, TimeSpan? retryAfter)
        : base(text) => (Kind, Problem, RetryAfter) = (kind, problem, retryAfter);

    public TroubleKind Kind { get; }

    /// <summary>When the CA wants to be asked again.</summary>
    public TimeSpan? RetryAfter { get; }

    internal Problem? Problem { get; }

    /// <summary>The challenge that was not found; null: it was about something else.</summary>
    internal ChallengeType? Challenge { get; init; }

    /// <summary>Whether it is about all that is asked of this CA, and not about one name.</summary>
    public bool IsOfIssuer => Kind == TroubleKind.Unreachable;

    /// <summary>Whether the CA's problem is of a type.</summary>
    internal bool Is(string type) => Problem?.Type == Prefix + type;

    /// <summary>A problem in words.</summary>
    internal static string Words(Problem? problem, int status)
    {
        var words = Word(problem?.Type) ?? (status > 0 ? string.Create(CultureInfo.InvariantCulture, $"it answers {status}") : "it does not say why");
        var detail = problem?.Detail is { Length: > 0 } told ? $": {Bounded(told)}" : "";
        var parts = problem?.Subproblems is { Length: > 0 } sub ? $" ({string.Join("; ", sub.Take(5).Select(static s => $"{s.Identifier?.Value}: {Word(s.Type) ?? s.Type}{(s.Detail is null ? "" : $": {Bounded(s.Detail)}")}"))})" : "";
        return words + detail + parts;
    }

    // What a CA says goes into a line of the log.
    private static string Bounded(string text) => new string([.. text.Take(500).Select(static c => char.IsControl(c) ? ' ' : c)]).Trim();

    // RFC 8555 §6.7; RFC 9773 §7.4; draft-aaron-acme-profiles.
    private static string? Word(string? type) => (type?.StartsWith(Prefix, StringComparison.Ordinal) == true ? type[Prefix.Length..] : type) switch
    {
        "accountDoesNotExist" => "it does not know our account",
        "alreadyReplaced" => "the certificate has been replaced already",
        "badCSR" => "it does not take our request for a certificate (a weak key, or names it will not sign)",
        "badPublicKey" or "badSignatureAlgorithm" => "it does not take this kind of key",
        "caa" => "a CAA record of the DNS forbids this CA to give a certificate for the name",
        "connection" => "it cannot connect to where the name points: is the port open to the internet, and does the name point here?",
        "dns" => "it cannot look the name up in the DNS",
        "externalAccountRequired" => "it wants an external account: give the issuer eab: { kid, key }",
        "incorrectResponse" => "what it found was not what we show: does the name point here, and to nothing else (IPv6 too)?",
        "invalidContact" or "unsupportedContact" => "it does not take the email address",
        "invalidProfile" => "it has no such profile",
        "malformed" => "it does not understand the request",
        "orderNotReady" => "the order is not ready",
        "rateLimited" => "too much has been asked of it",
        "rejectedIdentifier" => "it gives no certificates for this name",
        "serverInternal" => "it has a fault of its own",
        "tls" => "it cannot speak TLS with where the name points",
        "unauthorized" => "it does not find that the name is ours, or does not take our account",
        "unsupportedIdentifier" => "it gives no certificates for names of this kind",
        "userActionRequired" => "it wants something done by hand first",
        _ => null,
    };
}
