// An access record as bytes: a JSON line, or a line made by the operator's format. What peers sent is escaped, so that a
// record is always one line and always valid.

using System.Buffers.Text;
using System.Text;
using Weir.Engine.Exchanges;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;

namespace Weir.Engine.Observe;

/// <summary>What a record can tell.</summary>
public enum LogField : byte
{
    Text,
    Time,
    CommonTime,
    ClientIp,
    ClientPort,
    Method,
    Uri,
    Protocol,
    Host,
    Status,
    BytesIn,
    BytesOut,
    Duration,
    HeadTime,
    QueueTime,
    ConnectTime,
    WaitTime,
    RelayTime,
    Site,
    Route,
    Upstream,
    Endpoint,
    Retries,
    Cache,
    Ending,
    RequestId,
    Traceparent,
    Referer,
    UserAgent,
    ResponseCoding,
    TlsVersion,
    TlsCipher,
    TlsServerName,
    TlsResumed,
    ClientCertSubject,
    ClientCertFingerprint,
}

/// <summary>A compiled format. Immutable; any loop.</summary>
public sealed class LogFormat
{
    /// <summary>One item: fixed text, or a field.</summary>
    public readonly record struct Item(LogField Field, byte[] Text);

    /// <summary>Names of fields in formats, and of members in JSON.</summary>
    public static readonly (string Name, LogField Field, string Meaning)[] Names =
    [
        ("time", LogField.Time, "when the request began, UTC, ISO 8601 with milliseconds"),
        ("clf_time", LogField.CommonTime, "the same as web servers' common log format writes it; not in JSON"),
        ("client_ip", LogField.ClientIp, "the client's address, as trusted proxies tell it"),
        ("client_port", LogField.ClientPort, "the port of the connection's peer"),
        ("method", LogField.Method, "the method"),
        ("uri", LogField.Uri, "the target as the client wrote it"),
        ("protocol", LogField.Protocol, "HTTP/1.0 or HTTP/1.1"),
        ("host", LogField.Host, "host and port as the client wrote them"),
        ("status", LogField.Status, "the status that was answered; 0: none"),
        ("bytes_in", LogField.BytesIn, "bytes of the request's body that were passed on"),
        ("bytes_out", LogField.BytesOut, "bytes of the response's body that were passed on"),
        ("duration_us", LogField.Duration, "from the first byte of the request to the end, in microseconds"),
        ("head_us", LogField.HeadTime, "receiving the request's head"),
        ("queue_us", LogField.QueueTime, "waiting in the upstream's queue"),
        ("connect_us", LogField.ConnectTime, "routing, waiting in the queue, and finding or making a connection to the origin"),
        ("wait_us", LogField.WaitTime, "from there to the response's head"),
        ("relay_us", LogField.RelayTime, "passing the response on"),
        ("site", LogField.Site, "the site that served it"),
        ("route", LogField.Route, "the route, as file:line"),
        ("upstream", LogField.Upstream, "the upstream"),
        ("endpoint", LogField.Endpoint, "the endpoint asked last"),
        ("retries", LogField.Retries, "further endpoints that were tried"),
        ("cache", LogField.Cache, "what the cache did: hit, stale, miss, collapsed, revalidated, expired, pass or bypass; none where the route has no cache"),
        ("ending", LogField.Ending, "two letters: who ended it, and when"),
        ("request_id", LogField.RequestId, "the request's id: the X-Request-ID that was passed on if it is plain and has at most 128 bytes, else one made here"),
        ("traceparent", LogField.Traceparent, "the W3C trace context it came with"),
        ("referer", LogField.Referer, "the Referer field"),
        ("user_agent", LogField.UserAgent, "the User-Agent field"),
        ("response_coding", LogField.ResponseCoding, "the content coding in which the response was compressed here: zstd, br or gzip"),
        ("tls_version", LogField.TlsVersion, "the client's version of TLS, such as TLSv1.3"),
        ("tls_cipher", LogField.TlsCipher, "its cipher suite"),
        ("tls_server_name", LogField.TlsServerName, "the name that the client asked for in its handshake (SNI)"),
        ("tls_resumed", LogField.TlsResumed, "yes where it went on with an earlier session, else no"),
        ("client_cert_subject", LogField.ClientCertSubject, "the subject of the client's certificate"),
        ("client_cert_fingerprint", LogField.ClientCertFingerprint, "its SHA-256, in hexadecimal digits"),
    ];

