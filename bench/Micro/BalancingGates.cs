// From an upstream to one of its endpoints, by each algorithm, of three and of a thousand.

using System.Net;
using Weir.Engine.Balancing;

namespace Weir.Bench.Micro;

internal static class BalancingGates
{
    public static IEnumerable<Gate> All() =>
        from size in new[] { 3, 1_000 }
        from named in new (string Name, Balancer Balancer)[]
        {
            ("round_robin", new RoundRobin()),
            ("random", new WeightedRandom()),
            ("power_of_two", new PowerOfTwo()),
            ("least_requests", new LeastRequests()),
            ("peak_ewma", new PeakEwma()),
            ("ip_hash", new IpHash()),
            ("consistent_hash", new ConsistentHash(HashKey.ClientIp, 125)),
            ("maglev", new Maglev(HashKey.ClientIp)),
        }
        select Choice(named.Name, named.Balancer, size);

    private static Gate Choice(string name, Balancer algorithm, int size)
    {
        IBalanced[] endpoints = [.. Enumerable.Range(0, size).Select(i => new Loaded(i))];
        var (balancer, exchange) = (algorithm.For(endpoints), Worlds.Exchange());
        var clients = Enumerable.Range(0, 4096).Select(static i => IPAddress.Parse($"10.0.{i / 256}.{i % 256}")).ToArray();
        var turn = 0;
        return new Gate($"{name}, of {size}", 0, () =>
        {
            exchange.ClientAddress = clients[turn++ & 4095];
            return balancer.Choose(endpoints, exchange) is >= 0 and var choice ? choice : throw new InvalidOperationException("nobody was chosen");
        });
    }

    private sealed class Loaded(int i) : IBalanced
    {
        public string Identity { get; } = $"http://10.1.{i / 256}.{i % 256}:80";

        public int Weight => 1 + (i % 3);

        public int Active => (i * 7) % 5;

        public bool IsAvailable => true;

        public double Latency(long now) => 500 + ((i * 37) % 400);
    }
}
