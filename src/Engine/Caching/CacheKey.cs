// What a response is found by. The URL as the client wrote it names the object; whatever else the answer may depend on tells
// variants of it apart: where the request goes, as what, and what the operator names. So neither method, host, scheme nor a
// rewritten path can cross into another's place.

using System.IO.Hashing;
using Weir.Engine.Exchanges;
using Weir.Wire.Bytes;

namespace Weir.Engine.Caching;

/// <summary>The key of one request. Its bytes live as long as the exchange.</summary>
public readonly record struct CacheKey(ulong Hash, ByteRange Url, ByteRange Extra);

/// <summary>How keys are made of requests. Immutable.</summary>
/// <param name="space">What the route sends on in the same way for all: upstream, Host, edits of fields.</param>
/// <param name="parts">What of a request belongs to the key beside its URL; null: nothing.</param>
/// <param name="rule">What of the query counts; null: all, as it is written.</param>
public sealed class KeyRecipe(byte[] space, KeyParts? parts = null, QueryRule? rule = null)
{
    // Against collisions that somebody has worked out.
    private static readonly long Seed = Random.Shared.NextInt64();

    /// <summary>What of a request belongs to the key beside its URL.</summary>
    public KeyParts Parts { get; } = parts ?? KeyParts.None;

    /// <summary>Makes the key; what of the query does not count is not sent on either. False where there is no room, or too much belongs to the key.</summary>
    public bool TryMake(Exchange exchange, out CacheKey key)
    {
        var request = exchange.Request;
        key = default;
        var (counted, hasQuery) = (request.Query, request.HasQuery);
        if (rule is not null && !TryCount(exchange, out counted, out hasQuery)) return false;
        if (!TryWriteUrl(exchange, request.Path.Span, counted.Span, hasQuery, out var url) || !TryMakeExtra(exchange, counted, hasQuery, out var extra)) return false;
        key = new CacheKey(HashOf(url.Span), url, extra);
        return true;
    }

    /// <summary>Makes the URL of something on the request's own host; false where there is no room.</summary>
    public bool TryMakeUrl(Exchange exchange, ReadOnlySpan<byte> path, ReadOnlySpan<byte> query, bool hasQuery, out ByteRange url)
    {
        url = default;
        if (rule is null || !hasQuery) return TryWriteUrl(exchange, path, query, hasQuery, out url);
        return rule.TryApply(exchange.Scratch, query, out var counted) && TryWriteUrl(exchange, path, counted.Span, !counted.IsEmpty, out url);
    }

    /// <summary>The hash of a URL as keys are.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> url) => XxHash3.HashToUInt64(url, Seed);

    /// <summary>The authority in a key's URL: host and port as they count, however the client wrote them.</summary>
    public static ByteRange AuthorityOf(ByteRange url)
    {
        var start = url.Span.IndexOf("://"u8) + 3;
        var length = url.Span[start..].IndexOf((byte)'/');
        return url.Slice(start, length < 0 ? url.Length - start : length);
    }

    private static bool TryWriteUrl(Exchange exchange, ReadOnlySpan<byte> path, ReadOnlySpan<byte> query, bool hasQuery, out ByteRange url)
    {
        var request = exchange.Request;
        if (!exchange.Scratch.TryTake(path.Length + query.Length + request.Host.Length + 32, out var room, out url)) return false;
        var to = new SpanWriter(room);
        to.Write(request.IsSecure ? "https://"u8 : "http://"u8);
        to.Write(request.Host.Span);
        if (request.Port != 0 && request.Port != (request.IsSecure ? 443 : 80))
        {
            to.Write((byte)':');
            to.WriteDecimal(request.Port);
        }

        to.Write(path);
        if (hasQuery)
        {
            to.Write((byte)'?');
            to.Write(query);
        }

        url = exchange.Scratch.Trim(url, to.Length);
        return true;
    }

    // The client's query, and what is sent on of it or in its place.
    private bool TryCount(Exchange exchange, out ByteRange counted, out bool hasQuery)
    {
        var request = exchange.Request;
        var isAsWritten = request.HasForwardedQuery == request.HasQuery && request.ForwardedQuery.Span.SequenceEqual(request.Query.Span);
        hasQuery = false;
        if (!rule!.TryApply(exchange.Scratch, request.Query.Span, out counted)) return false;
        hasQuery = !counted.IsEmpty;
        var sent = counted;
        if (!isAsWritten && !rule.TryApply(exchange.Scratch, request.ForwardedQuery.Span, out sent)) return false;
        (request.ForwardedQuery, request.HasForwardedQuery) = (sent, !sent.IsEmpty);
        return true;
    }

    // Where the path that is sent on is another one than the client's, it belongs to the key as well.
    private bool TryMakeExtra(Exchange exchange, ByteRange counted, bool hasQuery, out ByteRange extra)
    {
        var request = exchange.Request;
        var isAsWritten = request.ForwardedPath.Span.SequenceEqual(request.Path.Span) && request.HasForwardedQuery == hasQuery && request.ForwardedQuery.Span.SequenceEqual(counted.Span);
        if (isAsWritten && ReferenceEquals(Parts, KeyParts.None) && !exchange.IsFromTrustedProxy)
        {
            extra = ByteRange.Of(space);
            return true;
        }

        if (!exchange.Scratch.TryTake(space.Length + request.ForwardedPath.Length + request.ForwardedQuery.Length + 3 + KeyParts.Most, out var room, out extra)) return false;
        var to = new SpanWriter(room);
        to.Write(space);
        if (!isAsWritten)
        {
            to.Write((byte)' ');
            to.Write(request.ForwardedPath.Span);
            if (request.HasForwardedQuery)
            {
                to.Write((byte)'?');
                to.Write(request.ForwardedQuery.Span);
            }
        }

        var target = to.Length;
        to.Write((byte)'\n');
        var further = new SpanWriter(to.Free[..KeyParts.Most]);
        if (!Parts.TryWrite(exchange, ref further)) return false;
        to.Advance(further.Length);
        extra = exchange.Scratch.Trim(extra, to.Length == target + 1 ? target : to.Length);
        return true;
    }
}
