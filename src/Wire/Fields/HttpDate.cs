// Dates in fields: written as IMF-fixdate, read in the three forms of RFC 9110 §5.6.7.

using System.Globalization;
using System.Text;

namespace Weir.Wire.Fields;

/// <summary>HTTP dates.</summary>
public static class HttpDate
{
    /// <summary>Bytes of an IMF-fixdate.</summary>
    public const int Length = 29;

    private static readonly string[] Obsolete = ["dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy", "ddd MMM  d HH:mm:ss yyyy"];

    // Two digits of a year are at most fifty years ahead (RFC 9110 §5.6.7), counted from when this was written: there is no clock here, and
    // a date too early makes nothing fresh.
    private static readonly CultureInfo Culture = Make(new GregorianCalendar { TwoDigitYearMax = 2076 });

    /// <summary>Writes "Sun, 06 Nov 1994 08:49:37 GMT".</summary>
    public static void Write(DateTime utc, Span<byte> into)
    {
        if (!System.Buffers.Text.Utf8Formatter.TryFormat(utc, into, out _, new System.Buffers.StandardFormat('R'))) throw new ArgumentException("no room for a date", nameof(into));
    }

    /// <summary>Reads any of the three forms. Allocates only for the obsolete two.</summary>
    public static bool TryRead(ReadOnlySpan<byte> value, out DateTime utc)
    {
        if (System.Buffers.Text.Utf8Parser.TryParse(value, out DateTime read, out var used, 'R') && used == value.Length)
        {
            utc = DateTime.SpecifyKind(read, DateTimeKind.Utc);
            return true;
        }

        utc = default;
        if (value.Length > 40) return false;
        return DateTime.TryParseExact(Encoding.ASCII.GetString(value), Obsolete, Culture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out utc);
    }

    private static CultureInfo Make(Calendar calendar)
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.DateTimeFormat.Calendar = calendar;
        return culture;
    }
}
