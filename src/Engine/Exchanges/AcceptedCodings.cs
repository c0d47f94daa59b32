// Which content codings a client takes, and how gladly. RFC 9110 §12.4.2, §12.5.3.

using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Exchanges;

/// <summary>Reads Accept-Encoding.</summary>
public static class AcceptedCodings
{
    // Elements looked at; nobody names more.
    private const int MostElements = 64;

    /// <summary>The weight of each coding in thousandths; 0: not acceptable, or not named. As the client wrote it, whatever is sent on.</summary>
    /// <param name="fields">The request's.</param>
    /// <param name="codings">Names, in lower case.</param>
    /// <param name="qualities">Their weights.</param>
    /// <returns>The weight of what has no coding; -1: it is acceptable, and nothing was said of it.</returns>
    public static int Read(FieldBlock fields, ReadOnlySpan<byte[]> codings, Span<int> qualities)
    {
        qualities.Fill(-1);
        var plain = -1;
        var others = -1;
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
                else if (Ascii.EqualsIgnoreCase(name, "identity"u8)) plain = quality;
                else if (Ascii.EqualsIgnoreCase(name, "x-gzip"u8)) name = "gzip"u8; // RFC 9110 §8.4.1.3: the same.
                for (var c = 0; c < codings.Length; c++)
                {
                    if (Ascii.EqualsIgnoreCase(name, codings[c])) qualities[c] = quality;
                }
            }
        }

        qualities.Replace(-1, Math.Max(others, 0));
        return plain >= 0 ? plain : others == 0 ? 0 : -1;
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
