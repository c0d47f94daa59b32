// The client's side of exchanges over HTTP/1.1: the machine that is leased while a connection has something to do. It reads
// a head, lets the exchange be handled, and sees whether the connection can go on. An idle connection holds none of this.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Transports;
using Weir.Wire.Bytes;
using Weir.Wire.Http1;

namespace Weir.Engine.Http1;

/// <summary>What a connection has to do next.</summary>
internal enum Next : byte
{
    /// <summary>Wait for the next request.</summary>
    Idle,

    /// <summary>Read the rest of a body that nobody wanted, then see.</summary>
    Drain,

    /// <summary>Close, letting the client read what was sent.</summary>
    Linger,

    /// <summary>Close at once.</summary>
    Close,

    /// <summary>Break the connection, so that what was sent cannot look whole.</summary>
    Reset,
}

/// <summary>How far a head has come.</summary>
internal enum HeadProgress : byte
{
    Done,
    Refused,

    /// <summary>Some of it is here.</summary>
    Wait,

    /// <summary>Nothing of it is here.</summary>
    Idle,

    /// <summary>The client left between two requests.</summary>
    Left,
}

/// <summary>Serves the exchanges of one connection, one after the other. Leased; reused; one loop.</summary>
internal sealed class ServerStream : ClientStream
{
    private const int FirstHeadBuffer = 4096;

    // Of a request's body that nobody wanted, this much is read so that the connection can go on.
    private const long MostDrained = 65536;

    private readonly MessageReader reader;
    private readonly MessageWriter writer;
    private readonly RequestHead head = new();
    private readonly Exchange exchange;
    private Transport transport = null!;
    private ServerConnection connection = null!;
    private bool started;
    private bool endAfterThis;
    private bool aborted;
    private bool bare;
    private bool tunnelled;
    private bool sentContinue;
    private bool headWaited;
    private bool refused;
    private long headDeadline;

    public ServerStream(Loop loop, BufferPool buffers)
    {
        reader = new MessageReader(buffers, FirstHeadBuffer);
        writer = new MessageWriter(buffers);
        exchange = new Exchange(loop, buffers);
    }

    public override BodySource RequestBody => reader;

    public override BodySink ResponseBody => writer;

    public override Signal Gone => transport.Gone;

    public override bool IsBroken => transport.IsBroken;

    public override bool IsConfirmed => transport.IsConfirmed;

    public override bool TryConfirm() => transport.TryConfirm() != IoStatus.Reset;

    public override bool HasStarted => started && (writer.HasSent || writer.IsFinished);

    internal ServerStream? NextFree { get; set; }

    internal Exchange Exchange => exchange;

    /// <summary>Takes its place at a connection that has something to do.</summary>
    public void Attach(ServerConnection on)
    {
        connection = on;
        transport = on.Transport;
        reader.Attach(transport);
        writer.Attach(transport);
    }

    /// <summary>Reads a request's head as far as it has come, and begins its exchange when it is done or refused.</summary>
    public HeadProgress Begin()
    {
        started = endAfterThis = aborted = bare = tunnelled = sentContinue = headWaited = false;
        head.Clear();
        headDeadline = 0;
        return GoOn();
    }

    /// <summary>Waits for the rest of a head.</summary>
    public async LoopTask<HeadProgress> AwaitHeadAsync()
    {
        while (true)
        {
            var wake = await exchange.Flow.FirstOf(transport.Readable, headDeadline);
            if (wake != Wake.First)
            {
                Fill(wake == Wake.Deadline ? new Fault(FaultCause.Timeout, Side.Client, Stage.Head) : new Fault(FaultCause.Stopping, Side.Proxy, Stage.Head));
                return HeadProgress.Refused;
            }

            var progress = GoOn();
            if (progress != HeadProgress.Wait) return progress;
        }
    }

    /// <summary>The exchange was handled: whether another one can follow on this connection.</summary>
    public Next Conclude()
    {
        if (bare) return Next.Linger;
        if (aborted || writer.IsBroken || !writer.IsFinished) return writer.EndsByClose && started ? Next.Reset : Next.Close;
        if (tunnelled) return Next.Close;
        if (refused) return Next.Linger;
        if (endAfterThis) return reader.IsAtEnd && !reader.HasBytes ? Next.Close : Next.Linger;
        return reader.IsAtEnd ? Next.Idle : Next.Drain;
    }

