// Whether a response may be stored by a shared cache, and for how long. RFC 9111 §3.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Caching.Rules;

/// <summary>Why a response is not stored; <see cref="StoreReasons.Words"/> says it to people.</summary>
public enum StoreReason : byte
{
    /// <summary>It is.</summary>
    Stored,
    Method,
    PostLocation,
    RequestNoStore,
    Interim,
    NotModified,
    Partial,
    NotUnderstood,
    NoStore,
    Private,
    Authorization,
    SetCookie,
    VaryAny,
    VaryTooMuch,
    NoLifetime,
    StaleAtOnce,
    TooLarge,
    Deceptive,
}

/// <summary>What is to be done with a response.</summary>
/// <param name="Reason">Whether it is stored.</param>
/// <param name="Times">Its times, where it is.</param>
/// <param name="Source">Who says how long it is fresh.</param>
public readonly record struct StoreVerdict(StoreReason Reason, StoredTimes Times, LifetimeSource Source)
{
    public bool MayStore => Reason == StoreReason.Stored;
}

/// <summary>Decides about storing.</summary>
public static class StoreDecision
{
    // What this cache has read the definitions of: RFC 9110 §15, and 103, 207, 208, 226, 418 to 511 as they are registered.
    private static readonly StatusSet Understood = new([(200, 205), (207, 208), (226, 226), (300, 305), (307, 308), (400, 418), (421, 426), (428, 429), (431, 431), (451, 451), (500, 508), (510, 511)]);

    /// <summary>Judges a final response.</summary>
    /// <param name="method">The request's method.</param>
    /// <param name="request">The request's fields, as they were sent on.</param>
    /// <param name="asked">What the request said to caches: <see cref="RequestDirectives.Read"/>.</param>
    /// <param name="status">The response's status.</param>
    /// <param name="fields">Its fields.</param>
    /// <param name="rules">The operator's.</param>
    /// <param name="requested">When the request was sent on.</param>
    /// <param name="received">When the response's head came.</param>
    /// <param name="isLocatedAtTarget">For POST: whether Content-Location names the request's target (RFC 9110 §9.3.3).</param>
    public static StoreVerdict Judge(
        KnownMethod method, FieldBlock request, in CacheControl asked, int status, FieldBlock fields, CacheRules rules, DateTime requested, DateTime received, bool isLocatedAtTarget = false)
    {
        var directives = ResponseDirectives.Of(fields);
        var reason = Forbidden(method, request, asked, status, fields, directives, rules);
        if (reason != StoreReason.Stored) return new StoreVerdict(reason, default, default);
        var (source, lifetime) = Lifetimes.Of(fields, status, directives, rules, received);
        if (method == KnownMethod.Post && (!isLocatedAtTarget || Lifetimes.Explicit(fields, directives, received).Source == LifetimeSource.None)) return new StoreVerdict(StoreReason.PostLocation, default, default);

        // What says nothing but no-cache is kept to be validated. Without even that an answer is somebody's page more often than not.
        ref readonly var control = ref directives.Control;
        var isMeant = source != LifetimeSource.None || control.Has(CacheDirectives.Public) || (control.Has(CacheDirectives.NoCache) && Lifetimes.IsHeuristic(status));
        if (!isMeant) return new StoreVerdict(StoreReason.NoLifetime, default, default);
        var times = Times(fields, control, rules, source, lifetime, requested, received);
        var isEverUsed = times.Has(StoredTraits.HasValidator) || (!times.Has(StoredTraits.NoCache) && times.Lifetime + times.StaleWhileRevalidate + times.StaleIfError > 0);
        return isEverUsed ? new StoreVerdict(StoreReason.Stored, times, source) : new StoreVerdict(StoreReason.StaleAtOnce, times, source);
    }

    private static StoreReason Forbidden(KnownMethod method, FieldBlock request, in CacheControl asked, int status, FieldBlock fields, in ResponseDirectives directives, CacheRules rules)
    {
        ref readonly var control = ref directives.Control;
        if (method is not (KnownMethod.Get or KnownMethod.Head or KnownMethod.Post)) return StoreReason.Method;
        if (asked.Has(CacheDirectives.NoStore)) return StoreReason.RequestNoStore;
        switch (status)
        {
            case < 200: return StoreReason.Interim;
            case 304: return StoreReason.NotModified;
            case 206 when !rules.StoresPartial: return StoreReason.Partial;
        }

        // A cache that understands must-understand stores in spite of the no-store beside it. RFC 9111 §5.2.2.3.
        if (control.Has(CacheDirectives.MustUnderstand))
        {
            if (status != 206 && !Understood.Contains(status)) return StoreReason.NotUnderstood;
        }
        else if (control.Has(CacheDirectives.NoStore))
        {
            return StoreReason.NoStore;
        }

        if (control.Has(CacheDirectives.Private)) return StoreReason.Private;
        var isShared = control.Has(CacheDirectives.Public | CacheDirectives.MustRevalidate) || control.SharedMaxAge is not null; // RFC 9111 §3.5
        if (!isShared && request.Index.Has(KnownField.Authorization)) return StoreReason.Authorization;
        if (!rules.StoresSetCookie && fields.Index.Has(KnownField.SetCookie) && !directives.Nominates(fields, "Set-Cookie"u8)) return StoreReason.SetCookie;
        return VaryRule.Look(fields) switch
        {
            VaryExtent.Any => StoreReason.VaryAny,
            VaryExtent.TooMuch => StoreReason.VaryTooMuch,
            _ => StoreReason.Stored,
        };
    }

