// Whether a stored response may answer a request: as it is, while it is renewed, or only when the origin has confirmed it.
// RFC 9111 §4, §4.2.4, §5.2.1; RFC 5861.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>How a stored response may be used.</summary>
public enum Reuse : byte
{
    /// <summary>As it is.</summary>
    Fresh,

    /// <summary>As it is, and it is renewed behind the answer (stale-while-revalidate).</summary>
    Behind,

    /// <summary>As it is: the client takes it stale (max-stale).</summary>
    Stale,

    /// <summary>It is stale, or says no-cache: the origin is asked first.</summary>
    Validate,

    /// <summary>The client wants the origin asked.</summary>
    Asked,
}

/// <summary>Decides about reuse. Whether the request's method, key and Vary match has been seen to.</summary>
public static class ReuseDecision
{
    // What RFC 5861 §4 calls an error.
    private static readonly StatusSet Errors = new([(500, 500), (502, 504)]);

    public static Reuse Judge(in StoredTimes stored, in CacheControl asked, DateTime now)
    {
        if (asked.Has(CacheDirectives.NoCache | CacheDirectives.NoStore)) return Reuse.Asked;
        if (stored.Has(StoredTraits.NoCache)) return Reuse.Validate;
        var age = stored.AgeMilliseconds(now);
        var left = (stored.Lifetime * 1000) - age;
        if (left > 0)
        {
            if (stored.Has(StoredTraits.Immutable)) return Reuse.Fresh;
            return IsTooOld(asked, age) || left < asked.MinFresh * 1000 ? Reuse.Asked : Reuse.Fresh;
        }

        if (-left < stored.StaleWhileRevalidate * 1000 && asked.MinFresh is null && !IsTooOld(asked, age)) return Reuse.Behind;
        return !stored.Has(StoredTraits.NeverStale) && TakesStale(asked, age, -left) ? Reuse.Stale : Reuse.Validate;
    }

    /// <summary>Whether a stored response may stand in for an origin that failed.</summary>
    /// <param name="stored">Its times.</param>
    /// <param name="asked">What the request said.</param>
    /// <param name="now">The time.</param>
    public static bool MayStandIn(in StoredTimes stored, in CacheControl asked, DateTime now)
    {
        if (stored.Has(StoredTraits.NoCache) || asked.Has(CacheDirectives.NoCache | CacheDirectives.NoStore)) return false;
        var stale = stored.AgeMilliseconds(now) - (stored.Lifetime * 1000);
        if (stale < 0) return true;
        var allowed = stored.StaleIfError;
        if (!stored.Has(StoredTraits.NeverStale) && asked.StaleIfError is { } clients) allowed = Math.Max(allowed, clients);
        return stale < allowed * 1000;
    }

    /// <summary>Whether an origin that answers so failed, as far as <see cref="MayStandIn"/> goes. No answer at all is a failure too.</summary>
    public static bool IsFailure(int status) => Errors.Contains(status);

    // max-age=0 is how clients ask for validation, however short it is.
    private static bool IsTooOld(in CacheControl asked, long age) => asked.MaxAge is { } most && (most == 0 || age > most * 1000);

    private static bool TakesStale(in CacheControl asked, long age, long stale)
    {
        if (asked.MinFresh is not null || IsTooOld(asked, age)) return false;
        return asked.MaxStale is { } longest ? stale <= longest * 1000 : asked.Has(CacheDirectives.AnyStale);
    }
}