    // A record is cut where it would grow longer; what peers send is bounded per field.
    private const int MostPerField = 2048;
    private const int MostRecord = 24 * 1024;

    // What a format needs at least; the rest of a record is for what is long.
    private const int MostNeeded = 12 * 1024;

    // What an item takes at least: a number, a time, an address or the beginning of a peer's text; a name of ours, whole.
    private const int LeastPerItem = 128;
    private const int LeastPerName = 800;

    /// <summary>What <see cref="TryCompile"/> calls a format that leaves no room for values.</summary>
    public const string TooLong = "(too long)";

    private readonly Item[] items;
    private readonly int[] reserved; // Room that the items behind each one need.
    private readonly bool isJson;

    public LogFormat(Item[] items, bool isJson)
    {
        this.items = items;
        reserved = new int[items.Length];
        for (var i = items.Length - 2; i >= 0; i--) reserved[i] = reserved[i + 1] + LeastOf(items[i + 1]);
        this.isJson = isJson;
    }

    /// <summary>One JSON object a line, with every field that has a value.</summary>
    public static LogFormat Json { get; } = new([.. Names.Where(n => n.Field != LogField.CommonTime).Select(n => new Item(n.Field, Encoding.ASCII.GetBytes($"\"{n.Name}\":")))], isJson: true);

    /// <summary>The combined format known from web servers.</summary>
    public static string Combined => "{client_ip} - - [{clf_time}] \"{method} {uri} {protocol}\" {status} {bytes_out} \"{referer}\" \"{user_agent}\"";

    /// <summary>
    /// Compiles a format such as <see cref="Combined"/>; "{{" stands for "{". Null, with the name, where one is not known; with
    /// what begins with '{' where its '}' is missing.
    /// </summary>
    public static LogFormat? TryCompile(string format, out string unknown)
    {
        var items = new List<Item>();
        var at = 0;
        unknown = "";
        while (at < format.Length)
        {
            var open = format.IndexOf('{', at);
            if (open < 0)
            {
                items.Add(new Item(LogField.Text, Encoding.UTF8.GetBytes(format[at..])));
                break;
            }

            if (open + 1 < format.Length && format[open + 1] == '{')
            {
                items.Add(new Item(LogField.Text, Encoding.UTF8.GetBytes(format[at..(open + 1)])));
                at = open + 2;
                continue;
            }

            var close = format.IndexOf('}', open);
            if (close < 0)
            {
                unknown = format[open..];
                return null;
            }

            if (open > at) items.Add(new Item(LogField.Text, Encoding.UTF8.GetBytes(format[at..open])));
            var name = format[(open + 1)..close];
            var index = Array.FindIndex(Names, n => n.Name == name);
            if (index < 0)
            {
                unknown = name;
                return null;
            }

            items.Add(new Item(Names[index].Field, []));
            at = close + 1;
        }

        if (items.Sum(static item => LeastOf(item)) > MostNeeded)
        {
            unknown = TooLong;
            return null;
        }

        return new LogFormat([.. items], isJson: false);
    }

    /// <summary>Writes a record, with its line end, into the ring.</summary>
    public void Write(Exchange exchange, LogRing ring)
    {
        var room = ring.Reserve(MostRecord);
        if (room.IsEmpty) return;
        var to = new SpanWriter(room);
        var any = false;
        if (isJson) to.Write((byte)'{');
        for (var i = 0; i < items.Length; i++)
        {
            ref readonly var item = ref items[i];
            if (item.Field == LogField.Text)
            {
                to.Write(item.Text);
                continue;
            }

            if (isJson)
            {
                if (!HasValue(item.Field, exchange)) continue;
                if (any) to.Write((byte)',');
                to.Write(item.Text);
                any = true;
            }

            // What comes later has its room: a long value is cut, no other is left out.
            WriteField(item.Field, exchange, reserved[i] + 16, ref to);
        }

        if (isJson) to.Write((byte)'}');
        to.Write((byte)'\n');
        ring.Commit(to.Length);
    }

