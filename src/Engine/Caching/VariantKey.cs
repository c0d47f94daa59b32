// What tells the variants of one URL apart, as bytes beside a stored response: the extra part of the key, the names of request
// fields that its Vary nominates, and their values in the request it answered.

using System.Buffers.Binary;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Reads and writes variants' keys: two lengths, extra, names, values.</summary>
internal static class VariantKey
{
    /// <summary>Bytes of names, and of values, that are kept; a response that varies on more is not.</summary>
    public const int Most = 2048;

    private const int Head = 4;

    /// <summary>Writes the key of a response.</summary>
    /// <returns>False where it varies on everything, or on too much.</returns>
    public static bool TryWrite(ReadOnlySpan<byte> extra, FieldBlock response, FieldBlock request, Span<byte> into, out int length)
    {
        length = 0;
        if (into.Length < Head + extra.Length + (2 * Most)) return false;
        extra.CopyTo(into[Head..]);
        var names = into.Slice(Head + extra.Length, Most);
        if (!TryWriteNames(response, names, out var namesLength)) return false;
        names = names[..namesLength];
        var values = into.Slice(Head + extra.Length + namesLength, Most);
        if (!TryWriteValues(names, request, values, out var valuesLength)) return false;
        BinaryPrimitives.WriteUInt16LittleEndian(into, (ushort)extra.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(into[2..], (ushort)namesLength);
        length = Head + extra.Length + namesLength + valuesLength;
        return true;
    }

    public static ReadOnlySpan<byte> Extra(ReadOnlySpan<byte> key) => key.Slice(Head, BinaryPrimitives.ReadUInt16LittleEndian(key));

    /// <summary>Whether the request's fields are those of the request that was answered, as far as the response depends on them.</summary>
    public static bool Selects(ReadOnlySpan<byte> key, FieldBlock request)
    {
        var names = BinaryPrimitives.ReadUInt16LittleEndian(key[2..]);
        if (names == 0) return true;
        var at = Head + BinaryPrimitives.ReadUInt16LittleEndian(key);
        Span<byte> values = stackalloc byte[Most];
        return TryWriteValues(key.Slice(at, names), request, values, out var length) && values[..length].SequenceEqual(key[(at + names)..]);
    }

    private static bool TryWriteNames(FieldBlock response, Span<byte> into, out int length)
    {
        length = 0;
        if (!response.Index.Has(KnownField.Vary)) return true;
        var to = new SpanWriter(into);
        for (var i = 0; i < response.Index.Count; i++)
        {
            if (response.Index[i].Known != KnownField.Vary) continue;
            foreach (var name in new ListElements(response.Value(i)))
            {
                if (name.SequenceEqual("*"u8) || to.Length + name.Length + 1 > into.Length) return false;
                foreach (var b in name) to.Write(Ascii.ToLower(b));
                to.Write((byte)',');
            }
        }

        length = to.Length;
        return true;
    }

    private static bool TryWriteValues(ReadOnlySpan<byte> names, FieldBlock request, Span<byte> into, out int length)
    {
        var to = new SpanWriter(into);
        length = 0;
        while (names.IndexOf((byte)',') is var end and >= 0)
        {
            var name = names[..end];
            names = names[(end + 1)..];
            for (var i = 0; i < request.Index.Count; i++)
            {
                if (!Ascii.EqualsIgnoreCase(request.Name(i), name)) continue;
                var value = request.Value(i);
                if (to.Length + value.Length + 2 > into.Length) return false;
                to.Write(value);
                to.Write((byte)',');
            }

            if (to.Length + 1 > into.Length) return false;
            to.Write((byte)'\n');
        }

        length = to.Length;
        return true;
    }
}
