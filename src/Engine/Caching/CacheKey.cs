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
public sealed class KeyRecipe(byte[] space)
{
    // Against collisions that somebody has worked out.
    private static readonly long Seed = Random.Shared.NextInt64();

    /// <summary>Makes the key; false where there is no room.</summary>
    public bool TryMake(Exchange exchange, out CacheKey key)
    {
        var request = exchange.Request;
        key = default;
        if (!TryMakeUrl(exchange, request.Path.Span, request.Query.Span, request.HasQuery, out var url) || !TryMakeExtra(exchange, out var extra)) return false;
        key = new CacheKey(HashOf(url.Span), url, extra);
        return true;
    }

    /// <summary>Makes the URL of something on the request's own host; false where there is no room.</summary>
    public bool TryMakeUrl(Exchange exchange, ReadOnlySpan<byte> path, ReadOnlySpan<byte> query, bool hasQuery, out ByteRange url)
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

    /// <summary>The hash of a URL as keys are.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> url) => XxHash3.HashToUInt64(url, Seed);

    // Where the path that is sent on is another one than the client's, it belongs to the key as well.
    private bool TryMakeExtra(Exchange exchange, out ByteRange extra)
    {
        var request = exchange.Request;
        var isAsWritten = request.ForwardedPath.Span.SequenceEqual(request.Path.Span) && request.HasForwardedQuery == request.HasQuery && request.ForwardedQuery.Span.SequenceEqual(request.Query.Span);
        if (isAsWritten)
        {
            extra = ByteRange.Of(space);
            return true;
        }

        if (!exchange.Scratch.TryTake(space.Length + request.ForwardedPath.Length + request.ForwardedQuery.Length + 2, out var room, out extra)) return false;
        var to = new SpanWriter(room);
        to.Write(space);
        to.Write((byte)' ');
        to.Write(request.ForwardedPath.Span);
        if (request.HasForwardedQuery)
        {
            to.Write((byte)'?');
            to.Write(request.ForwardedQuery.Span);
        }

        extra = exchange.Scratch.Trim(extra, to.Length);
        return true;
    }
}
