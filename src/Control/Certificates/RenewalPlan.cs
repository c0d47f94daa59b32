// When a certificate is renewed: where a third of its life is left, a little sooner by chance, or when its CA wants it (RFC 9773),
// at a moment of its window that chance picks, so that not all come at once; never so late that a failure could not be mended.

namespace Weir.Control.Certificates;

/// <summary>A certificate's plan. Its keeper's.</summary>
internal sealed class RenewalPlan(TimeProvider time, Random chance)
{
    // What is left of life when it is renewed at the latest, whatever a CA says.
    private const double LeastLeft = 0.05;

    // Asked again in this time where a CA said nothing.
    private static readonly TimeSpan WithoutAdvice = TimeSpan.FromHours(6);

    private GivenCertificate? given;
    private (DateTimeOffset Start, DateTimeOffset End)? window;
    private DateTimeOffset askAt;

    public DateTimeOffset RenewAt { get; private set; } = DateTimeOffset.MinValue;

    /// <summary>Whether the CA is to be asked; not about one that has expired (RFC 9773 §4.3).</summary>
    public bool IsAdviceDue => given is not null && time.GetUtcNow() is var now && now >= askAt && now < given.NotAfter;

    /// <summary>There is a new certificate.</summary>
    public void Begin(GivenCertificate now)
    {
        (given, window, askAt) = (now, null, DateTimeOffset.MinValue);
        RenewAt = now.NotAfter - (now.Life / 3) - (now.Life * Next() / 30);
    }

    /// <summary>Follows a CA's word.</summary>
    /// <returns>Whether it is news.</returns>
    public bool Follow(RenewalAdvice advice)
    {
        askAt = time.GetUtcNow() + advice.AskAgain;
        if (window == (advice.Start, advice.End)) return false;
        window = (advice.Start, advice.End);
        var at = advice.Start + ((advice.End - advice.Start) * Next());
        var latest = given!.NotAfter - (given.Life * LeastLeft);
        RenewAt = at < latest ? at : latest;
        return true;
    }

    /// <summary>The CA says nothing: what was planned stays.</summary>
    public void NoAdvice() => askAt = time.GetUtcNow() + (WithoutAdvice * (0.75 + (Next() / 2)));

    private double Next()
    {
        lock (chance) return chance.NextDouble();
    }
}
