// A body that disk threads read piece by piece, as it is wanted, into one buffer that is used again. What is read, and what becomes of
// what was read from, is its kind's to say.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Disk;

/// <summary>A body on a disk. One exchange's own; let go of with <see cref="Dispose"/>.</summary>
public abstract class ReadSource(BufferPool buffers, long offset, long count) : BodySource, IDisposable
{
    private readonly Signal never = new();
    private Chunk? chunk;
    private Reading? reading;
    private FaultCause failure;
    private bool disposed;

    public override Signal Ready => reading?.Done ?? never;

    public override long Length { get; } = count;

    public override FaultCause Failure => failure;

    public override bool IsAtEnd => Left == 0;

    /// <summary>Where the next byte lies.</summary>
    protected long Offset { get; private set; } = offset;

    /// <summary>Bytes not yet used.</summary>
    protected long Left { get; private set; } = count;

    /// <summary>Bytes that a buffer for the next piece has to hold.</summary>
    protected abstract int Room { get; }

    /// <summary>The threads that read.</summary>
    protected abstract DiskThreads Threads { get; }

    /// <summary>The next piece, to be read into a buffer.</summary>
    protected abstract Reading Next(Chunk into);

    /// <summary>Lets go of what is read from.</summary>
    protected abstract void Close();

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (failure != FaultCause.None) return BodyStatus.Broken;
        if (Left == 0) return BodyStatus.End;
        if (reading is { Done.IsSet: true } done)
        {
            reading = null;
            chunk = done.Into;
            if (done.End <= done.Start)
            {
                failure = FaultCause.Closed; // Shorter than it was, unreadable or broken: never made to look whole.
                ReturnChunk();
                return BodyStatus.Broken;
            }

            chunk.Start = done.Start;
            chunk.End = (int)Math.Min(done.End, done.Start + Left);
        }

        if (chunk is { IsEmpty: false })
        {
            piece = chunk.Filled;
            return BodyStatus.Piece;
        }

        if (reading is null && !BeginRead()) failure = FaultCause.Exhausted;
        return failure == FaultCause.None ? BodyStatus.Wait : BodyStatus.Broken;
    }

    public override void Advance(int count)
    {
        chunk!.Start += count;
        Offset += count;
        Left -= count;
        if (Left == 0) ReturnChunk();
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        GC.SuppressFinalize(this);
        if (reading is { Done.IsSet: true } unread)
        {
            reading = null;
            chunk = unread.Into;
        }

        ReturnChunk();
        if (reading is null) Close();
        else reading.Abandon(); // A disk thread still writes into the buffer and reads the file: both are given back when it is through.
    }

    private bool BeginRead()
    {
        if ((chunk ?? buffers.TryLease(Room)) is not { } into) return false;
        chunk = null;
        reading = Next(into);
        if (Threads.TryRun(reading)) return true;
        reading = null;
        buffers.Return(into);
        return false;
    }

    private void ReturnChunk()
    {
        if (chunk is null) return;
        buffers.Return(chunk);
        chunk = null;
    }

    /// <summary>A piece that is being read.</summary>
    protected abstract class Reading(ReadSource owner, Loop loop, Chunk into) : DiskJob(loop)
    {
        public Chunk Into => into;

        /// <summary>Where in the buffer what is wanted begins.</summary>
        public int Start { get; protected init; }

        /// <summary>Where in the buffer what was read ends; not behind its start: nothing was.</summary>
        public int End { get; protected set; }

        protected override void LetGo()
        {
            owner.chunk = into;
            owner.ReturnChunk();
            owner.Close();
        }
    }
}
