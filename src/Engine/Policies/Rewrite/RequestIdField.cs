// X-Request-ID towards the origin: the one a trusted proxy sent if it is short and plain, else one of our own.

using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>Names the request towards the origin and in the log (`request_id`).</summary>
public sealed class RequestIdField : IRequestPolicy
{
    private static readonly ByteRange FieldName = ByteRange.Of("X-Request-ID"u8.ToArray());

    public Verdict Apply(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        if (exchange.IsFromTrustedProxy && fields.Index.CountOf(KnownField.XRequestId) == 1)
        {
            var sent = fields.Range(fields.Index.IndexOf(KnownField.XRequestId));
            if (RequestIds.IsPlain(sent.Span))
            {
                exchange.RequestId = sent;
                return Verdict.Continue;
            }
        }

        var id = RequestIds.Of(exchange);
        if (id.IsEmpty) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        fields.Set(KnownField.XRequestId, FieldName, id);
        return Verdict.Continue;
    }
}
