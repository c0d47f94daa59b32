// Any sequence of what the two ends of a connection do, against the bytes they were told as taken. The same with the stand-in,
// which does whatever TLS may do, and with OpenSSL on both sides.

using CsCheck;
using Weir.Engine.Transports;
using Weir.Engine.Transports.Simulation;

namespace Weir.Tests.Unit.Engine.Transports;

public class TlsModelTests
{
    private enum What
    {
        Write,
        WriteMuch,
        Read,
        ReadMuch,
        Look,
        Renew,
        LetPass,
    }

    private static readonly Gen<(What What, int Side, int Size)[]> Sequences =
        Gen.Select(
            Gen.Frequency((30, Gen.Const(What.Write)), (20, Gen.Const(What.WriteMuch)), (20, Gen.Const(What.Read)), (20, Gen.Const(What.ReadMuch)), (5, Gen.Const(What.Look)), (5, Gen.Const(What.Renew)), (30, Gen.Const(What.LetPass))),
            Gen.Int[0, 1],
            Gen.OneOf(Gen.Int[1, 40], Gen.Int[1, 200_000])).Array[1, 60];

    private static readonly Weather[] Weathers =
    [
        new() { MostDelay = 1, MostDelivered = 1 << 20, Window = 1 << 20, SplitsWrites = false },
        new() { MostDelay = 3, MostDelivered = 5_000, Window = 65_536, SplitsWrites = false },
        new() { MostDelay = 3, MostDelivered = 4_000, Window = 30_000 },
        new() { MostDelay = 1, MostDelivered = 700, Window = 900 },
    ];

    [Fact]
    public void Whatever_happens_bytes_arrive_whole_and_in_order() =>
        Gen.Select(Gen.Int[0, 1 << 20], Sequences).Sample((seed, steps) => Check(seed, steps, StandIn), iter: 400, print: Print);

    [Fact]
    public void Over_OpenSSL_too() =>
        Gen.Select(Gen.Int[0, 1 << 20], Sequences).Sample((seed, steps) => Check(seed, steps, OpenSslPair.Agree), iter: 80, print: Print);

    private static string Print((int Seed, (What What, int Side, int Size)[] Steps) sample) => $"{sample.Seed}: {string.Join(' ', sample.Steps.Select(step => $"{step.What}:{step.Side}:{step.Size}"))}";

    private static void StandIn(TlsWorld world, int seed) => world.Agree(new TlsWhims
    {
        AsksAgain = 0.3,
        Suspends = 0.3,
        Tickets = 0.4,
        NeedsAnswer = seed % 3 == 0 ? 0 : 0.1,
        SplitsRecords = seed % 4 == 0 ? 0 : 0.3,
        ReadsAhead = seed % 5 != 0,
    });

    private static void Check(int seed, (What What, int Side, int Size)[] steps, Action<TlsWorld, int> agree)
    {
        var world = new TlsWorld(seed, Weathers[seed % Weathers.Length]);
        agree(world, seed);
        var model = new Model(world, seed);
        foreach (var (what, side, size) in steps) model.Do(what, side, size);
        model.Finish();
    }

    private sealed class Model(TlsWorld world, int seed)
    {
        private static readonly byte[] Whole = MakeWhole();

        private readonly byte[] room = new byte[1 << 18];
        private readonly Random random = new(seed);
        private readonly int[] taken = new int[2];
        private readonly int[] got = new int[2];
        private readonly bool[] ended = new bool[2];
        private bool hasRenewed;

        public void Do(What what, int side, int size)
        {
            switch (what)
            {
                case What.Write:
                    Write(side, size);
                    break;
                case What.WriteMuch:
                    for (var i = 0; i < 8 && Write(side, size); i++)
                    {
                    }

                    break;
                case What.Read:
                    Read(side, size);
                    break;
                case What.ReadMuch:
                    for (var i = 0; i < 8 && Read(side, size); i++)
                    {
                    }

                    break;
                case What.Look:
                    var has = world.Ends[side].HasUnasked;
                    Assert.Equal(has, world.Ends[side].HasUnasked);
                    if (has) Assert.True(world.Ends[side].Readable.IsSet);
                    break;
                // Once: libssl reads nothing while keys wait for room, and two that wait for each other do so for ever.
                case What.Renew when !hasRenewed:
                    hasRenewed = true;
                    world.RenewKeys(side);
                    break;
                case What.LetPass:
                    Assert.True(world.World.Run(size % 50));
                    break;
            }
        }

        // Both say their last words and end; from here on each is tried only where its signals tell.
        public void Finish()
        {
            int[] last = [taken[0] + 1 + random.Next(50_000), taken[1] + 1 + random.Next(50_000)];
            var saidEnd = new bool[2];
            for (var i = 0; i < 20_000 && !ended.All(static e => e); i++)
            {
                for (var side = 0; side < 2; side++)
                {
                    var end = world.Ends[side];
                    while (end.Writable.IsSet && taken[side] < last[side]) Write(side, last[side] - taken[side]);
                    if (end.Writable.IsSet && taken[side] == last[side] && !saidEnd[side]) saidEnd[side] = end.ShutdownWrite();
                    while (end.Readable.IsSet && !ended[side]) Read(side, 70_000);
                }

                Assert.True(world.World.Run(5));
            }

            Assert.True(ended.All(static e => e), $"stuck: taken {taken[0]} of {last[0]} and {taken[1]} of {last[1]}, got {got[1]} and {got[0]}");
            Assert.Equal(last[0], got[1]);
            Assert.Equal(last[1], got[0]);
            foreach (var end in world.Ends)
            {
                Assert.False(end.IsBroken);
                end.Close();
            }
        }

        private bool Write(int side, int size)
        {
            var end = world.Ends[side];
            size = Math.Min(size, Whole.Length - taken[side]);
            var offered = Whole.AsSpan(taken[side], size);
            int[] cuts = [random.Next(size + 1), random.Next(size + 1)];
            Array.Sort(cuts);
            var result = random.Next(3) == 0 ? end.TryWrite(offered) : end.TryWrite(offered[..cuts[0]], offered[cuts[0]..cuts[1]], offered[cuts[1]..]);
            Assert.True(result.Count <= size);
            Assert.True(result.Status is IoStatus.Some or IoStatus.WouldBlock, $"a write: {result.Status} ({world.Trouble})");
            if (result.Status == IoStatus.WouldBlock) Assert.False(end.Writable.IsSet);
            taken[side] += result.Count;
            return result.Count > 0;
        }

        private bool Read(int side, int size)
        {
            var end = world.Ends[side];
            var into = room.AsSpan(0, Math.Min(size, room.Length));
            var result = end.TryRead(into);
            switch (result.Status)
            {
                case IoStatus.Some:
                    Assert.True(Whole.AsSpan(got[side], result.Count).SequenceEqual(into[..result.Count]), "bytes came changed");
                    got[side] += result.Count;
                    // Of a record that has begun to leave, the last byte is not told yet.
                    Assert.True(got[side] <= taken[1 - side] + 1, $"{got[side]} came of {taken[1 - side]}");
                    return true;
                case IoStatus.WouldBlock:
                    Assert.False(end.Readable.IsSet);
                    return false;
                case IoStatus.End:
                    ended[side] = true;
                    return false;
                default:
                    Assert.Fail($"a read: reset ({world.Trouble})");
                    return false;
            }
        }

        private static byte[] MakeWhole()
        {
            var bytes = new byte[100 << 20];
            new Random(1).NextBytes(bytes);
            return bytes;
        }
    }
}