    /// <summary>Reads a short rest of an unwanted body, so that the connection lives on.</summary>
    public async LoopTask<Next> DrainAsync()
    {
        var deadline = Timeouts.After(exchange.Loop.Now, 5_000);
        for (var drained = 0L; drained <= MostDrained;)
        {
            var status = reader.TryRead(out var piece);
            if (status == BodyStatus.End) return Next.Idle;
            if (status == BodyStatus.Broken) return Next.Close;
            if (status == BodyStatus.Piece)
            {
                drained += piece.Length;
                reader.Advance(piece.Length);
                continue;
            }

            if (await exchange.Flow.FirstOf(reader.Ready, deadline) != Wake.First) return Next.Linger;
        }

        return Next.Linger;
    }

    /// <summary>Lets go of the exchange.</summary>
    /// <returns>Whether bytes of a further request are here already.</returns>
    public bool End()
    {
        if (exchange.IsUploading) throw new InvalidOperationException("the flow that sends a request's body outlives its exchange");
        exchange.End();
        reader.EndMessage();
        return reader.HasBytes;
    }

    /// <summary>Lets go of the connection and of everything held for it.</summary>
    public void Detach()
    {
        reader.Reset();
        writer.Reset();
    }

    /// <summary>A bug ended the exchange in the midst: nothing that it held is kept, and this is not used again.</summary>
    public void Abandon()
    {
        if (exchange.HasUpload) exchange.UploadFlow.Cancel();
        exchange.Origin?.Abort();
        exchange.End();
        Detach();
    }

    public override FaultCause SendInterim(Response response)
    {
        if (exchange.Request.Version == HttpVersion.Http10) return FaultCause.None; // RFC 9110 §15.2: not to a 1.0 client.
        sentContinue |= response.Status == 100;
        var size = HeadFormat.Bound(response.Fields, response.Reason.Length + 32);
        var room = writer.BeginHead(size);
        if (room is null) return writer.WhyNoRoom(size);
        var to = new SpanWriter(room.Free);
        WriteStatusLine(ref to, response);
        HeadFormat.WriteFields(ref to, response.Fields, default, isRequest: false);
        to.Write("\r\n"u8);
        room.End += to.Length;
        return FaultCause.None;
    }

    public override FaultCause StartResponse(Response response, Request request)
    {
        if (started) writer.Discard(); // An answer of which no byte has left gives way to a fault's.
        var size = HeadFormat.Bound(response.Fields, response.Reason.Length + 32);
        var room = writer.BeginHead(size);
        if (room is null) return writer.WhyNoRoom(size);
        started = true;
        if (!head.KeepAlive || connection.IsLast || LeavesBodyUnread(request)) endAfterThis = true;

        var framing = BodyFraming.None;
        if (response.HasBody)
        {
            if (response.BodyLength >= 0) framing = BodyFraming.Length;
            else framing = request.Version == HttpVersion.Http10 ? BodyFraming.UntilClose : BodyFraming.Chunked;
            if (framing == BodyFraming.UntilClose) endAfterThis = true;
        }

        var to = new SpanWriter(room.Free);
        WriteStatusLine(ref to, response);
        HeadFormat.WriteFields(ref to, response.Fields, default, isRequest: false);
        if (framing == BodyFraming.Length) HeadFormat.WriteLength(ref to, response.Fields, response.BodyLength);
        else if (framing == BodyFraming.Chunked) to.Write("Transfer-Encoding: chunked\r\n"u8);
        else if (framing == BodyFraming.None && response.AnnouncedLength >= 0) HeadFormat.WriteLength(ref to, response.Fields, response.AnnouncedLength);

        if (response.IsTunnel && response.Status == 101)
        {
            to.Write("Connection: upgrade\r\nUpgrade: "u8);
            to.Write(response.UpgradeProtocol.Span);
            to.Write("\r\n"u8);
        }
        else if (response.Status == 426 && !response.UpgradeProtocol.IsEmpty)
        {
            // RFC 9110 §15.5.22: it names what to change to.
            to.Write(endAfterThis ? "Connection: close, upgrade\r\nUpgrade: "u8 : "Connection: upgrade\r\nUpgrade: "u8);
            to.Write(response.UpgradeProtocol.Span);
            to.Write("\r\n"u8);
        }
        else if (endAfterThis && !response.IsTunnel)
        {
            to.Write("Connection: close\r\n"u8);
        }
        else if (request.Version == HttpVersion.Http10 && !response.IsTunnel)
        {
            to.Write("Connection: keep-alive\r\n"u8);
        }

        to.Write("\r\n"u8);
        room.End += to.Length;
        writer.BeginBody(framing, response.BodyLength);
        return FaultCause.None;
    }

    public override void BecomeTunnel()
    {
        tunnelled = true;
        reader.BecomeRaw();
        writer.BecomeRaw();
    }

    public override void EndAfterThis() => endAfterThis = true;

