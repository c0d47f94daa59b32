// Several loops and several disk threads at once, on the same few hashes, with removals, sweeps and too little room: whatever is
// read is whole, and in the end index, journal and folder agree.

using Weir.Engine.Caching.Disk;
using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public sealed class DiskStressTests
{
    private const int Steps = 1500;

    [Fact]
    public void Many_at_once_read_only_what_was_written()
    {
        using var rig = new DiskRig(mostBytes: 1 << 20, mostEntries: 40) { Threads = new DiskThreads(4) };
        var store = rig.Store;
        Exception? wrong = null;
        var flows = Enumerable.Range(0, 4).Select(flow => new Thread(() =>
        {
            try
            {
                Go(store, flow);
            }
            catch (Exception e)
            {
                wrong ??= e;
            }
        })).ToList();
        flows.ForEach(static f => f.Start());
        flows.ForEach(static f => f.Join());
        Assert.Null(wrong);
        Assert.True(SpinWait.SpinUntil(() => store.Housework.IsSettled && !store.IsOverfull && store.Sweeps.IsEmpty, 30_000));
        Assert.True(store.Entries <= 40);
        Assert.True(store.Counts.Hits > 100);
        Assert.True(store.Counts.Evictions > 100);
        Assert.True(store.Counts.Broken == 0 && store.Counts.Errors == 0, $"{string.Join(" ", store.Counts.Misses)}; {string.Join('\n', rig.Told)}");
        store.Dispose();
        DiskStore? next = null;
        Assert.True(SpinWait.SpinUntil(() => (next = rig.TryOpen(out _)) is not null, 30_000));
        using (next)
        {
            Assert.True(SpinWait.SpinUntil(() => next!.Housework.IsSettled, 30_000));
            Assert.Equal(store.Entries, next!.Entries);
            Assert.Equal(store.Bytes, next.Bytes);
            Assert.Equal(0, next.Counts.Orphans);
            Assert.Equal(next.Entries, Directory.GetFiles(rig.Path, "*", SearchOption.AllDirectories).Count(f => Path.GetFileName(f).Length == 30));
        }
    }

    private static void Go(DiskStore store, int flow)
    {
        var loop = new Loop(new ManualPoller());
        var buffers = new BufferPool(new MemoryBudget(1 << 26));
        var random = new Random(flow);
        for (var i = 0; i < Steps; i++)
        {
            var hash = (UInt128)random.Next(60);
            var key = DiskRig.Bytes($"key {hash}");
            switch (random.Next(10))
            {
                case < 4:
                    var seed = random.Next(1, 1 << 20);
                    if (store.TryBegin(loop, buffers, hash, key) is not { } write) break;
                    if (!write.TryWrite(DiskRig.Body(LengthOf(seed), seed))) break;
                    if (random.Next(5) == 0) write.Abort();
                    else write.TryCommit(DiskRig.Bytes($"{seed}"), new DiskFacts(long.MaxValue, 0, 0));
                    while (!write.IsEnded) loop.Turn(false);
                    break;
                case 4:
                    if (store.Remove(loop, hash) is not { } removal) break;
                    while (!removal.Done.IsSet) loop.Turn(false);
                    break;
                case 5 when random.Next(20) == 0:
                    store.TrySweep(new Odd());
                    break;
                default:
                    using (var read = store.TryRead(loop, buffers, hash, key))
                    {
                        if (read is null || random.Next(8) == 0) break;
                        while (!read.Done.IsSet) loop.Turn(false);
                        if (!read.IsHit) break;
                        var version = int.Parse(read.Head);
                        if (read.IsWhole) Assert.Equal(DiskRig.Body(LengthOf(version), version), read.Body.ToArray());
                        else Assert.Equal(DiskRig.Body(LengthOf(version), version), Drain(read, loop, random.Next(4) == 0));
                    }

                    break;
            }
        }

        while (store.InFlight > 0 && loop.Turn(false))
        {
        }

        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                loop.Turn(false);
                return buffers.Leased == 0;
            },
            10_000));
    }

    private static byte[] Drain(DiskRead read, Loop loop, bool slowly)
    {
        using var source = read.Source(0, read.BodyLength);
        var body = new List<byte>();
        while (true)
        {
            switch (source.TryRead(out var piece))
            {
                case Weir.Engine.Exchanges.BodyStatus.Piece:
                    body.AddRange(piece);
                    source.Advance(piece.Length);
                    if (slowly) Thread.Yield();
                    break;
                case Weir.Engine.Exchanges.BodyStatus.Wait:
                    loop.Turn(false);
                    break;
                case Weir.Engine.Exchanges.BodyStatus.End:
                    return [.. body];
                default:
                    throw new InvalidOperationException("broken");
            }
        }
    }

    private static int LengthOf(int seed) => seed % 9 == 0 ? 300_000 : seed % 20_000;

    private sealed class Odd : DiskSweep
    {
        public override bool Matches(UInt128 hash, in DiskFacts facts, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head) => hash % 2 == 1;
    }
}
