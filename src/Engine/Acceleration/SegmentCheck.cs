// Whether what came is the part that was asked for, of the same bytes: nothing else may be put together with the others.
// RFC 9110 §13.1.5, §14.4, §15.3.7; RFC 9530 §3.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Acceleration;

/// <summary>What an answer to the request for a segment is.</summary>
internal enum SegmentAnswer : byte
{
    /// <summary>The part that was asked for.</summary>
    Part,

    /// <summary>This server has something else, or gives no parts of it.</summary>
    Other,

    /// <summary>It is asked too much.</summary>
    TooMuch,

    /// <summary>It failed, and may not fail the next time.</summary>
    Failed,
}

/// <summary>What all parts have in common.</summary>
/// <param name="Tag">The strong validator.</param>
/// <param name="Coding">The content coding, as it was written; empty: none.</param>
/// <param name="Digest">The digest of the whole, as it was written; empty: none.</param>
/// <param name="Total">Bytes of the whole.</param>
/// <param name="ByDigest">Whether a digest stands for the validator.</param>
internal readonly record struct Whole(ByteRange Tag, ByteRange Coding, ByteRange Digest, long Total, bool ByDigest);

/// <summary>Judges answers.</summary>
internal static class SegmentCheck
{
    /// <summary>Whether a tag is a strong validator.</summary>
    public static bool IsStrong(ReadOnlySpan<byte> tag) => tag.Length >= 2 && tag[0] == '"' && tag[^1] == '"';

    /// <summary>Judges an answer.</summary>
    /// <param name="response">It.</param>
    /// <param name="whole">What it must be a part of.</param>
    /// <param name="first">The first byte that was asked for.</param>
    /// <param name="end">The byte behind the last one.</param>
    public static SegmentAnswer Judge(Response response, in Whole whole, long first, long end)
    {
        if (response.Status is 429 or 503) return SegmentAnswer.TooMuch;
        if (response.Status >= 500) return SegmentAnswer.Failed;
        if (response.Status != 206 || response.Fields.Index.CountOf(KnownField.ContentRange) != 1) return SegmentAnswer.Other;
        if (!ContentRange.TryRead(response.Fields.First(KnownField.ContentRange), out var range)) return SegmentAnswer.Other;
        if (range.First != first || range.Last != end - 1 || range.Total != whole.Total) return SegmentAnswer.Other;
        if (!response.HasBody || (response.BodyLength >= 0 && response.BodyLength != range.Count)) return SegmentAnswer.Other;
        if (!response.Fields.First(KnownField.ContentEncoding).SequenceEqual(whole.Coding.Span)) return SegmentAnswer.Other;
        return IsSame(response, whole) ? SegmentAnswer.Part : SegmentAnswer.Other;
    }

    /// <summary>The digest of the whole that an answer tells; empty: none.</summary>
    public static ReadOnlySpan<byte> DigestOf(FieldBlock fields)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && !fields.IsDropped(i) && Wire.Bytes.Ascii.EqualsIgnoreCase(fields.Name(i), DigestField.ReprDigest)) return fields.Value(i);
        }

        return default;
    }

    private static bool IsSame(Response response, in Whole whole)
    {
        var tag = response.Fields.First(KnownField.ETag);
        if (tag.SequenceEqual(whole.Tag.Span)) return true;
        return whole.ByDigest && !whole.Digest.IsEmpty && DigestOf(response.Fields).SequenceEqual(whole.Digest.Span);
    }
}
