// One URL in a cache: the variants that are kept of it, and the fills under way. Everything here is under its shard's lock.

using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;

namespace Weir.Engine.Caching;

/// <summary>What is known of one URL.</summary>
internal sealed class CachedObject(ulong hash, byte[] url)
{
    private StoredResponse? first; // The newest first.
    private Fill? fills;
    private int count;

    public ulong Hash => hash;

    public byte[] Url => url;

    public CachedObject? Next { get; set; }

    public bool IsEmpty => first is null && fills is null;

    public StoredResponse? Find(ReadOnlySpan<byte> extra, FieldBlock request)
    {
        // Variants mostly vary by the same: what the request says about that is worked out once.
        Span<byte> key = stackalloc byte[VaryRule.MostKeyBytes];
        var (rule, length, hasKey) = (VaryRule.None, 0, true);
        StoredResponse? forAll = null; // Some leave Vary out where a request has no preference: what does say it comes first (RFC 9111 §4.1).
        for (var one = first; one is not null; one = one.Other)
        {
            if (!one.Extra.SequenceEqual(extra)) continue;
            if (one.Vary.IsNone)
            {
                forAll ??= one;
                continue;
            }

            if (!one.Vary.Equals(rule)) (rule, hasKey) = (one.Vary, one.Vary.TryWriteKey(request, key, out length));
            if (hasKey && one.VaryKey.SequenceEqual(key[..length])) return one;
        }

        return forAll;
    }

    public Fill? FindFill(ReadOnlySpan<byte> extra)
    {
        for (var fill = fills; fill is not null; fill = fill.Other)
        {
            if (fill.IsJoinable && fill.Extra.AsSpan().SequenceEqual(extra)) return fill;
        }

        return null;
    }

    public Fill Begin(ReadOnlySpan<byte> extra, bool isJoinable) => fills = new Fill(this, extra.ToArray(), isJoinable) { Other = fills };

    public void End(Fill fill)
    {
        ref var place = ref fills;
        while (place is not null && place != fill) place = ref place.OtherPlace;
        if (place is not null) place = fill.Other;
    }

    /// <summary>Puts one in; what it replaces, or what has to make room, is given back.</summary>
    public StoredResponse? Put(StoredResponse response)
    {
        StoredResponse? replaced = null;
        for (var one = first; one is not null && replaced is null; one = one.Other)
        {
            if (one.IsSameVariant(response)) replaced = one;
        }

        if (replaced is null && count == Cache.MostVariants)
        {
            replaced = first;
            while (replaced!.Other is not null) replaced = replaced.Other;
        }

        if (replaced is not null) Remove(replaced);
        response.Place = this;
        response.Other = first;
        first = response;
        count++;
        return replaced;
    }

    /// <summary>Everything that is kept or on its way is out of date.</summary>
    /// <returns>What was taken out.</returns>
    public StoredResponse? TakeAll()
    {
        DoomFills();
        var all = first;
        for (var one = all; one is not null; one = one.Other) one.Place = null;
        (first, count) = (null, 0);
        return all;
    }

    /// <summary>The newest of what is kept; the others follow by <see cref="StoredResponse.Other"/>.</summary>
    public StoredResponse? First => first;

    /// <summary>Nothing that fills under way bring is to be kept.</summary>
    /// <returns>How many there are.</returns>
    public int DoomFills()
    {
        for (var fill = fills; fill is not null; fill = fill.Other) fill.IsDoomed = true;
        return Fills;
    }

    public int Fills
    {
        get
        {
            var count = 0;
            for (var fill = fills; fill is not null; fill = fill.Other) count++;
            return count;
        }
    }

    public bool Remove(StoredResponse response)
    {
        ref var place = ref first;
        while (place is not null && place != response) place = ref place.OtherPlace;
        if (place is null) return false;
        place = response.Other;
        response.Other = null;
        response.Place = null;
        count--;
        return true;
    }
}
