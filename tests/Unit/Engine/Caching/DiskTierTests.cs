// What is purged, or known to be another by now, does not come back from the disk.

using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Tests.Unit.Engine.Caching.Disk;

namespace Weir.Tests.Unit.Engine.Caching;

public class DiskTierTests
{
    private static readonly byte[] Url = "http://a/x"u8.ToArray();

    [Fact]
    public void What_is_written_while_a_URL_is_swept_goes_when_it_is_invalidated_once_more()
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        cache.Invalidate(KeyRecipe.HashOf(Url), Url); // Its sweep has begun, and has not come far.
        tier.Write(Keep(cache), Url);
        cache.Invalidate(KeyRecipe.HashOf(Url), Url);
        rig.Work();
        Assert.False(tier.MayHave(Url, []));
        Assert.Equal(0, rig.Store.Entries);
        tier.Write(Keep(cache), Url);
        rig.Work();
        Assert.True(tier.MayHave(Url, []));
    }

    [Fact]
    public void What_is_stale_or_gone_or_is_being_purged_is_not_written()
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        var response = Keep(cache);
        tier.BeginPurge();
        tier.Write(response, Url);
        tier.EndPurge();
        response.IsStale = true;
        tier.Write(response, Url);
        response.IsStale = false;
        cache.Remove(response);
        tier.Write(response, Url);
        rig.Work();
        Assert.Equal(0, rig.Store.Entries);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void What_the_origin_has_another_of_leaves_the_disk_too(bool isGone, bool isOnItsWay)
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        var response = Keep(cache);
        tier.Write(response, Url);
        if (!isOnItsWay) rig.Work();
        if (isGone) cache.Forget(response, Url);
        else cache.Expire(response);
        rig.Work();
        Assert.False(tier.MayHave(Url, []));
        Assert.Equal(0, rig.Store.Entries);
    }

    [Theory]
    [InlineData("url")]
    [InlineData("prefix")]
    [InlineData("unsafe")]
    [InlineData("many")]
    public void What_is_purged_while_the_disk_is_not_there_is_not_there_once_it_is(string how)
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        tier.Write(Keep(cache), Url);
        rig.Work();
        cache.AwaitDisk();
        for (var i = 0; i < 2000 && how == "many"; i++) Purge.Run(cache, new PurgeTarget { Prefix = $"/{i}" }, PurgeManner.Hard);
        if (how == "url") Purge.Run(cache, new PurgeTarget { Url = "//a/x" }, PurgeManner.Soft);
        else if (how == "prefix") Purge.Run(cache, new PurgeTarget { Prefix = "/" }, PurgeManner.Hard);
        else cache.Invalidate(KeyRecipe.HashOf(Url), Url);
        cache.UseDisk(tier);
        rig.Work();
        Assert.False(tier.MayHave(Url, []));
        Assert.Equal(0, rig.Store.Entries);
        tier.Write(Keep(cache), Url);
        rig.Work();
        Assert.True(tier.MayHave(Url, []));
    }

    private static (Cache Cache, DiskTier Tier) Make(DiskRig rig)
    {
        var tier = new DiskTier(rig.Store);
        var cache = new Cache("c", 1) { MemoryLimit = 1 << 20 };
        cache.UseDisk(tier);
        return (cache, tier);
    }

    private static StoredResponse Keep(Cache cache)
    {
        var body = new StoredBody(1, cache.Memory);
        body.Append("x"u8);
        body.End(FaultCause.None);
        var response = StoredResponse.Make(200, "A: b\r\n"u8, [], VaryRule.None, [], new OriginName("o"u8.ToArray(), false, []), body, cache.Memory);
        response.Times = new StoredTimes(DateTime.UtcNow, 0, 1L << 32, 0, 0, StoredTraits.None);
        cache.TryBegin(new CacheKey(KeyRecipe.HashOf(Url), ByteRange.Of(Url), ByteRange.Of([])), isJoinable: false, out var fill);
        Assert.True(cache.TryPut(fill, response));
        cache.End(fill);
        return response;
    }
}
