// Strict-Transport-Security (RFC 6797): browsers are told to come over https only. Never said in the clear (§7.2), where anybody
// could have said it; what an origin says of it gives way.

using System.Globalization;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Engine.Policies.Rewrite;

/// <summary>Says it (`hsts`). Immutable.</summary>
/// <param name="seconds">How long it holds; 0: no longer.</param>
/// <param name="subdomains">Whether for every name below as well.</param>
/// <param name="preload">Whether browsers may bring it along.</param>
public sealed class StrictTransport(long seconds, bool subdomains, bool preload) : IResponsePolicy
{
    private static readonly byte[] Name = "Strict-Transport-Security"u8.ToArray();
    private static readonly ByteRange NameRange = ByteRange.Of(Name);
    private static readonly KnownField Known = KnownFields.Lookup(Name);

    private readonly ByteRange value = ByteRange.Of(Encoding.ASCII.GetBytes(Text(seconds, subdomains, preload)));

    public override string ToString() => Text(seconds, subdomains, preload);

    public bool Apply(Exchange exchange)
    {
        ApplyInterim(exchange);
        if (exchange.Request.IsSecure) exchange.Response.Fields.Add(Known, NameRange, value);
        return true;
    }

    public void ApplyInterim(Exchange exchange) => exchange.Response.Fields.Drop(Known, Name);

    private static string Text(long seconds, bool subdomains, bool preload) =>
        string.Create(CultureInfo.InvariantCulture, $"max-age={seconds}{(subdomains ? "; includeSubDomains" : "")}{(preload ? "; preload" : "")}");
}
