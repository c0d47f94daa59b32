// One cache: an index in shards, whose locks are held for a lookup, never across I/O, and the order in which responses leave.
// Live: plans refer to it, and it outlives them.

using System.Collections.Concurrent;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Caching;

/// <summary>Kept responses, shared by all loops.</summary>
public sealed class Cache
{
    // Of one URL, the variants that are kept; a further one takes the oldest's place.
    internal const int MostVariants = 64;

    internal const int Shards = 64;

    // Rules that are shared between responses; there are few.
    private const int MostVaries = 1024;

    // Purges noted for a disk that is to come; where there are more, it is purged of all.
    private const int MostMissed = 1024;
    private const int MostMissedSweeps = 16;

    // Beside what is kept: what is on its way, and what has left and is still read. The greater of a part of the limit and this.
    private const long LeastBeyond = 16 << 20;

    private readonly ConcurrentDictionary<string, VaryRule> varies = [];
    private readonly Shard[] shards = new Shard[Shards];
    private readonly Lock missedDoor = new();
    private List<PurgeTarget>? missed; // Under its door. Purges that a disk which is to come has missed.
    private DiskTier? disk;
    private ulong leftOnDisk; // The last that was sent from there.

    /// <param name="name">What it is called in the configuration and the metrics.</param>
    /// <param name="loops">How many loops use it.</param>
    public Cache(string name, int loops)
    {
        Name = name;
        Counts = new CacheCounts(loops);
        Dictionaries = new DictionaryStore(Memory);
        for (var i = 0; i < Shards; i++) shards[i] = new Shard();
    }

    public string Name { get; }

    public CacheCounts Counts { get; }

    /// <summary>Native memory and what stands beside it, of all that is kept, being filled or still read.</summary>
    public MemoryUse Memory { get; } = new();

    internal Retention Retention { get; } = new();

    /// <summary>What other answers are compressed by. It outlives what it is made of: that is what it is for.</summary>
    public DictionaryStore Dictionaries { get; }

    /// <summary>Bytes that may be kept in memory.</summary>
    public long MemoryLimit
    {
        get => Retention.Limit;
        set
        {
            Retention.Limit = value;
            Dictionaries.MostBytes = value / 8;
            Memory.Most = value + Math.Max(LeastBeyond, value / 4) + Dictionaries.MostBytes;
        }
    }

    /// <summary>Responses that are kept.</summary>
    public int Count => Retention.Count;

    /// <summary>What is behind the memory; null: nothing.</summary>
    public DiskTier? Disk => Volatile.Read(ref disk);

    /// <summary>Whether there is to be a disk and it is not there.</summary>
    public bool AwaitsDisk => Volatile.Read(ref missed) is not null;

    /// <summary>There is to be a disk, and it is not there yet, or no longer: what is purged meanwhile is purged there once it is.</summary>
    public void AwaitDisk()
    {
        lock (missedDoor)
        {
            Volatile.Write(ref disk, null);
            missed ??= [];
        }
    }

    /// <summary>The disk is there; null: there is to be none.</summary>
    public void UseDisk(DiskTier? tier)
    {
        lock (missedDoor)
        {
            if (tier is not null)
            {
                foreach (var target in missed ?? []) Purge.OnDisk(tier, target);
            }

            missed = null;
            Volatile.Write(ref disk, tier);
        }
    }

    /// <summary>The disk, to be purged; null: there is none, and where there is to be one the target is noted.</summary>
    internal DiskTier? DiskFor(PurgeTarget target)
    {
        if (Disk is { } there) return there;
        if (Volatile.Read(ref missed) is null) return null;
        lock (missedDoor)
        {
            if (missed is null) return disk;
            // All others than URLs look into each entry's file.
            if (missed is [{ All: true }]) return null;
            if (missed.Count < MostMissed && (target.Url is not null || missed.Count(static t => t.Url is null) < MostMissedSweeps)) missed.Add(target);
            else missed = [new PurgeTarget { All = true }];
            return null;
        }
    }

    /// <summary>What carries which tag.</summary>
    internal TagIndex Tags { get; } = new();

    /// <summary>Why answers were not kept, lately.</summary>
    internal Refusals Refusals { get; } = new();

    /// <summary>Keys whose answers may not be kept.</summary>
    internal PassMemory Passing { get; } = new();

    /// <summary>Looks for what may answer a request.</summary>
    /// <returns>A response, with a reference for the caller; null: none.</returns>
    internal StoredResponse? Find(in CacheKey key, FieldBlock request)
    {
        var shard = ShardOf(key.Hash);
        lock (shard.Door)
        {
            var response = shard.Find(key.Hash, key.Url.Span)?.Find(key.Extra.Span, request);
            response?.Hold();
            return response;
        }
    }

