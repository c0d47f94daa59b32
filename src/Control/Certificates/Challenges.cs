// The ways to show that a name is ours: http-01 (RFC 8555 §8.3) and tls-alpn-01 (RFC 8737). dns-01 is in Dns.

using System.Net;

namespace Weir.Control.Certificates;

/// <summary>What a CA wants to see for one name.</summary>
/// <param name="Name">The name, without "*.".</param>
/// <param name="IsWildcard">Whether it stands for every name below.</param>
/// <param name="Token">The CA's token.</param>
/// <param name="KeyAuthorization">The token with the account's thumbprint.</param>
internal sealed record Challenge(string Name, bool IsWildcard, string Token, string KeyAuthorization);

/// <summary>A way to show that a name is ours.</summary>
internal interface IChallengeWay
{
    ChallengeType Type { get; }

    /// <summary>As CAs call it.</summary>
    string Wire { get; }

    /// <summary>Whether it can be shown for a name at all.</summary>
    bool Fits(string name, bool isWildcard);

    /// <summary>What the CA will do, for an operator.</summary>
    string Words(Challenge challenge);

    /// <summary>Shows it; what is asked for is seen everywhere when this is done. Throws <see cref="Acme.AcmeException"/> where that cannot be.</summary>
    Task ShowAsync(Challenge challenge, CancellationToken stop);

    /// <summary>Shows it no more.</summary>
    Task HideAsync(Challenge challenge, CancellationToken stop);
}

/// <summary>http-01.</summary>
internal sealed class HttpWay(ChallengeAnswers answers, TimeProvider time) : IChallengeWay
{
    public ChallengeType Type => ChallengeType.Http;

    public string Wire => "http-01";

    public bool Fits(string name, bool isWildcard) => !isWildcard;

    public string Words(Challenge challenge) => $"the CA will look at http://{(challenge.Name.Contains(':', StringComparison.Ordinal) ? $"[{challenge.Name}]" : challenge.Name)}/.well-known/acme-challenge/{challenge.Token}";

    public Task ShowAsync(Challenge challenge, CancellationToken stop)
    {
        answers.ShowHttp(challenge.Token, challenge.KeyAuthorization);
        return Task.Delay(ChallengeAnswers.LookEvery * 2, time, stop); // The other nodes are to have it too.
    }

    public Task HideAsync(Challenge challenge, CancellationToken stop)
    {
        answers.HideHttp(challenge.Token);
        return Task.CompletedTask;
    }
}

/// <summary>tls-alpn-01.</summary>
internal sealed class TlsAlpnWay(ChallengeAnswers answers, TimeProvider time) : IChallengeWay
{
    public ChallengeType Type => ChallengeType.TlsAlpn;

    public string Wire => "tls-alpn-01";

    public bool Fits(string name, bool isWildcard) => !isWildcard && !IPAddress.TryParse(name, out _);

    public string Words(Challenge challenge) => $"the CA will connect to {challenge.Name}:443 and ask for acme-tls/1";

    public Task ShowAsync(Challenge challenge, CancellationToken stop)
    {
        using var pem = OwnSignature.TlsAlpn(challenge.Name, challenge.KeyAuthorization, time.GetUtcNow());
        answers.ShowTlsAlpn(challenge.Name, pem.Span);
        return Task.Delay(ChallengeAnswers.LookEvery * 2, time, stop);
    }

    public Task HideAsync(Challenge challenge, CancellationToken stop)
    {
        answers.HideTlsAlpn(challenge.Name);
        return Task.CompletedTask;
    }
}
