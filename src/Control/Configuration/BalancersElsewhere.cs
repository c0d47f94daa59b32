// What other proxies call the algorithms: whoever comes from one of them is told the word that is meant here.

namespace Weir.Control.Configuration;

internal static class BalancersElsewhere
{
    /// <summary>Ours by theirs, in lower case with '_'.</summary>
    public static IReadOnlyDictionary<string, string> Words { get; } = new Dictionary<string, string>
    {
        ["rr"] = "round_robin",
        ["wrr"] = "round_robin",
        ["static_rr"] = "round_robin",
        ["weighted"] = "round_robin",
        ["weighted_round_robin"] = "round_robin",
        ["p2c"] = "power_of_two",
        ["two_choices"] = "power_of_two",
        ["random_two"] = "power_of_two",
        ["random two"] = "power_of_two",
        ["leastconn"] = "least_requests",
        ["least_conn"] = "least_requests",
        ["least_connections"] = "least_requests",
        ["lc"] = "least_requests",
        ["wlc"] = "least_requests",
        ["ewma"] = "peak_ewma",
        ["least_time"] = "peak_ewma",
        ["least_latency"] = "peak_ewma",
        ["least_response_time"] = "peak_ewma",
        ["source"] = "ip_hash",
        ["source_ip"] = "ip_hash",
        ["client_ip"] = "ip_hash",
        ["client_ip_hash"] = "ip_hash",
        ["hash"] = "consistent_hash",
        ["uri"] = "consistent_hash",
        ["uri_hash"] = "consistent_hash",
        ["ketama"] = "consistent_hash",
        ["ring_hash"] = "consistent_hash",
    };
}
