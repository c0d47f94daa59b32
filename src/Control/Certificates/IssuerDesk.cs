// One CA, for all names: its account, and whether it is worth asking at all just now.

using Weir.Control.Certificates.Acme;

namespace Weir.Control.Certificates;

/// <summary>When a certificate should be renewed, by its CA's word.</summary>
/// <param name="Start">The window's start.</param>
/// <param name="End">Its end.</param>
/// <param name="Explanation">Where it says why; null: it does not.</param>
/// <param name="AskAgain">In how long it wants to be asked again.</param>
internal sealed record RenewalAdvice(DateTimeOffset Start, DateTimeOffset End, string? Explanation, TimeSpan AskAgain);

/// <summary>A CA. Any thread.</summary>
internal sealed class IssuerDesk : IDisposable
{
    // Between two questions about renewal (RFC 9773 §4.3.2).
    private static readonly TimeSpan LeastAskAgain = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MostAskAgain = TimeSpan.FromDays(1);
    private static readonly TimeSpan UsualAskAgain = TimeSpan.FromHours(6);

    private readonly BackOff backOff;
    private readonly Lock turn = new();
    private readonly long[] outcomes = new long[Enum.GetValues<TroubleKind>().Length + 1];
    private readonly AcmeClient client;

    public IssuerDesk(Issuer issuer, CertificateFolder folder, LeaseOwner owner, TimeProvider time, Random chance, Action<string> say, HttpMessageHandler? handler)
    {
        Issuer = issuer;
        client = new AcmeClient(issuer, time, handler);
        Account = new AcmeAccount(client, folder, time, owner, say);
        backOff = new BackOff(TimeSpan.FromSeconds(30), TimeSpan.FromHours(1), time, chance);
    }

    public Issuer Issuer { get; }

    public AcmeAccount Account { get; }

    /// <summary>When it may be asked again.</summary>
    public DateTimeOffset Until
    {
        get
        {
            lock (turn) return backOff.Until;
        }
    }

    /// <summary>Orders by what became of them: given, then by kind of trouble.</summary>
    public long Count(TroubleKind? kind) => Volatile.Read(ref outcomes[kind is { } k ? (int)k + 1 : 0]);

    public void Succeeded()
    {
        Interlocked.Increment(ref outcomes[0]);
        lock (turn) backOff.Succeeded();
    }

    public void Failed(AcmeException trouble)
    {
        Interlocked.Increment(ref outcomes[(int)trouble.Kind + 1]);
        lock (turn)
        {
            if (trouble.IsOfIssuer) backOff.Failed(trouble);
            else if (trouble.Kind != TroubleKind.Own) backOff.Succeeded(); // It answers.
        }
    }

    /// <summary>What it says about the renewal of a certificate; null: it says nothing.</summary>
    public async Task<RenewalAdvice?> AdviceAsync(string renewalId, CancellationToken stop)
    {
        var directory = await client.DirectoryAsync(stop).ConfigureAwait(false);
        if (directory.RenewalInfo is not { } at) return null;
        var answer = await client.GetAsync(new Uri($"{at.AbsoluteUri.TrimEnd('/')}/{renewalId}"), stop).ConfigureAwait(false);
        var said = client.Read(answer, AcmeJson.Default.RenewalInfoDocument);
        if (said.SuggestedWindow is not { } window || window.End <= window.Start) return null; // §4.2: such a window is none.
        var again = answer.RetryAfter ?? UsualAskAgain;
        return new RenewalAdvice(window.Start, window.End, said.ExplanationUrl, again < LeastAskAgain ? LeastAskAgain : again > MostAskAgain ? MostAskAgain : again);
    }

    public void Dispose()
    {
        Account.Dispose();
        client.Dispose();
    }
}
