// A body that disk threads read piece by piece, as it is wanted, into one buffer that is used again. For a sink that takes ranges of
// files they read ahead instead, into nothing, so that the loop finds the range in memory: no buffer is held then. What is read, and
// what becomes of what was read from, is its kind's to say.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Disk;

/// <summary>A body on a disk. One exchange's own; let go of with <see cref="Dispose"/>.</summary>
public abstract class ReadSource(Loop loop, BufferPool buffers, long offset, long count) : FileBody, IDisposable
{
    /// <summary>Bytes that are read ahead at once.</summary>
    internal const int RangeBytes = 524288;

    // A client that was waited for longer than this (ms) may find that memory was needed for something else.
    internal const int StaysWarm = 1000;

    // What is shorter is read and sent in one go each: there is nothing to be saved.
    private const int LeastSent = 131072;

    private readonly Signal never = new();
    private Chunk? chunk;
    private Reading? reading;
    private Warming? warming;
    private long warmEnd;
    private long warmUntil;
    private bool isCut; // Behind the end of what was read ahead there is nothing good.
    private FaultCause failure;
    private bool disposed;

    public override Signal Ready => reading?.Done ?? warming?.Done ?? never;

    public override long Length { get; } = count;

    public override FaultCause Failure => failure;

    public override bool IsAtEnd => Left == 0;

    public override bool IsWorthSending => Length >= LeastSent;

    protected Loop Loop { get; } = loop;

    /// <summary>Where the next byte lies.</summary>
    protected long Offset { get; private set; } = offset;

    /// <summary>Bytes not yet used.</summary>
    protected long Left { get; private set; } = count;

    /// <summary>Bytes that a buffer for the next piece has to hold.</summary>
    protected abstract int Room { get; }

    /// <summary>The threads that read.</summary>
    protected abstract DiskThreads Threads { get; }

    /// <summary>What is read.</summary>
    protected abstract SafeFileHandle File { get; }

    /// <summary>What stands in the file before the body.</summary>
    protected virtual long Before => 0;

    /// <summary>The next piece, to be read into a buffer.</summary>
    protected abstract Reading Next(Chunk into);

    /// <summary>Reads what lies between two offsets, and judges it where it can be judged. Disk threads.</summary>
    /// <returns>Where what is good ends; it may be behind what was asked for.</returns>
    protected abstract long ReadAhead(long from, long to);

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

    public override BodyStatus TryReadRange(out FileRange range)
    {
        range = default;
        if (failure != FaultCause.None) return BodyStatus.Broken;
        if (Left == 0) return BodyStatus.End;
        if (warming is { Done.IsSet: true } done)
        {
            warming = null;
            (warmEnd, warmUntil, isCut) = (done.End, Loop.Now + StaysWarm, done.End < done.To);
        }

        if (isCut && Offset >= warmEnd)
        {
            failure = FaultCause.Closed;
            return BodyStatus.Broken;
        }

        if (warming is null && Offset < warmEnd && Loop.Now <= warmUntil)
        {
            range = new FileRange(File, Before + Offset, (int)Math.Min(warmEnd - Offset, Left));
            return BodyStatus.Piece;
        }

        if (warming is null && !BeginWarming()) failure = FaultCause.Exhausted;
        return failure == FaultCause.None ? BodyStatus.Wait : BodyStatus.Broken;
    }

    public override void Advance(int count)
    {
        if (chunk is not null) chunk.Start += count;
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

        if (warming is { Done.IsSet: true }) warming = null;
        ReturnChunk();
        // A disk thread still writes into the buffer and reads the file: both are given back when it is through.
        if (reading is not null) reading.Abandon();
        else if (warming is not null) warming.Abandon();
        else Close();
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

    private bool BeginWarming()
    {
        warming = new Warming(this, Offset, Offset + Math.Min(Left, RangeBytes));
        if (Threads.TryRun(warming)) return true;
        warming = null;
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

    // A range that is being read ahead.
    private sealed class Warming(ReadSource owner, long from, long to) : DiskJob(owner.Loop)
    {
        public long To => to;

        public long End { get; private set; }

        protected override void Work() => End = owner.ReadAhead(from, to);

        protected override void LetGo() => owner.Close();
    }
}
