// Why answers were not kept, for people who ask: the last reason of each URL, in a table of a fixed size in which a newer one takes
// the place of an older one.

using Weir.Engine.Caching.Rules;

namespace Weir.Engine.Caching;

/// <summary>Reasons by the hash of a URL. Any thread; what two write at once may be lost.</summary>
internal sealed class Refusals
{
    private const int Size = 4096;

    private readonly ulong[] hashes = new ulong[Size];
    private readonly long[] said = new long[Size];

    /// <param name="hash">Of the URL.</param>
    /// <param name="reason">Why.</param>
    /// <param name="status">What the origin answered.</param>
    /// <param name="at">When, in s of the world's clock.</param>
    public void Note(ulong hash, StoreReason reason, int status, long at)
    {
        var place = (int)(hash % Size);
        Volatile.Write(ref hashes[place], 0);
        Volatile.Write(ref said[place], (at << 20) | ((long)(ushort)status << 8 & 0xFFF00) | (byte)reason);
        Volatile.Write(ref hashes[place], hash);
    }

    /// <summary>The last reason; false where none is known.</summary>
    public bool TryFind(ulong hash, out StoreReason reason, out int status, out long at)
    {
        var place = (int)(hash % Size);
        var isIts = Volatile.Read(ref hashes[place]) == hash;
        var found = Volatile.Read(ref said[place]);
        (reason, status, at) = ((StoreReason)(found & 0xFF), (int)(found >> 8 & 0xFFF), found >> 20);
        return isIts && Volatile.Read(ref hashes[place]) == hash;
    }
}
