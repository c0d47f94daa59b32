// Finds the lines of a head, once each, however its bytes arrive: where a scan stopped for want of bytes it goes on.
// Every line ends in CRLF; a bare LF, a bare CR, NUL and other control bytes end the parse as soon as they are seen.
// RFC 9112 §2.2, §5.

using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Wire.Http1;

/// <summary>Where a parse of a head has come to.</summary>
internal struct HeadScan
{
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
        var found = Ascii.IndexOfControl(bytes[from..]);
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

    /// <summary>Reads a field line into an index. RFC 9112 §5.1: no white space before the colon; §5.2: no folding.</summary>
    public readonly HeadFault ReadField(ReadOnlySpan<byte> bytes, int end, FieldIndex into)
    {
        var line = bytes[LineStart..end];
        var nameLength = Ascii.TokenLength(line, out var isPlain);
        if (nameLength is 0 or > ushort.MaxValue || nameLength == line.Length || line[nameLength] != ':') return WhyNoName(line, nameLength);
        var name = line[..nameLength];
        if (!isPlain && ReadsAsFraming(name)) return HeadFault.BadFieldName;
        var valueStart = nameLength + 1;
        var valueEnd = line.Length;
        while (valueStart < valueEnd && (line[valueStart] is (byte)' ' or (byte)'\t')) valueStart++;
        while (valueEnd > valueStart && (line[valueEnd - 1] is (byte)' ' or (byte)'\t')) valueEnd--;
        ref var field = ref into.Add(isPlain ? KnownFields.Lookup(name) : KnownField.Other, isPlain);
        field.LineStart = field.NameStart = LineStart;
        field.LineEnd = end + 2;
        field.NameLength = (ushort)nameLength;
        field.ValueStart = LineStart + valueStart;
        field.ValueLength = valueEnd - valueStart;
        return HeadFault.None;
    }

    private static HeadFault WhyNoName(ReadOnlySpan<byte> line, int nameLength)
    {
        if (line[0] is (byte)' ' or (byte)'\t') return HeadFault.ObsFold;
        if (nameLength == line.Length) return HeadFault.MissingColon;
        return line[nameLength] is (byte)' ' or (byte)'\t' ? HeadFault.WhitespaceBeforeColon : HeadFault.BadFieldName;
    }

    // Servers that make variables of names would take these for the fields that frame a message.
    private static bool ReadsAsFraming(ReadOnlySpan<byte> name) => Ascii.EqualsAsVariable(name, "content_length"u8) || Ascii.EqualsAsVariable(name, "transfer_encoding"u8);
}
