// Small things about ASCII that several parsers share. Pure; nothing allocates.

using System.Buffers;

namespace Weir.Wire.Bytes;

/// <summary>ASCII comparisons, character classes and numbers over bytes.</summary>
public static class Ascii
{
    /// <summary>token characters (RFC 9110 §5.6.2).</summary>
    public static readonly SearchValues<byte> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    public static bool EqualsIgnoreCase(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => System.Text.Ascii.EqualsIgnoreCase(a, b);

    /// <summary>Whether two names become the same where letters are raised and '-' is turned into '_', as CGI (RFC 3875 §4.1.18) does.</summary>
    public static bool EqualsAsVariable(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.Length != b.Length) return false;
        for (var i = 0; i < a.Length; i++)
        {
            if (a[i] != b[i] && Variable(a[i]) != Variable(b[i])) return false;
        }

        return true;
        static byte Variable(byte b) => b == '-' ? (byte)'_' : ToLower(b);
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
