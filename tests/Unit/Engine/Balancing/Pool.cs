using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Balancing;

/// <summary>Endpoints whose load a test sets by hand.</summary>
internal static class Pool
{
    public static Member[] Of(params int[] weights) => [.. weights.Select((weight, i) => new Member { Weight = weight, Identity = $"http://10.0.0.{i}:80" })];

    public static Member[] Equal(int count) => Of([.. Enumerable.Repeat(1, count)]);

    /// <summary>What is chosen for; its randomness has a fixed seed.</summary>
    public static Exchange Exchange() => new(new Loop(new ManualPoller()), new BufferPool(new MemoryBudget(1 << 20)));

    /// <summary>The same, for an exchange that has tried some already.</summary>
    public static Exchange After(Exchange exchange, IEnumerable<IBalanced> tried)
    {
        foreach (var one in tried) exchange.Tried.Add(one);
        return exchange;
    }

    /// <summary>How often each is chosen in so many choices that end at once.</summary>
    public static int[] Count(Balancer balancer, Member[] members, int choices)
    {
        var (made, exchange, counts) = (balancer.For(members), Exchange(), new int[members.Length]);
        for (var i = 0; i < choices; i++) counts[made.Choose(members, exchange)]++;
        return counts;
    }

    /// <summary>Each count is what the weights say, within six standard deviations of independent choices.</summary>
    public static void AssertShares(Member[] members, int[] counts)
    {
        double total = members.Sum(m => m.Weight);
        var choices = counts.Sum();
        for (var i = 0; i < members.Length; i++)
        {
            var share = members[i].Weight / total;
            var slack = 6 * Math.Sqrt(choices * share * (1 - share));
            Assert.InRange(counts[i], (choices * share) - slack, (choices * share) + slack);
        }
    }
}

internal sealed class Member : IBalanced
{
    private int active;

    public string Identity { get; init; } = "";

    public int Weight { get; set; } = 1;

    public int Active => Volatile.Read(ref active);

    public bool IsAvailable { get; set; } = true;

    public double Taken { get; set; }

    public double Latency(long now) => Taken;

    public void Begin(int count = 1) => Interlocked.Add(ref active, count);

    public void End() => Interlocked.Decrement(ref active);
}
