// What can go wrong on the way of a request, as a small value. One table turns it into a status, a decision about the
// connections, and the letters of the ending. Peers' mistakes are values; no exception is thrown for them.

namespace Weir.Engine.Exchanges;

/// <summary>What went wrong.</summary>
public enum FaultCause : byte
{
    None,

    /// <summary>A message that breaks the protocol.</summary>
    Malformed,

    /// <summary>A protocol version that is not spoken here.</summary>
    UnsupportedVersion,

    /// <summary>A transfer coding that is not known.</summary>
    UnknownCoding,

    /// <summary>A content coding that is not known, of a body that was to be decompressed.</summary>
    UnknownContentCoding,

    /// <summary>A method that is not served, as CONNECT without a route for it.</summary>
    UnknownMethod,

    /// <summary>An expectation that is not known.</summary>
    UnknownExpectation,
    TargetTooLong,
    HeadTooLarge,
    BodyTooLarge,

    /// <summary>A body of unknown length for an origin that reads none.</summary>
    LengthRequired,

    /// <summary>A path that could climb out of its match, or that two parties could read differently.</summary>
    UnsafePath,

    /// <summary>No site for the host.</summary>
    Misdirected,

    /// <summary>No route for the request.</summary>
    NoRoute,

    /// <summary>The request came back to where it had been.</summary>
    Loop,

    /// <summary>The peer sent nothing, or too little, in its time.</summary>
    Timeout,

    /// <summary>The peer keeps a connection below the minimum rate while it owes bytes.</summary>
    TooSlow,

    /// <summary>The peer ended or broke the connection before its message was whole.</summary>
    Closed,

    /// <summary>A pooled connection was found dead with no byte of an answer.</summary>
    StaleConnection,

    /// <summary>No connection could be made.</summary>
    Refused,

    /// <summary>No connection could be made in time.</summary>
    ConnectTimeout,

    /// <summary>The origin's certificate was not accepted.</summary>
    Untrusted,

    /// <summary>No encryption was agreed on with the origin.</summary>
    TlsFailed,

    /// <summary>A body is not what its digest says.</summary>
    WrongDigest,

    /// <summary>Nobody is there to forward to.</summary>
    NoEndpoint,

    /// <summary>So much failed lately that nothing is attempted.</summary>
    BreakerOpen,

    /// <summary>The upstream is at its limit, and so is its queue.</summary>
    QueueFull,

    /// <summary>It was not its turn in time.</summary>
    QueueTimeout,

    /// <summary>The client wants nothing but what is kept, and nothing fitting is.</summary>
    NotCached,

    /// <summary>Out of buffers, descriptors or ports.</summary>
    Exhausted,

    /// <summary>The proxy is stopping and the time for draining is over.</summary>
    Stopping,

    /// <summary>A mistake of ours.</summary>
    Internal,
}

/// <summary>Whose fault it is.</summary>
public enum Side : byte
{
    Client,
    Origin,
    Proxy,
}

/// <summary>How far the exchange had come.</summary>
public enum Stage : byte
{
    /// <summary>The request's head was being received.</summary>
    Head,

    /// <summary>Routing and policies.</summary>
    Policy,

    /// <summary>It waited in its upstream's queue.</summary>
    Queue,

    /// <summary>A connection to the origin was being found or made.</summary>
    Connect,

    /// <summary>The request was being sent on.</summary>
    Send,

    /// <summary>The response's head was awaited.</summary>
    Wait,

    /// <summary>The response was being passed on.</summary>
    Relay,

    /// <summary>A tunnel was open.</summary>
    Tunnel,
}

