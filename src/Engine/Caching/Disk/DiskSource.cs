// A part of a stored body, read from its file block by block on disk threads; a block is given once its sum is right.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching.Disk;

/// <summary>A stored body's bytes. One exchange's own; let go of with <see cref="Dispose"/>.</summary>
public sealed class DiskSource : BodySource, IDisposable
{
    private readonly Loop loop;
    private readonly BufferPool buffers;
    private readonly EntryFile file;
    private readonly Signal never = new();
    private long offset;
    private long left;
    private Chunk? chunk;
    private ReadBlock? reading;
    private FaultCause failure;
    private bool disposed;

    internal DiskSource(Loop loop, BufferPool buffers, EntryFile file, long offset, long count)
    {
        (this.loop, this.buffers, this.file, this.offset, left, Length) = (loop, buffers, file, offset, count, count);
        file.Take();
    }

    public override Signal Ready => reading?.Done ?? never;

    public override long Length { get; }

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
            if (done.Miss != DiskMiss.None)
            {
                failure = FaultCause.Closed; // Never made to look whole.
                ReturnChunk();
                return BodyStatus.Broken;
            }

            chunk.Start = (int)(offset % EntryHeader.Block);
            chunk.End = (int)Math.Min(done.Count, chunk.Start + left);
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
        if (disposed) return;
        disposed = true;
        if (reading is { Done.IsSet: true } unread)
        {
            reading = null;
            chunk = unread.Into;
        }

        ReturnChunk();
        if (reading is null) file.Leave();
        else reading.Abandon(); // A disk thread still uses chunk and file: both are given back when it is through.
    }

    private bool BeginRead()
    {
        if ((chunk ?? buffers.TryLease(EntryHeader.Block)) is not { } into) return false;
        chunk = null;
        var block = offset / EntryHeader.Block;
        reading = new ReadBlock(this, into, block, (int)Math.Min(EntryHeader.Block, file.Header.BodyLength - (block * EntryHeader.Block)));
        if (file.Store.Threads.TryRun(reading)) return true;
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

    private sealed class ReadBlock(DiskSource owner, Chunk into, long block, int count) : DiskJob(owner.loop)
    {
        public Chunk Into => into;

        public int Count => count;

        public DiskMiss Miss { get; private set; }

        protected override void Work()
        {
            var file = owner.file;
            Miss = file.Read(block, into.Bytes.AsSpan(0, count));
            if (Miss == DiskMiss.None)
            {
                Interlocked.Add(ref file.Store.Counts.BytesRead, count);
                return;
            }

            file.Store.Counts.Count(Miss);
            file.Store.Tell("an entry of the cache was broken, and is removed", $"{file.Store.Folder.PathOf(file.Header.Hash)}: {Miss}");
            if (!file.Store.TryEnter()) return;
            file.Store.TakeAway(file.Header.Hash, file.Header.Serial);
            file.Store.Leave();
        }

        protected override void LetGo()
        {
            owner.chunk = into;
            owner.ReturnChunk();
            owner.file.Leave();
        }
    }
}
