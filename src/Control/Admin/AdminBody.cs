// A small body of a request, whole: bounded in bytes and time.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Control.Admin;

internal static class AdminBody
{
    /// <summary>Bytes of a body (413 beyond).</summary>
    public const int Most = 64 << 10;

    /// <summary>How long a body may take to come, in ms (408 beyond).</summary>
    public const long Patience = 10_000;

    /// <summary>Reads the request's body; null where there is none to be had, which is answered.</summary>
    public static async LoopTask<byte[]?> ReadAsync(Exchange exchange)
    {
        var body = exchange.Client.RequestBody;
        if (body.Length > Most) return Refuse(exchange, 413);
        if (exchange.Request.ExpectsContinue) SendContinue(exchange);
        var bytes = new byte[body.Length < 0 ? 1024 : (int)body.Length];
        var count = 0;
        var deadline = exchange.Loop.Now + Patience;
        while (true)
        {
            var status = body.TryRead(out var piece);
            if (status == BodyStatus.Piece)
            {
                if (count + piece.Length > Most) return Refuse(exchange, 413);
                if (count + piece.Length > bytes.Length) Array.Resize(ref bytes, Math.Min(Most, Math.Max(bytes.Length * 2, count + piece.Length)));
                piece.CopyTo(bytes.AsSpan(count));
                count += piece.Length;
                exchange.BytesIn += piece.Length;
                body.Advance(piece.Length);
            }
            else if (status == BodyStatus.End)
            {
                return bytes[..count];
            }
            else if (status == BodyStatus.Broken)
            {
                return Refuse(exchange, 400);
            }
            else if (await exchange.Flow.FirstOf(body.Ready, deadline) != Wake.First)
            {
                return Refuse(exchange, 408);
            }
        }
    }

    private static void SendContinue(Exchange exchange)
    {
        exchange.Response.Clear();
        exchange.Response.Status = 100;
        if (exchange.Client.SendInterim(exchange.Response) == FaultCause.None) exchange.Client.ResponseBody.TryFlush();
    }

    private static byte[]? Refuse(Exchange exchange, int status)
    {
        exchange.Client.EndAfterThis();
        AdminAnswer.Error(exchange, status, status switch
        {
            413 => $"the body has more than {Most >> 10} KiB",
            408 => $"the body has not come within {Patience / 1000} s",
            _ => "the body is not whole",
        });
        return null;
    }
}
