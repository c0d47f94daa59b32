// The field names this proxy acts on, as small numbers. Everything else is Other and compared by its bytes.

using System.Buffers.Binary;
using Weir.Wire.Bytes;

namespace Weir.Wire.Fields;

/// <summary>Names with a meaning here. The order is that of <see cref="KnownFields"/>' table.</summary>
public enum KnownField : byte
{
    Other,
    Host,
    Connection,
    KeepAlive,
    ProxyConnection,
    TE,
    Trailer,
    TransferEncoding,
    Upgrade,
    ContentLength,
    Expect,
    Via,
    Date,
    Server,
    XPoweredBy,
    Location,
    Refresh,
    SetCookie,
    Cookie,
    Forwarded,
    XForwardedFor,
    XForwardedProto,
    XForwardedHost,
    XForwardedPort,
    XRealIp,
    MaxForwards,
    Range,
    IfRange,
    IfModifiedSince,
    IfNoneMatch,
    IfMatch,
    IfUnmodifiedSince,
    ETag,
    LastModified,
    CacheControl,
    Pragma,
    Vary,
    Age,
    Expires,
    AcceptEncoding,
    ContentEncoding,
    ContentType,
    ContentRange,
    AcceptRanges,
    ContentLocation,
    Authorization,
    ProxyAuthorization,
    ProxyAuthenticate,
    WwwAuthenticate,
    UserAgent,
    Referer,
    Accept,
    AcceptLanguage,
    Origin,
    Allow,
    RetryAfter,
    Traceparent,
    Tracestate,
    XRequestId,
    Http2Settings,
    XAspNetVersion,
    XAspNetMvcVersion,
    XRuntime,
    XGenerator,
    Link,
    AltSvc,
    CdnCacheControl,
    WeirCacheControl,
    CacheStatus,
    ProxyAuthenticationInfo,
    ContentMd5,
}

/// <summary>Names of <see cref="KnownField"/> and the way back from bytes.</summary>
public static class KnownFields
{
    private static readonly byte[][] Names = Make(
        "", "Host", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        "Content-Length", "Expect", "Via", "Date", "Server", "X-Powered-By", "Location", "Refresh", "Set-Cookie",
        "Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Real-IP", "Max-Forwards", "Range", "If-Range", "If-Modified-Since", "If-None-Match", "If-Match",
        "If-Unmodified-Since", "ETag", "Last-Modified", "Cache-Control", "Pragma", "Vary", "Age", "Expires",
        "Accept-Encoding", "Content-Encoding", "Content-Type", "Content-Range", "Accept-Ranges", "Content-Location",
        "Authorization", "Proxy-Authorization", "Proxy-Authenticate", "WWW-Authenticate", "User-Agent", "Referer",
        "Accept", "Accept-Language", "Origin", "Allow", "Retry-After", "traceparent", "tracestate", "X-Request-ID",
        "HTTP2-Settings", "X-AspNet-Version", "X-AspNetMvc-Version", "X-Runtime", "X-Generator", "Link", "Alt-Svc",
        "CDN-Cache-Control", "Weir-Cache-Control", "Cache-Status", "Proxy-Authentication-Info", "Content-MD5");

    // As they are compared: in lower case.
    private static readonly byte[][] Lower = Array.ConvertAll(Names, static name => Array.ConvertAll(name, Ascii.ToLower));

    private const int Buckets = 512;

    // On letters it makes lower case; digits and '-' stay.
    private const ulong CaseBits = 0x2020202020202020;

    // Open addressing by length, first and last letter; verified by comparison.
    private static readonly KnownField[] Table = MakeTable();

    /// <summary>How many there are, Other included.</summary>
    public static int Count => Names.Length;

    /// <summary>The usual spelling.</summary>
    public static ReadOnlySpan<byte> Name(KnownField field) => Names[(int)field];

    /// <summary>Finds a name, ignoring case; <see cref="KnownField.Other"/> for all others. It holds no control bytes.</summary>
    public static KnownField Lookup(ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > 32) return KnownField.Other;
        for (var at = Hash(name); ; at = (at + 1) & (Buckets - 1))
        {
            var candidate = Table[at];
            if (candidate == KnownField.Other) return candidate;
            if (Same(name, Lower[(int)candidate])) return candidate;
        }
    }

    /// <summary>Whether an unknown name is a known one to whoever makes variables of names; see <see cref="Ascii.EqualsAsVariable"/>.</summary>
    public static bool IsTwin(ReadOnlySpan<byte> name)
    {
        Span<byte> spelled = stackalloc byte[32];
        if (name.Length > spelled.Length) return false;
        for (var i = 0; i < name.Length; i++) spelled[i] = char.IsAsciiLetterOrDigit((char)name[i]) ? name[i] : (byte)'-';
        return Lookup(spelled[..name.Length]) != KnownField.Other;
    }

    // Eight bytes at a time, the last eight once more where the length is no multiple. With the case bit set, a letter is itself in
    // lower case only, and a digit or '-' itself or a control byte.
    private static bool Same(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower)
    {
        if (name.Length != lower.Length) return false;
        if (name.Length < sizeof(ulong))
        {
            for (var i = 0; i < name.Length; i++)
            {
                if ((name[i] | 0x20) != lower[i]) return false;
            }

            return true;
        }

        for (var i = 0; name.Length - i >= sizeof(ulong); i += sizeof(ulong))
        {
            if ((BinaryPrimitives.ReadUInt64LittleEndian(name[i..]) | CaseBits) != BinaryPrimitives.ReadUInt64LittleEndian(lower[i..])) return false;
        }

        return (BinaryPrimitives.ReadUInt64LittleEndian(name[^sizeof(ulong)..]) | CaseBits) == BinaryPrimitives.ReadUInt64LittleEndian(lower[^sizeof(ulong)..]);
    }

    private static int Hash(ReadOnlySpan<byte> name)
    {
        var first = name[0] | 0x20;
        var last = name[^1] | 0x20;
        var middle = name[name.Length >> 1] | 0x20;
        return ((name.Length * 37) + (first * 7) + (last * 13) + (middle * 29)) & (Buckets - 1);
    }

    private static KnownField[] MakeTable()
    {
        var table = new KnownField[Buckets];
        for (var i = 1; i < Names.Length; i++)
        {
            var at = Hash(Names[i]);
            while (table[at] != KnownField.Other) at = (at + 1) & (Buckets - 1);
            table[at] = (KnownField)i;
        }

        return table;
    }

    private static byte[][] Make(params string[] names) => Array.ConvertAll(names, System.Text.Encoding.ASCII.GetBytes);
}
