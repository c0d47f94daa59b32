// Any sequence of what can happen to a body, against the bytes it is made of.

using CsCheck;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;

namespace Weir.Tests.Unit.Engine.Forwarding;

public class ReplayBodyModelTests
{
    private enum What
    {
        Feed,
        Read,
        ReadMuch,
        Rewind,
        Work,
        End,
        Stop,
        LetTimePass,
        ToggleBuffers,
        ToggleDisk,
        Renew,
    }

    private static readonly long[] Memories = [0, 1, 4096, 20_000, 65536, 100_000];
    private static readonly long[] Disks = [0, 1, 50_000, 73728, 200_000, 1 << 20];

    private static readonly Gen<(What What, int Size)[]> Sequences =
        Gen.Select(Gen.Frequency(
                (30, Gen.Const(What.Feed)),
                (30, Gen.Const(What.Read)),
                (20, Gen.Const(What.ReadMuch)),
                (8, Gen.Const(What.Rewind)),
                (20, Gen.Const(What.Work)),
                (1, Gen.Const(What.End)),
                (1, Gen.Const(What.Stop)),
                (1, Gen.Const(What.LetTimePass)),
                (1, Gen.Const(What.ToggleBuffers)),
                (1, Gen.Const(What.ToggleDisk)),
                (1, Gen.Const(What.Renew))),
            Gen.OneOf(Gen.Int[1, 10], Gen.Int[1, 90_000])).Array[1, 200];

    [Fact]
    public void Whatever_happens_the_bytes_are_the_clients_and_nothing_leaks() =>
        Sequences.Sample(Check, iter: 300, print: sequence => string.Join(' ', sequence.Select(step => $"{step.What}:{step.Size}")));

    [Fact]
    public void Where_nothing_goes_wrong_a_body_within_its_limits_is_always_replayed() =>
        Sequences.Select(steps => steps.Where(step => step.What is not (What.Stop or What.LetTimePass or What.ToggleBuffers or What.ToggleDisk)).ToArray())
            .Sample(Check, iter: 300, print: sequence => string.Join(' ', sequence.Select(step => $"{step.What}:{step.Size}")));

    private static void Check((What What, int Size)[] steps)
    {
        using var world = new ReplayWorld();
        using var model = new Model(world);
        foreach (var (what, size) in steps) model.Do(what, size);
    }

    private sealed class Model(ReplayWorld world) : IDisposable
    {
        private static readonly byte[] Whole = ReplayWorld.Bytes(20 << 20);

        private readonly LiveBody live = new();
        private ReplayBody? body;
        private long memory;
        private long disk;
        private int fed;
        private bool ended;
        private int position;
        private int taken;
        private bool mayFail;
        private bool isDiskBroken;
        private bool broken;

        public void Do(What what, int size)
        {
            if (body is null) Renew(size);
            switch (what)
            {
                case What.Feed when !ended:
                    live.Feed(Whole[fed..(fed + size)]);
                    fed += size;
                    break;
                case What.Read:
                    Read(size);
                    break;
                case What.ReadMuch:
                    for (var i = 0; i < 4 && Read(int.MaxValue); i++)
                    {
                    }

                    break;
                case What.Rewind when body!.CanReplay:
                    body.Rewind();
                    position = 0;
                    break;
                case What.Work:
                    world.WorkDisk();
                    break;
                case What.End:
                    ended = true;
                    live.End();
                    break;
                case What.Stop:
                    body!.StopRecording();
                    mayFail = true;
                    break;
                case What.LetTimePass:
                    world.Poller.Now += 2_100;
                    world.Loop.Turn(false);
                    mayFail = true;
                    break;
                case What.ToggleBuffers:
                    world.Budget.Limit = world.Budget.Limit == 0 ? 1L << 30 : 0;
                    world.Buffers.LetGo();
                    mayFail = true;
                    break;
                case What.ToggleDisk:
                    isDiskBroken = !isDiskBroken;
                    world.Create = isDiskBroken ? _ => File.OpenHandle("/dev/full", FileMode.Open, FileAccess.ReadWrite) : Descriptor.CreateNameless;
                    mayFail = true;
                    break;
                case What.Renew:
                    Renew(size);
                    break;
            }

            Assert.True(world.Held <= memory + 12288 + (2 * 73728) + (before * 73728), "holds more than it may");
        }

        public void Dispose()
        {
            body?.Dispose();
            world.AssertNothingHeld();
        }

        // Chunks that disk work of the body before may still have.
        private int before;

        private void Renew(int size)
        {
            body?.Dispose();
            before = world.Buffers.Leased;
            memory = Memories[size % Memories.Length];
            disk = Disks[size / 7 % Disks.Length];
            live.Begin(-1);
            body = world.Lease(live, memory, disk);
            (fed, position, taken, ended, broken) = (0, 0, 0, false, false);
            mayFail = isDiskBroken || world.Budget.Limit == 0;
        }

        private bool Read(int most)
        {
            var couldReplay = body!.CanReplay;
            var status = body.TryRead(out var piece);
            switch (status)
            {
                case BodyStatus.Piece:
                    Assert.False(broken);
                    Assert.False(piece.IsEmpty);
                    Assert.True(piece.SequenceEqual(Whole.AsSpan(position, piece.Length)), $"other bytes at {position}");
                    Assert.True(position + piece.Length <= fed);
                    Assert.Equal(position < taken, body.IsRepeated);
                    var count = Math.Min(most, piece.Length);
                    if (!mayFail && couldReplay && position + piece.Length <= memory + disk) Assert.True(body.CanReplay);
                    if (!body.IsRepeated && body.CanReplay) Assert.True(position + piece.Length <= memory + disk);
                    body.Advance(count);
                    position += count;
                    taken = Math.Max(taken, position);
                    Assert.Equal(taken, live.Used);
                    return true;
                case BodyStatus.End:
                    Assert.True(ended && position == fed && body.IsAtEnd);
                    return false;
                case BodyStatus.Wait:
                    Assert.False(body.IsAtEnd);
                    if (body.AwaitsDisk) Assert.False(body.Ready.IsSet);
                    else Assert.True(position == fed && !ended && ReferenceEquals(body.Ready, live.Ready));
                    return false;
                default:
                    Assert.True(mayFail && position < taken, "broke though nothing had gone wrong");
                    Assert.Equal(FaultCause.Exhausted, body.Failure);
                    Assert.False(body.CanReplay);
                    broken = true;
                    return false;
            }
        }
    }
}
