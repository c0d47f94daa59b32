// Request and response as the middle sees them: what came, beside what is sent on. Nothing here knows which protocol
// carried them; a head is a contiguous block of bytes plus an index.

using System.Net;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Exchanges;

/// <summary>The protocol a message came by, for logs, Via and framing at the edges.</summary>
public enum HttpVersion : byte
{
    Http10 = 10,
    Http11 = 11,
    Http2 = 20,
    Http3 = 30,
}

/// <summary>A request. Reused; one exchange's own.</summary>
public sealed class Request
{
    private const int MostRangeBytes = 64;

    private static readonly ByteRange RangeName = ByteRange.Of("Range"u8.ToArray());

    public FieldBlock Fields { get; } = new();

    public HttpVersion Version { get; set; }

    public KnownMethod KnownMethod { get; set; }

    /// <summary>The method as written.</summary>
    public ByteRange Method { get; set; }

    public TargetForm Form { get; set; }

    /// <summary>The target as written, whatever its form.</summary>
    public ByteRange Target { get; set; }

    /// <summary>The path as written; "/" where an absolute target had none; empty for authority and asterisk form.</summary>
    public ByteRange Path { get; set; }

    /// <summary>The query as written, without its '?'.</summary>
    public ByteRange Query { get; set; }

    /// <summary>Whether a '?' was there, even with nothing behind it.</summary>
    public bool HasQuery { get; set; }

    /// <summary>Host and port as written: of the target where it has one, else of the Host field.</summary>
    public ByteRange Authority { get; set; }

    /// <summary>The host alone, lower case, without a trailing dot: what sites are found by.</summary>
    public ByteRange Host { get; set; }

    /// <summary>The port the client named; 0: none.</summary>
    public int Port { get; set; }

    /// <summary>Whether the target was written out with the scheme "https".</summary>
    public bool IsHttpsTarget { get; set; }

    /// <summary>Whether the client asked over an encrypted connection: ours, or as trusted proxies tell it.</summary>
    public bool IsSecure { get; set; }

    /// <summary>Whether it tells of a client by X-Forwarded fields: Forwarded is nobody's word then, whoever the peer is.</summary>
    public bool HasXForwarded => Fields.Index.Has(KnownField.XForwardedFor) || Fields.Index.Has(KnownField.XForwardedProto);

    /// <summary>Whether a body follows; its source is the client stream's.</summary>
    public bool HasBody { get; set; }

    /// <summary>Bytes in the body; -1 when only its end will tell.</summary>
    public long BodyLength { get; set; }

    public bool ExpectsContinue { get; set; }

    /// <summary>Whether the client offers to change the protocol; <see cref="UpgradeProtocol"/> says to what.</summary>
    public bool WantsUpgrade { get; set; }

    public ByteRange UpgradeProtocol { get; set; }

    /// <summary>Whether the client takes trailers.</summary>
    public bool AcceptsTrailers { get; set; }

    /// <summary>The decoded, resolved copy of the path that routes are matched on.</summary>
    public ByteRange MatchedPath { get; set; }

    /// <summary>The path to send on, before the endpoint's own path is put in front; as written unless rewritten.</summary>
    public ByteRange ForwardedPath { get; set; }

    /// <summary>The query to send on.</summary>
    public ByteRange ForwardedQuery { get; set; }

    public bool HasForwardedQuery { get; set; }

    /// <summary>The host to send on, where it is not the client's.</summary>
    public ByteRange ForwardedHost { get; set; }

    /// <summary>The path of the endpoint's URL, put in front of the forwarded path; no trailing slash.</summary>
    public byte[] PathPrefix { get; set; } = [];

    /// <summary>Whether a repetition does no harm (RFC 9110 §9.2.2).</summary>
    public bool IsIdempotent => KnownMethod is KnownMethod.Get or KnownMethod.Head or KnownMethod.Options or KnownMethod.Trace or KnownMethod.Put or KnownMethod.Delete;

    /// <summary>
    /// Becomes a copy of a request as it is sent on, whose bytes are kept in <paramref name="scratch"/>: without a body, and without
    /// what an endpoint adds to it.
    /// </summary>
    /// <returns>False where there is no room.</returns>
    public bool TryCopy(Request from, FieldIndex index, Scratch scratch)
    {
        if (!Fields.TryCopy(from.Fields, index, scratch)) return false;
        (Version, KnownMethod, Form, AcceptsTrailers) = (from.Version, from.KnownMethod, from.Form, from.AcceptsTrailers);
        (HasQuery, HasForwardedQuery, IsSecure, ExpectsContinue) = (from.HasQuery, from.HasForwardedQuery, from.IsSecure, from.ExpectsContinue);
        if (!scratch.TryCopy(from.Method.Span, out var method) || !scratch.TryCopy(from.Authority.Span, out var authority)) return false;
        if (!scratch.TryCopy(from.Path.Span, out var path) || !scratch.TryCopy(from.MatchedPath.Span, out var matched) || !scratch.TryCopy(from.Query.Span, out var query)) return false;
        if (!scratch.TryCopy(from.ForwardedPath.Span, out var sentPath) || !scratch.TryCopy(from.ForwardedQuery.Span, out var sentQuery)) return false;
        (Method, Authority, Path, MatchedPath, Query, ForwardedPath, ForwardedQuery) = (method, authority, path, matched, query, sentPath, sentQuery);
        Target = default;
        return true;
    }

