// An answer that stands in the configuration: a status, fields, a body. Its fields replace Date and Content-Type, never stand
// beside them.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Answers;

/// <summary>A field of a fixed answer.</summary>
public readonly record struct AnswerField(byte[] Name, Template Value);

/// <summary>A fixed answer (`respond`). Immutable.</summary>
public sealed class FixedAnswer(int status, Template body, byte[] contentType, AnswerField[] fields) : Answer
{
    public override LoopTask<Fault> PrepareAsync(Exchange exchange)
    {
        if (!body.TryRender(exchange, out var text)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
        OwnResponse.Begin(exchange, status, text.Memory, ByteRange.Of(contentType));
        foreach (ref readonly var field in fields.AsSpan())
        {
            if (!field.Value.TryRender(exchange, out var value)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
            exchange.Response.Fields.Set(KnownFields.Lookup(field.Name), ByteRange.Of(field.Name), value);
        }

        return new LoopTask<Fault>(Fault.None);
    }
}
