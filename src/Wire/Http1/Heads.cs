// What a parsed head says, as offsets into its bytes, and why one is refused. Reused from message to message.

using Weir.Wire.Fields;

namespace Weir.Wire.Http1;

/// <summary>How far a parse has come.</summary>
public enum ParseStatus : byte
{
    Done,
    NeedMore,
    Bad,
}

/// <summary>Why a head is refused.</summary>
public enum HeadFault : byte
{
    None,
    BadRequestLine,
    BadMethod,

    /// <summary>501 (RFC 9112 §3).</summary>
    MethodTooLong,
    BadTarget,
    BadVersion,

    /// <summary>A version of HTTP that is not spoken: 505.</summary>
    UnsupportedVersion,

    /// <summary>414.</summary>
    TargetTooLong,

    /// <summary>431.</summary>
    HeadTooLarge,

    /// <summary>431.</summary>
    TooManyFields,
    BareLf,
    BareCr,
    ControlByte,
    ObsFold,
    WhitespaceBeforeColon,
    BadFieldName,
    MissingColon,
    MissingHost,
    MultipleHost,
    BadHost,
    BadContentLength,
    MultipleContentLength,
    LengthAndCoding,

    /// <summary>A transfer coding that is not known: 501.</summary>
    UnknownCoding,
    BadCoding,
    CodingInHttp10,

    /// <summary>417.</summary>
    UnknownExpectation,
    BadStatusLine,
    BadConnection,
    BadUpgrade,
}

/// <summary>Limits on a head.</summary>
public readonly record struct HeadLimits(int HeadBytes, int TargetBytes, int Fields)
{
    public static HeadLimits Default => new(32 * 1024, 8 * 1024, 100);
}

/// <summary>Methods this proxy acts on.</summary>
public enum KnownMethod : byte
{
    Other,
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Connect,
    Patch,
}

/// <summary>The four forms of a target (RFC 9112 §3.2).</summary>
public enum TargetForm : byte
{
    Origin,
    Absolute,
    Authority,
    Asterisk,
}

/// <summary>How the end of a body is told (RFC 9112 §6).</summary>
public enum BodyFraming : byte
{
    None,
    Length,
    Chunked,
    UntilClose,
}

/// <summary>A part of a head.</summary>
public readonly record struct Slice(int Start, int Length)
{
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> head) => head.Slice(Start, Length);

    public bool IsEmpty => Length == 0;
}

/// <summary>A request's head.</summary>
public sealed class RequestHead
{
    internal HeadScan Scan;

    public FieldIndex Fields { get; } = new();

    /// <summary>Bytes of the head, empty lines before it and the empty line behind it included.</summary>
    public int Length { get; internal set; }

    public KnownMethod KnownMethod { get; internal set; }

    public Slice Method { get; internal set; }

    public Slice Target { get; internal set; }

    public TargetForm Form { get; internal set; }

    public Slice Path { get; internal set; }

    public Slice Query { get; internal set; }

    public bool HasQuery { get; internal set; }

    /// <summary>Host and port, of an absolute target or the Host field (RFC 9112 §3.2.2); empty where there is none.</summary>
    public Slice Authority { get; internal set; }

    /// <summary>The host without its port; an IPv6 literal with its brackets.</summary>
    public Slice Host { get; internal set; }

    public int Port { get; internal set; }

    public bool IsHttpsTarget { get; internal set; }

    /// <summary>0 for HTTP/1.0, else 1.</summary>
    public int MinorVersion { get; internal set; } = 1;

    public BodyFraming Framing { get; internal set; }

    public long ContentLength { get; internal set; }

    public bool KeepAlive { get; internal set; }

    /// <summary>Whether Connection nominates Upgrade and Upgrade is there, in HTTP/1.1.</summary>
    public bool HasUpgrade { get; internal set; }

    public bool ExpectsContinue { get; internal set; }

    /// <summary>Whether TE says "trailers".</summary>
    public bool AcceptsTrailers { get; internal set; }

    public void Clear()
    {
        Scan = default;
        Fields.Clear();
        Length = Port = 0;
        ContentLength = 0;
        Method = Target = Path = Query = Authority = Host = default;
        HasQuery = IsHttpsTarget = KeepAlive = HasUpgrade = ExpectsContinue = AcceptsTrailers = false;
        Framing = BodyFraming.None;
        // What is refused before these are read is answered as nobody's request in particular.
        KnownMethod = KnownMethod.Other;
        Form = TargetForm.Origin;
        MinorVersion = 1;
    }
}

/// <summary>A response's head.</summary>
public sealed class ResponseHead
{
    internal HeadScan Scan;

    public FieldIndex Fields { get; } = new();

    public int Length { get; internal set; }

    public int Status { get; internal set; }

    public Slice Reason { get; internal set; }

    public int MinorVersion { get; internal set; }

    public BodyFraming Framing { get; internal set; }

    public long ContentLength { get; internal set; }

    /// <summary>The length the fields announce, whether or not a body follows; -1: none.</summary>
    public long AnnouncedLength { get; internal set; }

    public bool KeepAlive { get; internal set; }

    public bool HasUpgrade { get; internal set; }

    public void Clear()
    {
        Scan = default;
        Fields.Clear();
        Length = Status = 0;
        Reason = default;
        ContentLength = 0;
        AnnouncedLength = -1;
        KeepAlive = HasUpgrade = false;
        Framing = BodyFraming.None;
    }
}
