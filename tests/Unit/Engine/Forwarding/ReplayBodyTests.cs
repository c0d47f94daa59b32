using Microsoft.Win32.SafeHandles;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Engine.Forwarding;

public sealed class ReplayBodyTests : IDisposable
{
    private const int Tail = 73728; // What waits in memory for being written.

    private readonly ReplayWorld world = new();
    private readonly LiveBody live = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void Every_split_of_a_body_is_replayed()
    {
        var whole = ReplayWorld.Bytes(9);
        foreach (var (memory, disk) in new[] { (64, 0), (9, 0), (4, 5), (0, 9), (1, 100) })
        {
            for (var splits = 0; splits < 1 << 8; splits++)
            {
                live.Begin(-1);
                using var body = world.Lease(live, memory, disk);
                var from = 0;
                for (var i = 0; i < 9; i++)
                {
                    if (i < 8 && (splits & (1 << i)) == 0) continue;
                    live.Feed(whole[from..(i + 1)]);
                    from = i + 1;
                }

                live.End();
                Assert.Equal(whole, world.ReadAll(body));
                body.Rewind();
                Assert.Equal(whole, world.ReadAll(body, step: 2));
            }
        }

        world.AssertNothingHeld();
    }

    [Theory]
    [InlineData(64, 0)]
    [InlineData(10, 10)]
    [InlineData(0, 20)]
    public void It_rewinds_at_every_point_and_goes_on_live(int memory, int disk)
    {
        var whole = ReplayWorld.Bytes(20);
        for (var came = 0; came <= 20; came++)
        {
            for (var taken = 0; taken <= came; taken++)
            {
                for (var again = 0; again <= came; again++)
                {
                    live.Begin(20);
                    using var body = world.Lease(live, memory, disk);
                    live.Feed(whole[..came]);
                    world.Read(body, [], step: 3, most: taken);
                    body.TryRead(out _); // Handed out, and nothing of it taken.
                    body.Rewind();
                    world.Read(body, [], step: 4, most: again);
                    Assert.Equal(Math.Max(taken, again), live.Used);
                    body.Rewind();
                    live.Feed(whole[came..]);
                    live.End();
                    Assert.Equal(whole, world.ReadAll(body, step: 7));
                    Assert.Equal(20, live.Used);
                }
            }
        }

        world.AssertNothingHeld();
    }

    [Fact]
    public void What_was_handed_out_in_part_comes_again_and_is_new_only_once()
    {
        using var body = world.Lease(live, 100);
        live.Feed("abcdef"u8.ToArray());
        body.TryRead(out _);
        body.Advance(0);
        Assert.False(body.IsRepeated);
        body.TryRead(out _);
        body.Advance(4);
        body.Rewind();
        body.TryRead(out var piece);
        Assert.Equal("abcd"u8, piece);
        Assert.True(body.IsRepeated);
        body.Advance(3);
        body.TryRead(out piece);
        Assert.Equal("d"u8, piece);
        Assert.True(body.IsRepeated);
        body.Advance(1);
        body.TryRead(out piece);
        Assert.Equal("ef"u8, piece);
        Assert.False(body.IsRepeated);
    }

    [Fact]
    public void It_waits_for_the_client_and_says_when_it_has_ended()
    {
        using var body = world.Lease(live, 100);
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
        Assert.Same(live.Ready, body.Ready);
        live.Feed("ab"u8.ToArray());
        live.End();
        Assert.Equal("ab"u8.ToArray(), world.ReadAll(body));
        Assert.True(body.IsAtEnd);
        body.Rewind();
        Assert.False(body.IsAtEnd);
        body.TryRead(out _);
        body.Advance(1);
        Assert.False(body.IsAtEnd);
        body.TryRead(out _);
        body.Advance(1);
        Assert.True(body.IsAtEnd);
        Assert.Equal(BodyStatus.End, body.TryRead(out _));
    }