    private static StoredTimes Times(FieldBlock fields, in CacheControl control, CacheRules rules, LifetimeSource source, long lifetime, DateTime requested, DateTime received)
    {
        var traits = StoredTraits.None;
        if (control.Has(CacheDirectives.NoCache) && source != LifetimeSource.Override) traits |= StoredTraits.NoCache;
        if (control.Has(CacheDirectives.Immutable)) traits |= StoredTraits.Immutable;
        if (Validation.HasValidator(fields)) traits |= StoredTraits.HasValidator;
        var mustRevalidate = control.Has(CacheDirectives.MustRevalidate | CacheDirectives.ProxyRevalidate) || (traits & StoredTraits.NoCache) != 0;
        var isStrict = mustRevalidate || control.SharedMaxAge is not null;
        if (isStrict) traits |= StoredTraits.NeverStale;

        // s-maxage forbids stale use as proxy-revalidate does (RFC 9111 §5.2.2.10), and so what an operator would allow; but where the
        // origin itself allows some beside it, that is meant.
        var (behind, failing) = (control.StaleWhileRevalidate ?? (isStrict ? 0 : rules.StaleWhileRevalidate), control.StaleIfError ?? (isStrict ? 0 : rules.StaleIfError));
        if (mustRevalidate) behind = failing = 0;
        return new StoredTimes(received, Lifetimes.InitialAge(fields, requested, received), lifetime, behind, failing, traits);
    }
}

/// <summary>Reasons in words, and in the short form for Cache-Status.</summary>
public static class StoreReasons
{
    /// <summary>A clause that goes on behind "not stored: ".</summary>
    public static string Words(StoreReason reason) => reason switch
    {
        StoreReason.Stored => "stored",
        StoreReason.Method => "only answers to GET and HEAD are kept",
        StoreReason.PostLocation => "an answer to POST is kept only where it says how long it is fresh and its Content-Location is the target",
        StoreReason.RequestNoStore => "the request says no-store",
        StoreReason.Interim => "the status is not final",
        StoreReason.NotModified => "a 304 to a condition of the client's own carries no content",
        StoreReason.Partial => "it is a part of the content (206)",
        StoreReason.NotUnderstood => "it says must-understand, and its status is unknown here",
        StoreReason.NoStore => "it says no-store",
        StoreReason.Private => "it says private",
        StoreReason.Authorization => "the request had Authorization, and the answer says neither public, must-revalidate nor s-maxage",
        StoreReason.SetCookie => "it sets a cookie",
        StoreReason.VaryAny => "it varies by what no cache can know (Vary: *)",
        StoreReason.VaryTooMuch => "it varies by more than a key may hold",
        StoreReason.NoLifetime => "nothing says how long it is fresh",
        StoreReason.StaleAtOnce => "it is stale at once, and has nothing to be validated by",
        StoreReason.TooLarge => "its body is larger than max_object",
        _ => "it is a page under a path that ends as a file's does, and does not itself say how long it is fresh",
    };

    /// <summary>A token.</summary>
    public static ReadOnlySpan<byte> Token(StoreReason reason) => reason switch
    {
        StoreReason.Stored => "stored"u8,
        StoreReason.Method => "method"u8,
        StoreReason.PostLocation => "post-location"u8,
        StoreReason.RequestNoStore => "request-no-store"u8,
        StoreReason.Interim => "interim"u8,
        StoreReason.NotModified => "not-modified"u8,
        StoreReason.Partial => "partial"u8,
        StoreReason.NotUnderstood => "not-understood"u8,
        StoreReason.NoStore => "no-store"u8,
        StoreReason.Private => "private"u8,
        StoreReason.Authorization => "authorization"u8,
        StoreReason.SetCookie => "set-cookie"u8,
        StoreReason.VaryAny => "vary-any"u8,
        StoreReason.VaryTooMuch => "vary-too-much"u8,
        StoreReason.NoLifetime => "no-lifetime"u8,
        StoreReason.StaleAtOnce => "stale-at-once"u8,
        StoreReason.TooLarge => "too-large"u8,
        _ => "deceptive"u8,
    };
}
