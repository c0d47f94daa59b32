// The time of a record. The second is written out once and kept; only the milliseconds change.

using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;

namespace Weir.Engine.Observe;

internal static class LogTime
{
    [ThreadStatic]
    private static byte[]? text;

    [ThreadStatic]
    private static long second;

    public static void Write(Exchange exchange, ref SpanWriter to)
    {
        // From the exchange's age: one reading of the wall clock per second, not per record.
        var age = exchange.Loop.Microseconds() - exchange.Moments.Begun;
        var now = Clock.Milliseconds(exchange.Loop) - (age / 1000);
        if (text is null || now / 1000 != second)
        {
            second = now / 1000;
            text ??= new byte[20];
            DateTimeOffset.FromUnixTimeSeconds(second).UtcDateTime.TryFormat(text, out _, "yyyy-MM-dd'T'HH:mm:ss");
        }

        to.Write(text.AsSpan(0, 19));
        var millisecond = (int)(now % 1000);
        to.Write((byte)'.');
        to.Write((byte)('0' + (millisecond / 100)));
        to.Write((byte)('0' + (millisecond / 10 % 10)));
        to.Write((byte)('0' + (millisecond % 10)));
        to.Write((byte)'Z');
    }

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
