using Weir.Engine.Caching.Disk;
using Weir.Engine.Disk;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public sealed class DiskStoreTests : IDisposable
{
    private readonly DiskRig rig = new();

    public void Dispose() => rig.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65535)]
    [InlineData(65536)]
    [InlineData(65537)]
    [InlineData(200_000)]
    [InlineData(262_144)]
    [InlineData(1_000_000)]
    public void What_was_written_is_read_before_and_after_a_restart(int length)
    {
        var body = DiskRig.Body(length);
        Assert.Null(rig.Get(1, "key"));
        Assert.True(rig.Put(1, "key", "head", body));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(("head", body), rig.Get(1, "key"));
            Assert.Null(rig.Get(2, "key"));
            Assert.Equal(1, rig.Store.Entries);
            Assert.Equal((new FileInfo(rig.FileOf(1)).Length + 4095) / 4096 * 4096, rig.Store.Bytes);
            rig.Restart();
            rig.Work();
            Assert.True(rig.Store.IsLoaded);
        }
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(65536, 65536)]
    [InlineData(70_000, 300_000)]
    [InlineData(999_999, 1)]
    public void A_part_of_a_large_body_is_read_alone(int offset, int count)
    {
        var body = DiskRig.Body(1_000_000);
        Assert.True(rig.Put(1, "key", "head", body));
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        rig.Work();
        Assert.False(read.IsWhole);
        Assert.Equal(1_000_000, read.BodyLength);
        Assert.Equal("head"u8, read.Head);
        using var source = read.Source(offset, count);
        Assert.Equal(count, source.Length);
        Assert.Equal(body.AsSpan(offset, count).ToArray(), rig.Drain(source));
        using var sent = read.Source(offset, count);
        Assert.Equal(body.AsSpan(offset, count).ToArray(), rig.DrainRanges(sent, out var isWhole));
        Assert.True(isWhole);
    }

    [Theory]
    [InlineData(0, 1000)]
    [InlineData(100_000, 7_000)]
    [InlineData(1_000_000, 100_000)]
    public void What_lies_in_pieces_is_stored_from_there(int length, int piece)
    {
        var content = new Pieces(DiskRig.Body(length), piece);
        Assert.True(rig.Store.TryStore(rig.Loop, 1, "key"u8, "head"u8, new DiskFacts(long.MaxValue, 5, 7), content));
        Assert.False(content.IsLetGo);
        rig.Work();
        Assert.True(content.IsLetGo);
        Assert.Equal(("head", content.Bytes), rig.Get(1, "key"));
    }

    [Fact]
    public void The_longest_key_and_head_fit_beside_a_large_body()
    {
        var (key, head) = (new string('k', 8064), new string('h', 65536));
        foreach (var length in new[] { 10, 500_000 })
        {
            Assert.True(rig.Put(1, key, head, DiskRig.Body(length)));
            Assert.Equal((head, DiskRig.Body(length)), rig.Get(1, key));
        }

        Assert.False(rig.Put(2, key + "k", head, []));
        Assert.False(rig.Put(2, key, head + "h", []));
        Assert.Equal(2, rig.Store.Counts.Refusals[(int)DiskRefusal.TooLarge]);
    }

    [Fact]
    public void Facts_come_back_and_what_is_of_no_use_any_more_does_not()
    {
        Assert.True(rig.Put(1, "key", "head", [], rig.Utc + 10, mark: -3));
        using (var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!)
        {
            rig.Work();
            Assert.Equal(new DiskFacts(rig.Utc + 10, rig.Utc, -3), read.Facts);
        }

        rig.Utc += 10;
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal(1, rig.Store.Counts.Misses[(int)DiskMiss.Expired]);
    }

    [Fact]
    public void Another_key_with_the_same_hash_is_a_miss_and_the_entry_goes()
    {
        Assert.True(rig.Put(1, "one", "head", []));
        Assert.Null(rig.Get(1, "two"));
        Assert.Equal(1, rig.Store.Counts.Misses[(int)DiskMiss.OtherKey]);
        Assert.Equal((0, 0), (rig.Store.Entries, rig.Store.Bytes));
        Assert.False(File.Exists(rig.FileOf(1)));
    }

    [Fact]
    public void What_is_not_committed_leaves_nothing()
    {
        var write = rig.Store.TryBegin(rig.Loop, rig.Buffers, 1, "key"u8)!;
        Assert.True(write.TryWrite(DiskRig.Body(300_000)));
        rig.Work();
        Assert.True(write.TryWrite(DiskRig.Body(300_000)));
        Assert.NotEmpty(Directory.GetFiles(rig.Folder.Aside));
        write.Abort(); // While a disk thread has some of it.
        Assert.False(write.TryWrite("more"u8));
        Assert.False(write.TryCommit("head"u8, default));
        rig.Work();
        Assert.Empty(Directory.GetFiles(rig.Folder.Aside));
        Assert.Null(rig.Get(1, "key"));
    }

    [Fact]
    public void Who_writes_faster_than_the_disk_gives_up_and_who_looks_at_the_room_need_not()
    {
        var piece = DiskRig.Body(EntryHeader.Block);
        var patient = rig.Store.TryBegin(rig.Loop, rig.Buffers, 2, "key"u8)!;
        var blocks = 0;
        for (; patient.Room >= piece.Length; blocks++) Assert.True(patient.TryWrite(piece));
        Assert.Equal(DiskWrite.MostWaiting, blocks * piece.Length);
        Assert.Equal(DiskWrite.MostWaiting, rig.Store.InFlight);
        Assert.False(patient.Moved.IsSet);
        rig.Work();
        Assert.True(patient.Moved.IsSet);
        Assert.True(patient.TryWrite(piece));

        var hasty = rig.Store.TryBegin(rig.Loop, rig.Buffers, 1, "key"u8)!;
        while (hasty.TryWrite(piece))
        {
        }

        Assert.False(hasty.IsAlive);
        Assert.Equal(1, rig.Store.Counts.Refusals[(int)DiskRefusal.Slow]);
        Assert.True(patient.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.True(patient.IsStored);
        Assert.Equal((blocks + 1) * (long)piece.Length, rig.Get(2, "key")!.Value.Body.Length);
    }

    [Fact]
    public void All_that_waits_for_the_disk_together_has_a_limit()
    {
        using var small = new DiskRig { Threads = new DiskThreads(0, 1) };
        small.Work();
        Assert.NotNull(small.Store);
        small.Work();
        var first = small.Store.TryBegin(small.Loop, small.Buffers, 1, "key"u8)!;
        Assert.True(first.TryWrite(DiskRig.Body(70_000)));
        var second = small.Store.TryBegin(small.Loop, small.Buffers, 2, "key"u8)!;
        Assert.False(second.TryWrite(DiskRig.Body(70_000))); // The disk threads take no more.
        var content = new Pieces(DiskRig.Body(10), 10);
        Assert.False(small.Store.TryStore(small.Loop, 3, "key"u8, "head"u8, default, content));
        Assert.True(content.IsLetGo);
        Assert.Equal(2, small.Store.Counts.Refusals[(int)DiskRefusal.Slow]);
        small.Work();
        Assert.True(first.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        small.Work();
        Assert.Null(small.Get(7, "any")); // The upkeep that had no room goes on.
        small.Work();
        Assert.True(small.Put(2, "key", "head", []));
        var busy = small.Store.TryRead(small.Loop, small.Buffers, 1, "key"u8)!;
        Assert.Null(small.Store.TryRead(small.Loop, small.Buffers, 2, "key"u8));
        Assert.Equal(1, small.Store.Counts.Misses[(int)DiskMiss.Busy]);
        // No room for a removal: it is in force nevertheless, and is made up for.
        Assert.Null(small.Store.Remove(small.Loop, 1));
        Assert.False(small.Store.MayHave(1));
        busy.Dispose();
        small.Work();
        Assert.Null(small.Get(7, "any"));
        small.Work();
        Assert.False(File.Exists(small.FileOf(1)));
    }

    [Fact]
    public void Whoever_reads_goes_on_when_the_entry_is_removed_or_replaced()
    {
        var body = DiskRig.Body(1_000_000);
        Assert.True(rig.Put(1, "key", "head", body));
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        rig.Work();
        using var source = read.Source(0, body.Length);
        Assert.True(rig.Put(1, "key", "new", DiskRig.Body(10)));
        Assert.True(rig.Remove(1));
        Assert.False(File.Exists(rig.FileOf(1)));
        read.Dispose();
        Assert.Equal(body, rig.Drain(source));
    }

    [Fact]
    public void What_is_removed_stays_away_from_whoever_is_just_writing_or_reading_it()
    {
        Assert.True(rig.Put(1, "key", "old", []));
        var write = rig.Store.TryBegin(rig.Loop, rig.Buffers, 1, "key"u8)!;
        var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        Assert.NotNull(rig.Store.Remove(rig.Loop, 1));
        Assert.Null(rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8));
        Assert.True(write.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.False(write.IsStored);
        Assert.Equal(DiskMiss.Removed, read.Miss);
        read.Dispose();
        Assert.False(File.Exists(rig.FileOf(1)));
        Assert.Equal(1, rig.Store.Counts.Refusals[(int)DiskRefusal.Removed]);
        Assert.True(rig.Put(1, "key", "new", []));
    }

    [Fact]
    public void A_removal_that_comes_between_name_and_entry_leaves_neither_the_new_nor_the_old()
    {
        Assert.True(rig.Put(1, "key", "old", []));
        var write = rig.Store.TryBegin(rig.Loop, rig.Buffers, 1, "key"u8)!;
        Assert.True(write.TryCommit("new"u8, new DiskFacts(long.MaxValue, 0, 0)));
        // A removal of one whose hash is a neighbour: the old entry stands in the index still.
        var neighbour = Enumerable.Range(2, 1000).First(h => { var before = rig.Store.Index.Of(1).StampOf(1); rig.Store.Index.TryRemove((UInt128)h, out _); return rig.Store.Index.Of(1).StampOf(1) != before; });
        write = rig.Store.TryBegin(rig.Loop, rig.Buffers, 1, "key"u8)!;
        rig.Folder.OnRenamed = () => rig.Store.Index.TryRemove((UInt128)neighbour, out _);
        Assert.True(write.TryCommit("newer"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.False(write.IsStored);
        Assert.Null(rig.Get(1, "key"));
        Assert.Equal((0, 0), (rig.Store.Counts.Broken, rig.Store.Entries));
        Assert.False(File.Exists(rig.FileOf(1)));
    }

    [Fact]
    public void Of_two_writings_the_one_begun_later_stays()
    {
        var first = rig.Store.TryBegin(rig.Loop, rig.Buffers, 1, "key"u8)!;
        Assert.True(rig.Put(1, "key", "second", []));
        Assert.True(first.TryCommit("first"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.False(first.IsStored);
        Assert.Equal("second", rig.Get(1, "key")!.Value.Head);
        rig.Restart();
        Assert.Equal("second", rig.Get(1, "key")!.Value.Head);
    }

    [Fact]
    public void One_process_at_a_time_has_the_folder()
    {
        _ = rig.Store;
        Assert.Null(rig.TryOpen(out var trouble));
        Assert.Equal($"another process uses '{rig.Path}'", trouble);
        rig.Store.Dispose();
        rig.Work();
        using var next = rig.TryOpen(out trouble);
        Assert.NotNull(next);
        Assert.Equal("", trouble);
    }

    [Fact]
    public void The_folder_is_its_owners_alone()
    {
        Assert.True(rig.Put(1, "key", "head", []));
        foreach (var folder in Directory.GetDirectories(rig.Path).Append(rig.Path)) Assert.Equal(0, (int)File.GetUnixFileMode(folder) & 0x3f);
        foreach (var file in Directory.GetFiles(rig.Path, "*", SearchOption.AllDirectories)) Assert.Equal(0, (int)File.GetUnixFileMode(file) & 0x3f);
        Assert.Null(DiskStore.Open(new DiskStoreSettings("/proc/weir", 1, 1, static _ => { }), out var trouble));
        Assert.Contains("/proc/weir", trouble, StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_store_takes_and_gives_nothing_and_leaves_nothing_behind()
    {
        Assert.True(rig.Put(1, "key", "head", DiskRig.Body(1_000_000)));
        var write = rig.Store.TryBegin(rig.Loop, rig.Buffers, 2, "key"u8)!;
        Assert.True(write.TryWrite(DiskRig.Body(100_000)));
        rig.Work();
        Assert.True(write.TryCommit("head"u8, default));
        using var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "key"u8)!;
        var content = new Pieces(DiskRig.Body(10), 10);
        Assert.True(rig.Store.TryStore(rig.Loop, 3, "key"u8, "head"u8, default, content));
        rig.Store.Dispose();
        rig.Work();
        Assert.False(write.IsStored);
        Assert.Equal(DiskMiss.Closed, read.Miss);
        Assert.True(content.IsLetGo);
        Assert.Null(rig.Store.TryBegin(rig.Loop, rig.Buffers, 2, "key"u8));
        Assert.Empty(Directory.GetFiles(rig.Folder.Aside));
    }

    [Fact]
    public void Where_memory_is_short_nothing_is_stored()
    {
        var budget = new Weir.Engine.Memory.MemoryBudget(4 * 73728);
        var buffers = new Weir.Engine.Memory.BufferPool(budget);
        var write = rig.Store.TryBegin(rig.Loop, buffers, 1, "key"u8)!;
        Assert.False(write.TryWrite(DiskRig.Body(400_000)));
        Assert.Equal(1, rig.Store.Counts.Refusals[(int)DiskRefusal.Memory]);
        rig.Work();
        Assert.Equal(0, buffers.Leased);
        Assert.Equal(0, rig.Store.InFlight);
    }
}

/// <summary>A body in pieces, kept as it is until it is let go of.</summary>
internal sealed class Pieces(byte[] bytes, int piece) : DiskContent
{
    public byte[] Bytes => bytes;

    public bool IsLetGo { get; private set; }

    public override long Length => bytes.Length;

    public override ReadOnlySpan<byte> PieceAt(long offset)
    {
        Assert.False(IsLetGo);
        return bytes.AsSpan((int)offset, (int)Math.Min(piece - (offset % piece), bytes.Length - offset));
    }

    public override void LetGo()
    {
        Assert.False(IsLetGo);
        IsLetGo = true;
    }
}
