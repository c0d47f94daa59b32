// Where a route is split by a cookie, a client that came without it is given one, and stays on its side with it. Not where the
// answer sets it: of two of one name a client keeps the last (RFC 6265 §4.1.1).

using Weir.Engine.Exchanges;

namespace Weir.Engine.Policies.Cookies;

/// <summary>Sets the cookie of a split (`by: cookie NAME`). Immutable.</summary>
public sealed class SplitCookie(CookieForm form) : IResponsePolicy
{
    public bool Apply(Exchange exchange)
    {
        if (exchange.SplitValue.IsEmpty || (exchange.Origin is null && exchange.KeptFrom is null) || form.IsSetBy(exchange.Response.Fields)) return true; // A server's own is as good, and the server needs it.
        if (!form.TryBegin(exchange, exchange.SplitValue.Length, out var value, out var field)) return false;
        exchange.SplitValue.Span.CopyTo(value);
        CookieForm.Add(exchange, field);
        return true;
    }

    public void ApplyInterim(Exchange exchange)
    {
    }
}
