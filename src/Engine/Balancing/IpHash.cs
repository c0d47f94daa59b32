// A client keeps its endpoint: found by its whole address, over the table that maglev has. Where that endpoint is away its
// clients go to another one, the same each time, and come back with it; nobody else moves.

using Weir.Engine.Exchanges;

namespace Weir.Engine.Balancing;

/// <summary>Hashing by the client's address.</summary>
public sealed class IpHash : Balancer
{
    private readonly MaglevTable? table;

    public IpHash()
        : this(null)
    {
    }

    private IpHash(MaglevTable? table) => this.table = table;

    public override Balancer For(ReadOnlySpan<IBalanced> endpoints) => new IpHash(new MaglevTable(endpoints));

    public override int Choose(ReadOnlySpan<IBalanced> endpoints, Exchange exchange) => table!.Choose(HashKey.ClientIp, endpoints, exchange);
}
