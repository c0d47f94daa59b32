// A look at a request on its way to an origin. Whoever looks neither waits nor refuses: the exchange does not know that it is
// watched.

namespace Weir.Engine.Exchanges;

/// <summary>Is shown one request as it is sent: any number of <see cref="Passed"/>, then one of the others. One loop.</summary>
public abstract class RequestTap
{
    /// <summary>Bytes of the body were taken by the origin's connection, each shown once however often they are sent.</summary>
    public abstract void Passed(Exchange exchange, ReadOnlySpan<byte> piece);

    /// <summary>All of it has been sent. Bytes of the exchange are valid within this call.</summary>
    public abstract void Sent(Exchange exchange);

    /// <summary>The exchange ends without having sent all of it.</summary>
    public abstract void Lost();
}
