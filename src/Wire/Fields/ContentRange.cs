// Content-Range of one part (RFC 9110 §14.4): which bytes of how many.

using Weir.Wire.Bytes;

namespace Weir.Wire.Fields;

/// <summary>Bytes from <paramref name="First"/> to <paramref name="Last"/>, of <paramref name="Total"/>.</summary>
public readonly record struct ContentRange(long First, long Last, long Total)
{
    public long Count => Last - First + 1;

    /// <summary>Reads "bytes 0-99/1000"; false too where it does not say of how many, or makes no sense.</summary>
    public static bool TryRead(ReadOnlySpan<byte> value, out ContentRange range)
    {
        range = default;
        if (value.Length < 6 || !Ascii.EqualsIgnoreCase(value[..6], "bytes "u8)) return false;
        value = value[6..];
        var (dash, slash) = (value.IndexOf((byte)'-'), value.IndexOf((byte)'/'));
        if (dash < 0 || slash < dash) return false;
        if (!Ascii.TryDecimal(value[..dash], out var first) || !Ascii.TryDecimal(value[(dash + 1)..slash], out var last) || !Ascii.TryDecimal(value[(slash + 1)..], out var total)) return false;
        range = new ContentRange(first, last, total);
        return first <= last && last < total;
    }
}
