// How old a stored response is, and until when it is what. RFC 9111 §4.2.

namespace Weir.Engine.Caching.Rules;

/// <summary>What a stored response's directives forbid, or spare.</summary>
[Flags]
public enum StoredTraits : byte
{
    None = 0,

    /// <summary>no-cache: never used without having been validated.</summary>
    NoCache = 1 << 0,

    /// <summary>must-revalidate, proxy-revalidate or s-maxage: not used stale because a client takes it stale.</summary>
    NeverStale = 1 << 1,

    /// <summary>immutable: while it is fresh no age is too high for a client (RFC 8246 §2).</summary>
    Immutable = 1 << 2,

    /// <summary>Whether there is something to validate it by.</summary>
    HasValidator = 1 << 3,
}

/// <summary>The times of a stored response: what is kept beside its head. Seconds but where it says otherwise.</summary>
/// <param name="Received">When it, or the 304 that confirmed it, came.</param>
/// <param name="InitialAge">How old it was then.</param>
/// <param name="Lifetime">How old it may become and be fresh.</param>
/// <param name="StaleWhileRevalidate">How long behind that it may be used while it is renewed.</param>
/// <param name="StaleIfError">How long behind that it may be used where the origin fails.</param>
/// <param name="Traits">The rest.</param>
public readonly record struct StoredTimes(DateTime Received, long InitialAge, long Lifetime, long StaleWhileRevalidate, long StaleIfError, StoredTraits Traits)
{
    public bool Has(StoredTraits trait) => (Traits & trait) != 0;

    /// <summary>current_age: what the Age field says. A clock that was set back makes nothing younger than it came.</summary>
    public long Age(DateTime now) => AgeMilliseconds(now) / 1000;

    /// <summary>How long it stays fresh; negative: how long it has been stale.</summary>
    public long Remaining(DateTime now) => Lifetime - Age(now);

    public bool IsFresh(DateTime now) => AgeMilliseconds(now) < Lifetime * 1000;

    /// <summary>From when on nobody may be given it, not even where the origin fails; what a store may forget it by, unless it has a validator.</summary>
    public DateTime UsefulUntil
    {
        get
        {
            var seconds = Lifetime + Math.Max(StaleWhileRevalidate, StaleIfError) - InitialAge;
            return seconds < (DateTime.MaxValue - Received).TotalSeconds ? Received.AddSeconds(seconds) : DateTime.MaxValue;
        }
    }

    /// <summary>The same response, not fresh any more: invalidated softly.</summary>
    public StoredTimes Expired(DateTime now) => this with { Lifetime = Math.Min(Lifetime, Age(now)) };

    internal long AgeMilliseconds(DateTime now) => (InitialAge * 1000) + Math.Max(0, (now - Received).Ticks / TimeSpan.TicksPerMillisecond);
}
