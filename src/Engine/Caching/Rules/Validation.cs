// What an origin's answer says about a stored response: a 304 confirms it, a 200 to HEAD confirms or unmasks it. RFC 9111 §4.3.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>What a response to HEAD means for what is stored of the same target.</summary>
public enum HeadEffect : byte
{
    None,

    /// <summary>It is the same: its fields and times are renewed.</summary>
    Update,

    /// <summary>It is another, or gone: what is stored is stale.</summary>
    Stale,
}

/// <summary>Compares validators.</summary>
public static class Validation
{
    /// <summary>Whether a response can be validated once it is stored.</summary>
    public static bool HasValidator(FieldBlock fields) =>
        !Lifetimes.First(fields, KnownField.ETag).IsEmpty || HttpDate.TryRead(Lifetimes.First(fields, KnownField.LastModified), out _);

    /// <summary>
    /// Whether a 304 speaks of a stored response (RFC 9111 §4.3.4). Where it does not, nothing may be updated by it, and the origin is
    /// asked again without conditions.
    /// </summary>
    /// <param name="stored">The stored lines, whose validators the condition was made of.</param>
    /// <param name="notModified">The fields of the 304.</param>
    public static bool Confirms(ReadOnlySpan<byte> stored, FieldBlock notModified)
    {
        var tag = StoredFields.Find(stored, KnownField.ETag);
        var newTag = Lifetimes.First(notModified, KnownField.ETag);
        if (!newTag.IsEmpty)
        {
            if (!IsWeak(newTag)) return newTag.SequenceEqual(tag);
            if (!tag.IsEmpty) return Opaque(newTag).SequenceEqual(Opaque(tag));
        }

        // Some servers leave out what RFC 9110 §15.4.5 obliges them to say. They were asked about one response, and it is that one.
        var newModified = Lifetimes.First(notModified, KnownField.LastModified);
        return newModified.IsEmpty ? newTag.IsEmpty : IsSameDate(StoredFields.Find(stored, KnownField.LastModified), newModified);
    }

    /// <summary>What a response to HEAD means for a stored response to GET that could have answered it. RFC 9111 §4.3.5.</summary>
    /// <param name="stored">The stored lines.</param>
    /// <param name="length">The length of the stored content; negative: not known yet.</param>
    /// <param name="status">Of the response to HEAD.</param>
    /// <param name="fields">Its fields.</param>
    public static HeadEffect OfHead(ReadOnlySpan<byte> stored, long length, int status, FieldBlock fields)
    {
        if (status is 404 or 410) return HeadEffect.Stale;
        if (status != 200) return HeadEffect.None;
        var tag = Lifetimes.First(fields, KnownField.ETag);
        if (!tag.IsEmpty && !tag.SequenceEqual(StoredFields.Find(stored, KnownField.ETag))) return HeadEffect.Stale;
        var modified = Lifetimes.First(fields, KnownField.LastModified);
        if (!modified.IsEmpty && !IsSameDate(StoredFields.Find(stored, KnownField.LastModified), modified)) return HeadEffect.Stale;
        var announced = Lifetimes.First(fields, KnownField.ContentLength);
        if (!announced.IsEmpty && length >= 0 && (!Ascii.TryDecimal(announced, out var said) || said != length)) return HeadEffect.Stale;
        return HeadEffect.Update;
    }

    private static bool IsWeak(ReadOnlySpan<byte> tag) => tag.StartsWith("W/"u8);

    private static ReadOnlySpan<byte> Opaque(ReadOnlySpan<byte> tag) => IsWeak(tag) ? tag[2..] : tag;

    private static bool IsSameDate(ReadOnlySpan<byte> stored, ReadOnlySpan<byte> said) =>
        stored.SequenceEqual(said) || (HttpDate.TryRead(stored, out var one) && HttpDate.TryRead(said, out var other) && one == other);
}
