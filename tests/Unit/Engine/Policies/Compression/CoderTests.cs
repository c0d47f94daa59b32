using CsCheck;
using Weir.Engine.Policies.Compression;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

public class CoderTests
{
    public static TheoryData<Coding> All => new(Codings.All);

    [Theory]
    [MemberData(nameof(All))]
    public void Whatever_goes_in_comes_out_again_at_every_level_and_by_any_steps(Coding coding)
    {
        var (least, most, _) = Codings.Levels(coding);
        Gen.Select(Gen.Byte.Array[0, 3000], Gen.Int[least, most], Gen.Int[1, 400], Gen.Int[64, 700], Gen.Bool).Sample(
            (bytes, level, step, room, flushes) =>
            {
                using var encoder = Coder.Encoder(coding, level);
                using var decoder = Coder.Decoder(coding);
                for (var again = 0; again < 2; again++)
                {
                    var packed = Run(encoder, bytes, step, room, flushes, out var status);
                    Assert.Equal(CoderStatus.Done, status);
                    Assert.Equal(bytes, Bodies.Unpack(coding, packed));
                    Assert.Equal(bytes, Run(decoder, packed, step, room, false, out status));
                    Assert.Equal(CoderStatus.Done, status);
                }
            },
            iter: 150);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Every_split_of_the_input_gives_the_same_bytes(Coding coding)
    {
        var bytes = Bodies.Text(2_000);
        var packed = Bodies.Pack(coding, bytes);
        using var decoder = Coder.Decoder(coding);
        for (var split = 0; split <= packed.Length; split++)
        {
            Assert.True(decoder.TryBegin(-1));
            var got = new List<byte>();
            Assert.Equal(CoderStatus.Done, Feed(decoder, packed.AsSpan(0, split), CoderStep.Go, 8_192, got));
            Assert.Equal(CoderStatus.Done, Feed(decoder, packed.AsSpan(split), CoderStep.Finish, 8_192, got));
            Assert.Equal(bytes, got);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_is_cut_short_is_broken_wherever_it_is_cut(Coding coding)
    {
        var packed = Bodies.Pack(coding, Bodies.Text(2_000));
        using var decoder = Coder.Decoder(coding);
        for (var length = 1; length < packed.Length; length++)
        {
            Run(decoder, packed[..length], int.MaxValue, 8_192, false, out var status);
            Assert.Equal(CoderStatus.Broken, status);
        }

        Run(decoder, [], int.MaxValue, 8_192, false, out var empty);
        Assert.Equal(CoderStatus.Done, empty); // No content at all is none in any coding.
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_a_flush_gives_out_can_be_read_up_to_there(Coding coding)
    {
        using var encoder = Coder.Encoder(coding, Codings.Levels(coding).Usual);
        Assert.True(encoder.TryBegin(-1));
        var (got, sent) = (new List<byte>(), new List<byte>());
        for (var i = 0; i < 20; i++)
        {
            var piece = Bodies.Text(37 + (i * 100));
            sent.AddRange(piece);
            Assert.Equal(CoderStatus.Done, Feed(encoder, piece, CoderStep.Go, 100, got));
            Assert.Equal(CoderStatus.Done, Feed(encoder, default, CoderStep.Flush, 100, got));
            Assert.Equal(sent, Bodies.Unpack(coding, [.. got]));
        }
    }

    [Fact]
    public void Members_and_frames_that_follow_one_another_are_one_body_and_nothing_else_may()
    {
        foreach (var coding in new[] { Coding.Gzip, Coding.Zstd })
        {
            using var decoder = Coder.Decoder(coding);
            byte[] twice = [.. Bodies.Pack(coding, Bodies.Text(500)), .. Bodies.Pack(coding, Bodies.Text(700))];
            for (var step = 1; step < twice.Length; step++)
            {
                Assert.Equal([.. Bodies.Text(500), .. Bodies.Text(700)], Run(decoder, twice, step, 300, false, out var status));
                Assert.Equal(CoderStatus.Done, status);
            }
        }

        foreach (var coding in Codings.All)
        {
            using var decoder = Coder.Decoder(coding);
            Run(decoder, [.. Bodies.Pack(coding, Bodies.Text(500)), .. "garbage"u8], 10_000, 8_192, false, out var status);
            Assert.Equal(CoderStatus.Broken, status);
        }
    }

    [Fact]
    public void A_window_of_zstd_beyond_8_MiB_is_refused()
    {
        using var decoder = Coder.Decoder(Coding.Zstd);
        foreach (var (window, isGood) in new[] { (23, true), (24, false) })
        {
            var packed = new MemoryStream();
            using (var compressor = new ZstdSharp.CompressionStream(packed, 3, leaveOpen: true))
            {
                compressor.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_windowLog, window);
                for (var i = 0; i < 30; i++) compressor.Write(Bodies.Text(1_000_000));
            }

            Run(decoder, packed.ToArray(), 100_000, 65_536, false, out var status);
            Assert.Equal(isGood ? CoderStatus.Done : CoderStatus.Broken, status);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_coder_that_is_used_again_allocates_nothing(Coding coding)
    {
        using var encoder = Coder.Encoder(coding, Codings.Levels(coding).Usual);
        using var decoder = Coder.Decoder(coding);
        var (bytes, packed, room) = (Bodies.Text(20_000), new byte[32_768], new byte[32_768]);
        Cycle();
        Cycle();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++) Cycle();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Cycle()
        {
            encoder.TryBegin(-1);
            encoder.Step(bytes, packed, CoderStep.Finish, out _, out var length);
            decoder.TryBegin(-1);
            decoder.Step(packed.AsSpan(0, length), room, CoderStep.Finish, out _, out var back);
            if (back != bytes.Length) throw new InvalidOperationException($"{back} bytes came back");
        }
    }

    internal static byte[] Run(Coder coder, byte[] bytes, int step, int room, bool flushes, out CoderStatus status)
    {
        var got = new List<byte>();
        Assert.True(coder.TryBegin(-1));
        for (var at = 0; at < bytes.Length; at += Math.Min(step, bytes.Length - at))
        {
            status = Feed(coder, bytes.AsSpan(at, Math.Min(step, bytes.Length - at)), CoderStep.Go, room, got);
            if (status == CoderStatus.Done && flushes) status = Feed(coder, default, CoderStep.Flush, room, got);
            if (status != CoderStatus.Done) return [.. got];
        }

        status = Feed(coder, default, CoderStep.Finish, room, got);
        return [.. got];
    }

    private static CoderStatus Feed(Coder coder, ReadOnlySpan<byte> input, CoderStep step, int room, List<byte> got)
    {
        var output = new byte[room];
        while (true)
        {
            var status = coder.Step(input, output, step, out var used, out var written);
            got.AddRange(output.AsSpan(0, written));
            input = input[used..];
            if (status != CoderStatus.NeedsRoom) return status;
        }
    }
}
