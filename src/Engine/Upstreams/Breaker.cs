// A circuit breaker: where too many of the last attempts failed, nothing is attempted for a while; then one attempt a second
// is let through, and what becomes of it decides.

namespace Weir.Engine.Upstreams;

/// <summary>When a breaker opens, and for how long. Immutable.</summary>
/// <param name="ErrorPercent">Failures among the attempts within the window.</param>
/// <param name="Within">The window, in ms.</param>
/// <param name="AtLeast">Fewer attempts decide nothing.</param>
/// <param name="OpenFor">How long nothing is attempted, in ms.</param>
/// <param name="OfUpstream">Whether the upstream as a whole has one.</param>
/// <param name="OfEndpoints">Whether each endpoint has one.</param>
public sealed record BreakerSettings(int ErrorPercent, long Within, int AtLeast, long OpenFor, bool OfUpstream, bool OfEndpoints);

/// <summary>The breaker of an upstream. Any thread.</summary>
public sealed class Breaker
{
    private const long TrialEvery = 1_000;

    private readonly Outcomes outcomes = new();
    private long openUntil; // 0: closed.
    private long trialAt;

    /// <summary>Whether it keeps attempts back, or only lets single ones through.</summary>
    public bool IsOpen => Volatile.Read(ref openUntil) != 0;

    /// <summary>Whether an attempt may be made now.</summary>
    public bool Admits(long now)
    {
        var until = Volatile.Read(ref openUntil);
        if (until == 0) return true;
        if (now < until) return false;
        // Whose trial never ends, because its client left, is followed by another.
        var last = Volatile.Read(ref trialAt);
        return now - last >= TrialEvery && Interlocked.CompareExchange(ref trialAt, now, last) == last;
    }

    /// <summary>When an attempt may be worth a try again, in ms from now.</summary>
    public long OpenFor(long now) => Math.Max(TrialEvery, Volatile.Read(ref openUntil) - now);

    /// <summary>An attempt has ended.</summary>
    /// <returns>True: it has opened; false: it has closed; null: no news.</returns>
    public bool? Tell(bool isGood, long now, BreakerSettings settings)
    {
        var until = Volatile.Read(ref openUntil);
        if (until != 0)
        {
            if (now < until) return null; // Begun before it opened.
            if (isGood)
            {
                outcomes.Clear();
                return Interlocked.CompareExchange(ref openUntil, 0, until) == until ? false : null;
            }

            return Interlocked.CompareExchange(ref openUntil, now + settings.OpenFor, until) == until ? true : null;
        }

        outcomes.Count(isGood, now, settings.Within);
        if (isGood) return null;
        var (count, percent) = outcomes.Look();
        if (count < settings.AtLeast || percent < settings.ErrorPercent) return null;
        return Interlocked.CompareExchange(ref openUntil, now + settings.OpenFor, 0) == 0 ? true : null;
    }

    /// <summary>Closes it: nothing asks for it any more.</summary>
    public void Close()
    {
        outcomes.Clear();
        Volatile.Write(ref openUntil, 0);
    }
}
