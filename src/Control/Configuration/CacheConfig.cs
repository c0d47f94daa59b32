// What the operator wrote about caches.

using System.Net;

namespace Weir.Control.Configuration;

/// <summary>Where kept answers are.</summary>
public sealed class CacheStoreConfig : IWritten
{
    /// <summary>What routes use that name none.</summary>
    public const string Usual = "default";

    /// <summary>Entries on disk where nothing is said.</summary>
    public const int UsualEntries = 1_000_000;

    /// <summary>Bytes in memory where nothing is said.</summary>
    public const long UsualMemory = 256 << 20;

    public Position At { get; set; }
    public long? Memory { get; set; }
    public long? Disk { get; set; }
    public string? Folder { get; set; }
    public long? Entries { get; set; }
}

/// <summary>What of a route's answers is kept. Times are ms.</summary>
public sealed class CacheConfig : IWritten
{
    public Position At { get; set; }
    public bool? On { get; set; }
    public string? Store { get; set; }
    public long? Ttl { get; set; }
    public long? DefaultTtl { get; set; }
    public long? MinTtl { get; set; }
    public long? MaxTtl { get; set; }
    public List<Named<long>>? StatusTtl { get; set; }
    public int? Heuristic { get; set; }
    public long? StaleWhileRevalidate { get; set; }
    public long? StaleIfError { get; set; }
    public bool? SetCookie { get; set; }
    public bool? RequestDirectives { get; set; }
    public long? MaxObject { get; set; }
    public CacheKeyConfig? Key { get; set; }
    public List<MatchConfig>? Bypass { get; set; }
    public List<MatchConfig>? NoStore { get; set; }
    public bool? DeceptionArmor { get; set; }
    public bool? Status { get; set; }
    public bool? ShowTags { get; set; }
    public List<IPNetwork>? Purge { get; set; }

    /// <summary>What holds for a route of a site; null: nothing is kept.</summary>
    public static CacheConfig? Of(CacheConfig? route, CacheConfig? site)
    {
        if ((route ?? site) is not { } own || own.On == false) return null;
        if (route is null || site is null) return own;
        return new CacheConfig
        {
            At = route.At,
            Store = route.Store ?? site.Store,
            Ttl = route.Ttl ?? site.Ttl,
            DefaultTtl = route.DefaultTtl ?? site.DefaultTtl,
            MinTtl = route.MinTtl ?? site.MinTtl,
            MaxTtl = route.MaxTtl ?? site.MaxTtl,
            StatusTtl = route.StatusTtl ?? site.StatusTtl,
            Heuristic = route.Heuristic ?? site.Heuristic,
            StaleWhileRevalidate = route.StaleWhileRevalidate ?? site.StaleWhileRevalidate,
            StaleIfError = route.StaleIfError ?? site.StaleIfError,
            SetCookie = route.SetCookie ?? site.SetCookie,
            RequestDirectives = route.RequestDirectives ?? site.RequestDirectives,
            MaxObject = route.MaxObject ?? site.MaxObject,
            Key = route.Key ?? site.Key,
            Bypass = route.Bypass ?? site.Bypass,
            NoStore = route.NoStore ?? site.NoStore,
            DeceptionArmor = route.DeceptionArmor ?? site.DeceptionArmor,
            Status = route.Status ?? site.Status,
            ShowTags = route.ShowTags ?? site.ShowTags,
            Purge = route.Purge ?? site.Purge,
        };
    }
}

/// <summary>What requests share an answer by, beside the URL.</summary>
public sealed class CacheKeyConfig : IWritten
{
    public Position At { get; set; }
    public CacheQueryConfig? Query { get; set; }
    public List<string> Headers { get; set; } = [];
    public List<string>? Cookies { get; set; }
    public bool Device { get; set; }
}

public sealed class CacheQueryConfig : IWritten
{
    public Position At { get; set; }
    public bool None { get; set; }
    public bool Sort { get; set; }
    public List<string>? Keep { get; set; }
    public List<string> Drop { get; set; } = [];
}
