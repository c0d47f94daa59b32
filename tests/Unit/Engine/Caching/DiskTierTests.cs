// What is purged, or known to be another by now, does not come back from the disk.

using Weir.Engine.Caching;
using Weir.Engine.Caching.Disk;
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

    // What whoever asked was told is true of the next process as well.
    [Theory]
    [InlineData("unsafe", true)]
    [InlineData("url", true)]
    [InlineData("url", false)]
    [InlineData("prefix", true)]
    [InlineData("prefix", false)]
    [InlineData("expression", true)]
    [InlineData("tag", true)]
    [InlineData("all", true)]
    [InlineData("long", true)]
    public void What_was_purged_before_a_process_ended_is_not_there_in_the_next(string how, bool isKilled)
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        tier.Write(Keep(cache), Url);
        rig.Work();
        if (how == "unsafe") cache.Invalidate(KeyRecipe.HashOf(Url), Url);
        else Purge.Run(cache, Target(how), PurgeManner.Hard);
        Assert.True(rig.Threads.TryWork()); // The record, and nothing of what it is of.
        Assert.False(rig.Store.HasNotes);
        rig.Restart(isKilled);
        (cache, tier) = Make(rig);
        Assert.False(tier.Counts(Url) && tier.Store.Sweeps.IsEmpty);
        rig.Work();
        Assert.False(tier.MayHave(Url, []));
        Assert.Equal(0, rig.Store.Entries);

        // Done, it is not done again.
        Assert.False(File.Exists(Path.Combine(rig.Path, "sweeps")));
        tier.Write(Keep(cache), Url);
        rig.Work();
        rig.Restart(killed: true);
        rig.Work();
        Assert.True(Make(rig).Tier.MayHave(Url, []));
    }

    // It is read before the journal is.
    [Fact]
    public void What_is_to_be_swept_is_not_read_by_its_name_either()
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        tier.Write(Keep(cache), Url);
        rig.Work();
        Purge.Run(cache, Target("tag"), PurgeManner.Hard);
        Assert.True(rig.Threads.TryWork());
        rig.Restart(killed: true);
        (_, tier) = Make(rig);
        Assert.False(rig.Store.IsLoaded);
        var key = DiskTier.KeyOf(Url, []);
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, DiskTier.HashOf(key), key)!;
        rig.Work();
        Assert.False(read.IsHit);
    }

    [Fact]
    public void The_record_of_what_is_done_stays_short()
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        var file = new FileInfo(Path.Combine(rig.Path, "sweeps"));
        for (var i = 0; i < 2_000; i++)
        {
            var other = System.Text.Encoding.ASCII.GetBytes($"http://a/{i}");
            cache.Invalidate(KeyRecipe.HashOf(other), other);
            rig.Threads.TryWork();
            rig.Threads.TryWork();
            if (i % 100 != 99) continue;
            file.Refresh();
            Assert.True(!file.Exists || file.Length <= SweepLog.SpareBytes + 100);
        }

        rig.Work();
        file.Refresh();
        Assert.False(file.Exists);
    }

    [Fact]
    public void A_long_record_is_written_anew_with_what_is_under_way()
    {
        using var rig = new DiskRig();
        using (var log = SweepLog.Open(rig.Folder))
        {
            for (var i = 0; i < 10_000; i++) log.Add(new byte[20]);
            log.Tidy(["a"u8.ToArray(), "bc"u8.ToArray()]);
            log.Add("d"u8);
        }

        using var next = SweepLog.Open(rig.Folder);
        Assert.Equal(["a", "bc", "d"], next.Inherited.Select(System.Text.Encoding.ASCII.GetString));
        next.Tidy([]);
        Assert.Empty(SweepLog.Open(rig.Folder).Inherited);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(9, 0)]
    public void What_a_kill_tore_off_is_nothing_and_what_stands_before_it_holds(int torn, int entries)
    {
        using var rig = new DiskRig();
        var (cache, tier) = Make(rig);
        rig.Work();
        tier.Write(Keep(cache), Url);
        rig.Work();
        if (torn > 0) cache.Invalidate(KeyRecipe.HashOf(Url), Url);
        cache.Invalidate(1, "http://a/y"u8);
        while (rig.Store.HasNotes) rig.Threads.TryWork();
        var file = Path.Combine(rig.Path, "sweeps");
        var bytes = File.ReadAllBytes(file);
        rig.Restart(killed: true);
        rig.Store.Dispose();
        rig.Work();
        File.WriteAllBytes(file, bytes[..(bytes.Length - torn)]);
        rig.Restart();
        Make(rig);
        rig.Work();
        Assert.Equal(entries, rig.Store.Entries);
    }

    private static PurgeTarget Target(string how) => how switch
    {
        "url" => new() { Url = "//a/x" },
        "prefix" => new() { Prefix = "/x" },
        "expression" => new() { Expression = PurgeTarget.ExpressionOf("^http://a/.$") },
        "tag" => new() { Tag = "t" },
        "long" => new() { Tag = new string('t', SweepLog.MostNote) }, // On record it is all.
        _ => new() { All = true },
    };

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
        var response = StoredResponse.Make(200, "Cache-Tag: t\r\n"u8, [], VaryRule.None, [], new OriginName("o"u8.ToArray(), false, []), body, cache.Memory);
        response.Times = new StoredTimes(DateTime.UtcNow, 0, 1L << 32, 0, 0, StoredTraits.None);
        cache.TryBegin(new CacheKey(KeyRecipe.HashOf(Url), ByteRange.Of(Url), ByteRange.Of([])), isJoinable: false, out var fill);
        Assert.True(cache.TryPut(fill, response));
        cache.End(fill);
        return response;
    }
}
