// One request and its response, as the client's protocol carries them. What came stays beside what is sent on. The object
// is leased when a request begins and given back when its exchange has ended; it is never shared between loops.

using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Wire.Fields;

namespace Weir.Engine.Exchanges;

/// <summary>Moments of an exchange, in microseconds of the loop's clock; 0: not reached.</summary>
public struct Moments
{
    /// <summary>The first byte of the request was there.</summary>
    public long Begun;

    /// <summary>The request's head was whole.</summary>
    public long HeadRead;

    /// <summary>How long it waited in its upstream's queue: a duration.</summary>
    public long Queued;

    /// <summary>An origin's slot was had.</summary>
    public long Connected;

    /// <summary>The response's head had come.</summary>
    public long Answered;

    /// <summary>The last byte was passed on, or the exchange broke.</summary>
    public long Ended;
}

/// <summary>The exchange. All members belong to its loop.</summary>
public sealed class Exchange
{
    private static readonly IResponsePolicy[] NoPolicies = [];

    public Exchange(Loop loop, BufferPool buffers)
    {
        Loop = loop;
        Buffers = buffers;
        Scratch = new Scratch(buffers);
        Flow = new Waiter(loop);
        UploadFlow = new Waiter(loop);
    }

    public Loop Loop { get; }

    public BufferPool Buffers { get; }

    /// <summary>Bytes that live as long as this exchange.</summary>
    public Scratch Scratch { get; }

    /// <summary>Where the exchange's main flow waits.</summary>
    public Waiter Flow { get; }

    /// <summary>Where the flow that sends the request's body waits.</summary>
    public Waiter UploadFlow { get; }

    public Request Request { get; } = new();

    public Response Response { get; } = new();

    /// <summary>The client's side.</summary>
    public ClientStream Client { get; private set; } = null!;

    public ConnectionEnds Ends { get; set; }

    /// <summary>The client's address as trusted proxies tell it; the connection's own where none is trusted.</summary>
    public System.Net.IPAddress? ClientAddress { get; set; }

    /// <summary>Whether the peer may say on whose behalf it speaks.</summary>
    public bool IsFromTrustedProxy { get; set; }

    /// <summary>The origin's side, while a slot is lent.</summary>
    public OriginStream? Origin { get; set; }

    /// <summary>Where the response's body comes from, once there is a response.</summary>
    public BodySource? ResponseSource { get; set; }

    /// <summary>What must be let go of when the exchange ends, such as an open file.</summary>
    public IDisposable? Held { get; set; }

    /// <summary>Bodies made from others, to be let go of when the exchange ends.</summary>
    private BodyFilter? filters;

    /// <summary>Ends a filter when the exchange ends.</summary>
    public void Hold(BodyFilter filter)
    {
        filter.Below = filters;
        filters = filter;
    }

    internal void LetGoOfFilters()
    {
        while (filters is { } filter)
        {
            filters = filter.Below;
            filter.Below = null;
            filter.End();
        }
    }

    /// <summary>The content coding that the response was given here, as its field names it; null: none.</summary>
    public byte[]? ResponseCoding { get; set; }

    /// <summary>The digests that the client is told where that can be done.</summary>
    public DigestWish DigestWish { get; set; }

    /// <summary>A body in memory, for answers of our own.</summary>
    public BytesSource OwnBody { get; } = new();

    /// <summary>What edits the response before it is sent.</summary>
    public IResponsePolicy[] ResponsePolicies { get; set; } = NoPolicies;

    public Timeouts Timeouts { get; set; } = new();

    /// <summary>The limit on the request's body, in bytes.</summary>
    public long BodyLimit { get; set; } = long.MaxValue;

    /// <summary>The minimum rate while a peer owes bytes, in bytes per second; 0: none.</summary>
    public long MinRate { get; set; }

    /// <summary>How long a peer may owe bytes whatever its rate, in ms.</summary>
    public long MinRateGrace { get; set; }

    /// <summary>Captures of the route's regular expressions: names or numbers to values, for templates.</summary>
    public Captures Captures { get; } = new();

