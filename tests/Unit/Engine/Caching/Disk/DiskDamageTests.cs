// Whatever becomes of the files: what is served is what was written, or nothing.

using Weir.Engine.Caching.Disk;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public sealed class DiskDamageTests : IDisposable
{
    private readonly DiskRig rig = new();

    public void Dispose() => rig.Dispose();

    [Fact]
    public void No_changed_byte_and_no_cut_of_a_small_file_is_served()
    {
        Assert.True(rig.Put(1, "key", "head", DiskRig.Body(50)));
        var good = File.ReadAllBytes(rig.FileOf(1));
        for (var at = 0; at < good.Length; at++)
        {
            // The store has what it knows of it: only the file is put back.
            var bad = (byte[])good.Clone();
            bad[at] ^= (byte)(1 << (at % 8));
            IsRefused(bad);
            IsRefused(good[..at]);
        }

        Assert.Equal(good.Length * 2, rig.Store.Counts.Broken);
        Assert.Single(rig.Told); // Once a minute.
        rig.Milliseconds += 60_000;
        IsRefused([]);
        Assert.Equal(2, rig.Told.Count);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(70_000, 65_536)]
    [InlineData(600_000, 589_824)]
    [InlineData(799_999, 786_432)]
    public void Of_a_large_body_no_range_is_given_from_its_rotten_block_on(int at, int good)
    {
        var body = DiskRig.Body(800_000);
        Assert.True(rig.Put(1, "key", "head", body));
        Change(rig.FileOf(1), 128 + 3 + at);
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        rig.Work();
        using var source = read.Source(0, body.Length);
        Assert.Equal(body[..good], rig.DrainRanges(source, out var isWhole));
        Assert.False(isWhole);
        Assert.Equal(Weir.Engine.Exchanges.FaultCause.Closed, source.Failure);
        Assert.Equal((1, 0), (rig.Store.Counts.Misses[(int)DiskMiss.Checksum], rig.Store.Entries));
        Assert.False(File.Exists(rig.FileOf(1)));
    }

    [Fact]
    public void What_was_read_ahead_too_long_ago_is_looked_at_again()
    {
        var body = DiskRig.Body(400_000);
        Assert.True(rig.Put(1, "key", "head", body));
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        rig.Work();
        using var source = read.Source(0, body.Length);
        Assert.Equal(Weir.Engine.Exchanges.BodyStatus.Wait, source.TryReadRange(out _));
        rig.Work();
        Assert.Equal(Weir.Engine.Exchanges.BodyStatus.Piece, source.TryReadRange(out var range));
        Assert.Equal(400_000, range.Count);
        source.Advance(1000);
        Change(rig.FileOf(1), 128 + 3 + 2000);
        rig.Time.Now += Weir.Engine.Disk.ReadSource.StaysWarm;
        rig.Work();
        Assert.Equal(Weir.Engine.Exchanges.BodyStatus.Piece, source.TryReadRange(out _));
        rig.Time.Now++;
        rig.Loop.Turn(false);
        Assert.Empty(rig.DrainRanges(source, out var isWhole));
        Assert.False(isWhole);
    }

    [Fact]
    public void One_that_is_left_while_it_is_read_ahead_lets_go_of_its_file()
    {
        Assert.True(rig.Put(1, "key", "head", DiskRig.Body(400_000)));
        using (var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!)
        {
            rig.Work();
            var (waiting, done) = (read.Source(0, 400_000), read.Source(0, 400_000));
            waiting.TryReadRange(out _);
            done.TryReadRange(out _);
            rig.Work();
            done.Dispose();
            waiting.Advance(400_000);
            waiting.Dispose();
            var left = read.Source(0, 400_000);
            left.TryReadRange(out _);
            left.Dispose();
        }

        rig.Work();
        Assert.DoesNotContain(Directory.GetFiles("/proc/self/fd"), f => new FileInfo(f).LinkTarget == rig.FileOf(1));
    }

    [Theory]
    [InlineData(128 + 3)]
    [InlineData(128 + 3 + 70_000)]
    [InlineData(128 + 3 + 399_999)]
    public void A_large_body_breaks_where_it_is_rotten_and_the_entry_goes(int at)
    {
        var body = DiskRig.Body(400_000);
        Assert.True(rig.Put(1, "key", "head", body));
        Change(rig.FileOf(1), at);
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        rig.Work();
        Assert.True(read.IsHit);
        using var source = read.Source(0, body.Length);
        Assert.Null(rig.Drain(source));
        Assert.Equal(Weir.Engine.Exchanges.FaultCause.Closed, source.Failure);
        Assert.Equal((1, 0), (rig.Store.Counts.Misses[(int)DiskMiss.Checksum], rig.Store.Entries));
        Assert.False(File.Exists(rig.FileOf(1)));
    }

    [Fact]
    public void A_large_one_that_was_cut_off_is_not_begun_with()
    {
        Assert.True(rig.Put(1, "key", "head", DiskRig.Body(400_000)));
        using (var file = File.OpenHandle(rig.FileOf(1), access: FileAccess.ReadWrite)) RandomAccess.SetLength(file, new FileInfo(rig.FileOf(1)).Length - 1);
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal(1, rig.Store.Counts.Misses[(int)DiskMiss.Torn]);
    }

    [Fact]
    public void A_file_that_is_gone_or_is_another_writings_is_a_miss()
    {
        Assert.True(rig.Put(1, "key", "first", []));
        var first = File.ReadAllBytes(rig.FileOf(1));
        Assert.True(rig.Put(1, "key", "second", []));
        File.WriteAllBytes(rig.FileOf(1), first);
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal(1, rig.Store.Counts.Misses[(int)DiskMiss.Outdated]);
        Assert.False(File.Exists(rig.FileOf(1)));
        Assert.True(rig.Put(1, "key", "third", []));
        File.Delete(rig.FileOf(1));
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal((1, 0), (rig.Store.Counts.Misses[(int)DiskMiss.Missing], rig.Store.Entries));
    }

    [Fact]
    public void Before_the_index_is_loaded_files_are_found_by_name_and_removals_stay()
    {
        for (var i = 0; i < 10_000; i++) rig.Journal.AddGone(77, 1); // More than one step takes.
        for (var i = 1; i <= 3; i++) Assert.True(rig.Put(i, "key", $"head {i}", DiskRig.Body(i * 100_000)));
        rig.Restart();
        Assert.False(rig.Store.IsLoaded);
        Assert.Equal(0, rig.Store.Entries);
        Assert.True(rig.Store.MayHave(1));
        var early = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        var wrong = rig.Store.TryRead(rig.Loop, rig.Buffers, 3, "other"u8)!;
        Assert.NotNull(rig.Store.Remove(rig.Loop, 2));
        Assert.False(rig.Store.MayHave(2));
        Assert.Null(rig.Store.TryRead(rig.Loop, rig.Buffers, 2, "key"u8));
        for (var i = 0; i < 4; i++) Assert.True(rig.Threads.TryWork());
        Assert.False(rig.Store.IsLoaded);
        rig.Work();
        Assert.True(early.IsHit);
        Assert.Equal("head 1"u8, early.Head);
        Assert.False(wrong.IsHit);
        early.Dispose();
        wrong.Dispose();
        Assert.Equal(1, rig.Store.Entries);
        for (var i = 2; i <= 3; i++) Assert.False(File.Exists(rig.FileOf(i)));
        rig.Restart();
        Assert.NotNull(rig.Get(1, "key"));
        Assert.Null(rig.Get(2, "key"));
    }

    [Fact]
    public void What_is_stored_before_the_index_is_loaded_outlives_what_the_journal_says_of_earlier_ones()
    {
        Assert.True(rig.Put(1, "key", "first", []));
        rig.Restart();
        Assert.True(rig.Remove(1)); // Before its serial is known.
        for (var i = 0; i < 10_000; i++) rig.Journal.AddGone(77, 1);
        rig.Restart();
        rig.Work();
        Assert.Equal(0, rig.Store.Entries);
        for (var i = 0; i < 10_000; i++) rig.Journal.AddGone(1, 1);
        rig.Restart();
        Assert.True(rig.Put(1, "key", "second", []));
        rig.Work();
        Assert.Equal("second", rig.Get(1, "key")!.Value.Head);
        rig.Restart();
        rig.Work();
        Assert.Equal("second", rig.Get(1, "key")!.Value.Head);
        Assert.Equal(0, rig.Store.Counts.Orphans);
    }

    [Fact]
    public void A_journal_that_is_cut_or_garbled_anywhere_brings_back_nothing_that_was_not_so()
    {
        Assert.True(rig.Put(1, "key", "old", []));
        Assert.True(rig.Put(1, "key", "new", []));
        Assert.True(rig.Put(2, "key", "gone", []));
        Assert.True(rig.Remove(2));
        Assert.True(rig.Put(3, "key", "there", []));
        var good = File.ReadAllBytes(rig.Folder.JournalPath);
        var files = Directory.GetFiles(rig.Path, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f).Length == 30).ToDictionary(f => f, File.ReadAllBytes);
        Assert.Equal(Journal.RecordBytes * 6, good.Length);
        for (var at = 0; at < good.Length; at += 3)
        {
            var garbled = (byte[])good.Clone();
            garbled[at] ^= 0x40;
            foreach (var journal in new[] { garbled, good[..at] })
            {
                rig.Restart();
                rig.Store.Dispose();
                rig.Work();
                File.WriteAllBytes(rig.Folder.JournalPath, journal);
                foreach (var (file, bytes) in files) File.WriteAllBytes(file, bytes);
                rig.Restart();
                rig.Work();
                Assert.True(rig.Get(1, "key") is null or { Head: "new" });
                Assert.Null(rig.Get(2, "key"));
                Assert.True(rig.Get(3, "key") is null or { Head: "there" });
                Assert.True(rig.Put(4, "key", "more", []));
                Assert.Equal("more", rig.Get(4, "key")!.Value.Head);
                // What the journal has lost is lost on the disk too.
                Assert.Equal(rig.Store.Entries, Directory.GetFiles(rig.Path, "*", SearchOption.AllDirectories).Count(f => Path.GetFileName(f).Length == 30));
                Assert.True(rig.Remove(4));
            }
        }
    }

    /// <summary>Not run with the others: it measures, and others run beside it.</summary>
    [Fact(Explicit = true)]
    public void A_million_entries_are_known_again_within_a_second()
    {
        using var large = new DiskRig(1L << 40, 1 << 20);
        large.Work();
        for (var i = 0UL; i < 1_000_000; i++)
        {
            var hash = ((UInt128)(i * 0x9E37_79B9_7F4A_7C15) << 64) | (i * 0xD1B5_4A32_D192_ED03);
            large.Journal.Add(new IndexEntry { Hash = hash, Serial = i + 1, Size = 4096, Expiry = uint.MaxValue });
        }

        large.Restart();
        var (watch, before, steps, longest, processor) = (System.Diagnostics.Stopwatch.StartNew(), GC.GetTotalMemory(true), 0, 0L, Environment.CpuUsage.TotalTime);
        while (!large.Store.IsLoaded)
        {
            var at = watch.ElapsedMilliseconds;
            Assert.True(large.Threads.TryWork());
            longest = Math.Max(longest, watch.ElapsedMilliseconds - at);
            steps++;
        }

        var took = (Environment.CpuUsage.TotalTime - processor).TotalMilliseconds;
        Assert.Equal(1_000_000, large.Store.Entries);
        TestContext.Current.TestOutputHelper!.WriteLine($"{took} ms of a processor in {watch.ElapsedMilliseconds} ms, {steps} steps of at most {longest} ms; {(GC.GetTotalMemory(true) - before) / 1_000_000} bytes an entry");
        Assert.True(took < 1000, $"{took} ms");
    }

    [Fact]
    public void What_belongs_to_no_entry_is_deleted()
    {
        Assert.True(rig.Put(1, "key", "head", []));
        var (stray, odd, aside) = (rig.FileOf(2), rig.FileOf(1) + ".old", Path.Combine(rig.Folder.Aside, "0123abcd-1"));
        rig.Restart();
        foreach (var file in new[] { stray, odd, aside }) File.WriteAllText(file, "what a dead process has left");
        rig.Work();
        Assert.NotNull(rig.Get(1, "key"));
        foreach (var file in new[] { stray, odd, aside }) Assert.False(File.Exists(file));
        Assert.Equal(3, rig.Store.Counts.Orphans);
    }

    [Fact]
    public void The_journal_does_not_grow_without_end()
    {
        Assert.True(rig.Put(1, "key", "one", []));
        Assert.True(rig.Put(2, "key", "two", []));
        var entry = new IndexEntry { Hash = 77, Serial = 1, Size = 4096, Expiry = uint.MaxValue };
        for (var i = 0; i < 17_000; i++) rig.Journal.AddGone(entry.Hash, entry.Serial);
        Assert.True(rig.Put(3, "key", "three", [])); // Sets the upkeep going.
        Assert.Equal(3, rig.Journal.Records);
        Assert.Equal(4 * Journal.RecordBytes, new FileInfo(rig.Folder.JournalPath).Length);
        Assert.True(rig.Remove(2));
        Assert.True(rig.Put(1, "key", "four", []));
        rig.Restart();
        rig.Work();
        Assert.Equal(2, rig.Store.Entries);
        Assert.Equal(("four", null, "three"), (rig.Get(1, "key")?.Head, rig.Get(2, "key")?.Head, rig.Get(3, "key")?.Head));
    }

    /// <summary>
    /// A process that is killed after any change to the disk, the last one done by half: what was there before is there, and what was
    /// being done is done, or not, or the entry is lost.
    /// </summary>
    [Fact]
    public void A_process_killed_at_any_point_leaves_what_was_whole()
    {
        for (var killedAt = 1; ; killedAt++)
        {
            using var doomed = new DiskRig();
            Assert.True(doomed.Put(1, "key", "one", DiskRig.Body(10)));
            Assert.True(doomed.Put(2, "key", "two", DiskRig.Body(300_000)));
            Assert.True(doomed.Put(3, "key", "three", DiskRig.Body(10)));
            doomed.Work();
            doomed.Folder.Left = killedAt;
            var before = doomed.Folder.Changes;
            var put = doomed.Put(1, "key", "one again", DiskRig.Body(20));
            var large = doomed.Put(4, "key", "four", DiskRig.Body(300_000));
            var removed = doomed.Remove(3);
            var removedLarge = doomed.Remove(2);
            var changes = doomed.Folder.Changes - before;
            doomed.Restart(killed: true);
            for (var i = 0; i < 2; i++)
            {
                if (i == 1) doomed.Work();
                var one = doomed.Get(1, "key");
                Assert.True(one is null or ("one again", { Length: 20 }) || (!put && one is ("one", { Length: 10 })), $"killed at {killedAt}: {one?.Head}");
                Assert.True(!put || one is not null);
                var four = doomed.Get(4, "key");
                Assert.True(large ? four is ("four", { Length: 300_000 }) : four is null or ("four", { Length: 300_000 }));
                Assert.True(doomed.Get(3, "key") is null || !removed);
                Assert.True(doomed.Get(2, "key") is null || !removedLarge);
                if (i == 1 && !large) Assert.Equal(four is null ? 0 : 1, File.Exists(doomed.FileOf(4)) ? 1 : 0);
            }

            Assert.Empty(Directory.GetFiles(doomed.Folder.Aside));
            if (put && large && removed && removedLarge) break;
            Assert.True(killedAt <= changes, "the end is never reached");
        }
    }

    private void IsRefused(byte[] file)
    {
        File.WriteAllBytes(rig.FileOf(1), file);
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal(0, rig.Store.Entries);
        Assert.False(File.Exists(rig.FileOf(1)));
        Assert.True(rig.Put(1, "key", "head", DiskRig.Body(50)));
    }

    private static void Change(string path, int at)
    {
        using var file = File.OpenHandle(path, access: FileAccess.ReadWrite);
        Span<byte> one = stackalloc byte[1];
        RandomAccess.Read(file, one, at);
        one[0] ^= 1;
        RandomAccess.Write(file, one, at);
    }
}
