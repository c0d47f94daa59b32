// Names for requests: 32 hexadecimal digits, made when first asked for.

namespace Weir.Engine.Exchanges;

/// <summary>Request ids.</summary>
public static class RequestIds
{
    /// <summary>Bytes of an id that is made here.</summary>
    public const int Length = 32;

    /// <summary>The exchange's id; made now where it has none.</summary>
    public static ByteRange Of(Exchange exchange)
    {
        if (!exchange.RequestId.IsEmpty) return exchange.RequestId;
        if (!exchange.Scratch.TryTake(Length, out var room, out var range)) return default;
        Span<byte> random = stackalloc byte[Length / 2];
        exchange.Loop.Random.NextBytes(random);
        for (var i = 0; i < random.Length; i++)
        {
            room[i * 2] = "0123456789abcdef"u8[random[i] >> 4];
            room[(i * 2) + 1] = "0123456789abcdef"u8[random[i] & 15];
        }

        return exchange.RequestId = range;
    }
}