    /// <summary>What went wrong, if anything; stays for the record even where it was answered.</summary>
    public Fault Fault { get; set; }

    /// <summary>What ends the exchange from outside its main flow: its request's body broke, or draining is over.</summary>
    public Fault Interruption { get; private set; }

    /// <summary>The flow that sends the request's body. Once started it is awaited exactly once.</summary>
    public LoopTask<Fault> Upload { get; set; }

    /// <summary>Whether <see cref="Upload"/> was started and not yet awaited.</summary>
    public bool HasUpload { get; set; }

    /// <summary>Whether the request's body is still on its way.</summary>
    public bool IsUploading { get; set; }

    /// <summary>Why an origin's answer is waited for no longer: it takes nothing of the body. One attempt's, where a fault that interrupts is the exchange's.</summary>
    public Fault Stalled { get; private set; }

    /// <summary>When the request was sent whole, in ms; while its body is under way, when that began.</summary>
    public long SentAt { get; set; }

    /// <summary>Whether the client may hold its body back until a 100 is passed on to it.</summary>
    public bool AwaitsContinue { get; set; }

    /// <summary>Whether nothing speaks against sending the request twice: it is idempotent, and all of its body can be had again.</summary>
    public bool MayBeSentAgain => Request.IsIdempotent && (!Request.HasBody || Replay is { CanReplay: true });

    /// <summary>The recording of the request's body, where it may have to be sent again.</summary>
    public ReplayableBody? Replay { get; set; }

    /// <summary>The request's body as it is sent on, made from the client's; null: the client's own is.</summary>
    public BodySource? SentBody { get; set; }

    /// <summary>The request's body as it is sent on while it comes: once.</summary>
    public BodySource LiveBody => SentBody ?? Client.RequestBody;

    /// <summary>The request's body, from its first byte or from where it was read to.</summary>
    public BodySource RequestBody => Replay ?? LiveBody;

    /// <summary>Goes back to the request as it was before it was sent.</summary>
    public void Rewind()
    {
        Replay?.Rewind();
        Stalled = Fault.None;
        ResponseSource = null;
        Response.Clear();
    }

    /// <summary>Ends the exchange from outside its main flow, which sees it at its next wait, or at once where it waits.</summary>
    public void Interrupt(Fault fault)
    {
        if (Interruption.IsNone) Interruption = fault;
        Flow.Cancel();
    }

    /// <summary>Ends the attempt from outside the main flow; where its answer is being passed on already, the exchange.</summary>
    public void Stall(Fault fault)
    {
        if (ResponseSource is null) Stalled = fault;
        else if (Interruption.IsNone) Interruption = fault;
        Flow.Cancel();
    }

    /// <summary>Ends the exchange from outside both of its flows.</summary>
    public void InterruptAll(Fault fault)
    {
        Interrupt(fault);
        UploadFlow.Cancel();
    }

    /// <summary>Who is shown the request as it is sent; null: nobody.</summary>
    public RequestTap? Tap { get; set; }

    /// <summary>The request has been sent whole.</summary>
    public void RequestSent()
    {
        if (Tap is not { } tap) return;
        Tap = null;
        tap.Sent(this);
    }

    /// <summary>The moment (ms) at which the whole exchange must have ended.</summary>
    public long TotalDeadline { get; set; }

    /// <summary>Identifies the request in logs and towards the origin; made on first use.</summary>
    public ByteRange RequestId { get; set; }

    /// <summary>Whose response it is that was kept, and not fetched by this exchange; null: none.</summary>
    public OriginName? KeptFrom { get; set; }

    /// <summary>What the cache did for it, as records tell it; null: it has none.</summary>
    public string? Cached { get; set; }

    /// <summary>Bytes of the request's body passed on.</summary>
    public long BytesIn { get; set; }

    /// <summary>Bytes of the response's body passed on.</summary>
    public long BytesOut { get; set; }

    /// <summary>Attempts after the first.</summary>
    public int Retries { get; set; }

    /// <summary>What it holds of an upstream that has limits; made when it first asks one.</summary>
    public Ticket? Ticket { get; set; }

