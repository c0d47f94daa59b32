// What administration answers with: JSON mostly, errors always.

using System.Text;
using Weir.Engine.Exchanges;
using Weir.Wire.Fields;

namespace Weir.Control.Admin;

internal static class AdminAnswer
{
    public static readonly byte[] Text = "text/plain; charset=utf-8"u8.ToArray();
    public static readonly byte[] Prometheus = "text/plain; version=0.0.4; charset=utf-8"u8.ToArray();

    private static readonly byte[] JsonType = "application/json"u8.ToArray();
    private static readonly ByteRange AllowName = ByteRange.Of("Allow"u8.ToArray());

    public static void Json(Exchange exchange, int status, string text) => Send(exchange, status, text, JsonType);

    public static void Error(Exchange exchange, int status, string text) => Json(exchange, status, $"{{\"error\":{JsonText.Quote(text)}}}\n");

    /// <summary>405, with the methods that are answered.</summary>
    public static void NotAllowed(Exchange exchange, string method, string allowed)
    {
        Error(exchange, 405, $"{method} is not answered here");
        exchange.Response.Fields.Add(KnownField.Allow, AllowName, ByteRange.Of(Encoding.ASCII.GetBytes(allowed)));
    }

    public static void Send(Exchange exchange, int status, string text, byte[] type) => OwnResponse.Begin(exchange, status, Encoding.UTF8.GetBytes(text), ByteRange.Of(type));
}
