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
    /// <summary>The longest piece that <see cref="Write"/> takes: one record.</summary>
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

    /// <summary>Whether it holds bytes of the peer that were not read yet, whole records or not.</summary>
    public abstract bool HasPending { get; }

    /// <summary>Goes on with the handshake.</summary>
    public abstract TlsStatus Handshake();

    /// <summary>Reads at most one record's bytes.</summary>
    public abstract TlsStatus Read(Span<byte> into, out int count);

    /// <summary>
    /// Writes a piece of at most <see cref="MostWritten"/> bytes, whole. After <see cref="TlsStatus.WantWrite"/> the piece is on its
    /// way: the next write is of the same length, and its bytes are not looked at.
    /// </summary>
    public abstract TlsStatus Write(ReadOnlySpan<byte> piece);

    /// <summary>Between <see cref="BeginBatch"/> and this, written records leave together.</summary>
    public abstract TlsStatus Flush();

    /// <summary>Gathers what is written until <see cref="Flush"/>.</summary>
    public abstract void BeginBatch();

    /// <summary>Whether there are bytes to read, or an end; messages of the protocol itself are taken meanwhile.</summary>
    public abstract bool Peek();

    /// <summary>Says that no more will be sent (close_notify), as far as that goes now.</summary>
    public abstract void SendEnd();

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
    public abstract TlsEngine Connect(Transport over);
}
