// Taking out what is kept, because somebody knows that it changed: by its URL, what URLs begin with, an expression, a tag, or all.
// It works through the index in steps that hold a shard's lock for one object each, so that no loop waits for it. What is on its
// way was asked for before, and is not kept either.

using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Engine.Caching;

/// <summary>How a purge is done.</summary>
public enum PurgeManner : byte
{
    /// <summary>What is kept goes.</summary>
    Hard,

    /// <summary>What is kept becomes stale: it is asked after at its next use, and stands in where stale answers may.</summary>
    Soft,

    /// <summary>Nothing happens; it is counted.</summary>
    Dry,
}

/// <summary>What is purged: exactly one of these.</summary>
public sealed record PurgeTarget
{
    /// <summary>A URL as keys have it; without a scheme ("//host/path") for both.</summary>
    public string? Url { get; init; }

    /// <summary>What URLs begin with; "//host/…" for both schemes, "/…" for all hosts.</summary>
    public string? Prefix { get; init; }

    /// <summary>What is looked for in URLs.</summary>
    public Regex? Expression { get; init; }

    public string? Tag { get; init; }

    public bool All { get; init; }

    /// <summary>Makes what is looked for in URLs: in a time that grows with their length alone. Throws what expressions throw.</summary>
    public static Regex ExpressionOf(string text) => new(text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
}

/// <summary>What a purge met.</summary>
/// <param name="Responses">What was kept.</param>
/// <param name="Bytes">Their bytes in memory.</param>
/// <param name="Fills">What was on its way.</param>
public readonly record struct PurgeCount(long Responses, long Bytes, long Fills)
{
    public static PurgeCount operator +(PurgeCount a, PurgeCount b) => new(a.Responses + b.Responses, a.Bytes + b.Bytes, a.Fills + b.Fills);

    public static PurgeCount Add(PurgeCount a, PurgeCount b) => a + b;
}

/// <summary>Purges a cache. Any thread.</summary>
public static class Purge
{
    private static readonly string[] Schemes = ["http:", "https:"];

    public static PurgeCount Run(Cache cache, PurgeTarget target, PurgeManner manner)
    {
        if (manner == PurgeManner.Dry || cache.DiskFor(target) is not { } disk) return InMemory(cache, target, manner);
        disk.BeginPurge();
        try
        {
            OnDisk(disk, target);
            return InMemory(cache, target, manner);
        }
        finally
        {
            disk.EndPurge();
        }
    }

    private static PurgeCount InMemory(Cache cache, PurgeTarget target, PurgeManner manner)
    {
        var count = target switch
        {
            { Tag: { } tag } => OfTag(cache, TagIndex.HashOf(Encoding.UTF8.GetBytes(tag)), manner),
            { Url: ['/', '/', ..] url } => OfUrl(cache, Schemes[0] + url, manner) + OfUrl(cache, Schemes[1] + url, manner),
            { Url: { } url } => OfUrl(cache, url, manner),
            _ => OfMany(cache, target, manner),
        };
        if (manner != PurgeManner.Dry) cache.Counts.CountPurged(count.Responses);
        return count;
    }

    // What is made stale in memory goes from the disk: it would come back as it was.
    internal static void OnDisk(DiskTier disk, PurgeTarget target)
    {
        if (target.Url is not { } url)
        {
            disk.Remove(target);
        }
        else if (url.StartsWith("//", StringComparison.Ordinal))
        {
            foreach (var scheme in Schemes) disk.Invalidate(Encoding.Latin1.GetBytes(scheme + url));
        }
        else
        {
            disk.Invalidate(Encoding.Latin1.GetBytes(url));
        }
    }

    /// <summary>Whether a URL is meant by a prefix or an expression.</summary>
    internal static bool Matches(PurgeTarget target, ReadOnlySpan<byte> url)
    {
        if (target.All) return true;
        if (target.Expression is { } expression) return expression.IsMatch(Encoding.Latin1.GetString(url));
        var prefix = Encoding.Latin1.GetBytes(target.Prefix ?? "");
        if (prefix.AsSpan().StartsWith("//"u8)) return url[(url.IndexOf((byte)':') + 1)..].StartsWith(prefix);
        if (!prefix.AsSpan().StartsWith("/"u8)) return url.StartsWith(prefix);
        var authority = url.IndexOf("//"u8) + 2;
        var path = url[authority..].IndexOf((byte)'/');
        return path >= 0 && url[(authority + path)..].StartsWith(prefix);
    }

    private static PurgeCount OfUrl(Cache cache, string url, PurgeManner manner)
    {
        var bytes = Encoding.Latin1.GetBytes(url);
        return cache.Place(KeyRecipe.HashOf(bytes), bytes) is { } place ? Of(cache, place, manner) : default;
    }

    private static PurgeCount OfMany(Cache cache, PurgeTarget target, PurgeManner manner)
    {
        var count = default(PurgeCount);
        for (var shard = 0; shard < Cache.Shards; shard++)
        {
            foreach (var place in cache.Places(shard))
            {
                if (Matches(target, place.Url)) count += Of(cache, place, manner);
            }
        }

        return count;
    }

    private static PurgeCount OfTag(Cache cache, ulong tag, PurgeManner manner)
    {
        var count = default(PurgeCount);
        foreach (var response in manner == PurgeManner.Dry ? cache.Tags.Find(tag) : cache.Tags.Take(tag))
        {
            var bytes = response.Weight;
            switch (manner)
            {
                case PurgeManner.Hard when cache.Remove(response):
                case PurgeManner.Soft when cache.Outdate(response):
                case PurgeManner.Dry:
                    count += new PurgeCount(1, bytes, 0);
                    break;
            }
        }

        return count;
    }

    private static PurgeCount Of(Cache cache, CachedObject place, PurgeManner manner)
    {
        if (manner == PurgeManner.Dry) return cache.Look(place, static p => Sum(p.First, p.Fills));
        var (kept, fills) = cache.Look(place, static p =>
        {
            var all = new List<StoredResponse>();
            for (var one = p.First; one is not null; one = one.Other) all.Add(one);
            return (all, p.DoomFills());
        });
        var count = new PurgeCount(0, 0, fills);
        foreach (var response in kept)
        {
            var bytes = response.Weight;
            if (manner == PurgeManner.Soft ? cache.Outdate(response) : cache.Remove(response)) count += new PurgeCount(1, bytes, 0);
        }

        return count;
    }

    private static PurgeCount Sum(StoredResponse? first, int fills)
    {
        var count = new PurgeCount(0, 0, fills);
        for (var one = first; one is not null; one = one.Other) count += new PurgeCount(1, one.Weight, 0);
        return count;
    }
}
