// What a message's fields say of its coding, and what must change with it: Content-Encoding, lengths, validators, digests,
// Vary. RFC 9110 §8.4, §8.8, §12.5.5; RFC 9530.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Compression;

/// <summary>Fields that hang on a coding.</summary>
internal static class CodingFields
{
    /// <summary>Codings of one body, one over the other, that are looked at.</summary>
    public const int MostInRow = 3;

    // Of the bytes as they are sent, or of the representation in its coding: either way they are of other bytes now.
    private static readonly byte[][] Digests = ["Content-MD5"u8.ToArray(), "Digest"u8.ToArray(), "Content-Digest"u8.ToArray(), "Repr-Digest"u8.ToArray()];

    // Nor may they come in behind the body.
    private static readonly byte[][] NotBehind = [.. Digests, "ETag"u8.ToArray()];

    private static readonly ByteRange CodingName = ByteRange.Of("Content-Encoding"u8.ToArray());
    private static readonly ByteRange VaryName = ByteRange.Of("Vary"u8.ToArray());
    private static readonly ByteRange AcceptName = ByteRange.Of("Accept-Encoding"u8.ToArray());
    private static readonly ByteRange DictionaryName = ByteRange.Of("Available-Dictionary"u8.ToArray());
    private static readonly ByteRange BothNames = ByteRange.Of("Accept-Encoding, Available-Dictionary"u8.ToArray());
    private static readonly ByteRange TagName = ByteRange.Of("ETag"u8.ToArray());

    /// <summary>What can be told of a message's codings.</summary>
    /// <param name="fields">The message's.</param>
    /// <param name="codings">The codings in the order in which they were put on.</param>
    /// <returns>How many there are; -1: one of them is not known, or there are too many.</returns>
    public static int Read(FieldBlock fields, Span<Coding> codings)
    {
        var count = 0;
        foreach (var line in fields.Sent(KnownField.ContentEncoding))
        {
            foreach (var element in new ListElements(line))
            {
                if (!Codings.TryFind(element, out var coding)) return -1;
                if (coding == Coding.Identity) continue;
                if (count == codings.Length) return -1;
                codings[count++] = coding;
            }
        }

        return count;
    }

    /// <summary>Whether nobody on the way may change the content (RFC 9111 §5.2.2.6).</summary>
    public static bool ForbidTransform(FieldBlock fields)
    {
        foreach (var line in fields.Sent(KnownField.CacheControl))
        {
            foreach (var directive in new ListElements(line))
            {
                if (Ascii.EqualsIgnoreCase(directive, "no-transform"u8)) return true;
            }
        }

        return false;
    }

    /// <summary>Whether a request wants the rest of something by what does not tell codings of it apart: a date, or a weak tag.</summary>
    public static bool ResumesByDate(FieldBlock request) =>
        request.Index.Has(KnownField.IfRange) && !request.First(KnownField.Range).IsEmpty && !request.First(KnownField.IfRange).StartsWith("\""u8);

    /// <summary>Whether a request asks for other codings than its client did.</summary>
    public static bool AsksForOthers(FieldBlock request)
    {
        foreach (ref readonly var field in request.Added)
        {
            if (field.Known == KnownField.AcceptEncoding) return true;
        }

        return false;
    }

    /// <summary>The first value that is sent on; empty: none.</summary>
    public static ReadOnlySpan<byte> First(FieldBlock fields, KnownField known)
    {
        foreach (var value in fields.Sent(known)) return value;
        return default;
    }

    /// <summary>Says that the answer would have been another for a client that takes other codings.</summary>
    public static void Vary(FieldBlock fields)
    {
        if (!Varies(fields, AcceptName.Span)) fields.Add(KnownField.Vary, VaryName, AcceptName);
    }

    /// <summary>The same, and for one that has another dictionary.</summary>
    public static void VaryByDictionary(FieldBlock fields)
    {
        if (Varies(fields, DictionaryName.Span)) Vary(fields);
        else fields.Add(KnownField.Vary, VaryName, Varies(fields, AcceptName.Span) ? DictionaryName : BothNames);
    }

    private static bool Varies(FieldBlock fields, ReadOnlySpan<byte> by)
    {
        foreach (var line in fields.Sent(KnownField.Vary))
        {
            foreach (var name in new ListElements(line))
            {
                if (name.SequenceEqual("*"u8) || Ascii.EqualsIgnoreCase(name, by)) return true;
            }
        }

        return false;
    }

    /// <summary>Makes a strong entity tag a weak one: the bytes are other ones, what they mean is not. One that is no tag goes.</summary>
    /// <returns>False where there is no room.</returns>
    public static bool TryWeaken(Exchange exchange, FieldBlock fields)
    {
        var tag = First(fields, KnownField.ETag);
        var lines = 0;
        foreach (var _ in fields.Sent(KnownField.ETag)) lines++;
        if (lines == 0 || (lines == 1 && tag.StartsWith("W/\""u8))) return true;
        if (lines > 1 || tag.IsEmpty || tag[0] != '"')
        {
            fields.Drop(KnownField.ETag); // Two are none: nobody knows which one holds.
            return true;
        }

        if (!exchange.Scratch.TryTake(tag.Length + 2, out var room, out var weak)) return false;
        "W/"u8.CopyTo(room);
        tag.CopyTo(room[2..]);
        fields.Set(KnownField.ETag, TagName, weak);
        return true;
    }

    /// <summary>Whether a client asked by the weak form of this strong tag.</summary>
    public static bool AsksByWeakForm(FieldBlock request, ReadOnlySpan<byte> tag)
    {
        if (tag.IsEmpty || tag[0] != '"') return false;
        foreach (var line in request.Sent(KnownField.IfNoneMatch))
        {
            foreach (var element in new ListElements(line))
            {
                if (element.StartsWith("W/"u8) && element[2..].SequenceEqual(tag)) return true;
            }
        }

        return false;
    }

    /// <summary>The content is in another coding now (empty: in none): what spoke of its bytes goes.</summary>
    public static void Recode(FieldBlock fields, byte[] coding)
    {
        fields.Drop(KnownField.ContentEncoding);
        fields.Drop(KnownField.ContentLength);
        foreach (var digest in Digests) fields.Drop(KnownFields.Lookup(digest), digest);
        fields.Withhold(NotBehind);
        if (coding.Length > 0) fields.Add(KnownField.ContentEncoding, CodingName, ByteRange.Of(coding));
    }

    /// <summary>Tells which codings may be sent (RFC 9110 §15.5.16).</summary>
    public static void Accept(FieldBlock fields, byte[] codings) => fields.Set(KnownField.AcceptEncoding, AcceptName, ByteRange.Of(codings));
}
