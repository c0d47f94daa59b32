// Beginning a response of our own: status, Date, and the body's length and type.

using Weir.Engine.Loops;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Exchanges;

/// <summary>Responses that no origin sent.</summary>
public static class OwnResponse
{
    internal static readonly ByteRange DateName = ByteRange.Of("Date"u8.ToArray());
    private static readonly ByteRange TypeName = ByteRange.Of("Content-Type"u8.ToArray());

    /// <summary>Begins a response with a body in memory; a HEAD request gets its length only.</summary>
    public static void Begin(Exchange exchange, int status, ReadOnlyMemory<byte> body, ByteRange contentType)
    {
        var response = exchange.Response;
        response.Clear();
        response.Status = status;
        AddDate(exchange);
        if (!contentType.IsEmpty && !body.IsEmpty) response.Fields.Add(KnownField.ContentType, TypeName, contentType);
        SetLength(exchange, body.Length);
        exchange.OwnBody.Reset(response.BodyLength > 0 ? body : default);
        exchange.ResponseSource = exchange.OwnBody;
    }

    /// <summary>Says how long the body is, and whether it follows at all.</summary>
    public static void SetLength(Exchange exchange, long length)
    {
        var response = exchange.Response;
        var bodiless = response.Status is 204 or 304 or < 200;
        response.HasBody = !bodiless && exchange.Request.KnownMethod != KnownMethod.Head;
        if (response.Status == 205) length = 0; // RFC 9110 §15.3.6: no content, and it says so.
        response.BodyLength = response.HasBody ? length : 0;
        response.AnnouncedLength = bodiless ? -1 : length;
    }

    public static void AddDate(Exchange exchange) => exchange.Response.Fields.Add(KnownField.Date, DateName, DateNow.Of(exchange.Loop));
}

/// <summary>The date as a field value, made once a second on each loop's thread, when the second begins: loops do not contradict each other.</summary>
internal static class DateNow
{
    [ThreadStatic]
    private static byte[]? text;

    [ThreadStatic]
    private static Loop? of; // A simulated world's loops share a thread, and have clocks of their own.

    [ThreadStatic]
    private static long until; // In the loop's ms: then its second is over.

    public static ByteRange Of(Loop loop)
    {
        if (text is null || loop != of || loop.Now >= until)
        {
            // In place: whoever still holds the old text gets a newer date, never a torn one, on this thread.
            text ??= new byte[HttpDate.Length];
            var now = loop.UtcNow;
            HttpDate.Write(now, text);
            (of, until) = (loop, loop.Now + 1000 - now.Millisecond);
        }

        return ByteRange.Of(text);
    }
}
