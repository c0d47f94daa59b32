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
        if (!location.TryRender(exchange, out var to, TemplateUse.Path)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
        // A client of HTTP/1.0 need not name a host; a URI without one points nowhere (RFC 9110 §4.2.1).
        if (to.Span.IndexOf(":///"u8) >= 0) return new LoopTask<Fault>(new Fault(FaultCause.Malformed, Side.Client, Stage.Policy));
        // What the request put at the front must not name another host: "//evil" is one (RFC 3986 §4.2).
        while (!location.BeginsWith("//"u8) && to.Span.StartsWith("//"u8)) to = to.Slice(1, to.Length - 1);
        OwnResponse.Begin(exchange, status, default, default);
        exchange.Response.Fields.Add(KnownField.Location, LocationName, to);
        return new LoopTask<Fault>(Fault.None);
    }
}
