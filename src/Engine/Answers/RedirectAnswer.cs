// A redirect: a status and a location made from the request. RFC 9110 §15.4.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Fields;

namespace Weir.Engine.Answers;

/// <summary>A redirect (`redirect`). Immutable.</summary>
public sealed class RedirectAnswer(int status, Template location) : Answer
{
    private static readonly ByteRange LocationName = ByteRange.Of("Location"u8.ToArray());

    public override LoopTask<Fault> PrepareAsync(Exchange exchange)
    {
        if (!location.TryRender(exchange, out var to)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
        OwnResponse.Begin(exchange, status, default, default);
        exchange.Response.Fields.Add(KnownField.Location, LocationName, to);
        return new LoopTask<Fault>(Fault.None);
    }
}
