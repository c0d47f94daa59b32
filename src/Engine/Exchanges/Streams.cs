// The two edges of an exchange, as the middle sees them. One implementation per protocol and role; nothing in the middle
// asks which. Nothing here waits: what cannot be done now is waited for through a signal.

using Weir.Engine.Loops;

namespace Weir.Engine.Exchanges;

/// <summary>The client's side of one exchange.</summary>
public abstract class ClientStream
{
    /// <summary>The request's body; at its end at once where there is none.</summary>
    public abstract BodySource RequestBody { get; }

    /// <summary>Where the response goes after <see cref="StartResponse"/>.</summary>
    public abstract BodySink ResponseBody { get; }

    /// <summary>Set when the client has left or ended its direction.</summary>
    public abstract Signal Gone { get; }

    /// <summary>Whether the connection broke, rather than that the client only ended its direction.</summary>
    public abstract bool IsBroken { get; }

    /// <summary>Whether a byte of a final response has left: from then on a fault breaks the stream instead of being answered.</summary>
    public abstract bool HasStarted { get; }

    /// <summary>
    /// Whether the client's handshake is done. Until then a request may be a replay of one that was answered before (RFC 8470).
    /// </summary>
    public virtual bool IsConfirmed => true;

    /// <summary>Goes on with the handshake; false where it cannot be had any more.</summary>
    public virtual bool TryConfirm() => true;

    /// <summary>Puts an interim response (1xx) on its way; does nothing where the client's protocol knows none.</summary>
    /// <returns>Why it cannot be sent: it does not fit, or there is no buffer.</returns>
    public abstract FaultCause SendInterim(Response response);

    /// <summary>Puts the final response's head on its way, ahead of the body.</summary>
    /// <param name="response">What to send; its body goes to <see cref="ResponseBody"/>.</param>
    /// <param name="request">What it answers.</param>
    /// <returns>Why it cannot be sent: the head does not fit into the largest buffer, or there is none.</returns>
    public abstract FaultCause StartResponse(Response response, Request request);

    /// <summary>From now on bytes pass both ways as they are, until both directions have ended.</summary>
    public abstract void BecomeTunnel();

    /// <summary>The connection is not used for another exchange after this one.</summary>
    public abstract void EndAfterThis();

    /// <summary>Answers 503 and ends the connection, where there is no buffer for any answer.</summary>
    public virtual void AnswerBare() => Abort();

    /// <summary>Breaks the stream so that the client sees that the response is not whole.</summary>
    public abstract void Abort();
}

/// <summary>How far the reception of a head has come.</summary>
public enum HeadStatus : byte
{
    Done,
    Wait,

    /// <summary>The peer closed or broke the connection, before any byte of the head.</summary>
    ClosedBefore,

    /// <summary>The peer closed or broke the connection within the head.</summary>
    ClosedWithin,

    /// <summary>What came is no head.</summary>
    Malformed,

    /// <summary>There is no buffer to receive it into.</summary>
    Exhausted,
}

/// <summary>The origin's side of one exchange: a slot lent by an upstream.</summary>
public abstract class OriginStream
{
    /// <summary>Whether the connection has carried an exchange before, and so may be dead by now.</summary>
    public abstract bool IsReused { get; }

    /// <summary>Whether it is known dead already: replaced before a byte is written.</summary>
    public abstract bool IsDead { get; }

    /// <summary>What the origin said when it broke the connection, where its protocol lets it say so; empty: nothing.</summary>
    public virtual string Trouble => "";

    /// <summary>Whether the origin said, or shows, that it takes nothing more after this response.</summary>
    public abstract bool EndsAfterThis { get; }

    /// <summary>Where the request's body goes after <see cref="StartRequest"/>.</summary>
    public abstract BodySink RequestBody { get; }

    /// <summary>The response's body, after its head was received.</summary>
    public abstract BodySource ResponseBody { get; }

    /// <summary>Raised when <see cref="TryReceiveHead"/> is worth a try.</summary>
    public abstract Signal Readable { get; }

    /// <summary>Puts the request's head on its way, ahead of the body.</summary>
    /// <returns>Why it cannot be sent: the head does not fit into the largest buffer, or there is none.</returns>
    public abstract FaultCause StartRequest(Request request);

    /// <summary>Receives the head of the next response, interim or final.</summary>
    public abstract HeadStatus TryReceiveHead(Request request, Response into);

    /// <summary>From now on bytes pass both ways as they are.</summary>
    public abstract void BecomeTunnel();

    /// <summary>Gives the slot back: the connection is pooled where both messages are whole, else closed.</summary>
    public abstract void Release();

    /// <summary>Closes at once: nothing more is wanted from it.</summary>
    public abstract void Abort();
}

/// <summary>Who lends a connection for exchanges, and takes it back.</summary>
public interface ISlotOwner
{
    /// <summary>Whether the peer's last response was of HTTP/1.0: a chunked request would be taken for something else (RFC 9112 §6.1).</summary>
    bool PeerIsHttp10 { get; set; }

    /// <summary>The exchange on this slot has ended; the owner keeps or closes the connection.</summary>
    void ExchangeEnded(OriginStream slot, bool reusable, Loop loop);

    /// <summary>The connection is closed.</summary>
    void ConnectionClosed();
}
