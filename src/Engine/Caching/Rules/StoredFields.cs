// Which fields of a response are stored (RFC 9111 §3.1), and what a 304, or a 200 to HEAD, changes about those that are
// (§3.2). Stored fields are lines as they stand in a head: "Name: value\r\n", one after the other, nothing else.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>Writes stored fields.</summary>
public static class StoredFields
{
    /// <summary>Bytes that <see cref="Write"/> may write, at most.</summary>
    public static int Bound(FieldBlock fields)
    {
        var size = 0;
        for (var i = 0; i < fields.Index.Count; i++) size += fields.Index[i].NameLength + fields.Index[i].ValueLength + 4;
        foreach (ref readonly var field in fields.Added) size += field.Name.Length + field.Value.Length + 4;
        return size;
    }

    /// <summary>Writes the lines of a response that are stored, and what was added to it: a Date where there was none.</summary>
    /// <returns>Bytes written.</returns>
    public static int Write(FieldBlock fields, Span<byte> into)
    {
        var to = new SpanWriter(into);
        var directives = ResponseDirectives.Of(fields);
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (IsStored(fields, directives, i)) WriteLine(ref to, fields.Name(i), fields.Value(i));
        }

        foreach (ref readonly var field in fields.Added) WriteLine(ref to, field.Name.Span, field.Value.Span);
        return to.Length;
    }

    /// <summary>
    /// Writes stored lines as a response that confirms them changes them: what it names takes the place of what is stored, but what
    /// describes the stored content.
    /// </summary>
    /// <param name="stored">The stored lines.</param>
    /// <param name="fresh">The fields of the 304, or of the 200 to HEAD.</param>
    /// <param name="into">At least the stored lines' length and <see cref="Bound"/> of the others.</param>
    /// <returns>Bytes written.</returns>
    public static int Merge(ReadOnlySpan<byte> stored, FieldBlock fresh, Span<byte> into)
    {
        var to = new SpanWriter(into);
        var directives = ResponseDirectives.Of(fresh);
        foreach (var line in new StoredLines(stored))
        {
            if (!IsReplaced(line.Name, fresh, directives) && !IsAdded(line.Name, fresh)) WriteLine(ref to, line.Name, line.Value);
        }

        for (var i = 0; i < fresh.Index.Count; i++)
        {
            if (IsStored(fresh, directives, i) && !(IsOfContent(fresh.Index[i].Known) && (fresh.Index[i].Known != KnownField.ETag || Has(stored, KnownField.ETag)))) WriteLine(ref to, fresh.Name(i), fresh.Value(i));
        }

        // A Date where there was none: times are counted from it.
        foreach (ref readonly var field in fresh.Added) WriteLine(ref to, field.Name.Span, field.Value.Span);
        return to.Length;
    }

    /// <summary>The value of the first stored line of a field; empty where there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> stored, KnownField field)
    {
        foreach (var line in new StoredLines(stored))
        {
            if (KnownFields.Lookup(line.Name) == field) return line.Value;
        }

        return default;
    }

    internal static bool IsStored(FieldBlock fields, in ResponseDirectives directives, int i)
    {
        if (fields.IsDropped(i)) return false;
        return fields.Index[i].Known switch
        {
            // Of the connection, or of the proxy next to the client (RFC 9111 §3.1). Age is counted on from StoredTimes.
            KnownField.Connection or KnownField.KeepAlive or KnownField.ProxyConnection or KnownField.TE or KnownField.Trailer or KnownField.TransferEncoding or KnownField.Upgrade => false,
            KnownField.Http2Settings or KnownField.ProxyAuthenticate or KnownField.ProxyAuthorization or KnownField.ProxyAuthenticationInfo or KnownField.Age => false,

            // A Connection that was not seen to before may name these; what the framing and this cache live by stays.
            KnownField.ContentLength or KnownField.CacheControl or KnownField.CdnCacheControl or KnownField.WeirCacheControl or KnownField.SurrogateControl or KnownField.Vary => true,
            _ => !IsNominated(fields, fields.Name(i)) && !directives.Nominates(fields, fields.Name(i)),
        };
    }

    private static bool IsNominated(FieldBlock fields, ReadOnlySpan<byte> name)
    {
        if (!fields.Index.Has(KnownField.Connection)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Connection) continue;
            foreach (var option in new ListElements(fields.Value(i)))
            {
                if (Ascii.EqualsIgnoreCase(option, name)) return true;
            }
        }

        return false;
    }

    // Whether a stored line gives way to one that is written anew.
    private static bool IsReplaced(ReadOnlySpan<byte> name, FieldBlock fresh, in ResponseDirectives directives)
    {
        var known = KnownFields.Lookup(name);
        if (IsOfContent(known) || (known != KnownField.Other && !fresh.Index.Has(known))) return false;
        for (var i = 0; i < fresh.Index.Count; i++)
        {
            if (fresh.Index[i].Known == known && Ascii.EqualsIgnoreCase(fresh.Name(i), name) && IsStored(fresh, directives, i)) return true;
        }

        return false;
    }

    private static bool IsAdded(ReadOnlySpan<byte> name, FieldBlock fresh)
    {
        foreach (ref readonly var field in fresh.Added)
        {
            if (Ascii.EqualsIgnoreCase(field.Name.Span, name)) return true;
        }

        return false;
    }

    // What the stored content is read with, and validated by: a 304 has no content that a change could be true of.
    private static bool IsOfContent(KnownField known) => known is KnownField.ContentLength or KnownField.ContentEncoding or KnownField.ContentRange or KnownField.ContentMd5 or KnownField.ETag;

    private static bool Has(ReadOnlySpan<byte> stored, KnownField field)
    {
        foreach (var line in new StoredLines(stored))
        {
            if (KnownFields.Lookup(line.Name) == field) return true;
        }

        return false;
    }

    private static void WriteLine(ref SpanWriter to, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        to.Write(name);
        to.Write(": "u8);
        to.Write(value);
        to.Write("\r\n"u8);
    }
}

/// <summary>Enumerates stored lines.</summary>
public ref struct StoredLines(ReadOnlySpan<byte> lines)
{
    private ReadOnlySpan<byte> rest = lines;

    /// <summary>A line's two parts.</summary>
    public readonly ref struct Line(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        public ReadOnlySpan<byte> Name { get; } = name;

        public ReadOnlySpan<byte> Value { get; } = value;
    }

    public Line Current { get; private set; }

    public readonly StoredLines GetEnumerator() => this;

    public bool MoveNext()
    {
        var end = rest.IndexOf("\r\n"u8);
        if (end < 0) return false;
        var line = rest[..end];
        rest = rest[(end + 2)..];
        var colon = line.IndexOf((byte)':');
        if (colon <= 0) return false;
        Current = new Line(line[..colon], Ascii.TrimWhiteSpace(line[(colon + 1)..]));
        return true;
    }
}
