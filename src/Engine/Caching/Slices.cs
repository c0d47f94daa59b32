// A large object in slices of one size, each kept for itself. What is kept under the URL is their head: the fields of the whole, with
// status 206 and, for a body, a number that was made for it and the length of the whole. A slice's key holds that number: what is
// forgotten of the URL leaves no slice that anybody could find. All slices of one head have its strong validator and its length, so
// that they may be combined (RFC 9110 §15.3.7.3); whether they are fresh is the head's to say.

using System.Buffers.Binary;
using System.Security.Cryptography;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Caching;

/// <summary>Which slice a fill asks for.</summary>
/// <param name="Size">Bytes of a slice; 0: it asks for the whole.</param>
/// <param name="Index">Which one, from 0.</param>
/// <param name="Head">Of whose slices it is one; null: it is the first that is asked for.</param>
internal readonly record struct SliceAsk(long Size, long Index, StoredResponse? Head)
{
    public bool IsSlice => Size > 0;

    public long First => Size * Index;
}

/// <summary>Keys, heads and ranges of slices.</summary>
internal static class Slices
{
    public const int HeadBytes = 16;

    private static readonly ByteRange IfMatchName = ByteRange.Of("If-Match"u8.ToArray());

    /// <summary>Whether what is kept is a head of slices.</summary>
    public static bool IsHead(StoredResponse kept) => kept.Status == 206;

    /// <summary>Bytes of what is kept, be it in slices or not; -1: not known yet.</summary>
    public static long LengthOf(StoredResponse kept)
    {
        if (!IsHead(kept)) return kept.Body.Length;
        return BinaryPrimitives.TryReadInt64LittleEndian(kept.Body.From(8, 8), out var total) ? total : -1;
    }

    /// <summary>The key of a route with slices: other sizes, and routes without, do not meet it.</summary>
    public static bool TryKey(Exchange exchange, long size, ref CacheKey key)
    {
        if (!exchange.Scratch.TryTake(key.Extra.Length + 32, out var room, out var extra)) return false;
        var to = new SpanWriter(room);
        to.Write(key.Extra.Span);
        to.Write("\tslices "u8);
        to.WriteDecimal(size);
        key = key with { Extra = exchange.Scratch.Trim(extra, to.Length) };
        return true;
    }

    /// <summary>Bytes of a slice's key, at most.</summary>
    public static int KeyBytes(int url) => url + 64;

    /// <summary>The key of a slice. A URL holds no tab.</summary>
    public static CacheKey WriteKey(ReadOnlySpan<byte> url, ByteRange extra, StoredResponse head, long index, ByteRange room)
    {
        var to = new SpanWriter(room.Block.AsSpan(room.Start, room.Length));
        to.Write(url);
        to.Write((byte)'\t');
        Span<byte> hex = stackalloc byte[16];
        Convert.TryToHexStringLower(head.Body.From(0, 8), hex, out _);
        to.Write(hex);
        to.Write((byte)' ');
        to.WriteDecimal(index);
        var sliced = room.Slice(0, to.Length);
        return new CacheKey(KeyRecipe.HashOf(sliced.Span), sliced, extra);
    }

    /// <summary>A head's body.</summary>
    public static StoredBody MakeHead(long total, MemoryUse use)
    {
        Span<byte> bytes = stackalloc byte[HeadBytes];
        RandomNumberGenerator.Fill(bytes[..8]);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], total);
        var body = new StoredBody(HeadBytes, use);
        body.Append(bytes);
        body.End(FaultCause.None);
        return body;
    }

    /// <summary>The slice in which a request's range begins; the first where that is not said from the front.</summary>
    public static SliceAsk For(Request request, long size)
    {
        var value = request.Fields.First(KnownField.Range);
        if (request.KnownMethod != KnownMethod.Get || value.Length < 7 || !Ascii.EqualsIgnoreCase(value[..6], "bytes="u8)) return new SliceAsk(size, 0, null);
        var spec = Ascii.TrimWhiteSpace(value[6..]);
        var dash = spec.IndexOf((byte)'-');
        return new SliceAsk(size, dash > 0 && Ascii.TryDecimal(spec[..dash], out var first) ? first / size : 0, null);
    }

    /// <summary>Asks for a slice, and where it is known of what, for that only.</summary>
    public static bool TryAsk(Exchange exchange, in SliceAsk ask)
    {
        if (!exchange.Request.TryAskFor(ask.First, ask.First + ask.Size - 1, exchange.Scratch)) return false;
        if (ask.Head is not { } head) return true;
        if (!exchange.Scratch.TryCopy(Rules.StoredFields.Find(head.Lines, KnownField.ETag), out var tag)) return false;
        exchange.Request.Fields.Set(KnownField.IfMatch, IfMatchName, tag);
        return true;
    }

    /// <summary>Whether a response is the slice that was asked for, of something that may be combined of slices.</summary>
    public static bool IsSlice(Response response, in SliceAsk ask, out ContentRange range)
    {
        range = default;
        if (response.Status != 206 || response.Fields.Index.CountOf(KnownField.ContentRange) != 1 || !ContentRange.TryRead(response.Fields.First(KnownField.ContentRange), out range)) return false;
        if (range.First != ask.First || range.Count != Math.Min(ask.Size, range.Total - range.First)) return false;
        if (response.BodyLength >= 0 && response.BodyLength != range.Count) return false;
        var tag = response.Fields.First(KnownField.ETag);
        if (ask.Head is not { } head) return tag.StartsWith("\""u8) || range.Count == range.Total;
        if (!response.Fields.First(KnownField.ContentEncoding).SequenceEqual(Rules.StoredFields.Find(head.Lines, KnownField.ContentEncoding))) return false;
        return range.Total == LengthOf(head) && tag.SequenceEqual(Rules.StoredFields.Find(head.Lines, KnownField.ETag));
    }
}
