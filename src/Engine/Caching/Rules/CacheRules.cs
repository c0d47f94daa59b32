// What an operator may say about caching. Where nothing is said it is RFC 9111 for a shared cache: no heuristics, no answers with
// Set-Cookie, nothing stale but where the origin allows it.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Caching.Rules;

/// <summary>How long answers with some statuses are fresh where they do not say it themselves.</summary>
public sealed record StatusLifetime(StatusSet Statuses, long Seconds);

/// <summary>The rules of a route's cache. Immutable; part of the plan. Times are seconds.</summary>
public sealed record CacheRules
{
    /// <summary>What RFC 9111 §4.2.2 suggests for <see cref="HeuristicPercent"/>.</summary>
    public const int UsualHeuristicPercent = 10;

    /// <summary>
    /// Whether Cache-Control (and Pragma) of requests counts, as RFC 9111 §5.2.1 lets a cache choose. True: it costs an origin no
    /// more than a request with another query would. False: no client can get behind the cache, nor learn what it holds.
    /// </summary>
    public bool HonorsRequestDirectives { get; init; } = true;

    /// <summary>Whether answers with Set-Cookie are kept, the cookie with them, for everybody.</summary>
    public bool StoresSetCookie { get; init; }

    /// <summary>Whether whoever asks can put parts together (206).</summary>
    public bool StoresPartial { get; init; }

    /// <summary>Fresh for this part of the time since Last-Modified, where nothing says how long; 0: not.</summary>
    public int HeuristicPercent { get; init; }

    /// <summary>The longest that is ever guessed.</summary>
    public long HeuristicMost { get; init; } = 86_400;

    /// <summary>For answers that say nothing and whose status is 200, 203, 204, 206, 300, 301 or 308.</summary>
    public long? DefaultLifetime { get; init; }

    /// <summary>For answers that say nothing; the first that holds the status counts, before the default.</summary>
    public IReadOnlyList<StatusLifetime> StatusLifetimes { get; init; } = [];

    /// <summary>The least an answer that may be stored is fresh for, whatever it says; no-cache stays no-cache.</summary>
    public long LeastLifetime { get; init; }

    /// <summary>The most, whatever it says.</summary>
    public long? MostLifetime { get; init; }

    /// <summary>Takes the place of all that an answer says about how long, no-cache included; what may not be stored stays so.</summary>
    public long? OverrideLifetime { get; init; }

    /// <summary>How long a stale answer may be used while it is renewed, where it does not say it itself. RFC 5861 §3.</summary>
    public long StaleWhileRevalidate { get; init; }

    /// <summary>How long a stale answer may be used where the origin fails, where it does not say it itself. RFC 5861 §4.</summary>
    public long StaleIfError { get; init; }

    public static CacheRules Default { get; } = new();
}
