using System.Text;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Caching;

public class StoredBodyTests
{
    private static readonly OriginName From = new("o"u8.ToArray(), false, []);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Readers_on_other_threads_follow_one_writer_and_all_memory_is_given_back(bool isKnown)
    {
        for (var seed = 1; seed <= 8; seed++)
        {
            var random = new Random(seed);
            var size = random.Next(1, 3_000_000);
            var use = new MemoryUse();
            var body = new StoredBody(isKnown ? size : -1, use);
            var response = Make(body, use);
            var readers = Enumerable.Range(0, 6).Select(n =>
            {
                response.Hold();
                return new Thread(() => Read(response, new Random(n), n == 5 ? size / 3 : size));
            }).ToArray();
            foreach (var reader in readers) reader.Start();
            for (var sent = 0; sent < size;)
            {
                var piece = Bytes(sent, Math.Min(size - sent, random.Next(1, 60_000)));
                Assert.Equal(piece.Length, body.Append(piece));
                sent += piece.Length;
            }

            body.End(FaultCause.None);
            foreach (var reader in readers) reader.Join();
            Assert.True(body.IsWhole);
            response.LetGo();
            Assert.Equal(0, use.Bytes);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_window_holds_no_more_than_its_slowest_reader_leaves_it(bool isKnown)
    {
        const int Size = 12_000_000;
        var use = new MemoryUse();
        var body = new StoredBody(isKnown ? Size : -1, use);
        var response = Make(body, use);
        var readers = new Thread[4];
        for (var i = 0; i < readers.Length; i++)
        {
            response.Hold();
            var n = i;
            readers[i] = new Thread(() => Read(response, new Random(n), n == 0 ? Size / 2 : Size, pauses: n == 1));
        }

        foreach (var reader in readers) reader.Start();
        body.BecomeWindow(new LoopWake(new Loop(new ManualPoller())));
        var most = 0L;
        for (var sent = 0; sent < Size;)
        {
            while (body.IsFull && !body.TryGoOn(response.References - 1)) Thread.Yield();
            var piece = Bytes(sent, Math.Min(Size - sent, 16_000));
            Assert.Equal(piece.Length, body.Append(piece));
            sent += piece.Length;
            most = Math.Max(most, use.Bytes);
        }

        body.End(FaultCause.None);
        foreach (var reader in readers) reader.Join();
        Assert.InRange(most, 1, (2 << 20) + 1000);
        response.LetGo();
        Assert.Equal(0, use.Bytes);
    }

    [Fact]
    public void Nothing_is_given_back_while_somebody_has_not_begun_and_who_comes_too_late_reads_nothing()
    {
        var use = new MemoryUse();
        var body = new StoredBody(-1, use);
        var response = Make(body, use);
        body.BecomeWindow(new LoopWake(new Loop(new ManualPoller())));
        response.Hold(); // Told, and not begun.
        body.Append(new byte[2 << 20]);
        Assert.False(body.TryGoOn(response.References - 1));
        var first = Begin(response, out _);
        while (first.TryRead(out var piece) == BodyStatus.Piece) first.Advance(piece.Length);
        Assert.True(body.TryGoOn(response.References - 1));
        response.Hold();
        var late = Begin(response, out _);
        Assert.Equal(BodyStatus.Broken, late.TryRead(out _));
        late.Dispose();
        first.Dispose();
        response.LetGo();
        Assert.Equal(0, use.Bytes);
    }

    [Fact]
    public void A_late_wake_does_not_list_a_reader_twice()
    {
        var use = new MemoryUse();
        var body = new StoredBody(-1, use);
        var response = Make(body, use);
        response.Hold();
        response.Hold();
        var (one, other) = (Begin(response, out var loop), Begin(response, out var others));
        Assert.Equal(BodyStatus.Wait, other.TryRead(out _));
        Assert.Equal(BodyStatus.Wait, one.TryRead(out _));
        Assert.Equal(BodyStatus.Wait, one.TryRead(out _));
        body.Append("x"u8);
        loop.Turn(false);
        others.Turn(false);
        Assert.True(one.Ready.IsSet);
        Assert.True(other.Ready.IsSet);
        one.Dispose();
        other.Dispose();
        response.LetGo();
        Assert.Equal(0, use.Bytes);
    }

    [Fact]
    public void What_broke_has_no_length()
    {
        var body = new StoredBody(-1, new MemoryUse());
        body.Append("half"u8);
        body.End(FaultCause.Closed);
        Assert.Equal(-1, body.Length);
        Assert.False(body.IsWhole);
        body.LetGo();

        var shorter = new StoredBody(10, new MemoryUse());
        shorter.Append("half"u8);
        shorter.End(FaultCause.None);
        Assert.False(shorter.IsWhole);
        shorter.LetGo();
    }

    [Fact]
    public void Beyond_the_limit_nothing_is_begun_and_what_grows_stops()
    {
        var use = new MemoryUse { Most = 20_000 };
        Assert.Null(StoredBody.TryMake(20_001, use));
        var growing = StoredBody.TryMake(-1, use)!;
        Assert.Equal(4096, growing.Append(new byte[30_000])); // The second block would be beyond it.
        growing.LetGo();
        Assert.Equal(0, use.Bytes);
    }

    private static StoredResponse Make(StoredBody body, MemoryUse use) => StoredResponse.Make(200, "A: b\r\n"u8, default, VaryRule.None, default, From, body, use);

    private static StoredReader Begin(StoredResponse response, out Loop loop)
    {
        var reader = new StoredReader(loop = new Loop(new ManualPoller()), []);
        reader.Begin(response, new Cache("c", 1));
        return reader;
    }

    private static void Read(StoredResponse response, Random random, int until, bool pauses = false)
    {
        var reader = Begin(response, out var loop);
        for (var at = 0; at < until;)
        {
            switch (reader.TryRead(out var piece))
            {
                case BodyStatus.Piece:
                    var taken = Math.Min(piece.Length, random.Next(1, 40_000));
                    if (!piece[..taken].SequenceEqual(Bytes(at, taken))) throw new InvalidOperationException($"other bytes at {at}");
                    reader.Advance(taken);
                    at += taken;
                    if (pauses && random.Next(100) == 0) Thread.Sleep(1);
                    break;
                case BodyStatus.Wait:
                    while (!reader.Ready.IsSet) loop.Turn(mayWait: false);
                    break;
                default:
                    throw new InvalidOperationException($"an end at {at}");
            }
        }

        reader.Dispose();
    }

    private static byte[] Bytes(int at, int count)
    {
        var bytes = new byte[count];
        for (var i = 0; i < count; i++) bytes[i] = (byte)((at + i) * 7 ^ ((at + i) >> 9));
        return bytes;
    }
}