    private static int LeastOf(in Item item) =>
        item.Text.Length + (item.Field is LogField.Text ? 0 : item.Field is LogField.Site or LogField.Route or LogField.Upstream or LogField.Endpoint ? LeastPerName : LeastPerItem);

    private static bool HasValue(LogField field, Exchange exchange) => field switch
    {
        LogField.Referer => exchange.Request.Fields.Index.Has(KnownField.Referer),
        LogField.UserAgent => exchange.Request.Fields.Index.Has(KnownField.UserAgent),
        LogField.Traceparent => exchange.Request.Fields.Index.Has(KnownField.Traceparent),
        LogField.RequestId => !RequestIds.ForRecord(exchange).IsEmpty,
        LogField.Site => exchange.Place.Site is not null,
        LogField.Route => exchange.Place.Route is not null,
        LogField.Upstream => exchange.Place.Upstream is not null,
        LogField.Endpoint => exchange.Place.Endpoint is not null,
        LogField.Cache => exchange.Cached is not null,
        LogField.QueueTime => exchange.Moments.Queued != 0,
        LogField.ConnectTime => exchange.Moments.Connected != 0,
        LogField.WaitTime => exchange.Moments.Answered != 0,
        LogField.ResponseCoding => exchange.ResponseCoding is not null,
        >= LogField.TlsVersion => exchange.Ends.Tls is { } tls && !tls.Get(FactOf(field)).IsEmpty,
        _ => true,
    };

    private void WriteField(LogField field, Exchange exchange, int keep, ref SpanWriter to)
    {
        var request = exchange.Request;
        var moments = exchange.Moments;
        switch (field)
        {
            case LogField.Time:
                Quote(ref to);
                LogTime.Write(exchange, ref to);
                Quote(ref to);
                break;
            case LogField.CommonTime:
                Quote(ref to);
                LogTime.WriteCommon(exchange, ref to);
                Quote(ref to);
                break;
            case LogField.ClientIp:
                Quote(ref to);
                if (exchange.ClientAddress is null) to.Write("unix"u8);
                else Template.WriteAddress(exchange.ClientAddress, ref to);
                Quote(ref to);
                break;
            case LogField.ClientPort:
                to.WriteDecimal(exchange.Ends.ClientPort);
                break;
            case LogField.Method:
                WriteText(request.Method.Span, keep, ref to);
                break;
            case LogField.Uri:
                WriteText(request.Target.Span, keep, ref to);
                break;
            case LogField.Protocol:
                WriteText(request.Version == HttpVersion.Http10 ? "HTTP/1.0"u8 : "HTTP/1.1"u8, keep, ref to);
                break;
            case LogField.Host:
                WriteText(request.Authority.Span, keep, ref to);
                break;
            case LogField.Status:
                to.WriteDecimal(exchange.Client.HasStarted ? exchange.Response.Status : 0);
                break;
            case LogField.BytesIn:
                to.WriteDecimal(exchange.BytesIn);
                break;
            case LogField.BytesOut:
                to.WriteDecimal(exchange.BytesOut);
                break;
            case LogField.Duration:
                to.WriteDecimal(moments.Ended - moments.Begun);
                break;
            case LogField.HeadTime:
                to.WriteDecimal(moments.HeadRead - moments.Begun);
                break;
            case LogField.QueueTime:
                to.WriteDecimal(moments.Queued);
                break;
            case LogField.ConnectTime:
                to.WriteDecimal(Math.Max(0, moments.Connected - moments.HeadRead));
                break;
            case LogField.WaitTime:
                to.WriteDecimal(Math.Max(0, moments.Answered - moments.Connected));
                break;
            case LogField.RelayTime:
                to.WriteDecimal(moments.Ended - Math.Max(moments.Answered, moments.HeadRead));
                break;
            case LogField.Site:
                WriteText(exchange.Place.Site, keep, ref to);
                break;
            case LogField.Route:
                WriteText(exchange.Place.Route, keep, ref to);
                break;
            case LogField.Upstream:
                WriteText(exchange.Place.Upstream, keep, ref to);
                break;
            case LogField.Endpoint:
                WriteText(exchange.Place.Endpoint, keep, ref to);
                break;
            case LogField.Retries:
                to.WriteDecimal(exchange.Retries);
                break;
            case LogField.Cache:
                WriteText(exchange.Cached, keep, ref to);
                break;
            case LogField.Ending:
                var ending = Ending.Of(exchange.Fault);
                Quote(ref to);
                to.Write((byte)ending.Who);
                to.Write((byte)ending.When);
                Quote(ref to);
                break;
            case LogField.RequestId:
                WriteText(RequestIds.ForRecord(exchange).Span, keep, ref to);
                break;
            case LogField.Traceparent:
                WriteText(request.Fields.First(KnownField.Traceparent), keep, ref to);
                break;
            case LogField.Referer:
                WriteText(request.Fields.First(KnownField.Referer), keep, ref to);
                break;
            case LogField.UserAgent:
                WriteText(request.Fields.First(KnownField.UserAgent), keep, ref to);
                break;
            case LogField.ResponseCoding:
                WriteText(exchange.ResponseCoding, keep, ref to);
                break;
            case >= LogField.TlsVersion:
                WriteText(exchange.Ends.Tls is { } tls ? tls.Get(FactOf(field)) : default, keep, ref to);
                break;
        }
    }