/// <summary>A fault: cause, side and stage. The default value is "none".</summary>
public readonly record struct Fault(FaultCause Cause, Side Side, Stage Stage)
{
    public static Fault None => default;

    /// <summary>A fault of a side; running out of something is nobody's but ours.</summary>
    public static Fault Of(FaultCause cause, Side side, Stage stage) => new(cause, cause is FaultCause.Exhausted or FaultCause.Internal ? Side.Proxy : side, stage);

    public bool IsNone => Cause == FaultCause.None;

    /// <summary>
    /// The status it is answered with while no byte of a response has been sent; 0: nobody is left to answer, or
    /// silence is the answer.
    /// </summary>
    public int Status => (Cause, Side) switch
    {
        (FaultCause.None, _) => 0,
        (FaultCause.Malformed, Side.Origin) => 502,
        (FaultCause.Malformed, _) => 400,
        (FaultCause.UnsupportedVersion, Side.Origin) => 502,
        (FaultCause.UnsupportedVersion, _) => 505,
        (FaultCause.UnknownCoding, Side.Origin) => 502,
        (FaultCause.UnknownCoding, _) => 501,
        (FaultCause.UnknownContentCoding, _) => 415,
        (FaultCause.UnknownMethod, _) => 501,
        (FaultCause.UnknownExpectation, _) => 417,
        (FaultCause.TargetTooLong, _) => 414,
        (FaultCause.HeadTooLarge, Side.Origin) => 502,
        (FaultCause.HeadTooLarge, _) => 431,
        (FaultCause.BodyTooLarge, Side.Origin) => 502,
        (FaultCause.BodyTooLarge, _) => 413,
        (FaultCause.LengthRequired, _) => 411,
        (FaultCause.UnsafePath, _) => 400,
        (FaultCause.Misdirected, _) => 421,
        (FaultCause.NoRoute, _) => 404,
        (FaultCause.Loop, _) => 508,
        (FaultCause.Timeout, Side.Origin) => 504,
        (FaultCause.Timeout, _) => 408,
        (FaultCause.TooSlow, Side.Origin) => 504,
        (FaultCause.TooSlow, _) => 408,
        (FaultCause.Closed, Side.Client) => 0,
        (FaultCause.Closed, _) => 502,
        (FaultCause.StaleConnection, _) => 502,
        (FaultCause.Refused, _) => 502,
        (FaultCause.ConnectTimeout, _) => 504,
        (FaultCause.Untrusted, _) => 502,
        (FaultCause.TlsFailed, _) => 502,
        (FaultCause.WrongDigest, _) => 502,
        (FaultCause.NoEndpoint, _) => 503,
        (FaultCause.BreakerOpen, _) => 503,
        (FaultCause.QueueFull, _) => 503,
        (FaultCause.QueueTimeout, _) => 503,
        (FaultCause.NotCached, _) => 504, // RFC 9111 §5.2.1.7
        (FaultCause.Exhausted, _) => 503,
        (FaultCause.Stopping, _) => 503,
        _ => 500,
    };

    /// <summary>For the error log: what a peer did, and when.</summary>
    public string Told
    {
        get
        {
            var what = Cause switch
            {
                FaultCause.Malformed => "what it sent is no HTTP",
                FaultCause.HeadTooLarge => "its head is too large",
                FaultCause.Timeout => "nothing came in time",
                FaultCause.Closed => "it ended or broke the connection",
                FaultCause.StaleConnection => "a kept connection was dead, and the request may not be sent again",
                FaultCause.Refused => "no connection",
                FaultCause.ConnectTimeout => "no connection in time",
                FaultCause.Untrusted => "its certificate is not accepted",
                FaultCause.TlsFailed => "no encryption was agreed on",
                FaultCause.WrongDigest => "what it sent is not what its digest says",
                _ => Cause.ToString(),
            };
            var when = Stage switch
            {
                Stage.Connect => "connecting",
                Stage.Send => "while the request was sent",
                Stage.Wait => "while its response was awaited",
                Stage.Relay => "within its response",
                _ => Stage.ToString(),
            };
            return $"{what}, {when}";
        }
    }

    /// <summary>
    /// Whether the client's connection must close after the answer: what follows on it can no longer be told apart,
    /// or the client has used up its time.
    /// </summary>
    public bool ClosesClient => Side == Side.Client
        ? Cause is not (FaultCause.Misdirected or FaultCause.NoRoute)
        : Cause is FaultCause.Stopping or FaultCause.Internal;
}
