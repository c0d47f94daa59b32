// Putting a value into a URI so that it cannot change what the URI's other parts mean. RFC 3986 §2.

using System.Buffers;
using Weir.Wire.Bytes;

namespace Weir.Engine.Exchanges;

/// <summary>Percent-encoding.</summary>
public static class PercentEncoding
{
    private static readonly SearchValues<byte> Unreserved = SearchValues.Create("-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!$'()*,:;@"u8);

    /// <summary>
    /// Writes a value, at most three bytes for each of its own. With <paramref name="keepSlash"/> it is decoded text of a path:
    /// '/' stays, and so does "%2F" or "%5C", which a path is matched with as they came.
    /// </summary>
    public static void Write(ref SpanWriter to, ReadOnlySpan<byte> value, bool keepSlash)
    {
        for (var i = 0; i < value.Length; i++)
        {
            var b = value[i];
            if (Unreserved.Contains(b) || (keepSlash && (b is (byte)'/' or (byte)'=' or (byte)'&' or (byte)'+' || IsKeptSlash(value[i..]))))
            {
                to.Write(b);
                continue;
            }

            Write(ref to, b);
        }
    }

    /// <summary>Writes one byte encoded.</summary>
    public static void Write(ref SpanWriter to, byte b)
    {
        to.Write((byte)'%');
        to.Write("0123456789ABCDEF"u8[b >> 4]);
        to.Write("0123456789ABCDEF"u8[b & 15]);
    }

    private static bool IsKeptSlash(ReadOnlySpan<byte> rest) =>
        rest.Length >= 3 && rest[0] == '%' && ((rest[1] == '2' && (rest[2] | 0x20) == 'f') || (rest[1] == '5' && (rest[2] | 0x20) == 'c'));
}