    /// <summary>Begins a fill, or finds the one that is under way.</summary>
    /// <param name="key">The request's key.</param>
    /// <param name="isJoinable">Whether it is one that all wait for who ask for the same.</param>
    /// <param name="fill">The fill.</param>
    /// <returns>Whether it was begun, and is the caller's to run.</returns>
    internal bool TryBegin(in CacheKey key, bool isJoinable, out Fill fill) => TryBegin(key, isJoinable, null, null, out fill!, out _);

    /// <summary>As the other; or finds what another fill has brought since <paramref name="kept"/> was looked for.</summary>
    /// <param name="key">The request's key.</param>
    /// <param name="isJoinable">Whether it is one that all wait for who ask for the same.</param>
    /// <param name="request">The request's fields; null: not looked for.</param>
    /// <param name="kept">What was found before.</param>
    /// <param name="fill">The fill; null: there is something newer.</param>
    /// <param name="newer">That, with a reference.</param>
    internal bool TryBegin(in CacheKey key, bool isJoinable, FieldBlock? request, StoredResponse? kept, out Fill? fill, out StoredResponse? newer)
    {
        newer = null;
        var shard = ShardOf(key.Hash);
        lock (shard.Door)
        {
            var place = shard.Find(key.Hash, key.Url.Span);
            if (isJoinable && place?.FindFill(key.Extra.Span) is { } running)
            {
                fill = running;
                return false;
            }

            if (isJoinable && request is not null && place?.Find(key.Extra.Span, request) is { } there && there != kept)
            {
                there.Hold();
                newer = there;
                fill = null;
                return false;
            }

            place ??= shard.Add(key.Hash, key.Url.Span.ToArray());
            fill = place.Begin(key.Extra.Span, isJoinable);
            fill.Since = Tags.Purges;
            return true;
        }
    }

    /// <summary>Takes out all that is kept of a URL, and keeps nothing that was asked for before.</summary>
    /// <returns>How much it was.</returns>
    internal int Invalidate(ulong hash, ReadOnlySpan<byte> url)
    {
        var behind = Disk ?? (Volatile.Read(ref missed) is null ? null : DiskFor(new PurgeTarget { Url = System.Text.Encoding.Latin1.GetString(url) }));
        behind?.BeginPurge();
        behind?.Invalidate(url);
        var all = TakeAll(hash, url);
        behind?.EndPurge();
        var count = 0;
        while (all is { } one)
        {
            all = one.Other;
            one.Other = null;
            Tags.Remove(one);
            Retention.Remove(one);
            one.LetGo();
            count++;
        }

        return count;
    }

    /// <summary>Keeps what a fill brought, in place of what it was for. Takes a reference of its own.</summary>
    /// <param name="fill">The fill.</param>
    /// <param name="response">What it brought.</param>
    /// <param name="renewed">What it is made of, where nobody asked the origin anew: it must be kept still. Null: it is new.</param>
    /// <returns>False: it is out of date already.</returns>
    internal bool TryPut(Fill fill, StoredResponse response, StoredResponse? renewed = null)
    {
        StoredResponse? replaced;
        var shard = ShardOf(fill.Place.Hash);
        response.Hash = HashOf(fill.Place.Hash, response);
        response.Tags = TagIndex.Read(response.Lines);
        lock (shard.Door)
        {
            if (fill.IsDoomed || renewed is { IsKept: false } || !Tags.TryAdd(response, fill.Since)) return false;
            response.Hold();
            replaced = fill.Place.Put(response);
        }

        Passing.Remove(fill.Place.Hash);
        if (replaced is not null)
        {
            Tags.Remove(replaced);
            Retention.Remove(replaced);
            replaced.LetGo();
        }

        var leaving = new List<Retained>();
        Retention.Add(response, leaving);
        Leave(leaving);
        return true;
    }

    /// <summary>
    /// Whether what was found on the disk is to be brought into memory: it would stay there, or it is asked for twice running; the
    /// window has room for one, however large.
    /// </summary>
    internal bool IsWanted(CachedObject place, StoredResponse response, long bodyLength)
    {
        var hash = HashOf(place.Hash, response);
        var isAgain = Interlocked.Exchange(ref leftOnDisk, hash) == hash;
        return bodyLength <= MemoryLimit && Memory.HasRoomFor(bodyLength) && (isAgain || Retention.WouldKeep(hash, response.Weight + bodyLength));
    }

    /// <summary>A response's body has grown, or is whole, and weighs what it weighs.</summary>
    internal void Settle(StoredResponse response)
    {
        var leaving = new List<Retained>();
        Retention.Reweigh(response, leaving);
        Leave(leaving);
    }

    /// <summary>Takes a response out: it is no use any more.</summary>
    /// <returns>Whether it was kept.</returns>
    internal bool Remove(StoredResponse response)
    {
        var was = Drop(response);
        Retention.Remove(response); // Behind the index: what is not there is not taken in here.
        return was;
    }

    /// <summary>Takes a response out because the origin has another one now: from the disk too, where it may look fresh.</summary>
    internal void Forget(StoredResponse response, ReadOnlySpan<byte> url)
    {
        Remove(response);
        Disk?.Remove(response, url);
    }

