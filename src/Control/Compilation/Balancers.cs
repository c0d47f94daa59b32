// From a balance section to its algorithm.

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
        _ => new RoundRobin(),
    };
}
