// Random sequences of all that can be done to a store, against a dictionary.

using CsCheck;
using Weir.Engine.Caching.Disk;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

public class DiskModelTests
{
    private static readonly int[] Lengths = [0, 1, 100, 65_536, 70_000, 263_000, 300_000];

    [Fact]
    public void A_store_does_as_a_dictionary_does() =>
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 7], Gen.Int[0, 6], Gen.Bool).List[0, 30].Sample(
            steps =>
            {
                using var rig = new DiskRig();
                var model = new Dictionary<int, (string Head, byte[] Body)>();
                var waits = false;
                foreach (var (i, (what, hash, size, background)) in steps.Index())
                {
                    var (key, head, body) = ($"key {hash}", $"head {i}", DiskRig.Body(Lengths[size], i));
                    switch (what)
                    {
                        case 0 or 1:
                            Assert.True(rig.Put(hash, key, head, body));
                            model[hash] = (head, body);
                            break;
                        case 2:
                            Assert.True(rig.Store.TryStore(rig.Loop, (UInt128)hash, DiskRig.Bytes(key), DiskRig.Bytes(head), new DiskFacts(long.MaxValue, 0, hash), new Pieces(body, 10_000)));
                            model[hash] = (head, body);
                            waits = true;
                            break;
                        case 3:
                            var write = rig.Store.TryBegin(rig.Loop, rig.Buffers, (UInt128)hash, DiskRig.Bytes(key))!;
                            Assert.True(write.TryWrite(body));
                            if (background) rig.Threads.TryWork();
                            write.Abort();
                            break;
                        case 4:
                            rig.Remove(hash);
                            model.Remove(hash);
                            break;
                        case 5:
                            rig.Work();
                            rig.Restart(killed: background);
                            break;
                        case 6:
                            Assert.True(rig.Store.TrySweep(new ByMark(hash)));
                            rig.Work();
                            model.Remove(hash);
                            break;
                        default:
                            if (background || waits) rig.Work(); // Otherwise by its name, after a restart.
                            waits = false;
                            var found = rig.Get(hash, key);
                            Assert.Equal(model.TryGetValue(hash, out var known), found is not null);
                            if (found is not null) Assert.Equal(known, found);
                            break;
                    }
                }

                rig.Work();
                Assert.Equal(model.Count, rig.Store.Entries);
                foreach (var (hash, known) in model) Assert.Equal(known, rig.Get(hash, $"key {hash}"));
                Assert.True(rig.Store.Counts.Broken == 0, $"{string.Join(" ", rig.Store.Counts.Misses)}; {string.Join('\n', rig.Told)}");
            },
            iter: 60,
            threads: 1);

    private sealed class ByMark(int hash) : DiskSweep
    {
        public override bool Matches(UInt128 found, in DiskFacts facts, ReadOnlySpan<byte> key, ReadOnlySpan<byte> head) => found == (UInt128)hash;
    }
}
