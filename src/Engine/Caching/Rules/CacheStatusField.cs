// Cache-Status (RFC 9211): what this cache did with a request, for whoever reads the answer's head.

using Weir.Wire.Bytes;

namespace Weir.Engine.Caching.Rules;

/// <summary>Why a request went on to the origin (RFC 9211 §2.2).</summary>
public enum CacheForward : byte
{
    /// <summary>It did not: a hit.</summary>
    None,

    /// <summary>The cache was not to be used.</summary>
    Bypass,

    /// <summary>Not for this method.</summary>
    Method,

    /// <summary>Nothing was stored for the target.</summary>
    UriMiss,

    /// <summary>Something was, but not for such requests.</summary>
    VaryMiss,

    /// <summary>Nothing fitting, for whatever reason.</summary>
    Miss,

    /// <summary>What was stored could be used, but the client wanted the origin asked.</summary>
    Request,

    /// <summary>What was stored was stale.</summary>
    Stale,

    /// <summary>Only parts of it were stored.</summary>
    Partial,
}

/// <summary>What happened to a request.</summary>
public readonly record struct CacheReport
{
    public CacheForward Forward { get; init; }

    /// <summary>The status the origin answered with; 0: none, or the one that is passed on.</summary>
    public int ForwardStatus { get; init; }

    /// <summary>How long what was used stays fresh, in seconds; negative: how long it has been stale.</summary>
    public long? TimeToLive { get; init; }

    /// <summary>Whether the answer was stored.</summary>
    public bool IsStored { get; init; }

    /// <summary>Whether it waited for another request's answer.</summary>
    public bool IsCollapsed { get; init; }

    /// <summary>More about it: a token; empty: nothing.</summary>
    public ReadOnlyMemory<byte> Detail { get; init; }
}

/// <summary>Writes the field's value.</summary>
public static class CacheStatusField
{
    /// <summary>Room for what is written, but for the name and the detail.</summary>
    public const int Bound = 128;

    /// <summary>Writes one member. It stands in a line of its own, behind those of caches nearer to the origin.</summary>
    /// <param name="name">This cache: a token.</param>
    /// <param name="outcome">What it did.</param>
    /// <param name="into">Where to.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(ReadOnlySpan<byte> name, in CacheReport outcome, Span<byte> into)
    {
        var to = new SpanWriter(into);
        to.Write(name);
        if (outcome.Forward == CacheForward.None)
        {
            to.Write("; hit"u8);
        }
        else
        {
            to.Write("; fwd="u8);
            to.Write(Token(outcome.Forward));
            if (outcome.ForwardStatus != 0)
            {
                to.Write("; fwd-status="u8);
                to.WriteDecimal(outcome.ForwardStatus);
            }
        }

        if (outcome.TimeToLive is { } seconds)
        {
            to.Write("; ttl="u8);
            to.WriteDecimal(seconds);
        }

        if (outcome.IsStored) to.Write("; stored"u8);
        if (outcome.IsCollapsed) to.Write("; collapsed"u8);
        if (!outcome.Detail.IsEmpty)
        {
            to.Write("; detail="u8);
            to.Write(outcome.Detail.Span);
        }

        return to.Length;
    }

    private static ReadOnlySpan<byte> Token(CacheForward forward) => forward switch
    {
        CacheForward.Bypass => "bypass"u8,
        CacheForward.Method => "method"u8,
        CacheForward.UriMiss => "uri-miss"u8,
        CacheForward.VaryMiss => "vary-miss"u8,
        CacheForward.Request => "request"u8,
        CacheForward.Stale => "stale"u8,
        CacheForward.Partial => "partial"u8,
        _ => "miss"u8,
    };
}
