// Which directives of a response count: those of the first targeted field that is sound and not empty, alone; else Cache-Control and
// Expires. RFC 9213 §2.2.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching.Rules;

/// <summary>The directives that count, and the field they stand in.</summary>
public readonly struct ResponseDirectives
{
    private ResponseDirectives(in CacheControl control, KnownField source)
    {
        Control = control;
        Source = source;
    }

    public readonly CacheControl Control;

    /// <summary>Weir-Cache-Control, CDN-Cache-Control, or Cache-Control whether it is there or not.</summary>
    public KnownField Source { get; }

    /// <summary>Whether Cache-Control and Expires do not count.</summary>
    public bool IsTargeted => Source != KnownField.CacheControl;

    /// <summary>Reads them from all that was received, dropped lines too: Connection cannot take them away (RFC 9110 §7.6.1).</summary>
    public static ResponseDirectives Of(FieldBlock fields)
    {
        if (TryTargeted(fields, KnownField.WeirCacheControl, out var control)) return new ResponseDirectives(control, KnownField.WeirCacheControl);
        if (TryTargeted(fields, KnownField.CdnCacheControl, out control)) return new ResponseDirectives(control, KnownField.CdnCacheControl);
        control = default;
        if (fields.Index.Has(KnownField.CacheControl))
        {
            for (var i = 0; i < fields.Index.Count; i++)
            {
                if (fields.Index[i].Known == KnownField.CacheControl) control.Read(fields.Value(i));
            }
        }

        return new ResponseDirectives(control, KnownField.CacheControl);
    }

    /// <summary>Whether no-cache="…" or private="…" names a field: it is not stored.</summary>
    /// <param name="fields">What these directives were read from.</param>
    /// <param name="name">The field.</param>
    public bool Nominates(FieldBlock fields, ReadOnlySpan<byte> name)
    {
        if (!Control.Has(CacheDirectives.NoCacheFields | CacheDirectives.PrivateFields)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != Source) continue;
            if (IsTargeted ? CacheControl.NominatesTargeted(fields.Value(i), name) : CacheControl.Nominates(fields.Value(i), name)) return true;
        }

        return false;
    }

    private static bool TryTargeted(FieldBlock fields, KnownField field, out CacheControl control)
    {
        control = default;
        if (!fields.Index.Has(field)) return false;
        var isEmpty = true;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != field) continue;
            if (!control.TryReadTargeted(fields.Value(i))) return false;
            isEmpty &= Ascii.TrimWhiteSpace(fields.Value(i)).IsEmpty;
        }

        return !isEmpty;
    }
}
