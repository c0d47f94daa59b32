// The seam under TLS: one side of one connection's protocol, as a state machine that is stepped and never waits. OpenSSL
// stands behind it, and in the simulation a deterministic stand-in. It reads and writes through the transport it was made over.

using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>How a step ended.</summary>
public enum TlsStatus : byte
{
    /// <summary>Done; of a read or write: bytes were moved.</summary>
    Done,

    /// <summary>The peer must send first.</summary>
    WantRead,

    /// <summary>What is to be sent has no room now.</summary>
    WantWrite,

    /// <summary>Of a write: messages of the protocol itself have no room now, and nothing of the piece was taken.</summary>
    WantWriteFirst,

    /// <summary>A handshake waits for something of ours, such as a certificate; <see cref="TlsEngine.Resumed"/> tells when it is there.</summary>
    Suspended,

    /// <summary>The peer has said that it sends no more (close_notify).</summary>
    End,

    /// <summary>It is over: the peer broke the protocol or off, or we refused. <see cref="TlsEngine.Trouble"/> says why.</summary>
    Failed,
}

/// <summary>What a failed handshake was.</summary>
public enum TlsTrouble : byte
{
    None,

    /// <summary>The transport broke or ended in the midst.</summary>
    Broken,

    /// <summary>The peer spoke plain HTTP.</summary>
    PlainHttp,

    /// <summary>The peer's certificate was missing or not accepted.</summary>
    Certificate,

    /// <summary>No certificate of ours for the name that the client asked for.</summary>
    UnknownName,

    /// <summary>Nothing that both sides speak, a broken message, an alert.</summary>
    Protocol,

    /// <summary>It took too long.</summary>
    Timeout,
}

/// <summary>One side of TLS on one connection. The loop's own thread; no method waits or throws.</summary>
public abstract class TlsEngine
{
    /// <summary>The most bytes in a record.</summary>
    public const int MostWritten = 16384;

    /// <summary>Raised where a <see cref="TlsStatus.Suspended"/> handshake can go on.</summary>
    public Signal Resumed { get; } = new();

    /// <summary>Why it failed.</summary>
    public TlsTrouble Trouble { get; protected set; }

    /// <summary>The same in words, for the log; never key material.</summary>
    public string TroubleText { get; protected set; } = "";

    /// <summary>What was agreed; once the handshake is done.</summary>
    public abstract TlsFacts Facts { get; }

    /// <summary>Whether the handshake was all there is to it: nothing is served.</summary>
    public virtual bool EndsAfterHandshake => false;
    /// <summary>The longest piece that <see cref="Write"/> takes: a peer may have asked for less.</summary>
    public virtual int MostPiece => MostWritten;

    /// <summary>Whether it holds bytes of the peer that were not read yet, whole records or not.</summary>
    public abstract bool HasPending { get; }

    /// <summary>
    /// Whether the handshake is done. A server's may have let early data in before (RFC 8446 §2.3): until this is true what it
    /// reads may be a replay.
    /// </summary>
    public virtual bool IsConfirmed => true;

    /// <summary>Goes on with the handshake; done as well where early data came, which reads go on with. An end within it is a failure.</summary>
    public abstract TlsStatus Handshake();

    /// <summary>Goes on with a handshake that early data came in; that data is kept for reads.</summary>
    public virtual TlsStatus Confirm() => TlsStatus.Done;

    /// <summary>Reads at most one record's bytes.</summary>
    public abstract TlsStatus Read(Span<byte> into, out int count);

    /// <summary>
    /// Writes a piece of at most <see cref="MostPiece"/> bytes, whole. After <see cref="TlsStatus.WantWrite"/> the piece is on its
    /// way: the next write is of the same length, and its bytes are not looked at.
    /// </summary>
    public abstract TlsStatus Write(ReadOnlySpan<byte> piece);

    /// <summary>Gathers what is written until <see cref="Flush"/>: no write is told that there is no room.</summary>
    public abstract void BeginBatch();

    /// <summary>
    /// What was written since <see cref="BeginBatch"/> leaves together. After <see cref="TlsStatus.WantWrite"/> the next write goes on
    /// with that, whatever its piece.
    /// </summary>
    public abstract TlsStatus Flush();

    /// <summary>Whether there are bytes to read, or an end; messages of the protocol itself are taken meanwhile.</summary>
    public abstract bool Peek();

    /// <summary>Says that no more will be sent (close_notify). After <see cref="TlsStatus.WantWrite"/> it is on its way: again goes on with it.</summary>
    public abstract TlsStatus SendEnd();

    /// <summary>Frees what it holds. Nothing is called after that.</summary>
    public abstract void Free();
}

/// <summary>Makes the server's side of TLS for accepted connections. Immutable; any loop.</summary>
public abstract class TlsServer
{
    /// <summary>The most a handshake may take, in ms.</summary>
    public long HandshakeTimeout { get; init; } = 10_000;

    public abstract TlsEngine Accept(Transport over);
}

/// <summary>Makes the client's side of TLS for connections to one endpoint. Any loop.</summary>
public abstract class TlsClient
{
    /// <summary>What it is the same one by: another one makes another endpoint.</summary>
    public virtual string Identity => "";

    /// <summary>For people: whom it takes the origin for, and why.</summary>
    public virtual string Words => "";

    /// <summary>A connection that goes on with an earlier session where there is one; null: it cannot be made.</summary>
    public abstract TlsEngine? Connect(Transport over);

    /// <summary>A connection whose certificate is verified, whatever is known of the origin.</summary>
    public virtual TlsEngine? ConnectAnew(Transport over) => Connect(over);

    /// <summary>Forgets the sessions of a loop: the origin may not be what it was.</summary>
    public virtual void Forget(Loop loop)
    {
    }

    /// <summary>The endpoint has left: no session is kept on the loop any more.</summary>
    public virtual void Leave(Loop loop)
    {
    }
}
