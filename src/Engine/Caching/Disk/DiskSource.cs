// A part of a stored body, read from its file block by block; a block is given once its sum is right.

using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching.Disk;

/// <summary>A stored body's bytes. One exchange's own; let go of with <see cref="ReadSource.Dispose"/>.</summary>
public sealed class DiskSource : ReadSource
{
    private readonly Loop loop;
    private readonly EntryFile file;

    internal DiskSource(Loop loop, BufferPool buffers, EntryFile file, long offset, long count)
        : base(buffers, offset, count)
    {
        (this.loop, this.file) = (loop, file);
        file.Take();
    }

    protected override int Room => EntryHeader.Block;

    protected override DiskThreads Threads => file.Store.Threads;

    protected override Reading Next(Chunk into)
    {
        var block = Offset / EntryHeader.Block;
        return new ReadBlock(this, into, block, (int)(Offset % EntryHeader.Block), (int)Math.Min(EntryHeader.Block, file.Header.BodyLength - (block * EntryHeader.Block)));
    }

    protected override void Close() => file.Leave();

    private sealed class ReadBlock : Reading
    {
        private readonly EntryFile file;
        private readonly long block;
        private readonly int count;

        public ReadBlock(DiskSource owner, Chunk into, long block, int start, int count)
            : base(owner, owner.loop, into)
        {
            (file, this.block, this.count) = (owner.file, block, count);
            Start = start;
        }

        protected override void Work()
        {
            var miss = file.Read(block, Into.Bytes.AsSpan(0, count));
            if (miss == DiskMiss.None)
            {
                Interlocked.Add(ref file.Store.Counts.BytesRead, count);
                End = count;
                return;
            }

            file.Store.Counts.Count(miss);
            file.Store.Tell("an entry of the cache was broken, and is removed", $"{file.Store.Folder.PathOf(file.Header.Hash)}: {miss}");
            if (!file.Store.TryEnter()) return;
            file.Store.TakeAway(file.Header.Hash, file.Header.Serial);
            file.Store.Leave();
        }
    }
}
