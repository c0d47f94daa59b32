// What a route asks of a request besides its path. Each is a small, immutable test; all must hold.

using System.Net;
using System.Text.RegularExpressions;
using Weir.Engine.Exchanges;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Routing;

/// <summary>A test on a request.</summary>
public abstract class Condition
{
    public abstract bool Holds(Exchange exchange);
}

/// <summary>It did not come over https.</summary>
public sealed class InTheClear : Condition
{
    public override bool Holds(Exchange exchange) => !exchange.Request.IsSecure;
}

/// <summary>One of several methods; GET includes HEAD.</summary>
public sealed class MethodCondition(byte[][] methods) : Condition
{
    public override bool Holds(Exchange exchange)
    {
        var method = exchange.Request.Method.Span;
        foreach (var wanted in methods)
        {
            if (method.SequenceEqual(wanted)) return true;
            if (exchange.Request.KnownMethod == KnownMethod.Head && wanted.AsSpan().SequenceEqual("GET"u8)) return true;
        }

        return false;
    }
}

/// <summary>What a value must be: anything, exactly this, or matched whole by an expression.</summary>
public sealed class ValueTest(byte[]? exact, Regex? pattern)
{
    /// <summary>Any value will do.</summary>
    public static ValueTest Present { get; } = new(null, null);

    public bool Holds(ReadOnlySpan<byte> value)
    {
        if (exact is not null) return value.SequenceEqual(exact);
        return pattern is null || RegexBytes.IsMatch(pattern, value);
    }
}

/// <summary>A field with a value.</summary>
public sealed class HeaderCondition(byte[] name, ValueTest test) : Condition
{
    private readonly KnownField known = KnownFields.Lookup(name);

    public override bool Holds(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        if (known != KnownField.Other && !fields.Index.Has(known)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known == known && (known != KnownField.Other || Ascii.EqualsIgnoreCase(fields.Name(i), name)) && test.Holds(fields.Value(i))) return true;
        }

        return false;
    }
}

/// <summary>A parameter of the query, compared as written.</summary>
public sealed class QueryCondition(byte[] name, ValueTest test) : Condition
{
    public override bool Holds(Exchange exchange)
    {
        var rest = exchange.Request.Query.Span;
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf((byte)'&');
            var pair = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            var equals = pair.IndexOf((byte)'=');
            var key = equals < 0 ? pair : pair[..equals];
            if (key.SequenceEqual(name) && test.Holds(equals < 0 ? default : pair[(equals + 1)..])) return true;
        }

        return false;
    }
}

/// <summary>A cookie with a value.</summary>
public sealed class CookieCondition(byte[] name, ValueTest test) : Condition
{
    public override bool Holds(Exchange exchange)
    {
        var fields = exchange.Request.Fields;
        if (!fields.Index.Has(KnownField.Cookie)) return false;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.Cookie) continue;
            var rest = fields.Value(i);
            while (!rest.IsEmpty)
            {
                var end = rest.IndexOf((byte)';');
                var pair = Ascii.TrimWhiteSpace(end < 0 ? rest : rest[..end]);
                rest = end < 0 ? default : rest[(end + 1)..];
                var equals = pair.IndexOf((byte)'=');
                if (equals > 0 && pair[..equals].SequenceEqual(name) && test.Holds(pair[(equals + 1)..])) return true;
            }
        }

        return false;
    }
}

/// <summary>A fact of the client's TLS, or of the certificate that it has shown; of alternative names, one of them.</summary>
public sealed class TlsCondition(TlsFact fact, ValueTest test) : Condition
{
    public override bool Holds(Exchange exchange)
    {
        if (exchange.Ends.Tls is not { } tls) return false;
        var value = tls.Get(fact);
        if (value.IsEmpty) return false;
        if (fact != TlsFact.ClientNames) return test.Holds(value);
        foreach (var name in value.Split((byte)','))
        {
            if (test.Holds(value[name])) return true;
        }

        return false;
    }
}

/// <summary>The client's address in one of several networks.</summary>
public sealed class ClientCondition(IPNetwork[] networks) : Condition
{
    public override bool Holds(Exchange exchange)
    {
        if (exchange.ClientAddress is not { } address) return false;
        foreach (var network in networks)
        {
            if (network.Contains(address)) return true;
        }

        return false;
    }
}

/// <summary>Holds where another does not.</summary>
public sealed class NotCondition(Condition condition) : Condition
{
    public override bool Holds(Exchange exchange) => !condition.Holds(exchange);
}
