using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Policies.Compression;
using Weir.Tests.Unit.Engine.Forwarding;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

public class CodedSourceTests
{
    private readonly ManualPoller poller = new();
    private readonly MemoryBudget budget = new(1L << 30);
    private readonly Loop loop;
    private readonly BufferPool buffers;
    private readonly BodyCoders coders;
    private readonly Exchange exchange;
    private readonly LiveBody live = new();

    public CodedSourceTests()
    {
        loop = new Loop(poller);
        buffers = new BufferPool(budget);
        coders = new BodyCoders(loop, buffers, budget);
        exchange = new Exchange(loop, buffers);
    }

    public static TheoryData<Coding> All => new(Codings.All);

    [Theory]
    [MemberData(nameof(All))]
    public void A_body_comes_through_in_any_pieces_taken_by_any_steps(Coding coding)
    {
        var bytes = Bodies.Text(70_000);
        foreach (var (feed, take) in new[] { (1_000, int.MaxValue), (70_000, 7), (33_000, 1_000), (1, int.MaxValue), (9_999, 1) })
        {
            live.Begin(-1);
            for (var at = 0; at < bytes.Length; at += feed) live.Feed(bytes[at..Math.Min(bytes.Length, at + feed)]);
            live.End();
            var source = Compress(coding);
            Assert.Equal(-1, source.Length);
            Assert.Equal(bytes, Bodies.Unpack(coding, ReadAll(source, take)));
            Assert.True(source.IsAtEnd);
            End();
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_was_compressed_is_decompressed_one_behind_the_other(Coding coding)
    {
        var bytes = Bodies.Text(200_000);
        live.Feed(bytes);
        live.End();
        BodySource source = Compress(coding);
        source = coders.TryDecompress(exchange, source, CodedBody.ResponseDecompressed, coding, long.MaxValue, 0)!;
        Assert.Equal(bytes, ReadAll(source, 5_000));
        Assert.Equal(2, coders.Coders.AtWork);
        End();
        var count = coders.Of(CodedBody.ResponseCompressed, coding);
        Assert.Equal((1, 200_000L), (count.Bodies, count.BytesIn));
        Assert.Equal(count.BytesOut, coders.Of(CodedBody.ResponseDecompressed, coding).BytesIn);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_source_that_pauses_is_flushed_after_a_moment_and_one_that_goes_on_is_not(Coding coding)
    {
        var source = Compress(coding);
        var got = new List<byte>();
        var sent = new List<byte>();
        var flushed = 0;
        for (var i = 0; i < 50; i++)
        {
            var piece = Bodies.Text(100 + i);
            live.Feed(piece);
            sent.AddRange(piece);
            var before = got.Count;
            Assert.Equal(BodyStatus.Wait, Read(source, got));
            Assert.Equal(0, buffers.Leased);
            if (got.Count > before) flushed++;
            Assert.Same(live.Ready, source.Ready);
            poller.Now += 1;
            loop.Turn(false);
        }

        Assert.InRange(flushed, 5, 13); // Fifty pieces in fifty milliseconds, given out every five.
        Assert.NotEqual(long.MaxValue, source.AskAgainAt);
        poller.Now = source.AskAgainAt;
        loop.Turn(false);
        Assert.Equal(BodyStatus.Wait, Read(source, got));
        Assert.Equal(sent, Bodies.Unpack(coding, [.. got]));
        Assert.Equal(long.MaxValue, source.AskAgainAt);
        End();
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Events_are_given_out_at_once(Coding coding)
    {
        var source = coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, coding, 3, isLive: true)!;
        var (got, sent) = (new List<byte>(), new List<byte>());
        for (var i = 0; i < 10; i++)
        {
            var piece = Bodies.Text(50 + i);
            live.Feed(piece);
            sent.AddRange(piece);
            Assert.Equal(BodyStatus.Wait, Read(source, got));
            Assert.Equal(sent, Bodies.Unpack(coding, [.. got]));
            Assert.Equal(0, buffers.Leased);
        }

        End();
    }

    [Fact]
    public void After_32_KiB_the_others_have_their_turn()
    {
        live.Feed(Bodies.Noise(200_000));
        live.End();
        var source = Compress(Coding.Gzip);
        var got = new List<byte>();
        var turns = 0;
        while (Read(source, got) == BodyStatus.Wait)
        {
            Assert.Equal(Math.Min(200_000, (turns + 1) * CodedSource.MostInTurn), live.Used);
            Assert.False(source.Ready.IsSet);
            Assert.NotSame(live.Ready, source.Ready);
            Assert.Equal(0, buffers.Leased);
            loop.Turn(false);
            Assert.True(source.Ready.IsSet);
            turns++;
        }

        Assert.Equal(6, turns);
        Assert.Equal(Bodies.Noise(200_000), Bodies.Unpack(Coding.Gzip, [.. got]));
        End();
    }

    [Fact]
    public void A_body_that_breaks_off_is_never_made_to_look_whole()
    {
        foreach (var coding in Codings.All)
        {
            live.Begin(-1);
            live.Feed(Bodies.Text(5_000));
            live.Break(FaultCause.Closed);
            var source = Compress(coding);
            var got = new List<byte>();
            Assert.Equal(BodyStatus.Broken, Read(source, got));
            Assert.Equal(FaultCause.Closed, source.Failure);
            End();

            live.Begin(-1);
            live.Feed([.. Bodies.Pack(coding, Bodies.Text(50_000)).AsSpan()[..^3]]);
            live.End();
            source = coders.TryDecompress(exchange, live, CodedBody.RequestDecompressed, coding, long.MaxValue, 0)!;
            Assert.Equal(BodyStatus.Broken, Read(source, got));
            Assert.Equal(FaultCause.Malformed, source.Failure);
            End();
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_bomb_is_stopped_at_its_size_and_at_its_ratio(Coding coding)
    {
        var bomb = Bodies.Pack(coding, new byte[20_000_000]);
        foreach (var (most, ratio, least, limit) in new[] { (5_000_000L, 0, 4_900_000, 5_000_000), (long.MaxValue, 50, 1_000_000, CodedSource.FreeOfRatio + (50 * bomb.Length)) })
        {
            live.Begin(-1);
            live.Feed(bomb);
            live.End();
            var source = coders.TryDecompress(exchange, live, CodedBody.RequestDecompressed, coding, most, ratio)!;
            var got = new List<byte>();
            BodyStatus status;
            while ((status = Read(source, got)) == BodyStatus.Wait) loop.Turn(false);
            Assert.Equal(BodyStatus.Broken, status);
            Assert.Equal(FaultCause.BodyTooLarge, source.Failure);
            Assert.InRange(got.Count, least, limit);
            End();
        }

        // At the limit itself it is whole.
        live.Begin(-1);
        live.Feed(bomb);
        live.End();
        Assert.Equal(20_000_000, ReadAll(coders.TryDecompress(exchange, live, CodedBody.RequestDecompressed, coding, 20_000_000, 0)!, int.MaxValue).Length);
        End();
    }

    [Fact]
    public void Too_many_coders_or_too_little_memory_and_there_are_none()
    {
        for (var i = 0; i < CoderPool.MostAtWork; i++) Assert.NotNull(coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, Coding.Gzip, 1, false) ?? (i > 1_000 ? new object() : null));
        Assert.InRange(budget.Used, 1, budget.Limit / 4 * 3);
        Assert.Null(coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, Coding.Zstd, 3, false));
        End();
        budget.Limit = 1 << 20;
        coders.Coders.LetGo();
        Assert.Null(coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, Coding.Zstd, 3, false));
        Assert.NotNull(coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, Coding.Gzip, 3, false));
        End();
        coders.Coders.Trim();
        coders.Coders.Trim();
        buffers.LetGo();
        Assert.Equal(0, budget.Used);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_body_allocates_nothing_in_steady_state(Coding coding)
    {
        var piece = Bodies.Text(20_000);
        live.IsLean = true;
        Send();
        Send();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++) Send();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Send()
        {
            live.Begin(-1);
            live.Feed(piece);
            live.Feed(piece);
            live.End();
            var source = coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, coding, 4, false)!;
            BodyStatus status;
            while ((status = source.TryRead(out var got)) != BodyStatus.End)
            {
                if (status == BodyStatus.Piece) source.Advance(got.Length);
                else loop.Turn(false);
            }

            exchange.End();
        }
    }

    private BodySource Compress(Coding coding) => coders.TryCompress(exchange, live, CodedBody.ResponseCompressed, coding, Codings.Levels(coding).Usual, isLive: false)!;

    private byte[] ReadAll(BodySource source, int take)
    {
        var got = new List<byte>();
        BodyStatus status;
        while ((status = Read(source, got, take)) == BodyStatus.Wait) loop.Turn(false);
        Assert.Equal(BodyStatus.End, status);
        return [.. got];
    }

    // What is asked for again before it was used is the same.
    private static BodyStatus Read(BodySource source, List<byte> got, int take = int.MaxValue)
    {
        while (true)
        {
            var status = source.TryRead(out var piece);
            if (status != BodyStatus.Piece) return status;
            Assert.False(piece.IsEmpty);
            var first = piece[0];
            Assert.Equal(BodyStatus.Piece, source.TryRead(out var again));
            Assert.Equal(first, again[0]);
            Assert.Equal(piece.Length, again.Length);
            var count = Math.Min(take, piece.Length);
            got.AddRange(piece[..count]);
            source.Advance(count);
        }
    }

    private void End()
    {
        exchange.End();
        Assert.Equal(0, buffers.Leased);
        Assert.Equal(0, coders.Coders.AtWork);
    }
}
