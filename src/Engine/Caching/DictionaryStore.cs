// What later answers are compressed by (RFC 9842): bodies of answers that say so of themselves, kept beside the answers, because
// clients go on having what is replaced here. Never sent to anybody. Who asks by a hash has the bytes; and it must be of the same
// origin, for URLs such as the one that is asked for. What was used longest ago leaves.

using System.Runtime.InteropServices;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Caching;

/// <summary>Dictionaries of one cache. Any thread; its lock is held for a few steps, by who speaks of a dictionary only.</summary>
public sealed class DictionaryStore(MemoryUse memory)
{
    /// <summary>How many are kept.</summary>
    public const int Most = 256;

    /// <summary>Bytes of the largest one: all clients take windows up to here, and no further.</summary>
    public const int MostOne = 8 << 20;

    private readonly Lock door = new();
    private readonly Dictionary<Name, LinkedListNode<Entry>> places = [];
    private readonly LinkedList<Entry> order = []; // The one used last comes first.
    private long bytes;
    private long mostBytes;

    /// <summary>The most bytes of all of them.</summary>
    public long MostBytes
    {
        get => Volatile.Read(ref mostBytes);
        set
        {
            lock (door)
            {
                Volatile.Write(ref mostBytes, value);
                MakeRoom(0, Most);
            }
        }
    }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (door) return places.Count;
        }
    }

    public long Bytes => Volatile.Read(ref bytes);

    /// <summary>Whether a body of this length could be one.</summary>
    public bool Takes(long length) => length is > 0 and <= MostOne && length <= MostBytes;

    /// <summary>The dictionary of a hash that is for a URL; null: there is none.</summary>
    public SharedDictionary? Find(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> url)
    {
        if (hash.Length != SharedDictionary.HashBytes) return null;
        lock (door)
        {
            if (!places.TryGetValue(NameOf(hash, url), out var node) || !UrlMatch.OriginOf(node.Value.Url).SequenceEqual(UrlMatch.OriginOf(url)) || !node.Value.Match.Holds(url)) return null;
            order.Remove(node);
            order.AddFirst(node);
            return node.Value.Dictionary;
        }
    }

    /// <summary>Keeps one; what was kept of the same bytes for the same origin is for the URLs of this one now.</summary>
    /// <param name="dictionary">The dictionary.</param>
    /// <param name="url">Its URL, as keys are.</param>
    /// <param name="match">For which URLs it is.</param>
    /// <returns>False: there is no room for it.</returns>
    public bool TryPut(SharedDictionary dictionary, byte[] url, UrlMatch match)
    {
        var name = NameOf(dictionary.Hash, url);
        lock (door)
        {
            if (places.TryGetValue(name, out var node))
            {
                node.Value = node.Value with { Url = url, Match = match };
                order.Remove(node);
                order.AddFirst(node);
                return true;
            }

            var length = dictionary.Content.Length;
            if (!Takes(length)) return false;
            MakeRoom(length, Most - 1);
            if (!memory.HasRoomFor(length)) return false;
            memory.Take(length);
            Volatile.Write(ref bytes, bytes + length);
            places[name] = order.AddFirst(new Entry(name, url, match, dictionary));
            return true;
        }
    }

    private void MakeRoom(long length, int most)
    {
        while (order.Last is { } last && (bytes + length > MostBytes || places.Count > most))
        {
            order.RemoveLast();
            places.Remove(last.Value.Name);
            var freed = last.Value.Dictionary.Content.Length;
            Volatile.Write(ref bytes, bytes - freed);
            memory.GiveBack(freed);
        }
    }

    // The hash cannot be chosen; the origin's is compared in full once it is found.
    private static Name NameOf(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> url)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(hash);
        return new Name(words[0], words[1], words[2], words[3], KeyRecipe.HashOf(UrlMatch.OriginOf(url)));
    }

    private readonly record struct Name(ulong A, ulong B, ulong C, ulong D, ulong Origin);

    private sealed record Entry(Name Name, byte[] Url, UrlMatch Match, SharedDictionary Dictionary);
}
