// A part of a stored body, read from its file block by block; a block is given once its sum is right.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching.Disk;

/// <summary>A stored body's bytes. One exchange's own; let go of with <see cref="ReadSource.Dispose"/>.</summary>
public sealed class DiskSource : ReadSource
{
    private readonly EntryFile file;

    internal DiskSource(Loop loop, BufferPool buffers, EntryFile file, long offset, long count)
        : base(loop, buffers, offset, count)
    {
        this.file = file;
        file.Take();
    }

    protected override int Room => EntryHeader.Block;

    protected override DiskThreads Threads => file.Store.Threads;

    protected override Reading Next(Chunk into)
    {
        var block = Offset / EntryHeader.Block;
        return new ReadBlock(this, into, block, (int)(Offset % EntryHeader.Block), file.LengthOf(block));
    }

    protected override SafeFileHandle File => file.Handle;

    protected override long Before => file.Header.BodyAt;

    protected override long ReadAhead(long from, long to)
    {
        var blocks = EntryHeader.BlocksOf(to);
        var block = from / EntryHeader.Block;
        var miss = DiskMiss.None;
        for (; block < blocks && miss == DiskMiss.None; block++) miss = ReadBlockOf(file, block, DiskThreads.Room.AsSpan(0, file.LengthOf(block)));
        return miss == DiskMiss.None ? blocks * EntryHeader.Block : (block - 1) * EntryHeader.Block;
    }

    protected override void Close() => file.Leave();

    // Reads a block; one that is broken is told of, and its entry is removed. Disk threads.
    private static DiskMiss ReadBlockOf(EntryFile file, long block, Span<byte> into)
    {
        var miss = file.Read(block, into);
        if (miss == DiskMiss.None)
        {
            Interlocked.Add(ref file.Store.Counts.BytesRead, into.Length);
            return miss;
        }

        file.Store.Counts.Count(miss);
        file.Store.Tell("an entry of the cache was broken, and is removed", $"{file.Store.Folder.PathOf(file.Header.Hash)}: {miss}");
        if (!file.Store.TryEnter()) return miss;
        file.Store.TakeAway(file.Header.Hash, file.Header.Serial);
        file.Store.Leave();
        return miss;
    }

    private sealed class ReadBlock : Reading
    {
        private readonly EntryFile file;
        private readonly long block;
        private readonly int count;

        public ReadBlock(DiskSource owner, Chunk into, long block, int start, int count)
            : base(owner, owner.Loop, into)
        {
            (file, this.block, this.count) = (owner.file, block, count);
            Start = start;
        }

        protected override void Work()
        {
            if (ReadBlockOf(file, block, Into.Bytes.AsSpan(0, count)) == DiskMiss.None) End = count;
        }
    }
}
