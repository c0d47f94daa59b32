// What is kept, for people: copied out under a shard's lock, one object at a time.

using System.Text;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Caching;

/// <summary>One kept response. Times are seconds.</summary>
/// <param name="Status">Its status.</param>
/// <param name="Age">How old it is.</param>
/// <param name="FreshFor">How long it is fresh; negative: since when it is not.</param>
/// <param name="IsOutdated">Whether it was made stale before its time.</param>
/// <param name="StaleWhileRevalidate">How long behind that it serves while it is renewed.</param>
/// <param name="StaleIfError">How long behind that it serves where the origin fails.</param>
/// <param name="Weight">Bytes in memory.</param>
/// <param name="Length">Bytes of its body; -1: it is still on its way.</param>
/// <param name="Uses">How often it was used, about.</param>
/// <param name="Varies">The names in its Vary.</param>
/// <param name="Fields">Its fields, as lines.</param>
/// <param name="Answers">Whether it answers the request that was asked about.</param>
public sealed record KeptResponse(int Status, long Age, long FreshFor, bool IsOutdated, long StaleWhileRevalidate, long StaleIfError, long Weight, long Length, long Uses, string Varies, string Fields, bool Answers);

/// <summary>What there is of one URL.</summary>
public sealed record KeptObject(string Url, KeptResponse[] Responses, int Fills);

/// <summary>Why an answer was not kept.</summary>
public sealed record LastRefusal(string Reason, int Status, DateTime At);

/// <summary>Looks into a cache. Any thread.</summary>
public static class CacheView
{
    /// <summary>What is kept of a URL; null: nothing, and nothing is on its way.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="url">The URL, as keys have it.</param>
    /// <param name="now">The world's clock.</param>
    /// <param name="extra">The rest of a key that is asked about.</param>
    /// <param name="request">Its request's fields; null: none is asked about.</param>
    public static KeptObject? Find(Cache cache, ReadOnlySpan<byte> url, DateTime now, byte[]? extra = null, FieldBlock? request = null)
    {
        if (cache.Place(KeyRecipe.HashOf(url), url) is not { } place) return null;
        return cache.Look(place, p => Copy(p, now, extra, request));
    }

    /// <summary>What is kept, in no order.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="of">Of which URLs.</param>
    /// <param name="most">How many URLs at most.</param>
    /// <param name="now">The world's clock.</param>
    public static List<KeptObject> List(Cache cache, PurgeTarget of, int most, DateTime now)
    {
        var found = new List<KeptObject>();
        for (var shard = 0; shard < Cache.Shards && found.Count < most; shard++)
        {
            foreach (var place in cache.Places(shard))
            {
                if (found.Count == most) break;
                if (!Purge.Matches(of, place.Url)) continue;
                var kept = cache.Look(place, p => Copy(p, now, null, null));
                if (kept.Responses.Length > 0) found.Add(kept);
            }
        }

        return found;
    }

    /// <summary>Why the last answer for a URL was not kept; null: none is known.</summary>
    public static LastRefusal? Refusal(Cache cache, ReadOnlySpan<byte> url) =>
        cache.Refusals.TryFind(KeyRecipe.HashOf(url), out var reason, out var status, out var at) ? new LastRefusal(StoreReasons.Words(reason), status, new DateTime(at * TimeSpan.TicksPerSecond, DateTimeKind.Utc)) : null;

    private static KeptObject Copy(CachedObject place, DateTime now, byte[]? extra, FieldBlock? request)
    {
        var responses = new List<KeptResponse>();
        for (var one = place.First; one is not null; one = one.Other)
        {
            var times = one.IsStale ? one.Times.Expired(now) : one.Times;
            var answers = extra is not null && request is not null && one.Extra.SequenceEqual(extra) && one.Selects(request);
            responses.Add(new KeptResponse(one.Status, times.Age(now), times.Remaining(now), one.IsStale, times.StaleWhileRevalidate, times.StaleIfError, one.Weight, one.Body.IsEnded ? one.Body.Length : -1, one.Uses, one.Vary.Names, Encoding.Latin1.GetString(one.Lines), answers));
        }

        return new KeptObject(Encoding.Latin1.GetString(place.Url), [.. responses], place.Fills);
    }
}