    [Fact]
    public void Its_length_trailers_and_failure_are_the_clients()
    {
        live.Begin(2);
        live.HasTrailers = true;
        var body = world.Lease(live, 100);
        Assert.Equal(2, body.Length);
        live.Feed("ab"u8.ToArray());
        live.End();
        Assert.Null(body.Trailers);
        world.ReadAll(body);
        Assert.NotNull(body.Trailers);
        body.Rewind();
        Assert.Null(body.Trailers);
        world.ReadAll(body);
        Assert.Same(live.Trailers, body.Trailers);
        body.Dispose();

        live.Begin(-1);
        body = world.Lease(live, 100);
        Assert.Equal(-1, body.Length);
        live.Feed("ab"u8.ToArray());
        live.Break(FaultCause.Malformed);
        for (var i = 0; i < 3; i++)
        {
            var got = new List<byte>();
            Assert.Equal(BodyStatus.Broken, world.Read(body, got));
            Assert.Equal("ab"u8.ToArray(), got);
            Assert.Equal(FaultCause.Malformed, body.Failure);
            body.Rewind();
        }

        body.Dispose();
        world.AssertNothingHeld();
    }

    [Theory]
    [InlineData(100, 0)]
    [InlineData(65536, 0)]
    [InlineData(65536, 1)]
    [InlineData(0, 65536)]
    [InlineData(10_000, 250_000)]
    public void At_its_limit_a_body_is_replayed_and_one_past_it_not(int memory, int disk)
    {
        foreach (var size in new[] { memory + disk, memory + disk + 1 })
        {
            foreach (var split in new[] { 1_000_000, 50_000, 777 })
            {
                live.Begin(size);
                using var body = world.Lease(live, memory, disk);
                var whole = ReplayWorld.Bytes(size);
                for (var from = 0; from < size; from += split) live.Feed(whole[from..Math.Min(size, from + split)]);
                live.End();
                Assert.Equal(whole, world.ReadAll(body));
                Assert.Equal(size == memory + disk, body.CanReplay);
                if (body.CanReplay)
                {
                    body.Rewind();
                    Assert.Equal(whole, world.ReadAll(body));
                }
                else
                {
                    Assert.Equal(0, world.Buffers.Leased);
                    Assert.Throws<InvalidOperationException>(body.Rewind);
                }
            }
        }

        world.AssertNothingHeld();
    }

    [Fact]
    public void Beyond_its_limit_a_body_goes_on_as_it_comes()
    {
        using var body = world.Lease(live, 100);
        live.Feed(ReplayWorld.Bytes(60));
        live.Feed(ReplayWorld.Bytes(60));
        body.TryRead(out var piece);
        body.Advance(piece.Length);
        Assert.True(body.CanReplay);
        Assert.Equal(BodyStatus.Piece, body.TryRead(out piece));
        Assert.Equal(60, piece.Length); // Whole, and from the client's own buffer.
        Assert.False(body.CanReplay);
        Assert.Equal(0, world.Buffers.Leased);
        body.Advance(60);
        Assert.Equal(120, live.Used);
    }

    [Theory]
    [InlineData(100, 4096)]
    [InlineData(4097, 16384)]
    [InlineData(40_000, 3 * 16384)]
    [InlineData(65536, Tail)]
    public void A_body_holds_little_more_than_it_has(int size, long held)
    {
        live.Begin(size);
        using var body = world.Lease(live, 1 << 20);
        live.Feed(ReplayWorld.Bytes(size));
        world.Read(body, []);
        Assert.Equal(held, world.Held);
    }

    [Fact]
    public void A_body_that_comes_slowly_holds_little_whatever_it_promises()
    {
        live.Begin(1 << 20);
        using var body = world.Lease(live, 1 << 20);
        live.Feed([1]);
        world.Read(body, []);
        Assert.Equal(4096, world.Held);
    }

    [Fact]
    public void Without_a_buffer_it_goes_on_unrecorded()
    {
        using var body = world.Lease(live, 1 << 20);
        live.Feed(ReplayWorld.Bytes(4096));
        var got = new List<byte>();
        world.Read(body, got);
        Assert.True(body.CanReplay);
        world.Budget.Limit = 4096;
        live.Feed(ReplayWorld.Bytes(5, 4096));
        live.End();
        Assert.Equal(BodyStatus.End, world.Read(body, got));
        Assert.Equal(ReplayWorld.Bytes(4101), got);
        Assert.False(body.CanReplay);
        Assert.Equal(0, world.Buffers.Leased);
    }

