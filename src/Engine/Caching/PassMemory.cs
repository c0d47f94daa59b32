// Which keys brought answers lately that may not be kept: nobody waits for another's fetch of them. A small table in which a newer
// one may take an older one's place; what is forgotten costs a wait.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Remembers for a while. Any thread.</summary>
internal sealed class PassMemory
{
    private const int Places = 1 << 14;
    private const long Lasts = 30; // Seconds.

    private readonly ulong[] places = new ulong[Places]; // The upper bits of the hash, and until when (s).

    /// <summary>What a request is remembered by. What is not kept because of a request's Authorization says nothing of others.</summary>
    public static ulong KeyOf(ulong hash, FieldBlock request) => request.Index.Has(KnownField.Authorization) ? ~hash : hash;

    public void Add(ulong hash, DateTime now) => Volatile.Write(ref places[hash & (Places - 1)], Pack(hash, Seconds(now) + Lasts));

    public void Remove(ulong hash)
    {
        if (((Volatile.Read(ref places[hash & (Places - 1)]) ^ hash) >> 32) == 0) Volatile.Write(ref places[hash & (Places - 1)], 0);
    }

    public bool Has(ulong hash, DateTime now)
    {
        var place = Volatile.Read(ref places[hash & (Places - 1)]);
        return ((place ^ hash) >> 32) == 0 && (long)(uint)place is var until && until > Seconds(now) && until <= Seconds(now) + Lasts;
    }

    private static ulong Pack(ulong hash, long until) => (hash & 0xFFFFFFFF00000000) | (uint)until;

    private static long Seconds(DateTime now) => (now.Ticks / TimeSpan.TicksPerSecond) & 0x7FFFFFFF;
}
