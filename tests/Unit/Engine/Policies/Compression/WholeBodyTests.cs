using CsCheck;
using Weir.Engine.Policies.Compression;

namespace Weir.Tests.Unit.Engine.Policies.Compression;

public class WholeBodyTests
{
    [Fact]
    public void A_body_in_pieces_is_compressed_as_a_whole_where_it_fits()
    {
        Gen.Select(Gen.Int[0, 2].Select(static i => Codings.All[i]), Gen.Int[0, 40_000], Gen.Int[1, 9_000], Gen.Bool).Sample(
            (coding, length, size, isNoise) =>
            {
                var bytes = isNoise ? Bodies.Noise(length) : Bodies.Text(length);
                var pieces = bytes.Chunk(size).ToArray();
                var into = new byte[WholeBody.MostBytes(length)];
                Assert.True(WholeBody.TryCompress(coding, Codings.MostLevel(coding) / 2, length, pieces.Length, i => pieces[i], into, out var written));
                Assert.Equal(bytes, Bodies.Unpack(coding, into[..written]));
                for (var less = 1; less < written; less += 1 + (written / 7)) Assert.False(WholeBody.TryCompress(coding, Codings.MostLevel(coding) / 2, length, pieces.Length, i => pieces[i], into.AsSpan(0, written - less), out _));
            },
            iter: 60);
    }

    [Fact]
    public void The_highest_levels_are_there_for_what_nobody_waits_for()
    {
        foreach (var coding in Codings.All)
        {
            var (bytes, into) = (Bodies.Text(300_000), new byte[300_000]);
            Assert.True(WholeBody.TryCompress(coding, Codings.Levels(coding).Usual, bytes.Length, 1, _ => bytes, into, out var usual));
            Assert.True(WholeBody.TryCompress(coding, Codings.MostLevel(coding), bytes.Length, 1, _ => bytes, into, out var best));
            Assert.InRange(best, 1, usual);
            Assert.Equal(bytes, Bodies.Unpack(coding, into[..best]));
        }
    }
}
