// What a fault looks like to the client: a page of the operator's for that status, or one short line. Nothing about the
// servers behind is told.

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
    private static readonly byte[] PlainText = "text/plain; charset=utf-8"u8.ToArray();
    private static readonly ByteRange RetryAfterName = ByteRange.Of("Retry-After"u8.ToArray());
    private static readonly ByteRange RetryAfterValue = ByteRange.Of("1"u8.ToArray());
    private static readonly ErrorPage[] Own = MakeOwn();

    /// <summary>No pages of the operator's.</summary>
    public static ErrorPages None { get; } = new(new Dictionary<int, ErrorPage>());

    /// <summary>Makes the exchange's response the answer to a fault.</summary>
    public void Answer(Exchange exchange, int status)
    {
        var page = pages.TryGetValue(status, out var custom) ? custom : Own[status];
        OwnResponse.Begin(exchange, status, page.Body, ByteRange.Of(page.ContentType));
        if (status == 503) exchange.Response.Fields.Add(KnownField.RetryAfter, RetryAfterName, RetryAfterValue);
    }

    private static ErrorPage[] MakeOwn()
    {
        var all = new ErrorPage[600];
        for (var status = 0; status < all.Length; status++) all[status] = new ErrorPage(Encoding.ASCII.GetBytes($"{status} {Encoding.ASCII.GetString(Reasons.Of(status))}\n"), PlainText);
        return all;
    }
}