    private static TlsFact FactOf(LogField field) => field switch
    {
        LogField.TlsVersion => TlsFact.Version,
        LogField.TlsCipher => TlsFact.Cipher,
        LogField.TlsServerName => TlsFact.ServerName,
        LogField.TlsResumed => TlsFact.Resumed,
        LogField.ClientCertSubject => TlsFact.ClientSubject,
        _ => TlsFact.ClientFingerprint,
    };

    private void Quote(ref SpanWriter to)
    {
        if (isJson) to.Write((byte)'"');
    }

    // Our own names are text: beyond ASCII a JSON record has them as their UTF-16 units, and no character is cut in two.
    private void WriteText(string? text, int keep, ref SpanWriter to)
    {
        var name = text.AsSpan(0, Math.Min(text?.Length ?? 0, 128));
        if (name.Length == 128 && char.IsHighSurrogate(name[^1])) name = name[..^1];
        if (isJson && !System.Text.Ascii.IsValid(name))
        {
            to.Write((byte)'"');
            foreach (var c in name)
            {
                to.Write("\\u"u8);
                Utf8Formatter.TryFormat((ushort)c, to.Free, out var written, new System.Buffers.StandardFormat('x', 4));
                to.Advance(written);
            }

            to.Write((byte)'"');
            return;
        }

        Span<byte> bytes = stackalloc byte[512];
        WriteText(bytes[..Encoding.UTF8.GetBytes(name, bytes)], keep, ref to);
    }

    // Quotes, backslashes, controls and bytes beyond ASCII are escaped. What peers send may be any bytes and JSON has none, so
    // Latin-1 serves.
    private void WriteText(scoped ReadOnlySpan<byte> text, int keep, ref SpanWriter to)
    {
        Quote(ref to);
        if (text.Length > MostPerField) text = text[..MostPerField];
        if (text.IsEmpty && !isJson) to.Write((byte)'-');
        while (!text.IsEmpty && to.Free.Length - keep >= 8)
        {
            text = text[..Math.Min(text.Length, to.Free.Length - keep - 6)];
            var plain = text.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E);
            var special = text.IndexOfAny((byte)'"', (byte)'\\');
            var stop = plain < 0 ? special : special < 0 ? plain : Math.Min(plain, special);
            if (stop < 0)
            {
                to.Write(text);
                break;
            }

            to.Write(text[..stop]);
            var b = text[stop];
            if (b is (byte)'"' or (byte)'\\')
            {
                to.Write((byte)'\\');
                to.Write(b);
            }
            else
            {
                to.Write(isJson ? "\\u00"u8 : "\\x"u8);
                Utf8Formatter.TryFormat(b, to.Free, out var written, new System.Buffers.StandardFormat('x', 2));
                to.Advance(written);
            }

            text = text[(stop + 1)..];
        }

        Quote(ref to);
    }
}
