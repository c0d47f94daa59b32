// A connection to an origin over HTTP/1.1: the same reader and writer in the client's role. It goes back to its owner only
// when both messages of its exchange were whole and nothing is left over.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Http1;

/// <summary>A connection to an origin, lent for one exchange at a time. One loop.</summary>
public sealed class ClientConnection : OriginStream
{
    // An origin that never comes to the point is no origin.
    private const int MostInterims = 32;

    private const int MostProtocols = 4;

    private const int FirstHeadBuffer = 16384;
    private const int LargeResponse = 16384;
    private const int LargeHeadBuffer = 73728;

    private readonly Transport transport;
    private readonly MessageReader reader;
    private readonly MessageWriter writer;
    private readonly ResponseHead head = new();
    private readonly ISlotOwner owner;
    private bool reused;
    private bool lent;
    private bool tunnelled;
    private bool keepAlive;
    private bool headStarted;
    private bool isInterim;
    private int interims;

    public ClientConnection(Transport transport, BufferPool buffers, ISlotOwner owner)
    {
        this.transport = transport;
        this.owner = owner;
        reader = new MessageReader(buffers, FirstHeadBuffer);
        writer = new MessageWriter(buffers);
        reader.Attach(transport);
        writer.Attach(transport);
        OpenedAt = transport.Loop.Now;
    }

    /// <summary>When it was made, in the loop's milliseconds.</summary>
    public long OpenedAt { get; }

    /// <summary>Where it leads; null: that does not matter.</summary>
    public NetworkAddress? Address { get; init; }

    /// <summary>The addresses among which <see cref="Address"/> was seen last.</summary>
    public NetworkAddress[]? SeenAmong { get; set; }

    /// <summary>Since when it waits for an exchange.</summary>
    public long IdleSince { get; set; }

    /// <summary>Limits on a response's head.</summary>
    public HeadLimits Limits { get; set; } = HeadLimits.Default with { HeadBytes = 64 * 1024 };

    public override bool IsReused => reused;

    // An idle origin has nothing to say: bytes as well as an end mean that it is not to be used.
    public override bool IsDead => transport.Gone.IsSet || (reused && transport.HasUnasked) || transport.IsClosed;

    public override string Trouble => transport.Trouble;

    public override bool EndsAfterThis => !keepAlive || transport.Gone.IsSet;

    public override BodySink RequestBody => writer;

    public override BodySource ResponseBody => reader;

    public override Signal Readable => transport.Readable;

    /// <summary>The owner lends it.</summary>
    public void BeginExchange(bool reused)
    {
        this.reused = reused;
        lent = true;
        tunnelled = keepAlive = headStarted = false;
    }

    public override FaultCause StartRequest(Request request)
    {
        if (request.HasBody && request.BodyLength < 0 && owner.PeerIsHttp10) return FaultCause.LengthRequired;
        var fields = request.Fields;
        var target = request.PathPrefix.Length + request.ForwardedPath.Length + request.ForwardedQuery.Length + request.Target.Length + request.ForwardedHost.Length;
        var size = HeadFormat.Bound(fields, target + request.Method.Length + 64);
        var room = writer.BeginHead(size);
        if (room is null) return writer.WhyNoRoom(size);
        var to = new SpanWriter(room.Free);
        to.Write(request.Method.Span);
        to.Write((byte)' ');
        WriteTarget(ref to, request);
        to.Write(" HTTP/1.1\r\n"u8);
        HeadFormat.WriteFields(ref to, fields, request.ForwardedHost.Span, isRequest: true);
        var framing = BodyFraming.None;
        if (request.HasBody)
        {
            framing = request.BodyLength >= 0 ? BodyFraming.Length : BodyFraming.Chunked;
            if (framing == BodyFraming.Length) HeadFormat.WriteLength(ref to, fields, request.BodyLength);
            else to.Write("Transfer-Encoding: chunked\r\n"u8);
        }

        if (request.WantsUpgrade)
        {
            to.Write("Connection: upgrade\r\nUpgrade: "u8);
            to.Write(request.UpgradeProtocol.Span);
            to.Write("\r\n"u8);
        }
        else if (request.AcceptsTrailers)
        {
            to.Write("Connection: TE\r\nTE: trailers\r\n"u8);
        }

        to.Write("\r\n"u8);
        room.End += to.Length;
        writer.BeginBody(framing, request.BodyLength);
        head.Clear();
        headStarted = isInterim = false;
        interims = 0;
        return FaultCause.None;
    }

    public override HeadStatus TryReceiveHead(Request request, Response into)
    {
        if (isInterim)
        {
            // The interim head was passed on; its fields are not looked at again.
            isInterim = false;
            head.Clear();
            if (++interims > MostInterims) return HeadStatus.Malformed;
        }

        while (true)
        {
            var bytes = reader.HeadBytes;
            var parsed = bytes.IsEmpty ? ParseStatus.NeedMore : ResponseParser.Parse(bytes, Limits, request.KnownMethod, head, out _);
            if (parsed == ParseStatus.Bad) return HeadStatus.Malformed;
            if (parsed == ParseStatus.Done)
            {
                FillResponse(request, into);
                return into.Status == 101 && !into.IsTunnel ? HeadStatus.Malformed : HeadStatus.Done;
            }

            var got = reader.FillHead(out var exhausted);
            switch (got)
            {
                case IoStatus.Some:
                    headStarted = true;
                    continue;
                case IoStatus.WouldBlock when !exhausted:
                    return HeadStatus.Wait;
                case IoStatus.WouldBlock:
                    return reader.HeadBytes.Length >= Limits.HeadBytes ? HeadStatus.Malformed : HeadStatus.Exhausted;
                default:
                    return headStarted ? HeadStatus.ClosedWithin : HeadStatus.ClosedBefore;
            }
        }
    }