    [Theory]
    [InlineData(1 << 16, 0)]
    [InlineData(0, 1 << 20)]
    public void Of_a_budget_of_which_much_is_used_up_nothing_is_taken_for_a_recording(int memory, int disk)
    {
        world.Budget.Limit = 1 << 20;
        var bodies = new List<ReplayBody>();
        for (var i = 0; i < 40; i++)
        {
            live.Begin(-1);
            live.Feed(ReplayWorld.Bytes(60_000));
            live.End();
            var body = world.Lease(live, memory, disk);
            bodies.Add(body);
            Assert.Equal(BodyStatus.End, world.Read(body, []));
        }

        Assert.Contains(bodies, static b => b.CanReplay);
        Assert.Contains(bodies, static b => !b.CanReplay);
        Assert.InRange(world.Held, 1, (1 << 20) - (1 << 17));
        foreach (var body in bodies) body.Dispose();
        world.AssertNothingHeld();
    }

    [Fact]
    public void What_memory_does_not_hold_is_read_again_from_a_file_nobody_sees()
    {
        SafeFileHandle? made = null;
        world.Create = folder => made = Descriptor.CreateNameless(folder);
        var whole = ReplayWorld.Bytes(500_000);
        using (var body = world.Lease(live, 65536, 1 << 20))
        {
            live.Feed(whole);
            live.End();
            Assert.Equal(whole, world.ReadAll(body));
            Assert.True(world.Folder.Used >= 500_000 - 65536 - Tail);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(made!));
            Assert.Empty(Directory.GetFileSystemEntries(world.Folder.Path));
            Assert.True(world.Held <= 65536 + 12288 + Tail);
            foreach (var step in new[] { int.MaxValue, 9_999, 1 << 16 })
            {
                body.Rewind();
                Assert.Equal(whole, world.ReadAll(body, step));
                Assert.True(world.Held <= 65536 + 12288 + (2 * Tail));
            }
        }

