// Writing heads: the lines that are kept as they came, in runs, then what is added. Host stands where it stood. What
// belongs to one connection only (RFC 9110 §7.6.1) is never copied; it is written anew here.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Http1;

internal static class HeadFormat
{
    // Lines written here besides the kept and added ones: status, Connection, Upgrade, TE, Content-Length and the like.
    private const int OwnLines = 512;

    private static readonly ulong HopByHop = FieldIndex.SetOf(
        KnownField.Connection, KnownField.KeepAlive, KnownField.ProxyConnection, KnownField.TE, KnownField.TransferEncoding, KnownField.Upgrade, KnownField.Http2Settings);

    // A client behind a proxy that passes Connection on could take its own traces away with these; the last two are obeyed here.
    private static readonly KnownField[] NotNominated =
    [
        KnownField.Host, KnownField.ContentLength, KnownField.Connection, KnownField.Forwarded, KnownField.XForwardedFor, KnownField.XForwardedProto,
        KnownField.XForwardedHost, KnownField.XForwardedPort, KnownField.XRealIp, KnownField.Via, KnownField.XRequestId, KnownField.Expect, KnownField.MaxForwards,
    ];

    /// <summary>Bytes that a head with these fields may take, at most.</summary>
    public static int Bound(FieldBlock fields, int startLine)
    {
        var size = OwnLines + startLine;
        if (fields.Index.Count > 0) size += fields.Index[fields.Index.Count - 1].LineEnd - fields.Index[0].LineStart;
        foreach (ref readonly var field in fields.Added) size += field.Name.Length + field.Value.Length + 4;
        return size;
    }

    /// <summary>Writes what is kept of the received lines and what is added. <paramref name="host"/> replaces Host's value in its place.</summary>
    public static void WriteFields(ref SpanWriter to, FieldBlock fields, ReadOnlySpan<byte> host, bool isRequest)
    {
        var index = fields.Index;
        var bytes = fields.Bytes.AsSpan(fields.Origin);
        if (isRequest && !index.Has(KnownField.Host)) WriteField(ref to, "Host"u8, host);
        var runStart = -1;
        var runEnd = -1;
        for (var i = 0; i < index.Count; i++)
        {
            ref readonly var field = ref index[i];
            var isHost = isRequest && field.Known == KnownField.Host;
            if (fields.IsDropped(i) || isHost)
            {
                if (runStart >= 0) to.Write(bytes[runStart..runEnd]);
                runStart = -1;
                if (isHost) WriteField(ref to, fields.Name(i), host);
                continue;
            }

            if (runStart < 0) runStart = field.LineStart;
            runEnd = field.LineEnd;
        }

        if (runStart >= 0) to.Write(bytes[runStart..runEnd]);
        foreach (ref readonly var added in fields.Added) WriteField(ref to, added.Name.Span, added.Value.Span);
    }

    public static void WriteField(ref SpanWriter to, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        to.Write(name);
        to.Write(": "u8);
        to.Write(value);
        to.Write("\r\n"u8);
    }

    /// <summary>Says how a body of this length is framed; a received Content-Length that is passed on says it already.</summary>
    public static void WriteLength(ref SpanWriter to, FieldBlock fields, long length)
    {
        if (fields.Index.Has(KnownField.ContentLength))
        {
            for (var i = 0; i < fields.Index.Count; i++)
            {
                if (fields.Index[i].Known == KnownField.ContentLength && !fields.IsDropped(i)) return;
            }
        }

        to.Write("Content-Length: "u8);
        to.WriteDecimal(length);
        to.Write("\r\n"u8);
    }

    /// <summary>
    /// Marks what must not travel further than one connection: the fields of RFC 9110 §7.6.1 and those that Connection
    /// nominates. Nominating what frames or routes the message, or tells on whose behalf it is sent, is ignored.
    /// </summary>
    public static void DropHopByHop(FieldBlock fields)
    {
        var index = fields.Index;
        if (!index.HasAny(HopByHop)) return;
        if (index.Has(KnownField.Connection))
        {
            for (var i = 0; i < index.Count; i++)
            {
                if (index[i].Known == KnownField.Connection) DropNominated(fields, fields.Value(i));
            }

            fields.Drop(KnownField.Connection);
        }

        fields.Drop(KnownField.KeepAlive);
        fields.Drop(KnownField.ProxyConnection);
        fields.Drop(KnownField.TE);
        fields.Drop(KnownField.TransferEncoding);
        fields.Drop(KnownField.Upgrade);
        fields.Drop(KnownField.Http2Settings);
    }

    /// <summary>
    /// Marks fields that a gateway which takes '_' and '-' for the same would read as one of those with a meaning here:
    /// X_Forwarded_For would pass where X-Forwarded-For is not believed.
    /// </summary>
    public static void DropTwins(FieldBlock fields)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && KnownFields.IsTwin(fields.Name(i))) fields.Drop(i);
        }
    }

    private static void DropNominated(FieldBlock fields, ReadOnlySpan<byte> list)
    {
        foreach (var element in new ListElements(list))
        {
            var known = KnownFields.Lookup(element);
            if (!NotNominated.Contains(known)) fields.Drop(known, element);
        }
    }
}
