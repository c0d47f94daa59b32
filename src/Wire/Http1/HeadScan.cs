// Finds the lines of a head, once each, however its bytes arrive: where a scan stopped for want of bytes it goes on.
// Every line ends in CRLF; a bare LF, a bare CR, NUL and other control bytes end the parse as soon as they are seen.
// RFC 9112 §2.2, §5.

using System.Buffers;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Wire.Http1;

/// <summary>Where a parse of a head has come to.</summary>
internal struct HeadScan
{
    // Controls but HTAB, and DEL: none may stand in a line.
    private static readonly SearchValues<byte> Controls = SearchValues.Create(
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127,
    ]);

    /// <summary>Where the line under way begins.</summary>
    public int LineStart;

    /// <summary>Up to where that line was searched.</summary>
    public int Searched;

    /// <summary>Whether the start line was read.</summary>
    public bool StartLineDone;

    /// <summary>Finds the end of the line under way: <paramref name="end"/> is where its CR stands.</summary>
    public ParseStatus NextLine(ReadOnlySpan<byte> bytes, out int end, out HeadFault fault)
    {
        fault = HeadFault.None;
        var from = Math.Max(Searched, LineStart);
        var found = bytes[from..].IndexOfAny(Controls);
        if (found < 0)
        {
            Searched = bytes.Length;
            end = 0;
            return ParseStatus.NeedMore;
        }

        end = from + found;
        if (bytes[end] != '\r')
        {
            fault = bytes[end] == '\n' ? HeadFault.BareLf : HeadFault.ControlByte;
            return ParseStatus.Bad;
        }

        if (end + 1 == bytes.Length)
        {
            Searched = end;
            return ParseStatus.NeedMore;
        }

        if (bytes[end + 1] == '\n') return ParseStatus.Done;
        fault = HeadFault.BareCr;
        return ParseStatus.Bad;
    }

    /// <summary>Goes on behind a line that ended at <paramref name="end"/>.</summary>
    public void Accept(int end) => LineStart = Searched = end + 2;

    // Gateways that turn '-' into '_' would take these for the fields that frame a message.
    private static bool ReadsAsFraming(ReadOnlySpan<byte> name) =>
        (name.Length == 14 && name[7] == '_' && Ascii.EqualsIgnoreCase(name, "Content_Length"u8))
        || (name.Length == 17 && name[8] == '_' && Ascii.EqualsIgnoreCase(name, "Transfer_Encoding"u8));

    /// <summary>Reads a field line. RFC 9112 §5.1: no white space before the colon; §5.2: no folding.</summary>
    public readonly HeadFault ReadField(ReadOnlySpan<byte> bytes, int end, out FieldSlice field)
    {
        field = default;
        var line = bytes[LineStart..end];
        if (line[0] is (byte)' ' or (byte)'\t') return HeadFault.ObsFold;
        var nameLength = line.IndexOfAnyExcept(Ascii.Token);
        if (nameLength < 0) return HeadFault.MissingColon;
        if (line[nameLength] != ':') return line[nameLength] is (byte)' ' or (byte)'\t' ? HeadFault.WhitespaceBeforeColon : HeadFault.BadFieldName;
        if (nameLength is 0 or > ushort.MaxValue) return HeadFault.BadFieldName;
        if (ReadsAsFraming(line[..nameLength])) return HeadFault.BadFieldName;
        var valueStart = nameLength + 1;
        var valueEnd = line.Length;
        while (valueStart < valueEnd && (line[valueStart] is (byte)' ' or (byte)'\t')) valueStart++;
        while (valueEnd > valueStart && (line[valueEnd - 1] is (byte)' ' or (byte)'\t')) valueEnd--;
        field = new FieldSlice
        {
            LineStart = LineStart,
            LineEnd = end + 2,
            NameStart = LineStart,
            NameLength = (ushort)nameLength,
            ValueStart = LineStart + valueStart,
            ValueLength = valueEnd - valueStart,
            Known = KnownFields.Lookup(line[..nameLength]),
        };
        return HeadFault.None;
    }
}
