// From a balance section to its algorithm.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Balancing;

namespace Weir.Control.Compilation;

internal static class Balancers
{
    public static Balancer Of(BalanceConfig from) => from.Algorithm switch
    {
        "random" => new WeightedRandom(),
        "power_of_two" => new PowerOfTwo(),
        "least_requests" => new LeastRequests(),
        "peak_ewma" => new PeakEwma(),
        "ip_hash" => new IpHash(),
        "consistent_hash" => new ConsistentHash(Key(from.Hash.Key), from.Hash.Load),
        "maglev" => new Maglev(Key(from.Hash.Key)),
        _ => new RoundRobin(),
    };

    public static HashKey Key(HashedPart part) => part.Kind switch
    {
        "path" => new HashKey(KeySource.Path, []),
        "header" => new HashKey(KeySource.Header, Encoding.UTF8.GetBytes(part.Name)),
        "cookie" => new HashKey(KeySource.Cookie, Encoding.UTF8.GetBytes(part.Name)),
        "query" => new HashKey(KeySource.Query, Encoding.UTF8.GetBytes(part.Name)),
        _ => HashKey.ClientIp,
    };
}
