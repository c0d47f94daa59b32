// A disk that fails or is full: misses and refusals, a pause that grows, room that is made; and all is well again afterwards.

using Weir.Engine.Caching.Disk;
using Weir.Tests.Support;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public sealed class DiskFaultTests : IDisposable
{
    private readonly DiskRig rig = new();

    public void Dispose() => rig.Dispose();

    [Fact]
    public void After_a_failure_nothing_is_written_for_a_while_that_grows()
    {
        Assert.True(rig.Put(1, "key", "head", []));
        rig.Folder.WriteError = FaultyFolder.IoError;
        var pause = StorePause.First;
        for (var i = 1; i <= 12; i++)
        {
            Assert.False(rig.Put(2, "key", "head", DiskRig.Body(100)));
            Assert.True(rig.Store.IsPaused);
            Assert.Equal(i, rig.Store.Counts.Refusals[(int)DiskRefusal.Failed]);
            rig.Milliseconds += pause - 1;
            Assert.False(rig.Put(2, "key", "head", []));
            Assert.Equal(i, rig.Store.Counts.Refusals[(int)DiskRefusal.Paused]);
            rig.Milliseconds++;
            Assert.False(rig.Store.IsPaused);
            pause = Math.Min(pause * 2, StorePause.Longest);
        }

        Assert.Equal(StorePause.Longest, pause);
        Assert.Contains("it pauses: the disk fails", rig.Told[0], StringComparison.Ordinal);
        Assert.True(rig.Told.Count < 12);
        Assert.NotNull(rig.Get(1, "key"));
        rig.Folder.WriteError = 0;
        Assert.True(rig.Put(2, "key", "head", []));
        rig.Folder.WriteError = FaultyFolder.IoError;
        Assert.False(rig.Put(3, "key", "head", DiskRig.Body(100)));
        rig.Milliseconds += StorePause.First; // From the beginning, after it went well.
        Assert.False(rig.Store.IsPaused);
        Assert.Empty(Directory.GetFiles(rig.Folder.Aside));
    }

    [Fact]
    public void Where_the_disk_is_full_room_is_made()
    {
        for (var i = 0; i < 64; i++) Assert.True(rig.Put(i, "key", "head", DiskRig.Body(3000)));
        rig.Folder.WriteError = FaultyFolder.NoSpace;
        Assert.False(rig.Put(100, "key", "head", DiskRig.Body(6000)));
        rig.Work();
        Assert.Equal(60, rig.Store.Entries); // A sixteenth.
        Assert.Equal(4, rig.Store.Counts.Evictions);
        rig.Work();
        Assert.Equal(60, Directory.GetFiles(rig.Path, "*", SearchOption.AllDirectories).Count(f => Path.GetFileName(f).Length == 30));
        rig.Folder.WriteError = 0;
        rig.Milliseconds += StorePause.First;
        Assert.True(rig.Put(100, "key", "head", DiskRig.Body(6000)));
    }

    [Fact]
    public void What_cannot_be_read_is_a_miss_and_goes()
    {
        Assert.True(rig.Put(1, "key", "head", []));
        rig.Folder.ReadError = FaultyFolder.IoError;
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal((1, 1, 1), (rig.Store.Counts.Errors, rig.Store.Counts.Broken, rig.Store.Counts.Misses[(int)DiskMiss.Unreadable]));
        rig.Folder.ReadError = 0;
        Assert.Null(rig.Get(1, "key"));
        Assert.False(rig.Store.IsPaused); // Reading says nothing of writing.
    }

    [Fact]
    public void What_cannot_be_deleted_is_told_of_and_not_served()
    {
        Assert.True(rig.Put(1, "key", "head", []));
        rig.Folder.DeleteError = FaultyFolder.IoError;
        var removal = rig.Store.Remove(rig.Loop, 1);
        rig.Work();
        Assert.NotNull(removal!.Trouble);
        Assert.Null(rig.Get(1, "key"));
        Assert.Contains("removing from the cache failed", Assert.Single(rig.Told), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_system_that_is_really_full_costs_nothing_but_misses()
    {
        Assert.SkipUnless(Environment.UserName == "root", "mounting needs root");
        var (code, _, error) = Command.Run("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "weir", rig.Path]);
        Assert.SkipUnless(code == 0, error);
        try
        {
            using var store = rig.Open();
            rig.Work();
            var stored = 0;
            for (var i = 0; i < 200; i++)
            {
                var write = store.TryBegin(rig.Loop, rig.Buffers, (UInt128)i, "key"u8);
                if (write is not null && write.TryWrite(DiskRig.Body(20_000)) && write.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0))) rig.Work();
                if (write is { IsStored: true }) stored++;
                rig.Work();
                rig.Milliseconds += 700;
            }

            Assert.True(stored > 60, $"{stored} stored");
            Assert.True(store.Counts.Errors > 0);
            Assert.True(store.Counts.Evictions > 0);
            var found = 0;
            for (var i = 0; i < 200; i++)
            {
                using var read = store.TryRead(rig.Loop, rig.Buffers, (UInt128)i, "key"u8);
                rig.Work();
                if (read is not { IsHit: true }) continue;
                found++;
                Assert.Equal(DiskRig.Body(20_000), read.Body.ToArray());
            }

            Assert.Equal(store.Entries, found);
            Assert.True(found > 10, $"{found} found");
        }
        finally
        {
            rig.Work();
            Command.Run("umount", [rig.Path]);
        }
    }
}
