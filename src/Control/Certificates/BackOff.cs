// How long is waited after failures: twice as long after each, up to an end, and a quarter more or less, so that nodes and names
// that failed together do not ask together. What a CA says of when it wants to be asked counts as the least.

using Weir.Control.Certificates.Acme;

namespace Weir.Control.Certificates;

/// <summary>Failures in a row, and until when nothing is tried because of them. One thread at a time.</summary>
internal sealed class BackOff(TimeSpan first, TimeSpan most, TimeProvider time, Random chance)
{
    /// <summary>The least after a CA has said that it is asked too much, and has not said for how long.</summary>
    public static readonly TimeSpan Limited = TimeSpan.FromHours(1);

    public int Failures { get; private set; }

    /// <summary>When it may be tried again.</summary>
    public DateTimeOffset Until { get; private set; } = DateTimeOffset.MinValue;

    public bool IsOver => time.GetUtcNow() >= Until;

    public void Failed(AcmeException trouble)
    {
        var wait = first * Math.Pow(2, Math.Min(Failures++, 30));
        if (wait > most) wait = most;
        var least = trouble.RetryAfter ?? TimeSpan.Zero;
        if (trouble.Kind == TroubleKind.RateLimited && least < Limited) least = trouble.RetryAfter is null ? Limited : least;
        if (wait < least) wait = least * 1.25; // Never sooner than that, whatever chance says.
        Until = time.GetUtcNow() + (wait * (0.75 + (Next() / 2)));
        if (Until < time.GetUtcNow() + least) Until = time.GetUtcNow() + least;
    }

    public void Succeeded() => (Failures, Until) = (0, DateTimeOffset.MinValue);

    private double Next()
    {
        lock (chance) return chance.NextDouble();
    }
}
