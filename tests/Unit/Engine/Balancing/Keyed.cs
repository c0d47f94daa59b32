using System.Buffers.Binary;
using System.Net;
using Weir.Engine.Balancing;
using Weir.Engine.Exchanges;

namespace Weir.Tests.Unit.Engine.Balancing;

/// <summary>Who is chosen for each of many clients.</summary>
internal static class Keyed
{
    public static Exchange From(int client, Exchange exchange)
    {
        Span<byte> address = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(address, 0x0A000000 + client);
        exchange.ClientAddress = new IPAddress(address);
        return exchange;
    }

    public static int[] Choices(Balancer balancer, Member[] members, int clients)
    {
        var (made, exchange) = (balancer.For(members), Pool.Exchange());
        return [.. Enumerable.Range(0, clients).Select(c => made.Choose(members, From(c, exchange)))];
    }

    /// <summary>Takes one endpoint out: its keys move, and of the others' a share.</summary>
    public static (double Moved, double Needless) Without(int gone, Func<Balancer> balancer, Member[] members, int clients)
    {
        var before = Choices(balancer(), members, clients);
        var rest = members.Where((_, i) => i != gone).ToArray();
        var after = Choices(balancer(), rest, clients).Select(c => c >= gone ? c + 1 : c).ToArray();
        var moved = before.Zip(after).Count(p => p.First != p.Second);
        var needless = before.Zip(after).Count(p => p.First != p.Second && p.First != gone);
        return ((double)moved / clients, (double)needless / clients);
    }

    /// <summary>While one is away only its clients go elsewhere, the same way each time and to more than one; they come back with it.</summary>
    public static void AssertAwayAndBack(Func<Balancer> balancer, Member[] members, int away)
    {
        var before = Choices(balancer(), members, 3_000);
        members[away].IsAvailable = false;
        var without = Choices(balancer(), members, 3_000);
        Assert.Equal(without, Choices(balancer(), members, 3_000));
        for (var c = 0; c < before.Length; c++)
        {
            if (before[c] == away) Assert.NotEqual(away, without[c]);
            else Assert.Equal(before[c], without[c]);
        }

        Assert.True(without.Where((_, c) => before[c] == away).Distinct().Count() > 1);
        members[away].IsAvailable = true;
        Assert.Equal(before, Choices(balancer(), members, 3_000));
    }
}
