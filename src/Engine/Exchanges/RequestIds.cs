// Names for requests: 32 hexadecimal digits, made when first asked for, or what the request came with where that is passed
// on. What peers sent names a request only if it is short and plain.

using Weir.Wire.Fields;

namespace Weir.Engine.Exchanges;

/// <summary>Request ids.</summary>
public static class RequestIds
{
    /// <summary>Bytes of an id that is made here.</summary>
    public const int Length = 32;

    /// <summary>Bytes of an id that somebody sent, at most.</summary>
    public const int Longest = 128;

    // No quote, backslash, comma or space: an id stands unquoted in a log, a list or a command.
    private static readonly System.Buffers.SearchValues<byte> Plain = System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=:@|"u8);

    /// <summary>Whether what somebody sent may name a request here.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> id) => id.Length is > 0 and <= Longest && !id.ContainsAnyExcept(Plain);

    /// <summary>
    /// The id for a record: the exchange's own, else the X-Request-ID that was passed on, which need not be unique nor true, else
    /// one made now. Empty where there is no room.
    /// </summary>
    public static ByteRange ForRecord(Exchange exchange)
    {
        if (exchange.RequestId.IsEmpty) exchange.RequestId = PassedOn(exchange.Request.Fields);
        return Of(exchange);
    }

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

    private static ByteRange PassedOn(FieldBlock fields)
    {
        foreach (ref readonly var field in fields.Added)
        {
            if (field.Known == KnownField.XRequestId) return IsPlain(field.Value.Span) ? field.Value : default;
        }

        if (fields.Index.CountOf(KnownField.XRequestId) != 1) return default;
        var index = fields.Index.IndexOf(KnownField.XRequestId);
        return !fields.IsDropped(index) && IsPlain(fields.Value(index)) ? fields.Range(index) : default;
    }
}