    /// <summary>Asks for a part, and for nothing else (RFC 9110 §14.2).</summary>
    /// <param name="first">Its first byte.</param>
    /// <param name="last">Its last.</param>
    /// <param name="scratch">Where that is written.</param>
    /// <returns>False where there is no room.</returns>
    public bool TryAskFor(long first, long last, Scratch scratch)
    {
        if (!scratch.TryTake(MostRangeBytes, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        to.Write("bytes="u8);
        to.WriteDecimal(first);
        to.Write((byte)'-');
        to.WriteDecimal(last);
        Fields.Set(KnownField.Range, RangeName, scratch.Trim(range, to.Length));
        return true;
    }

    internal void Clear()
    {
        ForwardedHost = UpgradeProtocol = MatchedPath = ForwardedPath = ForwardedQuery = Path = Query = Authority = Host = default;
        PathPrefix = [];
        HasQuery = HasForwardedQuery = HasBody = ExpectsContinue = WantsUpgrade = AcceptsTrailers = IsSecure = false;
        Port = 0;
        BodyLength = 0;
    }
}

/// <summary>A response, from an origin or our own. Reused; one exchange's own.</summary>
public sealed class Response
{
    public FieldBlock Fields { get; } = new();

    public int Status { get; set; }

    /// <summary>The version the origin spoke; ours for our own answers.</summary>
    public HttpVersion Version { get; set; }

    /// <summary>The reason phrase as written; empty when it is ours to choose.</summary>
    public ByteRange Reason { get; set; }

    /// <summary>Bytes in the body; -1 when only its end will tell.</summary>
    public long BodyLength { get; set; }

    /// <summary>Whether a body follows. A response to HEAD, 204 and 304 have none, whatever their fields say.</summary>
    public bool HasBody { get; set; }

    /// <summary>
    /// The length that the fields announce, where it is to be said though no such body follows (HEAD, 304); -1: none.
    /// </summary>
    public long AnnouncedLength { get; set; }

    /// <summary>Whether the origin agreed to change the protocol (101), or a CONNECT succeeded.</summary>
    public bool IsTunnel { get; set; }

    /// <summary>The protocol changed to, for a 101.</summary>
    public ByteRange UpgradeProtocol { get; set; }

    public bool IsInterim => Status is >= 100 and < 200 && Status != 101;

    /// <summary>Becomes a copy of another response, whose bytes are kept in <paramref name="scratch"/>; its body stays where it is.</summary>
    /// <returns>False where there is no room.</returns>
    public bool TryCopy(Response from, FieldIndex index, Scratch scratch)
    {
        if (!Fields.TryCopy(from.Fields, index, scratch) || !scratch.TryCopy(from.Reason.Span, out var reason)) return false;
        (Status, Version, Reason) = (from.Status, from.Version, reason);
        (BodyLength, HasBody, AnnouncedLength) = (from.BodyLength, from.HasBody, from.AnnouncedLength);
        return true;
    }

    /// <summary>Goes on with a copy of its head, kept in <paramref name="scratch"/>: its connection is given back before its exchange ends.</summary>
    /// <returns>False where there is no room.</returns>
    public bool TryDetach(FieldIndex index, Scratch scratch)
    {
        if (!scratch.TryCopy(Reason.Span, out var reason) || !Fields.TryDetach(index, scratch)) return false;
        Reason = reason;
        return true;
    }

    /// <summary>Begins anew, without fields.</summary>
    public void Clear()
    {
        Fields.Reset([], 0, Empty);
        Status = 0;
        Version = HttpVersion.Http11;
        Reason = UpgradeProtocol = default;
        BodyLength = 0;
        AnnouncedLength = -1;
        HasBody = IsTunnel = false;
    }

    private static readonly FieldIndex Empty = new();
}

/// <summary>The two ends of the client's connection, and what its encryption was agreed to be; null: it has none.</summary>
public readonly record struct ConnectionEnds(IPAddress? ClientAddress, int ClientPort, int LocalPort, TlsFacts? Tls = null)
{
    public bool IsSecure => Tls is not null;
}
