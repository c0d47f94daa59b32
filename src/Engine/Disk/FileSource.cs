// A part of a file as a body: read piece by piece on a disk thread, one piece ahead of what is sent.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Disk;

/// <summary>A file's bytes. One exchange's own; let go of with <see cref="Dispose"/>.</summary>
public sealed class FileSource(Loop loop, BufferPool buffers, SafeFileHandle file, long start, long count) : BodySource, IDisposable
{
    private const int Piece = 73728;

    private long offset = start;
    private long left = count;
    private Chunk? chunk;
    private ReadPiece? reading;
    private FaultCause failure;
    private readonly Signal never = new();

    public override Signal Ready => reading?.Done ?? never;

    public override long Length { get; } = count;

    public override FaultCause Failure => failure;

    public override bool IsAtEnd => left == 0;

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (failure != FaultCause.None) return BodyStatus.Broken;
        if (left == 0) return BodyStatus.End;
        if (reading is { Done.IsSet: true } done)
        {
            reading = null;
            chunk = done.Into;
            if (done.Got <= 0)
            {
                failure = FaultCause.Closed; // Shorter than it was, or unreadable: never made to look whole.
                return BodyStatus.Broken;
            }

            chunk.Start = 0;
            chunk.End = done.Got;
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
        offset += count;
        left -= count;
        if (left == 0) ReturnChunk();
    }

    public void Dispose()
    {
        if (reading is { Done.IsSet: true } unread)
        {
            reading = null;
            chunk = unread.Into;
        }

        ReturnChunk();
        if (reading is not null)
        {
            // The disk thread still writes into the chunk and reads the file: both are given back when it is through.
            reading.Owner = this;
            reading.Abandon();
            reading = null;
            return;
        }

        file.Dispose();
    }

    private bool BeginRead()
    {
        var into = chunk ?? buffers.TryLease((int)Math.Min(left, Piece));
        if (into is null) return false;
        chunk = null;
        reading = new ReadPiece(loop, file, into, offset, (int)Math.Min(left, into.Capacity));
        if (DiskThreads.Shared.TryRun(reading)) return true;
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

    private sealed class ReadPiece(Loop loop, SafeFileHandle file, Chunk into, long offset, int count) : DiskJob(loop)
    {
        public Chunk Into => into;

        public int Got { get; private set; }

        public FileSource? Owner { get; set; }

        protected override void Work()
        {
            try
            {
                Got = RandomAccess.Read(file, into.Bytes.AsSpan(0, count), offset);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                Got = -1;
            }
        }

        protected override void LetGo()
        {
            Owner!.chunk = into;
            Owner.ReturnChunk();
            file.Dispose();
        }
    }
}
