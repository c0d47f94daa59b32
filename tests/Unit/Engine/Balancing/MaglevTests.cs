using Weir.Engine.Balancing;

namespace Weir.Tests.Unit.Engine.Balancing;

public class MaglevTests
{
    [Fact]
    public void Slots_are_shared_by_weight_nearly_exactly()
    {
        var members = Pool.Of(1, 2, 0, 7);
        var slots = new MaglevTable(members).Slots.ToArray();
        Assert.Equal(MaglevTable.Size, slots.Length);
        Assert.DoesNotContain(2, slots);
        foreach (var i in (int[])[0, 1, 3]) Assert.InRange(slots.Count(s => s == i), (MaglevTable.Size * members[i].Weight / 10) - 10, (MaglevTable.Size * members[i].Weight / 10) + 10);
        var thousand = new MaglevTable(Pool.Equal(1_000)).Slots.ToArray();
        Assert.All(Enumerable.Range(0, 1_000), i => Assert.InRange(thousand.Count(s => s == i), 65, 66));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(20)]
    [InlineData(200)]
    public void Few_keys_move_but_those_of_the_one_that_goes(int count)
    {
        var (moved, needless) = Keyed.Without(count / 2, () => new Maglev(HashKey.ClientIp), Pool.Equal(count), 20_000);
        Assert.InRange(moved, 0.7 / count, (1.3 / count) + 0.03);
        Assert.InRange(needless, 0, 0.03);
    }

    [Fact]
    public void The_order_of_the_endpoints_is_nearly_no_matter()
    {
        var members = Pool.Equal(10);
        var before = Keyed.Choices(new Maglev(HashKey.ClientIp), members, 10_000);
        Member[] turned = [.. members.Reverse()];
        var after = Keyed.Choices(new Maglev(HashKey.ClientIp), turned, 10_000);
        Assert.InRange(before.Zip(after).Count(p => members[p.First] != turned[p.Second]), 0, 500);
    }

    [Fact]
    public void While_one_is_away_only_its_keys_move() => Keyed.AssertAwayAndBack(() => new Maglev(HashKey.ClientIp), Pool.Equal(8), 3);

    [Fact]
    public void Requests_without_the_key_go_anywhere_by_weight()
    {
        var members = Pool.Of(1, 2, 3);
        Pool.AssertShares(members, Pool.Count(new Maglev(new HashKey(KeySource.Cookie, "id"u8.ToArray())), members, 6_000));
    }
}
