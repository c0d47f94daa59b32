// Which content codings a client takes, and how gladly. RFC 9110 §12.4.2, §12.5.3.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Answers;

/// <summary>A content coding, and the ending of files that are stored in it.</summary>
public sealed class FileCoding(string suffix, string coding)
{
    public string Suffix => suffix;

    public string Coding => coding;

    internal byte[] Name { get; } = System.Text.Encoding.ASCII.GetBytes(coding);
}

/// <summary>Reads Accept-Encoding.</summary>
public static class AcceptedCodings
{
    // Elements looked at; nobody names more.
    private const int MostElements = 64;

    /// <summary>The weight of each coding in thousandths; 0: not acceptable, or not named.</summary>
    public static void Read(FieldBlock fields, ReadOnlySpan<FileCoding> codings, Span<int> qualities)
    {
        qualities.Fill(-1);
        var others = 0;
        var elements = 0;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            if (fields.Index[i].Known != KnownField.AcceptEncoding) continue;
            foreach (var element in new ListElements(fields.Value(i)))
            {
                if (++elements > MostElements) break;
                var semicolon = element.IndexOf((byte)';');
                var name = Ascii.TrimWhiteSpace(semicolon < 0 ? element : element[..semicolon]);
                var quality = semicolon < 0 ? 1000 : Quality(element[(semicolon + 1)..]);
                if (name.SequenceEqual("*"u8)) others = quality;
                for (var c = 0; c < codings.Length; c++)
                {
                    if (Ascii.EqualsIgnoreCase(name, codings[c].Name)) qualities[c] = quality;
                }
            }
        }

        qualities.Replace(-1, others);
    }

    // weight = OWS ";" OWS "q=" qvalue; what is not one is no weight at all, and refuses: better too little than too much.
    private static int Quality(ReadOnlySpan<byte> weight)
    {
        weight = Ascii.TrimWhiteSpace(weight);
        if (weight.Length is < 3 or > 7 || weight[0] is not ((byte)'q' or (byte)'Q') || weight[1] != '=') return 0;
        var value = weight[2..];
        if (value[0] is not ((byte)'0' or (byte)'1') || (value.Length > 1 && value[1] != '.')) return 0;
        var quality = (value[0] - '0') * 1000;
        var scale = 100;
        foreach (var digit in value.Length > 2 ? value[2..] : default)
        {
            if (!Ascii.IsDigit(digit)) return 0;
            quality += (digit - '0') * scale;
            scale /= 10;
        }

        return Math.Min(quality, 1000);
    }
}
