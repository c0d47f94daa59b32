// Which responses carry which tag (Surrogate-Key, Cache-Tag), for purges. A purge by a tag also hits what is on its way: it is
// remembered until no fill can have begun before it, or longer ones are forgotten; what was asked for before a purge that is
// forgotten is not kept.

using System.IO.Hashing;
using Weir.Engine.Caching.Rules;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Tags of one cache. Any thread; its lock is held for a few steps, and taken inside a shard's.</summary>
internal sealed class TagIndex
{
    /// <summary>Tags of one response; one with more is not kept.</summary>
    public const int MostTags = 1024;

    private const int MostPurges = 1024;

    private readonly Lock door = new();
    private readonly Dictionary<ulong, HashSet<StoredResponse>> tagged = [];
    private readonly Queue<(long Number, ulong Tag)> latest = [];
    private long purges;
    private long forgotten;

    /// <summary>Purges by tags so far.</summary>
    public long Purges => Volatile.Read(ref purges);

    /// <summary>The hash of a tag.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> tag) => XxHash3.HashToUInt64(tag);

    /// <summary>The tags that stored fields name.</summary>
    public static ulong[] Read(ReadOnlySpan<byte> lines)
    {
        HashSet<ulong>? tags = null;
        foreach (var line in new StoredLines(lines))
        {
            if (line.Name.Length == 13 && Ascii.EqualsIgnoreCase(line.Name, "Surrogate-Key"u8))
            {
                foreach (var part in line.Value.SplitAny(" \t"u8)) Add(line.Value[part], ref tags);
            }
            else if (line.Name.Length == 9 && Ascii.EqualsIgnoreCase(line.Name, "Cache-Tag"u8))
            {
                foreach (var tag in new ListElements(line.Value)) Add(tag, ref tags);
            }
        }

        return tags is null ? [] : [.. tags];
    }

    /// <summary>Keeps a response's tags.</summary>
    /// <param name="response">The response.</param>
    /// <param name="since">The last purge before it was asked for.</param>
    /// <returns>False: one of its tags was purged since, or it has too many.</returns>
    public bool TryAdd(StoredResponse response, long since)
    {
        if (response.Tags.Length == 0) return true;
        if (response.Tags.Length > MostTags) return false;
        lock (door)
        {
            if (since < forgotten) return false;
            foreach (var (number, tag) in latest)
            {
                if (number > since && Array.IndexOf(response.Tags, tag) >= 0) return false;
            }

            Insert(response);
            return true;
        }
    }

    /// <summary>Keeps them again, after <see cref="Take"/>.</summary>
    public void Restore(StoredResponse response)
    {
        lock (door) Insert(response);
    }

    public void Remove(StoredResponse response)
    {
        if (response.Tags.Length == 0) return;
        lock (door)
        {
            foreach (var tag in response.Tags)
            {
                if (tagged.TryGetValue(tag, out var set) && set.Remove(response) && set.Count == 0) tagged.Remove(tag);
            }
        }
    }

    /// <summary>Takes the responses of a tag out of the index, and notes that it is purged.</summary>
    public IReadOnlyCollection<StoredResponse> Take(ulong tag)
    {
        lock (door)
        {
            latest.Enqueue((++purges, tag));
            if (latest.Count > MostPurges) forgotten = latest.Dequeue().Number;
            return tagged.Remove(tag, out var set) ? set : [];
        }
    }

    /// <summary>The responses of a tag.</summary>
    public IReadOnlyCollection<StoredResponse> Find(ulong tag)
    {
        lock (door) return tagged.TryGetValue(tag, out var set) ? [.. set] : [];
    }

    private void Insert(StoredResponse response)
    {
        foreach (var tag in response.Tags)
        {
            if (!tagged.TryGetValue(tag, out var set)) tagged[tag] = set = [];
            set.Add(response);
        }
    }

    private static void Add(ReadOnlySpan<byte> tag, ref HashSet<ulong>? tags)
    {
        if (!tag.IsEmpty && (tags ??= []).Count <= MostTags) tags.Add(HashOf(tag));
    }
}
