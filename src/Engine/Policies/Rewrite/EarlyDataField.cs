// Tells the origin that a request may be a replay: it can ask for it again with 425 (RFC 8470 §5.1). What came with the field
// keeps it, whoever said so.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>Adds Early-Data to requests of routes that take them early. Immutable.</summary>
public sealed class EarlyDataField : IRequestPolicy
{
    private static readonly ByteRange Name = ByteRange.Of("Early-Data"u8.ToArray());
    private static readonly ByteRange One = ByteRange.Of("1"u8.ToArray());

    public Verdict Apply(Exchange exchange)
    {
        if (exchange.Client.IsConfirmed) return Verdict.Continue;
        var fields = exchange.Request.Fields;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (!fields.IsDropped(i) && Ascii.EqualsIgnoreCase(fields.Name(i), Name.Span)) return Verdict.Continue;
        }

        fields.Add(KnownField.Other, Name, One);
        return Verdict.Continue;
    }
}