    /// <summary>When a client that is told 503 may be better served, in ms from now; 0: as always.</summary>
    public long RetryAfter { get; set; }

    /// <summary>The endpoints that were asked.</summary>
    public Tried Tried { get; } = new();

    /// <summary>The endpoint that is asked first where it can be: the client was with it. Null: the balancer says.</summary>
    public object? Preferred { get; set; }

    /// <summary>Whether the cookie that named <see cref="Preferred"/> is to stay as it is.</summary>
    public bool KeepsCookie { get; set; }

    /// <summary>Whether a cookie said with which endpoint the client was, though that may be gone.</summary>
    public bool WasStuck { get; set; }

    /// <summary>The value that the client is given for the cookie by which a route is split; empty: none.</summary>
    public ByteRange SplitValue { get; set; }

    /// <summary>The site, route, upstream and endpoint that served it: what records and metrics are kept by.</summary>
    public Place Place;

    public Moments Moments;

    /// <summary>Begins an exchange.</summary>
    public void Begin(ClientStream client, long now)
    {
        Client = client;
        TotalDeadline = Exchanges.Timeouts.None;
        Moments = default;
        Moments.Begun = now;
    }

    /// <summary>Gives back what the exchange held. The slot of the origin must have been given back before.</summary>
    public void End()
    {
        Tap?.Lost();
        Tap = null;
        Scratch.Clear();
        Captures.Clear();
        Request.Clear();
        Response.Clear();
        ResponsePolicies = NoPolicies;
        ResponseSource = null;
        Held?.Dispose();
        Held = null;
        Replay?.End();
        Replay = null;
        LetGoOfFilters();
        SentBody = null;
        ResponseCoding = null;
        DigestWish = default;
        Origin = null;
        Ticket?.Owner?.Return(Ticket);
        RetryAfter = 0;
        Fault = Interruption = Stalled = Fault.None;
        RequestId = default;
        BytesIn = BytesOut = 0;
        Retries = 0;
        Tried.Clear();
        Preferred = null;
        KeepsCookie = WasStuck = false;
        SplitValue = default;
        Cached = null;
        KeptFrom = null;
        Upload = default;
        IsUploading = HasUpload = AwaitsContinue = false;
        Place = default;
        ClientAddress = null;
        IsFromTrustedProxy = false;
        Flow.Disarm();
        UploadFlow.Disarm();
    }

    /// <summary>Whether a client that ended its direction is still answered.</summary>
    public bool AnswersHalfClosed { get; set; }

    /// <summary>A client has gone: whether its exchange goes on all the same.</summary>
    public bool KeepsServing(ClientStream client) => AnswersHalfClosed && !client.IsBroken;

    /// <summary>The moment this exchange must stop waiting: the given timeout from now, or its total.</summary>
    public long Deadline(long timeout) => Math.Min(Exchanges.Timeouts.After(Loop.Now, timeout), TotalDeadline);
}

/// <summary>Who served an exchange: live things that outlive plans, each with an index for metrics.</summary>
public struct Place
{
    public string? Site;
    public string? Route;
    public string? Upstream;
    public string? Endpoint;

    /// <summary>The live site's, upstream's and endpoint's own records, for whoever counts.</summary>
    public object? SiteState;
    public object? UpstreamState;
    public object? EndpointState;
}

/// <summary>The algorithms in which a client would like digests of the representation and of the content.</summary>
public readonly record struct DigestWish(DigestAlgorithm Representation, DigestAlgorithm Content)
{
    public bool IsNone => Representation == DigestAlgorithm.None && Content == DigestAlgorithm.None;
}

/// <summary>How an endpoint names itself in its responses.</summary>
/// <param name="Authority">Its host and port, as it is asked.</param>
/// <param name="IsSecure">Whether it is asked over TLS.</param>
/// <param name="PathPrefix">The path of its URL, in front of all others; no trailing slash.</param>
public sealed record OriginName(byte[] Authority, bool IsSecure, byte[] PathPrefix);
