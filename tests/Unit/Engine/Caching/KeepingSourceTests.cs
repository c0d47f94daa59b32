using Weir.Engine.Caching;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Tests.Unit.Engine.Caching;

public class KeepingSourceTests
{
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 0)]
    public void A_body_of_which_a_part_had_no_room_is_not_kept_but_passes_whole(bool isShort, int kept)
    {
        var cache = new Cache("c", 1) { MemoryLimit = 1 << 20 };
        var plan = new CachePlan { Cache = cache, Key = new KeyRecipe([]), Forward = null! };
        cache.TryBegin(new CacheKey(1, ByteRange.Of("http://a/"u8.ToArray()), ByteRange.Of([])), isJoinable: false, out var fill);
        var response = StoredResponse.Make(200, "A: b\r\n"u8, [], VaryRule.None, [], new OriginName("o"u8.ToArray(), false, []), new StoredBody(-1, cache.Memory), cache.Memory);
        using var source = new KeepingSource(new Pieces(3, 200_000), response, fill, plan);
        for (var i = 0; i < 3; i++)
        {
            if (isShort) cache.Memory.Most = i == 1 ? 0 : 1 << 24; // Others have it for a moment.
            Assert.Equal(BodyStatus.Piece, source.TryRead(out var piece));
            Assert.Equal(200_000, piece.Length);
            source.Advance(piece.Length);
        }

        Assert.Equal(BodyStatus.End, source.TryRead(out _));
        Assert.Equal(kept, cache.Count);
    }

    private sealed class Pieces(int count, int size) : BodySource
    {
        private readonly byte[] piece = new byte[size];
        private int left = count;

        public override Signal Ready { get; } = new();

        public override long Length => -1;

        public override FaultCause Failure => FaultCause.None;

        public override bool IsAtEnd => left == 0;

        public override BodyStatus TryRead(out ReadOnlySpan<byte> next)
        {
            next = left == 0 ? default : piece;
            return left == 0 ? BodyStatus.End : BodyStatus.Piece;
        }

        public override void Advance(int taken) => left--;
    }
}
