// The time of a record. The second is written out once and kept; only the milliseconds change.

using System.Globalization;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;

namespace Weir.Engine.Observe;

internal static class LogTime
{
    [ThreadStatic]
    private static byte[]? text;

    [ThreadStatic]
    private static long second;

    [ThreadStatic]
    private static byte[]? commonText;

    [ThreadStatic]
    private static long commonSecond;

    /// <summary>"[10/Oct/2000:13:55:36 +0000]" without its brackets.</summary>
    public static void WriteCommon(Exchange exchange, ref SpanWriter to)
    {
        var now = Begun(exchange);
        if (commonText is null || now / 1000 != commonSecond)
        {
            commonSecond = now / 1000;
            commonText ??= new byte[26];
            DateTimeOffset.FromUnixTimeSeconds(commonSecond).UtcDateTime.TryFormat(commonText, out _, "dd'/'MMM'/'yyyy':'HH':'mm':'ss '+0000'", CultureInfo.InvariantCulture);
        }

        to.Write(commonText);
    }

    public static void Write(Exchange exchange, ref SpanWriter to)
    {
        var now = Begun(exchange);
        if (text is null || now / 1000 != second)
        {
            second = now / 1000;
            text ??= new byte[20];
            DateTimeOffset.FromUnixTimeSeconds(second).UtcDateTime.TryFormat(text, out _, "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        }

        to.Write(text.AsSpan(0, 19));
        var millisecond = (int)(now % 1000);
        to.Write((byte)'.');
        to.Write((byte)('0' + (millisecond / 100)));
        to.Write((byte)('0' + (millisecond / 10 % 10)));
        to.Write((byte)('0' + (millisecond % 10)));
        to.Write((byte)'Z');
    }

    // From the exchange's age: one reading of the wall clock per second, not per record.
    private static long Begun(Exchange exchange) => Clock.Milliseconds(exchange.Loop) - ((exchange.Loop.Microseconds() - exchange.Moments.Begun) / 1000);

    private static class Clock
    {
        [ThreadStatic]
        private static long offset;

        [ThreadStatic]
        private static long readAt;

        public static long Milliseconds(Loops.Loop loop)
        {
            var now = loop.Now;
            if (readAt == 0 || now - readAt > 1000)
            {
                offset = new DateTimeOffset(loop.UtcNow).ToUnixTimeMilliseconds() - now;
                readAt = now;
            }

            return now + offset;
        }
    }
}
