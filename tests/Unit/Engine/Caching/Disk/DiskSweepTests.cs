using System.Text;
using Weir.Engine.Caching.Disk;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public sealed class DiskSweepTests : IDisposable
{
    private readonly DiskRig rig = new();

    public void Dispose() => rig.Dispose();

    [Theory]
    [InlineData(10)]
    [InlineData(300_000)]
    public void What_is_chosen_by_key_and_head_goes_and_nothing_else(int length)
    {
        for (var i = 0; i < 100; i++) Assert.True(rig.Put(i, $"key {i}", $"head {i % 2}", DiskRig.Body(i == 7 ? length : 10)));
        var sweep = new Chosen((key, head) => key.EndsWith('7') && head == "head 1");
        Assert.True(rig.Store.TrySweep(sweep));
        rig.Work();
        Assert.True(sweep.IsThrough && sweep.IsEnded);
        Assert.Equal((10, 10), (sweep.Matched, rig.Store.Counts.Removals));
        rig.Restart();
        for (var i = 0; i < 100; i++) Assert.Equal(i % 10 == 7, rig.Get(i, $"key {i}") is null);
        Assert.Equal(90, rig.Store.Entries);
    }

    [Fact]
    public void It_is_in_force_at_once_for_what_is_read_and_for_what_was_begun_before()
    {
        Assert.True(rig.Put(1, "one", "head", []));
        Assert.True(rig.Put(2, "two", "head", []));
        var before = rig.Store.TryBegin(rig.Loop, rig.Buffers, 3, "one too"u8)!;
        var read = rig.Store.TryRead(rig.Loop, rig.Buffers, 1, "one"u8)!;
        var other = rig.Store.TryRead(rig.Loop, rig.Buffers, 2, "two"u8)!;
        Assert.True(before.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        Assert.True(rig.Store.TrySweep(new Chosen((key, _) => key.StartsWith("one", StringComparison.Ordinal))));
        var after = rig.Store.TryBegin(rig.Loop, rig.Buffers, 4, "one more"u8)!;
        Assert.True(after.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.Equal((DiskMiss.Removed, DiskMiss.None), (read.Miss, other.Miss));
        Assert.Equal((false, true), (before.IsStored, after.IsStored));
        read.Dispose();
        other.Dispose();
        Assert.Equal(2, rig.Store.Entries);
    }

    [Fact]
    public void What_was_begun_before_a_sweep_and_ends_after_it_is_judged_too()
    {
        Assert.True(rig.Put(1, "one", "head", []));
        var before = rig.Store.TryBegin(rig.Loop, rig.Buffers, 3, "one too"u8)!;
        var other = rig.Store.TryBegin(rig.Loop, rig.Buffers, 4, "two"u8)!;
        var slow = rig.Store.TryBegin(rig.Loop, rig.Buffers, 5, "two"u8)!;
        var sweep = new Chosen((key, _) => key.StartsWith("one", StringComparison.Ordinal));
        Assert.True(rig.Store.TrySweep(sweep));
        rig.Work();
        Assert.True(sweep.IsThrough);
        Assert.True(before.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.False(before.IsStored);
        Assert.True(other.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.True(other.IsStored);
        Assert.True(rig.Put(3, "one too", "head", []));
        // So many are remembered.
        for (var i = 0; i < DiskStore.MostEndedSweeps; i++)
        {
            Assert.True(rig.Store.TrySweep(new Chosen((_, _) => false)));
            rig.Work();
        }

        Assert.True(slow.TryCommit("head"u8, new DiskFacts(long.MaxValue, 0, 0)));
        rig.Work();
        Assert.False(slow.IsStored);
    }

    [Fact]
    public void A_dry_run_counts_and_removes_nothing()
    {
        for (var i = 0; i < 10; i++) Assert.True(rig.Put(i, "key", "head", []));
        var sweep = new Chosen((_, _) => true) { IsDry = true };
        Assert.True(rig.Store.TrySweep(sweep));
        Assert.NotNull(rig.Get(1, "key"));
        rig.Work();
        Assert.Equal((10, 10), (sweep.Matched, rig.Store.Entries));
    }

    [Fact]
    public void What_the_mark_excludes_is_not_opened_and_without_need_of_heads_nothing_is()
    {
        for (var i = 0; i < 10; i++) Assert.True(rig.Put(i, "key", "head", [], mark: i % 2));
        rig.Folder.ReadError = FaultyFolder.IoError;
        var sweep = new Chosen((_, _) => throw new InvalidOperationException()) { Mark = 1, IsBlind = true };
        Assert.True(rig.Store.TrySweep(sweep));
        rig.Work();
        Assert.Equal((5, 5, 0), (sweep.Matched, rig.Store.Entries, rig.Store.Counts.Errors));
    }

    [Fact]
    public void What_cannot_be_judged_is_removed()
    {
        for (var i = 0; i < 3; i++) Assert.True(rig.Put(i, "key", "head", [], mark: i));
        rig.Folder.ReadError = FaultyFolder.IoError;
        Assert.True(rig.Store.TrySweep(new Chosen((_, _) => false) { Mark = 1 }));
        rig.Work();
        rig.Folder.ReadError = 0;
        Assert.Equal((true, false, true), (rig.Get(0, "key") is not null, rig.Get(1, "key") is not null, rig.Get(2, "key") is not null));
    }

    [Fact]
    public void Sixteen_at_once_and_what_was_begun_before_the_index_is_loaded_reaches_all()
    {
        for (var i = 0; i < 16; i++) Assert.True(rig.Put(i, $"{i:x}", "head", []));
        rig.Restart();
        var sweeps = Enumerable.Range(0, 16).Select(i => new Chosen((key, _) => key == $"{i:x}")).ToArray();
        foreach (var sweep in sweeps) Assert.True(rig.Store.TrySweep(sweep));
        Assert.False(rig.Store.TrySweep(new Chosen((_, _) => true)));
        rig.Work();
        Assert.All(sweeps, s => Assert.Equal(1, s.Matched));
        Assert.Equal(0, rig.Store.Entries);
    }

    private sealed class Chosen(Func<string, string, bool> choose) : DiskSweep
    {
        public bool IsEnded { get; private set; }

        public bool IsDry { get; init; }

        public bool IsBlind { get; init; }

        public long? Mark { get; init; }

        public override bool Removes => !IsDry;

        public override bool NeedsHead => !IsBlind;

        public override bool MayMatch(UInt128 hash, in DiskFacts facts) => Mark is null || facts.Mark == Mark;

        public override bool Matches(UInt128 hash, in DiskFacts facts, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head) => choose(Encoding.UTF8.GetString(key), Encoding.UTF8.GetString(head));

        protected override void End() => IsEnded = true;
    }
}