    /// <summary>Makes a response stale because the origin may have another one now; what is on disk does not know that.</summary>
    internal void Expire(StoredResponse response)
    {
        response.IsStale = true;
        if (response.Place is { } place) Disk?.Remove(response, place.Url);
    }

    /// <summary>Fills of which no end has come.</summary>
    internal int FillsUnderWay => Enumerable.Range(0, Shards).Sum(shard => Places(shard).Sum(place => Look(place, static one => one.Fills)));

    /// <summary>Makes a response stale now.</summary>
    /// <returns>Whether it is kept.</returns>
    internal bool Outdate(StoredResponse response)
    {
        if (response.Place is not { } place) return false;
        lock (ShardOf(place.Hash).Door)
        {
            if (response.Place is null) return false;
            response.IsStale = true;
            Tags.Restore(response);
            return true;
        }
    }

    /// <summary>The object of a URL; null: nothing is kept of it, nor on its way. What is in it is under its shard's lock.</summary>
    internal CachedObject? Place(ulong hash, ReadOnlySpan<byte> url)
    {
        var shard = ShardOf(hash);
        lock (shard.Door) return shard.Find(hash, url);
    }

    /// <summary>The objects there are in one of the shards.</summary>
    internal CachedObject[] Places(int shard)
    {
        lock (shards[shard].Door) return shards[shard].All();
    }

    /// <summary>Looks at an object under its shard's lock; it must be short.</summary>
    internal T Look<T>(CachedObject place, Func<CachedObject, T> look)
    {
        lock (ShardOf(place.Hash).Door) return look(place);
    }

    /// <summary>A fill has ended.</summary>
    internal void End(Fill fill)
    {
        var shard = ShardOf(fill.Place.Hash);
        lock (shard.Door)
        {
            fill.Place.End(fill);
            if (fill.Place.IsEmpty) shard.Remove(fill.Place);
        }
    }

    private StoredResponse? TakeAll(ulong hash, ReadOnlySpan<byte> url)
    {
        var shard = ShardOf(hash);
        lock (shard.Door)
        {
            if (shard.Find(hash, url) is not { } place) return null;
            var all = place.TakeAll();
            if (place.IsEmpty) shard.Remove(place);
            return all;
        }
    }

    private void Leave(List<Retained> leaving)
    {
        foreach (var one in leaving)
        {
            Counts.CountEviction();
            Drop((StoredResponse)one);
        }
    }

    private bool Drop(StoredResponse response)
    {
        if (response.Place is not { } place) return false;
        var shard = ShardOf(place.Hash);
        bool was;
        lock (shard.Door)
        {
            was = place.Remove(response);
            if (was && place.IsEmpty) shard.Remove(place);
        }

        if (!was) return false;
        Tags.Remove(response);
        response.LetGo();
        return true;
    }

    /// <summary>By what a response varies; the same rule for the same names.</summary>
    internal VaryRule VaryOf(FieldBlock response, bool hasCookies, ReadOnlySpan<byte> coding)
    {
        var rule = VaryRule.Of(response, hasCookies, coding);
        if (rule.IsNone || varies.Count >= MostVaries) return rule;
        return varies.GetOrAdd(rule.Names, rule);
    }

    // Each variant is wanted as often as it is asked for: however many there are, they do not share what their URL is worth.
    private static ulong HashOf(ulong url, StoredResponse response) => response.VaryKey.IsEmpty ? url : url ^ KeyRecipe.HashOf(response.VaryKey);

    private Shard ShardOf(ulong hash) => shards[(int)(hash >> 58)];

    private sealed class Shard
    {
        private readonly Dictionary<ulong, CachedObject> objects = [];

        public readonly Lock Door = new();

        public CachedObject? Find(ulong hash, ReadOnlySpan<byte> url)
        {
            objects.TryGetValue(hash, out var place);
            while (place is not null && !place.Url.AsSpan().SequenceEqual(url)) place = place.Next;
            return place;
        }

        public CachedObject Add(ulong hash, byte[] url)
        {
            objects.TryGetValue(hash, out var next);
            return objects[hash] = new CachedObject(hash, url) { Next = next };
        }

        public CachedObject[] All()
        {
            var all = new List<CachedObject>(objects.Count);
            foreach (var first in objects.Values)
            {
                for (var one = first; one is not null; one = one.Next) all.Add(one);
            }

            return [.. all];
        }

        public void Remove(CachedObject place)
        {
            if (!objects.TryGetValue(place.Hash, out var first)) return;
            if (first == place)
            {
                if (place.Next is null) objects.Remove(place.Hash);
                else objects[place.Hash] = place.Next;
                return;
            }

            for (var before = first; before is not null; before = before.Next)
            {
                if (before.Next != place) continue;
                before.Next = place.Next;
                return;
            }
        }
    }
}
