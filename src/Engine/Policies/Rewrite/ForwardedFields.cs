// Telling the origin of the client: X-Forwarded-For, -Proto and -Host, Forwarded (RFC 7239), and this hop in Via. What an
// untrusted client says about itself is replaced; what a trusted proxy says is continued.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>How the origin is told of the client.</summary>
[Flags]
public enum ForwardedForm : byte
{
    None = 0,
    XForwarded = 1,
    Rfc7239 = 2,
}

/// <summary>Adds what origins need to know of the client (`forwarded`). Immutable.</summary>
public sealed class ForwardedFields(ForwardedForm form, Hops hops) : IRequestPolicy
{
    private static readonly ByteRange ForName = ByteRange.Of("X-Forwarded-For"u8.ToArray());
    private static readonly ByteRange ProtoName = ByteRange.Of("X-Forwarded-Proto"u8.ToArray());
    private static readonly ByteRange HostName = ByteRange.Of("X-Forwarded-Host"u8.ToArray());
    private static readonly ByteRange ForwardedName = ByteRange.Of("Forwarded"u8.ToArray());
    private static readonly ByteRange Http = ByteRange.Of("http"u8.ToArray());
    private static readonly ByteRange Https = ByteRange.Of("https"u8.ToArray());

    public Verdict Apply(Exchange exchange)
    {
        var request = exchange.Request;
        var fields = request.Fields;
        if (!exchange.IsFromTrustedProxy)
        {
            // Nobody vouches for these. Dropped before anything is added, while that costs a test each.
            fields.Drop(KnownField.XForwardedFor);
            fields.Drop(KnownField.XForwardedProto);
            fields.Drop(KnownField.XForwardedHost);
            fields.Drop(KnownField.XForwardedPort);
            fields.Drop(KnownField.XRealIp);
            fields.Drop(KnownField.Forwarded);
            if (fields.Index.Has(KnownField.Other)) DropFamily(fields);
        }
        else if (request.HasXForwarded)
        {
            fields.Drop(KnownField.Forwarded); // Not believed here: nor is it to be believed behind.
        }

        hops.Mark(request);
        if ((form & ForwardedForm.XForwarded) != 0 && !AddXForwarded(exchange)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        if ((form & ForwardedForm.Rfc7239) != 0 && !AddForwarded(exchange)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        return Verdict.Continue;
    }

    // X-Forwarded-Prefix, -Ssl, -User and whatever else some framework believes.
    private static void DropFamily(FieldBlock fields)
    {
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == KnownField.Other && Trailers.IsForwarded(fields.Name(i))) fields.Drop(i);
        }
    }

    private static bool AddXForwarded(Exchange exchange)
    {
        var request = exchange.Request;
        var fields = request.Fields;
        if (!Chain(exchange, KnownField.XForwardedFor, 92, out var to, out var range)) return false;
        if (IsToldOtherwise(exchange, KnownField.XForwardedFor))
        {
            Template.WriteAddress(exchange.ClientAddress, ref to);
            to.Write(", "u8);
        }

        Template.WriteAddress(exchange.Ends.ClientAddress, ref to);
        if (exchange.Ends.ClientAddress is null) to.Write("unknown"u8);
        Put(exchange, KnownField.XForwardedFor, ForName, exchange.Scratch.Trim(range, to.Length));
        var proxied = exchange.IsFromTrustedProxy;
        if (!proxied || !fields.Index.Has(KnownField.XForwardedProto)) Put(exchange, KnownField.XForwardedProto, ProtoName, request.IsSecure ? Https : Http);
        if (!request.Authority.IsEmpty && (!proxied || !fields.Index.Has(KnownField.XForwardedHost))) Put(exchange, KnownField.XForwardedHost, HostName, request.Authority);
        return true;
    }

    private static bool AddForwarded(Exchange exchange)
    {
        var request = exchange.Request;
        if (!Chain(exchange, KnownField.Forwarded, 192 + request.Authority.Length, out var to, out var range)) return false;
        if (IsToldOtherwise(exchange, KnownField.Forwarded))
        {
            WriteFor(exchange.ClientAddress, ref to);
            to.Write(request.IsSecure ? ";proto=https, "u8 : ";proto=http, "u8);
        }

        WriteFor(exchange.Ends.ClientAddress, ref to);
        if (!request.Authority.IsEmpty)
        {
            to.Write(";host=\""u8);
            to.Write(request.Authority.Span);
            to.Write((byte)'"');
        }

        to.Write(exchange.Ends.IsSecure ? ";proto=https"u8 : ";proto=http"u8);
        Put(exchange, KnownField.Forwarded, ForwardedName, exchange.Scratch.Trim(range, to.Length));
        return true;
    }

    // A trusted proxy named the client in the other family of fields: the chain begins with that.
    private static bool IsToldOtherwise(Exchange exchange, KnownField field) =>
        exchange.IsFromTrustedProxy && !Continues(exchange, field) && !Equals(exchange.ClientAddress, exchange.Ends.ClientAddress);

    private static void WriteFor(System.Net.IPAddress? address, ref SpanWriter to)
    {
        to.Write("for="u8);
        if (address is null) to.Write("unknown"u8);
        else if (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork) Template.WriteAddress(address, ref to);
        else
        {
            to.Write("\"["u8);
            Template.WriteAddress(address, ref to);
            to.Write("]\""u8);
        }
    }

    // What an untrusted peer said was dropped already; only a trusted one's lines are replaced.
    private static void Put(Exchange exchange, KnownField known, ByteRange name, ByteRange value)
    {
        if (exchange.IsFromTrustedProxy) exchange.Request.Fields.Set(known, name, value);
        else exchange.Request.Fields.Add(known, name, value);
    }

    private static bool Continues(Exchange exchange, KnownField field)
    {
        if (!exchange.IsFromTrustedProxy || !exchange.Request.Fields.Index.Has(field)) return false;
        return field != KnownField.Forwarded || !exchange.Request.HasXForwarded;
    }

    // Begins a value with what the received lines said, where they are trusted.
    private static bool Chain(Exchange exchange, KnownField field, int own, out SpanWriter to, out ByteRange range)
    {
        var fields = exchange.Request.Fields;
        var size = own;
        var continues = Continues(exchange, field);
        for (var i = 0; continues && i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == field && !fields.IsDropped(i)) size += fields.Value(i).Length + 2;
        }

        to = default;
        if (!exchange.Scratch.TryTake(size, out var room, out range)) return false;
        to = new SpanWriter(room);
        if (!continues) return true;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != field || fields.IsDropped(i)) continue;
            to.Write(fields.Value(i));
            to.Write(", "u8);
        }

        return true;
    }
}