    public override void BecomeTunnel()
    {
        tunnelled = true;
        reader.BecomeRaw();
        writer.BecomeRaw();
    }

    public override void Release()
    {
        if (!lent) return;
        lent = false;
        var whole = !tunnelled && keepAlive && reader.IsAtEnd && writer.IsFinished && !writer.IsBroken;
        reader.EndMessage();
        whole &= !reader.HasBytes && !transport.Gone.IsSet;
        owner.ExchangeEnded(this, whole, transport.Loop);
    }

    public override void Abort()
    {
        if (!lent) return;
        lent = false;
        owner.ExchangeEnded(this, reusable: false, transport.Loop);
    }

    /// <summary>Closes it: for its owner.</summary>
    public void Close()
    {
        if (transport.IsClosed) return;
        var broken = tunnelled && !writer.IsFinished; // A tunnel cut short must not look as if its client had finished.
        reader.Reset();
        writer.Reset();
        transport.Close(reset: broken);
        owner.ConnectionClosed();
    }

    private static void WriteTarget(ref SpanWriter to, Request request)
    {
        if (request.Form == TargetForm.Authority)
        {
            to.Write(request.Target.Span);
            return;
        }

        // RFC 9112 §3.2.4: OPTIONS without a path is asked of the server as a whole.
        if (request.ForwardedPath.IsEmpty && request.KnownMethod == KnownMethod.Options && !request.HasForwardedQuery)
        {
            to.Write("*"u8);
            return;
        }

        to.Write(request.PathPrefix);
        if (request.ForwardedPath.IsEmpty) to.Write((byte)'/');
        else to.Write(request.ForwardedPath.Span);
        if (!request.HasForwardedQuery) return;
        to.Write((byte)'?');
        to.Write(request.ForwardedQuery.Span);
    }

    // RFC 9110 §7.8: a server must not switch to a protocol that the client did not name. Few are chosen, if more than one.
    private static bool WasOffered(ReadOnlySpan<byte> offered, ReadOnlySpan<byte> chosen)
    {
        var count = 0;
        foreach (var protocol in new ListElements(chosen))
        {
            if (++count > MostProtocols || !RequestFill.Names(offered, protocol)) return false;
        }

        return count > 0;
    }

    private void FillResponse(Request request, Response into)
    {
        var (block, start) = reader.HeadBlock;
        into.Clear();
        into.Fields.Reset(block, start, head.Fields);
        into.Status = head.Status;
        into.Version = head.MinorVersion == 0 ? HttpVersion.Http10 : HttpVersion.Http11;
        if (owner.PeerIsHttp10 != (head.MinorVersion == 0)) owner.PeerIsHttp10 = head.MinorVersion == 0;
        into.Reason = new ByteRange(block, start + head.Reason.Start, head.Reason.Length);
        into.HasBody = head.Framing != BodyFraming.None;
        into.BodyLength = head.Framing == BodyFraming.Length ? head.ContentLength : head.Framing == BodyFraming.None ? 0 : -1;
        into.AnnouncedLength = head.Framing == BodyFraming.None ? head.AnnouncedLength : -1;
        if (head.Status == 101 && head.HasUpgrade && request.WantsUpgrade)
        {
            var upgrade = head.Fields[head.Fields.IndexOf(KnownField.Upgrade)];
            into.UpgradeProtocol = new ByteRange(block, start + upgrade.ValueStart, upgrade.ValueLength);
            into.IsTunnel = head.Fields.CountOf(KnownField.Upgrade) == 1 && WasOffered(request.UpgradeProtocol.Span, into.UpgradeProtocol.Span);
        }
        else if (head.Status == 426 && head.Fields.Has(KnownField.Upgrade))
        {
            var upgrade = head.Fields[head.Fields.IndexOf(KnownField.Upgrade)];
            into.UpgradeProtocol = new ByteRange(block, start + upgrade.ValueStart, upgrade.ValueLength);
        }
        else if (request.KnownMethod == KnownMethod.Connect && head.Status is >= 200 and < 300)
        {
            into.IsTunnel = true;
        }

        HeadFormat.DropHopByHop(into.Fields);
        if (head.Status is 204 or (>= 100 and < 200) || into.IsTunnel)
        {
            into.AnnouncedLength = -1;
            into.Fields.Drop(KnownField.ContentLength);
        }

        if (head.Status >= 200 && !head.Fields.Has(KnownField.Date)) into.Fields.Add(KnownField.Date, OwnResponse.DateName, DateNow.Of(transport.Loop)); // RFC 9110 §6.6.1
        keepAlive = head.KeepAlive && head.Framing != BodyFraming.UntilClose;
        reader.HeadBuffer = head.Framing == BodyFraming.Length && head.ContentLength >= LargeResponse ? LargeHeadBuffer : FirstHeadBuffer;
        reader.BeginBody(head.Length, head.Framing, head.ContentLength);
        isInterim = into.IsInterim;
    }
}
