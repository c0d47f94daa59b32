// Dictionaries of structured fields (RFC 8941 §4.2.2), one field line at a time. Strict, as that parser is: what does not
// parse to the line's end is no dictionary.

namespace Weir.Wire.Fields;

/// <summary>What stands behind a key.</summary>
public enum StructuredKind : byte
{
    Boolean,
    Integer,
    Decimal,
    Text,
    Token,
    Binary,
    InnerList,
}

/// <summary>Enumerates a dictionary's members; parameters are read over. Ask <see cref="IsBroken"/> at the end.</summary>
public ref struct StructuredDictionary(ReadOnlySpan<byte> line)
{
    private const int MostIntegerDigits = 15;
    private const int MostWholeDigits = 12;
    private const int MostFractionDigits = 3;

    private ReadOnlySpan<byte> rest = line.Trim((byte)' ');
    private bool hasBegun;

    public ReadOnlySpan<byte> Key { get; private set; }

    public StructuredKind Kind { get; private set; }

    /// <summary>The value of an integer, and of a boolean: 0 or 1.</summary>
    public long Number { get; private set; }

    /// <summary>What stands between a string's quotes, its escapes untouched, or between a byte sequence's colons, still in base64; a token.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>Whether the line is no dictionary; members that were enumerated before do not count then.</summary>
    public bool IsBroken { get; private set; }

    public bool MoveNext()
    {
        if (IsBroken) return false;
        if (hasBegun && !SkipComma()) return false;
        hasBegun = true;
        if (rest.IsEmpty) return false;
        if (!TryKey(out var key) || !TryValue() || !TryParameters())
        {
            IsBroken = true;
            return false;
        }

        Key = key;
        return true;
    }

    private bool SkipComma()
    {
        rest = rest.TrimStart(" \t"u8);
        if (rest.IsEmpty) return false;
        if (rest[0] == ',') rest = rest[1..].TrimStart(" \t"u8);
        else IsBroken = true;
        IsBroken |= rest.IsEmpty;
        return !IsBroken;
    }

    private bool TryKey(out ReadOnlySpan<byte> key)
    {
        var length = 0;
        while (length < rest.Length && (rest[length] is >= (byte)'a' and <= (byte)'z' or (byte)'*' || (length > 0 && rest[length] is >= (byte)'0' and <= (byte)'9' or (byte)'_' or (byte)'-' or (byte)'.'))) length++;
        key = rest[..length];
        rest = rest[length..];
        return length > 0;
    }

    private bool TryValue()
    {
        if (!rest.IsEmpty && rest[0] == '=')
        {
            rest = rest[1..];
            return !rest.IsEmpty && rest[0] == '(' ? TryInnerList() : TryItem();
        }

        (Kind, Number) = (StructuredKind.Boolean, 1);
        return true;
    }

    private bool TryInnerList()
    {
        rest = rest[1..];
        for (var isFirst = true; ; isFirst = false)
        {
            var trimmed = rest.TrimStart((byte)' ');
            var isApart = isFirst || trimmed.Length < rest.Length;
            rest = trimmed;
            if (rest.IsEmpty) return false;
            if (rest[0] == ')')
            {
                rest = rest[1..];
                Kind = StructuredKind.InnerList;
                return true;
            }

            if (!isApart || !TryItem() || !TryParameters()) return false;
        }
    }

    private bool TryParameters()
    {
        while (!rest.IsEmpty && rest[0] == ';')
        {
            rest = rest[1..].TrimStart((byte)' ');
            if (!TryKey(out _)) return false;
            if (rest.IsEmpty || rest[0] != '=') continue;
            rest = rest[1..];
            var (kind, number) = (Kind, Number);
            var text = Text;
            if (!TryItem()) return false;
            (Kind, Number) = (kind, number);
            Text = text;
        }

        return true;
    }

    private bool TryItem()
    {
        if (rest.IsEmpty) return false;
        return rest[0] switch
        {
            (byte)'-' or (>= (byte)'0' and <= (byte)'9') => TryNumber(),
            (byte)'"' => TryText(),
            (byte)'*' or (>= (byte)'a' and <= (byte)'z') or (>= (byte)'A' and <= (byte)'Z') => TryToken(),
            (byte)':' => TryBinary(),
            (byte)'?' => TryBoolean(),
            _ => false,
        };
    }

    private bool TryNumber()
    {
        var isNegative = rest[0] == '-';
        if (isNegative) rest = rest[1..];
        var whole = Digits(rest);
        if (whole is 0 or > MostIntegerDigits) return false;
        Number = 0;
        foreach (var digit in rest[..whole]) Number = (Number * 10) + (digit - '0');
        if (isNegative) Number = -Number;
        rest = rest[whole..];
        Kind = StructuredKind.Integer;
        if (rest.IsEmpty || rest[0] != '.') return true;
        var fraction = Digits(rest[1..]);
        if (whole > MostWholeDigits || fraction is 0 or > MostFractionDigits) return false;
        rest = rest[(1 + fraction)..];
        Kind = StructuredKind.Decimal;
        return true;
    }

    private bool TryText()
    {
        for (var i = 1; i < rest.Length; i++)
        {
            switch (rest[i])
            {
                case (byte)'\\':
                    if (++i == rest.Length || rest[i] is not ((byte)'"' or (byte)'\\')) return false;
                    break;
                case (byte)'"':
                    Text = rest[1..i];
                    rest = rest[(i + 1)..];
                    Kind = StructuredKind.Text;
                    return true;
                case < 0x20 or > 0x7E:
                    return false;
            }
        }

        return false;
    }

    private bool TryToken()
    {
        var length = 1;
        while (length < rest.Length && (Bytes.Ascii.Token.Contains(rest[length]) || rest[length] is (byte)':' or (byte)'/')) length++;
        Text = rest[..length];
        rest = rest[length..];
        Kind = StructuredKind.Token;
        return true;
    }

    private bool TryBinary()
    {
        var length = rest[1..].IndexOf((byte)':');
        if (length < 0) return false;
        foreach (var b in rest.Slice(1, length))
        {
            if (!char.IsAsciiLetterOrDigit((char)b) && b is not ((byte)'+' or (byte)'/' or (byte)'=')) return false;
        }

        Text = rest.Slice(1, length);
        rest = rest[(length + 2)..];
        Kind = StructuredKind.Binary;
        return true;
    }

    private bool TryBoolean()
    {
        if (rest.Length < 2 || rest[1] is not ((byte)'0' or (byte)'1')) return false;
        (Kind, Number) = (StructuredKind.Boolean, rest[1] - '0');
        rest = rest[2..];
        return true;
    }

    private static int Digits(ReadOnlySpan<byte> bytes)
    {
        var other = bytes.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return other < 0 ? bytes.Length : other;
    }
}