        world.AssertNothingHeld();
        Assert.True(made!.IsClosed);
    }

    [Fact]
    public void A_body_little_longer_than_memory_never_touches_the_disk()
    {
        using var body = world.Lease(live, 1000, 1 << 20);
        live.Feed(ReplayWorld.Bytes(1000 + Tail));
        live.End();
        world.ReadAll(body);
        body.Rewind();
        Assert.Equal(ReplayWorld.Bytes(1000 + Tail), world.ReadAll(body));
        Assert.Equal(0, world.Folder.Used);
    }

    [Fact]
    public void While_a_write_is_under_way_it_waits_for_the_disk_and_holds_no_more()
    {
        using var body = Filled(out var got);
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
        Assert.True(body.AwaitsDisk);
        Assert.NotSame(live.Ready, body.Ready);
        Assert.False(body.Ready.IsSet);
        var held = world.Held;
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
        Assert.Equal(held, world.Held);
        Assert.True(world.WorkDisk());
        Assert.True(body.Ready.IsSet);
        Assert.Equal(BodyStatus.End, world.Read(body, got));
        Assert.False(body.AwaitsDisk);
        Assert.Equal(ReplayWorld.Bytes(200_000), got);
    }

    [Fact]
    public void It_rewinds_while_a_write_is_under_way()
    {
        using var body = Filled(out _);
        body.Rewind();
        var got = new List<byte>();
        world.Read(body, got, most: 1000); // Memory needs no disk.
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
        Assert.Equal(BodyStatus.End, world.Read(body, got));
        Assert.Equal(ReplayWorld.Bytes(200_000), got);
    }

    [Fact]
    public void It_rewinds_while_a_read_is_under_way()
    {
        using var body = Filled(out var got);
        world.Read(body, got);
        body.Rewind();
        world.Read(body, [], most: 1000);
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _)); // The file's first piece.
        body.Rewind();
        Assert.Equal(ReplayWorld.Bytes(200_000), world.ReadAll(body));
        body.Rewind();
        world.Read(body, [], most: 1000 + Tail);
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _)); // Its second: not what comes first after rewinding.
        body.Rewind();
        Assert.Equal(ReplayWorld.Bytes(200_000), world.ReadAll(body));
    }

    public enum Trouble
    {
        NoFolder,
        Full,
        Budget,
        Queue,
        Slow,
        NoBuffer,
    }

    [Theory]
    [InlineData(Trouble.NoFolder)]
    [InlineData(Trouble.Full)]
    [InlineData(Trouble.Budget)]
    [InlineData(Trouble.Queue)]
    [InlineData(Trouble.Slow)]
    [InlineData(Trouble.NoBuffer)]
    public void A_disk_in_trouble_is_no_trouble_of_the_request(Trouble trouble)
    {
        using var narrow = new ReplayWorld(waitingForDisk: 1, trouble == Trouble.Budget ? Tail - 1 : long.MaxValue);
        if (trouble == Trouble.NoFolder) narrow.Create = folder => Descriptor.CreateNameless(Path.Combine(folder, "missing"));
        if (trouble == Trouble.Full) narrow.Create = _ => File.OpenHandle("/dev/full", FileMode.Open, FileAccess.ReadWrite);
        if (trouble == Trouble.Queue) narrow.Disk.TryRun(new Idle(narrow.Loop));
        using var body = narrow.Lease(live, 1000, 1 << 20);
        live.Feed(ReplayWorld.Bytes(200_000));
        live.End();
        var got = new List<byte>();
        narrow.Read(body, got, most: 1000);
        if (trouble == Trouble.NoBuffer) narrow.Budget.Limit = narrow.Held;
        if (trouble == Trouble.Slow)
        {
            narrow.Read(body, got, most: 1000 + Tail);
            Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
            var waited = body.Ready;
            narrow.Poller.Now += 1_990;
            narrow.Loop.Turn(false);
            Assert.Equal(BodyStatus.Wait, body.TryRead(out _)); // Asking again buys no time.
            narrow.Poller.Now += 30;
            narrow.Loop.Turn(false);
            Assert.True(waited.IsSet);
            Assert.Equal(1, narrow.Buffers.Leased); // What the disk has.
        }

        Assert.Equal(BodyStatus.End, narrow.Read(body, got));
        Assert.Equal(ReplayWorld.Bytes(200_000), got);
        Assert.False(body.CanReplay);
        Assert.Equal(trouble is Trouble.NoFolder or Trouble.Full ? 1 : 0, narrow.Folder.Failures);
        Assert.Equal(trouble is Trouble.NoFolder or Trouble.Full, narrow.Folder.LastFailure is not null);
        narrow.AssertNothingHeld();
    }

    [Fact]
    public void A_write_that_fails_after_a_rewind_loses_nothing()
    {
        world.Create = _ => File.OpenHandle("/dev/full", FileMode.Open, FileAccess.ReadWrite);
        using var body = Filled(out _);
        body.Rewind();
        Assert.Equal(ReplayWorld.Bytes(200_000), world.ReadAll(body));
        Assert.False(body.CanReplay);
        world.AssertNothingHeld();
    }

    [Theory]
    [InlineData(Trouble.Full)]
    [InlineData(Trouble.Queue)]
    [InlineData(Trouble.Slow)]
    [InlineData(Trouble.NoBuffer)]
    public void A_recording_that_cannot_be_read_again_breaks_the_attempt(Trouble trouble)
    {
        using var narrow = new ReplayWorld(waitingForDisk: 1);
        if (trouble == Trouble.Full) narrow.Create = folder => File.OpenHandle(Path.Combine(folder, "write-only"), FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.DeleteOnClose);
        using var body = narrow.Lease(live, 1000, 1 << 20);
        live.Feed(ReplayWorld.Bytes(200_000));
        live.End();
        narrow.ReadAll(body);
        body.Rewind();
        var got = new List<byte>();
        narrow.Read(body, got, most: 1000);
        if (trouble == Trouble.Queue) narrow.Disk.TryRun(new Idle(narrow.Loop));
        if (trouble == Trouble.NoBuffer) narrow.Budget.Limit = narrow.Held;
        if (trouble == Trouble.Slow)
        {
            Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
            var waited = body.Ready;
            narrow.Poller.Now += 2_010;
            narrow.Loop.Turn(false);
            Assert.True(waited.IsSet);
        }

        Assert.Equal(BodyStatus.Broken, narrow.Read(body, got));
        Assert.Equal(ReplayWorld.Bytes(1000), got);
        Assert.Equal(FaultCause.Exhausted, body.Failure);
        Assert.False(body.CanReplay);
        Assert.False(body.IsAtEnd);
        Assert.Equal(BodyStatus.Broken, body.TryRead(out _));
        narrow.AssertNothingHeld();
    }

    // How far a body has come when it is let go of: bytes of the first pass, whether the disk works, bytes of the second.
    [Theory]
    [InlineData(0, false, -1)]
    [InlineData(500, false, -1)]
    [InlineData(500, false, 100)]
    [InlineData(2000, false, -1)]
    [InlineData(2000, false, 1500)]
    [InlineData(1000 + Tail, false, -1)]
    [InlineData(1000 + Tail, true, -1)]
    [InlineData(1000 + Tail, true, 10)]
    [InlineData(180_000, true, 1000)]
    [InlineData(180_000, false, 1000)]
    [InlineData(180_000, true, 80_000)]
    [InlineData(180_000, true, 180_000)]
    public void Let_go_of_in_any_state_it_leaves_nothing_behind(int taken, bool diskIsThrough, int again)
    {
        foreach (var stop in new[] { false, true })
        {
            live.Begin(200_000);
            var body = world.Lease(live, 1000, 1 << 20);
            live.Feed(ReplayWorld.Bytes(200_000));
            live.End();
            world.Read(body, [], most: taken);
            body.TryRead(out _);
            if (diskIsThrough) world.WorkDisk();
            if (again >= 0)
            {
                body.Rewind();
                world.Read(body, [], most: again);
                body.TryRead(out _);
                if (diskIsThrough && taken < 180_000) world.WorkDisk();
            }

            if (stop)
            {
                body.StopRecording();
                Assert.False(body.CanReplay);
            }

            body.Dispose();
            body.Dispose();
            world.AssertNothingHeld();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(500)]
    [InlineData(1000)]
    [InlineData(1001)]
    [InlineData(80_000)]
    [InlineData(180_000)]
    [InlineData(200_000)]
    public void Once_it_is_not_sent_again_what_was_read_is_given_back_and_the_rest_still_comes(int reached)
    {
        foreach (var taken in new[] { 900, 5_000, 180_000 })
        {
            live.Begin(200_000);
            using var body = world.Lease(live, 1000, 1 << 20);
            live.Feed(ReplayWorld.Bytes(200_000));
            live.End();
            world.Read(body, [], most: taken);
            body.Rewind();
            var got = new List<byte>();
            world.Read(body, got, most: reached);
            body.StopRecording();
            if (reached >= taken) world.AssertNothingHeld();
            Assert.Equal(BodyStatus.End, world.Read(body, got, step: 600));
            Assert.Equal(ReplayWorld.Bytes(200_000), got);
            world.AssertNothingHeld();
        }
    }

    [Fact]
    public void A_body_in_memory_allocates_nothing_in_steady_state()
    {
        var piece = ReplayWorld.Bytes(20_000);
        live.IsLean = true;
        Send();
        Send();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Send();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Send()
        {
            live.Begin(-1);
            var body = world.Lease(live, 65536);
            live.Feed(piece);
            live.Feed(piece);
            live.End();
            for (var pass = 0; pass < 3; pass++)
            {
                while (body.TryRead(out var given) == BodyStatus.Piece) body.Advance(given.Length);
                body.Rewind();
            }

            body.Dispose();
        }
    }

    // A write is under way, and the rest of 200,000 bytes is there.
    private ReplayBody Filled(out List<byte> got)
    {
        live.Feed(ReplayWorld.Bytes(200_000));
        live.End();
        var body = world.Lease(live, 1000, 1 << 20);
        world.Read(body, got = [], most: 1000 + Tail);
        Assert.Equal(BodyStatus.Wait, body.TryRead(out _));
        return body;
    }

    private sealed class Idle(Loop loop) : DiskJob(loop)
    {
        protected override void Work()
        {
        }

        protected override void LetGo()
        {
        }
    }
}
