// Small things about ASCII that several parsers share. Pure; nothing allocates.

using System.Buffers;
using System.Numerics;
using System.Runtime.Intrinsics;

namespace Weir.Wire.Bytes;

/// <summary>ASCII comparisons, character classes and numbers over bytes.</summary>
public static class Ascii
{
    /// <summary>token characters (RFC 9110 §5.6.2).</summary>
    public static readonly SearchValues<byte> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    // 1: letters, digits and '-'; 2: what else may stand in a token; 0: nothing that may.
    private static ReadOnlySpan<byte> TokenClass =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 2, 0, 2, 2, 2, 2, 2, 0, 0, 2, 2, 0, 1, 2, 0,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 2, 2,
        2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 0, 2, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    /// <summary>How many token characters <paramref name="bytes"/> begins with.</summary>
    /// <param name="bytes">A line.</param>
    /// <param name="isPlain">Whether all of them are letters, digits or '-'.</param>
    public static int TokenLength(ReadOnlySpan<byte> bytes, out bool isPlain)
    {
        var classes = TokenClass;
        var seen = 0;
        var i = 0;
        for (; i < bytes.Length; i++)
        {
            var c = classes[bytes[i]];
            if (c == 0) break;
            seen |= c;
        }

        isPlain = seen < 2;
        return i;
    }

    /// <summary>Where the first control but HTAB, or DEL, stands: nothing that may stand in a line. -1: none.</summary>
    public static int IndexOfControl(ReadOnlySpan<byte> bytes)
    {
        var i = 0;
        for (; bytes.Length - i >= Vector128<byte>.Count; i += Vector128<byte>.Count)
        {
            var sixteen = Vector128.Create(bytes[i..]);
            var controls = Vector128.LessThan(sixteen, Vector128.Create((byte)' ')) & ~Vector128.Equals(sixteen, Vector128.Create((byte)'\t'));
            var found = (controls | Vector128.Equals(sixteen, Vector128.Create((byte)0x7F))).ExtractMostSignificantBits();
            if (found != 0) return i + BitOperations.TrailingZeroCount(found);
        }

        for (; i < bytes.Length; i++)
        {
            if (bytes[i] is < (byte)' ' and not (byte)'\t' or 0x7F) return i;
        }

        return -1;
    }

    public static bool EqualsIgnoreCase(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => System.Text.Ascii.EqualsIgnoreCase(a, b);

    /// <summary>
    /// Whether two names become the same variable: letters are raised and '-' is turned into '_', as CGI does (RFC 3875 §4.1.18), or
    /// all that is neither letter nor digit, as some servers do.
    /// </summary>
    public static bool EqualsAsVariable(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.Length != b.Length) return false;
        for (var i = 0; i < a.Length; i++)
        {
            if (a[i] != b[i] && Variable(a[i]) != Variable(b[i])) return false;
        }

        return true;
        static byte Variable(byte b) => char.IsAsciiLetterOrDigit((char)b) ? ToLower(b) : (byte)'_';
    }

    public static byte ToLower(byte b) => b is >= (byte)'A' and <= (byte)'Z' ? (byte)(b | 0x20) : b;

    /// <summary>Writes the lower-case form; both spans have one length or the second is longer.</summary>
    public static void ToLower(ReadOnlySpan<byte> from, Span<byte> into)
    {
        for (var i = 0; i < from.Length; i++) into[i] = ToLower(from[i]);
    }

    public static bool IsDigit(byte b) => (uint)(b - '0') <= 9;

    public static bool IsToken(ReadOnlySpan<byte> bytes) => !bytes.IsEmpty && bytes.IndexOfAnyExcept(Token) < 0;

    /// <summary>The value of a hexadecimal digit, or -1.</summary>
    public static int Hex(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };

    /// <summary>Digits only, at least one, no sign, no overflow.</summary>
    public static bool TryDecimal(ReadOnlySpan<byte> digits, out long value)
    {
        value = 0;
        if (digits.IsEmpty || digits.Length > 19) return false;
        foreach (var b in digits)
        {
            if (!IsDigit(b)) return false;
            var digit = b - '0';
            if (value > (long.MaxValue - digit) / 10) return false;
            value = (value * 10) + digit;
        }

        return true;
    }

    /// <summary>Takes spaces and tabs off both ends (OWS, RFC 9110 §5.6.3).</summary>
    public static ReadOnlySpan<byte> TrimWhiteSpace(ReadOnlySpan<byte> bytes) => bytes.Trim(" \t"u8);
}
