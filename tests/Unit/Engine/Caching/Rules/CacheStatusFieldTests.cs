using System.Text;
using Weir.Engine.Caching.Rules;

namespace Weir.Tests.Unit.Engine.Caching.Rules;

public sealed class CacheStatusFieldTests
{
    private static string Text(CacheReport outcome)
    {
        var into = new byte[CacheStatusField.Bound + outcome.Detail.Length + 4];
        return Encoding.ASCII.GetString(into, 0, CacheStatusField.Write("weir"u8, outcome, into));
    }

    [Fact]
    public void What_happened_is_said()
    {
        Assert.Equal("weir; hit; ttl=376", Text(new CacheReport { TimeToLive = 376 }));
        Assert.Equal("weir; hit; ttl=-412", Text(new CacheReport { TimeToLive = -412 }));
        Assert.Equal("weir; fwd=stale; fwd-status=304; ttl=60; stored", Text(new CacheReport { Forward = CacheForward.Stale, ForwardStatus = 304, TimeToLive = 60, IsStored = true }));
        Assert.Equal("weir; fwd=uri-miss; collapsed", Text(new CacheReport { Forward = CacheForward.UriMiss, IsCollapsed = true }));
        Assert.Equal("weir; fwd=bypass; detail=no-store", Text(new CacheReport { Forward = CacheForward.Bypass, Detail = "no-store"u8.ToArray() }));
    }

    [Fact]
    public void Every_way_has_its_token_and_room()
    {
        var all = Enum.GetValues<CacheForward>().Select(f => Text(new CacheReport { Forward = f, ForwardStatus = 599, TimeToLive = long.MinValue, IsStored = true, IsCollapsed = true })).ToArray();
        Assert.Equal(all.Length, all.Distinct().Count());
    }
}
