// Says of answers that they are dictionaries for later ones (RFC 9842 §2.1), where their origin does not say it itself: for the URLs
// that the operator names, or for those that differ from the answer's own in nothing but what looks like a version.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Compression;

/// <summary>Marks what is to be kept. Immutable.</summary>
/// <param name="match">For which URLs; empty: it is made of each answer's own.</param>
/// <param name="destinations">For which destinations of browsers; none: any.</param>
/// <param name="types">Media types that are worth it.</param>
/// <param name="minSize">Shorter bodies, where their length is known, are not worth it.</param>
public sealed class MarkAsDictionary(string match, IReadOnlyList<string> destinations, MediaTypeList types, long minSize) : IResponsePolicy
{
    /// <summary>The field. Must not be changed.</summary>
    internal static readonly byte[] FieldName = "Use-As-Dictionary"u8.ToArray();

    private static readonly ByteRange Name = ByteRange.Of(FieldName);

    private readonly byte[] behind = System.Text.Encoding.ASCII.GetBytes(destinations.Count == 0 ? "\"" : $"\", match-dest=({string.Join(' ', destinations.Select(static d => $"\"{d}\""))})");
    private readonly byte[] named = System.Text.Encoding.ASCII.GetBytes(match);

    public bool Apply(Exchange exchange)
    {
        var (response, fields) = (exchange.Response, exchange.Response.Fields);
        if (!exchange.Request.IsSecure || HasOwn(fields) || !fields.First(KnownField.SetCookie).IsEmpty || CodingFields.ForbidTransform(fields)) return true;
        if (!CodingFields.First(fields, KnownField.ContentEncoding).IsEmpty || !types.Holds(CodingFields.First(fields, KnownField.ContentType))) return true;
        if (response.BodyLength == 0 || (response.BodyLength > 0 && response.BodyLength < minSize)) return true;
        var path = exchange.Request.Path.Span;
        if (!exchange.Scratch.TryTake(16 + behind.Length + Math.Max(named.Length, path.Length), out var room, out var value)) return true; // Then it is none.
        var to = new SpanWriter(room);
        to.Write("match=\""u8);
        if (named.Length > 0)
        {
            to.Write(named);
        }
        else
        {
            if (!VersionedPath.TryWriteMatch(path, to.Free, out var length)) return true;
            to.Advance(length);
        }

        to.Write(behind);
        fields.Add(KnownField.Other, Name, exchange.Scratch.Trim(value, to.Length));
        return true;
    }

    public void ApplyInterim(Exchange exchange)
    {
    }

    private static bool HasOwn(FieldBlock fields)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && Ascii.EqualsIgnoreCase(fields.Name(i), FieldName)) return true;
        }

        return false;
    }
}
