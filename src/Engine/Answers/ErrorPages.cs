// What a fault looks like to the client: a page of the operator's for that status, or one short line. Nothing about the
// servers behind is told.

using System.Buffers.Text;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Wire.Fields;

namespace Weir.Engine.Answers;

/// <summary>A page for a status.</summary>
public sealed record ErrorPage(byte[] Body, byte[] ContentType);

/// <summary>Pages by status. Immutable.</summary>
public sealed class ErrorPages(IReadOnlyDictionary<int, ErrorPage> pages)
{
    private const int MostDigits = 20;

    private static readonly byte[] PlainText = "text/plain; charset=utf-8"u8.ToArray();
    private static readonly ByteRange RetryAfterName = ByteRange.Of("Retry-After"u8.ToArray());
    private static readonly ByteRange LeastRetryAfter = ByteRange.Of("1"u8.ToArray());
    private static readonly ErrorPage[] Own = MakeOwn();

    /// <summary>No pages of the operator's.</summary>
    public static ErrorPages None { get; } = new(new Dictionary<int, ErrorPage>());

    /// <summary>Makes the exchange's response the answer to a fault.</summary>
    public void Answer(Exchange exchange, int status)
    {
        var page = pages.TryGetValue(status, out var custom) ? custom : Own[status];
        OwnResponse.Begin(exchange, status, page.Body, ByteRange.Of(page.ContentType));
        if (status == 503) exchange.Response.Fields.Add(KnownField.RetryAfter, RetryAfterName, RetryAfter(exchange));
    }

    // Whole seconds (RFC 9110 §10.2.3); without room to write them, the least.
    private static ByteRange RetryAfter(Exchange exchange)
    {
        if (exchange.RetryAfter <= 1_000 || !exchange.Scratch.TryTake(MostDigits, out var room, out var range)) return LeastRetryAfter;
        Utf8Formatter.TryFormat(((exchange.RetryAfter - 1) / 1_000) + 1, room, out var written);
        return exchange.Scratch.Trim(range, written);
    }

    private static ErrorPage[] MakeOwn()
    {
        var all = new ErrorPage[600];
        for (var status = 0; status < all.Length; status++) all[status] = new ErrorPage(Encoding.ASCII.GetBytes($"{status} {Encoding.ASCII.GetString(Reasons.Of(status))}\n"), PlainText);
        return all;
    }
}
