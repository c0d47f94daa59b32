// A byte stream on a loop: plain socket, TLS, or in-memory. It says when it may be read and written; it never holds a
// buffer while waiting, because the caller brings one only when there is something to read.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Loops;

namespace Weir.Engine.Transports;

/// <summary>How a read or write ended.</summary>
public enum IoStatus : byte
{
    /// <summary>Bytes were moved.</summary>
    Some,

    /// <summary>Nothing now; the signal tells when to try again.</summary>
    WouldBlock,

    /// <summary>The peer has ended its direction, after its last byte.</summary>
    End,

    /// <summary>The connection is broken: reset, aborted, or timed out by the kernel.</summary>
    Reset,

    /// <summary>Of a file: it ends before that, or cannot be sent from. Nothing was moved.</summary>
    Refused,
}

/// <summary>The value of a read or write: never an exception.</summary>
public readonly struct IoResult
{
    private readonly int raw;

    private IoResult(int raw) => this.raw = raw;

    public static IoResult WouldBlock => default;

    public static IoResult End => new(-1);

    public static IoResult Reset => new(-2);

    public static IoResult Refused => new(-3);

    /// <summary>Bytes moved; 0 unless <see cref="Status"/> is <see cref="IoStatus.Some"/>.</summary>
    public int Count => Math.Max(raw, 0);

    public IoStatus Status => raw switch { > 0 => IoStatus.Some, 0 => IoStatus.WouldBlock, -1 => IoStatus.End, -2 => IoStatus.Reset, _ => IoStatus.Refused };

    public static IoResult Some(int count) => new(count);
}

/// <summary>
/// A full-duplex byte stream that lives and dies on one loop. A signal that is set means "worth a try"; trying clears
/// it when nothing is left.
/// </summary>
public abstract class Transport
{
    protected Transport(Loop loop)
    {
        Loop = loop;
        (Readable, Writable, Gone) = (new Signal(), new Signal(), new Signal());
    }

    /// <summary>One that stands over another shares its signals.</summary>
    protected Transport(Transport inner) => (Loop, Readable, Writable, Gone) = (inner.Loop, inner.Readable, inner.Writable, inner.Gone);

    /// <summary>The loop it lives on.</summary>
    public Loop Loop { get; }

    /// <summary>Set while a read is worth a try.</summary>
    public Signal Readable { get; }

    /// <summary>Set while a write is worth a try; for a connection under way, when its outcome is known.</summary>
    public Signal Writable { get; }

    /// <summary>Set once the peer has ended its direction or the connection broke, even with bytes still unread.</summary>
    public Signal Gone { get; }

    /// <summary>Whether <see cref="Close"/> was called.</summary>
    public bool IsClosed { get; protected set; }

    /// <summary>Whether the connection broke, rather than that the peer only ended its direction.</summary>
    public virtual bool IsBroken { get; protected set; }

    /// <summary>What the peer, or its encryption, said when it broke; empty: nothing.</summary>
    public virtual string Trouble => "";

    /// <summary>What its encryption was agreed to be; null: it has none.</summary>
    public virtual TlsFacts? Tls => null;

    /// <summary>Whether what was read so far is no replay of what somebody has seen before (RFC 8470 §2).</summary>
    public virtual bool IsConfirmed => true;

    /// <summary>Whether an idle peer has said something, or left.</summary>
    public virtual bool HasUnasked => Readable.IsSet || Gone.IsSet;

    // A TLS peer may have to write before more can be read (and the other way round): events of one direction wake both.
    internal bool CrossesWakes { get; set; }

    /// <summary>The peer's address.</summary>
    public abstract NetworkAddress Remote { get; }

    /// <summary>The address on this side.</summary>
    public abstract NetworkAddress Local { get; }

    /// <summary>The port of <see cref="Local"/>; for an accepted connection its listener's, known without asking the kernel.</summary>
    public virtual int LocalPort => Local.Port;

    /// <summary>Sees to it that it is confirmed, as far as that goes now: some, would block, or reset.</summary>
    public virtual IoStatus TryConfirm() => IoStatus.Some;

    /// <summary>Reads what is there, up to the span's length, which must not be 0.</summary>
    public abstract IoResult TryRead(Span<byte> into);

    /// <summary>Writes what fits now. Bytes not taken are offered again, unchanged and from the same position.</summary>
    public abstract IoResult TryWrite(ReadOnlySpan<byte> bytes);

    /// <summary>Writes two or three pieces in one call; the count runs over both.</summary>
    public abstract IoResult TryWrite(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third = default);

    /// <summary>Whether <see cref="TrySendFile"/> is of use: what is written reaches the kernel as it is.</summary>
    public virtual bool SendsFiles => false;

    /// <summary>
    /// Writes a first piece, and a part of a file behind it; the count runs over both. Fewer bytes than there are do not mean that
    /// there is no room for more: that is said when nothing could be written.
    /// </summary>
    public virtual IoResult TrySendFile(ReadOnlySpan<byte> first, SafeFileHandle file, long offset, int count) => IoResult.Refused;

    /// <summary>The outcome of a connection under way, once <see cref="Writable"/> is set: 0, or an <see cref="Errno"/>.</summary>
    public abstract int ConnectError();

    /// <summary>Ends this side's direction: the peer reads the end after the last byte.</summary>
    /// <returns>False where the end is a message that has no room yet: again when <see cref="Writable"/> is set.</returns>
    public abstract bool ShutdownWrite();

    /// <summary>Closes both directions. With <paramref name="reset"/> the peer sees a break, not an end.</summary>
    public abstract void Close(bool reset = false);
}