    public override void AnswerBare()
    {
        ReadOnlySpan<byte> answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"u8;
        if (writer.HasPending || transport.TryWrite(answer) is not { Status: IoStatus.Some } sent || sent.Count != answer.Length) Abort();
        else bare = true;
    }

    public override void Abort() => aborted = true;

    // A body that nobody will read to its end ends the connection, and the client is told (RFC 9112 §9.6): one that may not
    // come for want of a 100 cannot be told from the next request, a long one is not read away, an origin that stops takes no more.
    private bool LeavesBodyUnread(Request request)
    {
        if (reader.IsAtEnd) return false;
        if (request.ExpectsContinue && !sentContinue) return true;
        return exchange.HasUpload ? exchange.Origin is { EndsAfterThis: true } : request.BodyLength - exchange.BytesIn > MostDrained;
    }

    private HeadProgress GoOn()
    {
        var progress = TryReadHead(out var fault);
        if (progress is HeadProgress.Done or HeadProgress.Refused) progress = Fill(fault);
        return progress;
    }

    // Parses and reads until the head is whole, refused, or more must be waited for.
    private HeadProgress TryReadHead(out Fault fault)
    {
        fault = Fault.None;
        while (true)
        {
            if (reader.HasBytes)
            {
                if (headDeadline == 0) FirstByte();
                var parsed = RequestParser.Parse(reader.HeadBytes, connection.HeadLimits, head, out var refused);
                if (parsed == ParseStatus.Done) return HeadProgress.Done;
                if (parsed == ParseStatus.Bad)
                {
                    fault = FaultOf(refused);
                    return HeadProgress.Refused;
                }
            }

            var got = reader.FillHead(out var exhausted);
            if (got == IoStatus.Some) continue;
            if (exhausted)
            {
                if (headDeadline == 0) FirstByte();
                fault = new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Head);
                return HeadProgress.Refused;
            }

            if (got == IoStatus.WouldBlock)
            {
                headWaited = true;
                return reader.HasBytes ? HeadProgress.Wait : HeadProgress.Idle;
            }

            // Between two requests a client may leave; within a head it breaks off.
            if (!reader.HasBytes) return HeadProgress.Left;
            fault = new Fault(FaultCause.Closed, Side.Client, Stage.Head);
            return HeadProgress.Refused;
        }
    }

    private void FirstByte()
    {
        headDeadline = Timeouts.After(exchange.Loop.Now, connection.Timeouts.Header);
        exchange.Begin(this, exchange.Loop.Microseconds());
        connection.CountRequest();
    }

    private HeadProgress Fill(Fault fault)
    {
        // A head that came in one piece was read when it began.
        exchange.Moments.HeadRead = headWaited ? exchange.Loop.Microseconds() : exchange.Moments.Begun;
        exchange.Ends = connection.Ends;
        if (!FillRequest(fault.IsNone)) fault = new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Head);
        refused = !fault.IsNone;
        if (!refused) return HeadProgress.Done;
        exchange.Fault = fault;
        endAfterThis = true;
        return HeadProgress.Refused;
    }

    private bool FillRequest(bool whole)
    {
        var (block, start) = reader.HasBytes ? reader.HeadBlock : ([], 0);
        if (reader.HasBytes)
        {
            var (room, from) = reader.HeadRoom;
            exchange.Scratch.Borrow(room, from);
        }

        exchange.Request.IsSecure = exchange.Ends.IsSecure;
        var fits = RequestFill.From(exchange, head, block, start, whole);
        if (whole) reader.BeginBody(head.Length, head.Framing, head.ContentLength);
        else reader.BeginBody(0, BodyFraming.None, 0);
        return fits;
    }

    private static void WriteStatusLine(ref SpanWriter to, Response response)
    {
        to.Write("HTTP/1.1 "u8);
        to.WriteDecimal(response.Status);
        to.Write((byte)' ');
        to.Write(response.Reason.IsEmpty ? Reasons.Of(response.Status) : response.Reason.Span);
        to.Write("\r\n"u8);
    }

    private static Fault FaultOf(HeadFault refused) => new(refused switch
    {
        HeadFault.UnsupportedVersion => FaultCause.UnsupportedVersion,
        HeadFault.MethodTooLong => FaultCause.UnknownMethod,
        HeadFault.TargetTooLong => FaultCause.TargetTooLong,
        HeadFault.HeadTooLarge or HeadFault.TooManyFields => FaultCause.HeadTooLarge,
        HeadFault.UnknownCoding => FaultCause.UnknownCoding,
        HeadFault.UnknownExpectation => FaultCause.UnknownExpectation,
        _ => FaultCause.Malformed,
    }, Side.Client, Stage.Head);
}
