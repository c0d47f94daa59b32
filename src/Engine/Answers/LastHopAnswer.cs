// OPTIONS and TRACE whose Max-Forwards has run out end here, and OPTIONS * where nobody is asked on. RFC 9110 §7.6.2, §9.3.7,
// §9.3.8: a trace leaves out what may be secret.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Answers;

/// <summary>The answer of a final recipient. Immutable.</summary>
public sealed class LastHopAnswer : Answer
{
    private static readonly ByteRange AllowName = ByteRange.Of("Allow"u8.ToArray());
    private static readonly ByteRange AllowValue = ByteRange.Of("GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH"u8.ToArray());
    private static readonly ByteRange MessageType = ByteRange.Of("message/http"u8.ToArray());

    /// <summary>The one instance.</summary>
    public static LastHopAnswer Instance { get; } = new();

    public override LoopTask<Fault> PrepareAsync(Exchange exchange)
    {
        if (exchange.Request.KnownMethod == KnownMethod.Options)
        {
            OwnResponse.Begin(exchange, 204, default, default);
            exchange.Response.Fields.Add(KnownField.Allow, AllowName, AllowValue);
            return new LoopTask<Fault>(Fault.None);
        }

        var request = exchange.Request;
        var fields = request.Fields;
        var size = request.Method.Length + request.Target.Length + 32;
        for (var i = 0; i < fields.Index.Count; i++) size += fields.Name(i).Length + fields.Value(i).Length + 4;
        if (!exchange.Scratch.TryTake(size, out var room, out var range)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
        var to = new SpanWriter(room);
        to.Write(request.Method.Span);
        to.Write((byte)' ');
        to.Write(request.Target.Span);
        to.Write(request.Version == HttpVersion.Http10 ? " HTTP/1.0\r\n"u8 : " HTTP/1.1\r\n"u8);
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known is KnownField.Authorization or KnownField.ProxyAuthorization or KnownField.Cookie) continue;
            to.Write(fields.Name(i));
            to.Write(": "u8);
            to.Write(fields.Value(i));
            to.Write("\r\n"u8);
        }

        to.Write("\r\n"u8);
        OwnResponse.Begin(exchange, 200, exchange.Scratch.Trim(range, to.Length).Memory, MessageType);
        return new LoopTask<Fault>(Fault.None);
    }
}
