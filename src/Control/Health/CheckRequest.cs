// The request of a check. It says that nothing follows on its connection, and by its User-Agent whose it is.

using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Control.Health;

internal static class CheckRequest
{
    private static readonly ByteRange ConnectionName = ByteRange.Of("Connection"u8.ToArray());
    private static readonly ByteRange Close = ByteRange.Of("close"u8.ToArray());
    private static readonly ByteRange UserAgentName = ByteRange.Of("User-Agent"u8.ToArray());
    private static readonly ByteRange UserAgent = ByteRange.Of("weir-health"u8.ToArray());

    /// <summary>Makes the request of one check.</summary>
    /// <param name="check">What is asked.</param>
    /// <param name="authority">The endpoint's own Host.</param>
    public static Request Make(ActiveCheck check, byte[] authority)
    {
        var request = new Request
        {
            KnownMethod = check.Method switch { "GET" => KnownMethod.Get, "HEAD" => KnownMethod.Head, "OPTIONS" => KnownMethod.Options, "POST" => KnownMethod.Post, _ => KnownMethod.Other },
            Method = Ascii(check.Method),
            ForwardedPath = Ascii(check.Path),
            ForwardedQuery = Ascii(check.Query ?? ""),
            HasForwardedQuery = check.Query is not null,
            ForwardedHost = check.Host is { } host ? Ascii(host) : ByteRange.Of(authority),
            HasBody = check.Method == "POST", // Of no bytes, which it says (RFC 9110 §8.6).
        };
        request.Fields.Add(KnownField.UserAgent, UserAgentName, UserAgent);
        foreach (var (name, value) in check.Fields)
        {
            var known = KnownFields.Lookup(Encoding.ASCII.GetBytes(name));
            request.Fields.Set(known, Ascii(name), Ascii(value));
        }

        request.Fields.Add(KnownField.Connection, ConnectionName, Close);
        return request;
    }

    private static ByteRange Ascii(string text) => ByteRange.Of(Encoding.ASCII.GetBytes(text));
}
