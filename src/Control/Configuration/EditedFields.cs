// Which fields an operator may change. What frames a message or belongs to one connection (RFC 9110 §7.6.1, RFC 9112 §6) is
// written by the writers of heads alone: a second line of it would let two servers read two different messages.

using System.Text;
using Weir.Wire.Fields;
using Ascii = Weir.Wire.Bytes.Ascii;

namespace Weir.Control.Configuration;

/// <summary>Checks names of fields: null, or what is wrong.</summary>
internal static class EditedFields
{
    // One value, not a list of them: a second line makes the field mean two things (RFC 9110 §5.3).
    private static readonly KnownField[] Single =
    [
        KnownField.Date, KnownField.Server, KnownField.Location, KnownField.MaxForwards, KnownField.Range, KnownField.IfRange, KnownField.IfModifiedSince,
        KnownField.IfUnmodifiedSince, KnownField.ETag, KnownField.LastModified, KnownField.Age, KnownField.Expires, KnownField.ContentType, KnownField.ContentRange,
        KnownField.ContentLocation, KnownField.Authorization, KnownField.ProxyAuthorization, KnownField.UserAgent, KnownField.Referer, KnownField.Origin,
        KnownField.RetryAfter, KnownField.Traceparent, KnownField.XRequestId, KnownField.Refresh,
    ];

    /// <summary>Any name.</summary>
    public static string? Any(string name) => Ascii.IsToken(Encoding.UTF8.GetBytes(name)) ? null : $"'{name}' is not a field name";

    public static string? RemovedFromRequest(string name) => Any(name) ?? OfRequest(name, isRemoved: true);

    public static string? SetInRequest(string name) => Any(name) ?? OfRequest(name, isRemoved: false);

    /// <summary>Sent with a health check.</summary>
    public static string? SetInCheck(string name) => Known(name) == KnownField.Host ? $"'{name}' cannot stand here: write host: beside headers" : SetInRequest(name);

    public static string? AddedToRequest(string name) => SetInRequest(name) ?? Added(name);

    /// <summary>Removed from or set in a response, or in an answer of our own.</summary>
    public static string? OfResponse(string name) => Any(name) ?? OfMessage(name, Known(name));

    public static string? AddedToResponse(string name) => OfResponse(name) ?? Added(name);

    private static string? OfRequest(string name, bool isRemoved) => Known(name) switch
    {
        KnownField.Host => $"'{name}' cannot be edited: write host: keep, endpoint or a name in the route or the upstream",
        KnownField.Via => $"'{name}' cannot be edited: loops are seen by it; via: at the top names this hop",
        KnownField.Upgrade => $"'{name}' cannot be edited: write upgrade: false or true in the route",
        KnownField.Expect when !isRemoved => $"'{name}' cannot be set: whether to wait for a 100 is the client's to say",
        var known => OfMessage(name, known),
    };

    private static string? OfMessage(string name, KnownField known) => known switch
    {
        KnownField.ContentLength or KnownField.TransferEncoding or KnownField.Trailer => $"'{name}' cannot be edited: it frames the message, and is written as the body is",
        KnownField.Connection or KnownField.KeepAlive or KnownField.ProxyConnection or KnownField.TE or KnownField.Upgrade or KnownField.Http2Settings => $"'{name}' cannot be edited: it belongs to one connection and is never passed on",
        _ => null,
    };

    private static string? Added(string name) => Single.Contains(Known(name)) ? $"'{name}' stands once in a message: write it under set" : null;

    // '_' and '-' are the same to many servers: content_length is read as Content-Length behind some gateways.
    private static KnownField Known(string name) => KnownFields.Lookup(Encoding.ASCII.GetBytes(name.Replace('_', '-')));
}
