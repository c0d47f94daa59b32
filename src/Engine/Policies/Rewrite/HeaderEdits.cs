// Fields removed, set and added, in this order: of the request that is sent on, or of the response. One whose placeholders come
// to nothing is left out, and so is what the peer sent under the name of one that is set: an empty field is not no field to
// everybody, and no valid Client-Cert (RFC 9440 §2.2).

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>A field and the value it gets.</summary>
public sealed class FieldEdit(byte[] name, Template value)
{
    public KnownField Known { get; } = KnownFields.Lookup(name);

    public ByteRange Name { get; } = ByteRange.Of(name);

    public Template Value { get; } = value;
}

/// <summary>Edits of one direction. Immutable.</summary>
public sealed class HeaderEdits(byte[][] remove, FieldEdit[] set, FieldEdit[] add)
{
    private readonly (KnownField Known, byte[] Name)[] remove = [.. remove.Select(name => (KnownFields.Lookup(name), name))];

    private readonly byte[][] names = [.. remove, .. set.Select(edit => edit.Name.Span.ToArray())];

    /// <summary>Applies the edits; false where there is no room for a value.</summary>
    public bool Apply(Exchange exchange, FieldBlock fields)
    {
        fields.Withhold(names);
        Remove(fields);
        foreach (var edit in set)
        {
            if (!edit.Value.TryRender(exchange, out var value)) return false;
            if (IsNothing(edit, value)) fields.Drop(edit.Known, edit.Name.Span);
            else fields.Set(edit.Known, edit.Name, value);
        }

        foreach (var edit in add)
        {
            if (!edit.Value.TryRender(exchange, out var value)) return false;
            if (!IsNothing(edit, value)) fields.Add(edit.Known, edit.Name, value);
        }

        return true;
    }

    // What is written empty is meant so.
    private static bool IsNothing(FieldEdit edit, ByteRange value) => value.IsEmpty && !edit.Value.IsConstant;

    /// <summary>Only takes out what is to be removed.</summary>
    public void Remove(FieldBlock fields)
    {
        foreach (var (known, name) in remove) fields.Drop(known, name);
    }
}

/// <summary>Edits fields of the request (`request_headers`).</summary>
public sealed class RequestHeaders(HeaderEdits edits) : IRequestPolicy
{
    public Verdict Apply(Exchange exchange) =>
        edits.Apply(exchange, exchange.Request.Fields) ? Verdict.Continue : new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
}

/// <summary>Edits fields of the response (`response_headers`).</summary>
public sealed class ResponseHeaders(HeaderEdits edits) : IResponsePolicy
{
    public bool Apply(Exchange exchange) => edits.Apply(exchange, exchange.Response.Fields);

    public void ApplyInterim(Exchange exchange) => edits.Remove(exchange.Response.Fields);
}
