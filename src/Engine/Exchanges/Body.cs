// How the bytes of a body move: a source gives what has arrived, a sink takes what can be sent now; neither waits.
// Whoever relays waits for their signals, with its own deadline. With no filter at work a piece is the source's read
// buffer itself, and the sink writes it from there.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Loops;

namespace Weir.Engine.Exchanges;

/// <summary>What a source has.</summary>
public enum BodyStatus : byte
{
    /// <summary>Bytes, valid until the next call on the source.</summary>
    Piece,

    /// <summary>Nothing now; <see cref="BodySource.Ready"/> tells when to ask again. No buffer is held meanwhile.</summary>
    Wait,

    /// <summary>The body is whole.</summary>
    End,

    /// <summary>It will never be whole: <see cref="BodySource.Failure"/> says why.</summary>
    Broken,
}

/// <summary>Where a body comes from. One loop.</summary>
public abstract class BodySource
{
    /// <summary>Raised when a read is worth a try.</summary>
    public abstract Signal Ready { get; }

    /// <summary>Bytes in the whole body; -1 when only its end will tell.</summary>
    public abstract long Length { get; }

    /// <summary>Why the body is broken.</summary>
    public abstract FaultCause Failure { get; }

    /// <summary>Fields that followed the body, once it has ended; null when there were none.</summary>
    public virtual FieldBlock? Trailers => null;

    /// <summary>Gives what there is now. Asked again before anything was used, it begins with the same bytes.</summary>
    public abstract BodyStatus TryRead(out ReadOnlySpan<byte> piece);

    /// <summary>Says how much of the last piece was used; the rest comes again.</summary>
    public abstract void Advance(int count);

    /// <summary>Whether the end is known to have been reached, without reading.</summary>
    public abstract bool IsAtEnd { get; }

    /// <summary>When (ms) a read is worth a try though nothing raises <see cref="Ready"/>; long.MaxValue: never.</summary>
    public virtual long AskAgainAt => long.MaxValue;
}

/// <summary>Bytes of an open file that were in memory a moment ago: who sends them does not wait for a disk.</summary>
public readonly record struct FileRange(SafeFileHandle File, long Offset, int Count);

/// <summary>A body in a file, which can be given as ranges of that instead of bytes, for sinks that take them. One loop.</summary>
public abstract class FileBody : BodySource
{
    /// <summary>Whether it is so long that sending it from its file costs less than reading it.</summary>
    public abstract bool IsWorthSending { get; }

    /// <summary>As <see cref="BodySource.TryRead"/>, and may be changed for that at any time; what of a range was used is told the same way.</summary>
    public abstract BodyStatus TryReadRange(out FileRange range);
}

/// <summary>A body made from another one as it passes. One exchange's own, which ends it.</summary>
public abstract class BodyFilter : BodySource
{
    internal BodyFilter? Below { get; set; }

    /// <summary>Gives back all that it holds, this object included.</summary>
    public abstract void End();
}

/// <summary>The bytes of a body, piece by piece: they need not lie in one block, nor on the managed heap.</summary>
public delegate ReadOnlySpan<byte> PieceAt(int index);

/// <summary>Makes something else of a whole body: another coding, a digest. Any thread; may take long.</summary>
public abstract class BodyEncoder
{
    /// <summary>What it makes, as it stands in fields.</summary>
    public abstract byte[] Coding { get; }

    /// <summary>Of longer bodies it is not made.</summary>
    public virtual long MostLength => 16 << 20;

    /// <summary>Of bodies up to that it is made at once, where it is asked for.</summary>
    public virtual long Quick => 0;

    /// <summary>Asked for so often, it is worth having.</summary>
    public virtual int WantedEnough => 2;

    /// <summary>Bytes that it may have, of a body of a length: what a coding does not make shorter is not worth it.</summary>
    public virtual int MostMade(long length) => (int)(length - (length / 16));

    /// <summary>A body that has so many other forms is given none of this one.</summary>
    public virtual int MostBeside => int.MaxValue;

    /// <summary>Encodes a body.</summary>
    /// <param name="length">Bytes of all pieces.</param>
    /// <param name="pieces">How many pieces there are.</param>
    /// <param name="piece">Gives each of them once, in their order.</param>
    /// <param name="into">Where it goes.</param>
    /// <param name="written">Bytes of it.</param>
    /// <returns>False where it does not fit, or there is no memory.</returns>
    public abstract bool TryEncode(long length, int pieces, PieceAt piece, Span<byte> into, out int written);
}

/// <summary>A body that is kept, and may be kept in other codings as well: they are made once, behind the answers. One loop.</summary>
public abstract class KeptBody : BodySource
{
    /// <summary>Whether it is there in a coding. Where it is not, it is noted that it is wanted.</summary>
    public abstract bool Has(BodyEncoder encoder);

    /// <summary>Goes over to a coding that <see cref="Has"/> found; nothing of the body was read yet.</summary>
    public abstract void GoOver(BodyEncoder encoder);

    /// <summary>A dictionary that is kept for URLs such as this body's; null: none of this hash.</summary>
    public abstract SharedDictionary? Dictionary(ReadOnlySpan<byte> hash);

    /// <summary>What an encoder makes of all of it, where that is there, and lies together; else empty, and it is noted that it is wanted.</summary>
    public abstract ReadOnlySpan<byte> Made(BodyEncoder encoder);
}

/// <summary>A body that can be read again from its first byte, while that is possible. One loop.</summary>
public abstract class ReplayableBody : BodySource
{
    /// <summary>
    /// Whether <see cref="Rewind"/> is possible: all that was taken is recorded. It may end with any turn of the loop: ask and
    /// rewind without waiting in between.
    /// </summary>
    public abstract bool CanReplay { get; }

    /// <summary>The next read begins with the first byte.</summary>
    public abstract void Rewind();

    /// <summary>Nobody will rewind any more: what was recorded and read is given back.</summary>
    public abstract void StopRecording();

    /// <summary>Gives back all that it holds.</summary>
    public abstract void End();
}

/// <summary>What became of a write.</summary>
public enum SinkStatus : byte
{
    /// <summary>All was taken.</summary>
    Done,

    /// <summary>Not all was taken; <see cref="BodySink.Ready"/> tells when to offer the rest.</summary>
    Wait,

    /// <summary>The peer is gone.</summary>
    Broken,

    /// <summary>Of a range: its file cannot be sent from. Whoever reads it finds out why.</summary>
    Refused,
}

/// <summary>Where a body goes. One loop.</summary>
public abstract class BodySink
{
    /// <summary>Raised when a write is worth a try.</summary>
    public abstract Signal Ready { get; }

    /// <summary>Offers bytes. What is not taken is offered again, unchanged and from the same position.</summary>
    public abstract SinkStatus TryWrite(ReadOnlySpan<byte> piece, out int taken);

    /// <summary>Whether it takes ranges of files, as far as is known.</summary>
    public virtual bool TakesFiles => false;

    /// <summary>Offers a range of a file. Done: some of it was taken, not all perhaps.</summary>
    public virtual SinkStatus TryWrite(in FileRange range, out int taken)
    {
        taken = 0;
        return SinkStatus.Refused;
    }

    /// <summary>Sends what the sink has kept back, as a head that waited for its first body bytes.</summary>
    public abstract SinkStatus TryFlush();

    /// <summary>Ends the body and sends what is left. Called again after <see cref="SinkStatus.Wait"/>.</summary>
    public abstract SinkStatus TryFinish(FieldBlock? trailers);
}
