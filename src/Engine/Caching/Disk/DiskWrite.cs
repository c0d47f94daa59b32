// An entry that is written while its body comes. Pieces are copied into blocks, which disk threads write one batch after the
// other; so much may be on its way and no more. Where the disk is too slow for that, the write is given up: whoever brings the
// pieces never waits for it, unless it wants to.

using Weir.Engine.Disk;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Caching.Disk;

/// <summary>A write under way. One loop; ended with <see cref="TryCommit"/> or <see cref="Abort"/>.</summary>
public sealed class DiskWrite
{
    /// <summary>Bytes of one write that may wait for the disk.</summary>
    public const int MostWaiting = MostBlocks * EntryHeader.Block;

    private const int MostBlocks = 32;

    private readonly DiskStore store;
    private readonly BufferPool buffers;
    private readonly EntryWriter writer;
    private readonly Batch batch;
    private readonly Queue<Chunk> waiting = [];
    private Chunk? filling;
    private Stage stage;
    private bool running;

    internal DiskWrite(DiskStore store, Loop loop, BufferPool buffers, Writing writing)
    {
        (this.store, this.buffers) = (store, buffers);
        writer = new EntryWriter(store, writing);
        batch = new Batch(loop, this);
    }

    private enum Stage : byte
    {
        Open,
        Committing,
        Stored,
        Lost,
    }

    /// <summary>Bytes of the body that were taken.</summary>
    public long Length { get; private set; }

    /// <summary>Whether it can still become an entry.</summary>
    public bool IsAlive => stage != Stage.Lost;

    /// <summary>Whether it has become one.</summary>
    public bool IsStored => stage == Stage.Stored;

    /// <summary>Whether nothing more will happen to it.</summary>
    public bool IsEnded => stage is Stage.Stored or Stage.Lost;

    /// <summary>Bytes that would be taken now; for who rather waits than gives up.</summary>
    public int Room => stage == Stage.Open ? MostWaiting - (waiting.Count * EntryHeader.Block) - (filling?.End ?? 0) - (running ? batch.Count * EntryHeader.Block : 0) : 0;

    /// <summary>Set when there is more room, or it has ended. Cleared by who waits for it.</summary>
    public Signal Moved { get; } = new();

    /// <summary>Takes the next bytes of the body; false: it is given up, and nothing more need be done.</summary>
    public bool TryWrite(ReadOnlySpan<byte> piece)
    {
        if (stage != Stage.Open) return false;
        if (Length + piece.Length > store.MostBytes) return GiveUp(DiskRefusal.TooLarge);
        while (!piece.IsEmpty)
        {
            if (filling is null && !TryTakeBlock()) return false;
            var count = Math.Min(piece.Length, EntryHeader.Block - filling!.End);
            piece[..count].CopyTo(filling.Free);
            filling.End += count;
            Length += count;
            piece = piece[count..];
            if (filling.End < EntryHeader.Block) continue;
            waiting.Enqueue(filling);
            filling = null;
            if (!Pump()) return false;
        }

        return true;
    }

    /// <summary>
    /// The body is whole: with these it becomes an entry, some time later. False: it is given up. The object may be forgotten after
    /// this; its buffers come back to the loop by themselves.
    /// </summary>
    public bool TryCommit(ReadOnlySpan<byte> head, in DiskFacts facts)
    {
        if (stage != Stage.Open) return false;
        if (head.Length > EntryHeader.MostHead) return GiveUp(DiskRefusal.TooLarge);
        if (filling is not null) waiting.Enqueue(filling);
        filling = null;
        stage = Stage.Committing;
        (batch.Head, batch.Facts) = (head.ToArray(), facts);
        return Pump();
    }

    /// <summary>The body will not be whole, or nobody wants it stored. Does nothing once it is committed.</summary>
    public void Abort()
    {
        if (stage == Stage.Open) End(Stage.Lost);
    }

    private bool TryTakeBlock()
    {
        if (Room < EntryHeader.Block) return GiveUp(DiskRefusal.Slow);
        if (!buffers.HasPlenty) return GiveUp(DiskRefusal.Memory);
        if (!store.TryTakeFlight(EntryHeader.Block))
        {
            End(Stage.Lost); // Counted there.
            return false;
        }

        filling = buffers.TryLease(EntryHeader.Block);
        if (filling is not null) return true;
        store.GiveBackFlight(EntryHeader.Block);
        return GiveUp(DiskRefusal.Memory);
    }

    // Hands what waits to a disk thread, where none is at work for this write.
    private bool Pump()
    {
        if (running) return true;
        batch.Take(waiting, isLast: stage == Stage.Committing);
        running = store.Threads.TryRun(batch);
        if (running) return true;
        ReturnBatch();
        return GiveUp(DiskRefusal.Slow);
    }

    private bool GiveUp(DiskRefusal reason)
    {
        store.Counts.Count(reason);
        End(Stage.Lost);
        return false;
    }

    private void End(Stage with)
    {
        stage = with;
        if (filling is not null) Return(filling);
        filling = null;
        while (waiting.TryDequeue(out var chunk)) Return(chunk);
        if (!running && with == Stage.Lost) store.Housework.Leave(writer);
        Moved.RaiseLater();
    }

    private void BatchDone()
    {
        running = false;
        ReturnBatch();
        if (stage == Stage.Lost)
        {
            store.Housework.Leave(writer);
            return;
        }

        if (batch.IsFailed) End(Stage.Lost);
        else if (batch.IsLast) End(Stage.Stored);
        else if (waiting.Count > 0 || stage == Stage.Committing) Pump();
        Moved.RaiseLater();
    }

    private void ReturnBatch()
    {
        for (var i = 0; i < batch.Count; i++) Return(batch.Chunks[i]);
        batch.Clear();
    }

    private void Return(Chunk chunk)
    {
        buffers.Return(chunk);
        store.GiveBackFlight(EntryHeader.Block);
    }

    /// <summary>Blocks that one disk thread writes one after the other. Used again and again.</summary>
    private sealed class Batch : DiskJob
    {
        private readonly DiskWrite owner;

        public Batch(Loop loop, DiskWrite owner)
            : base(loop)
        {
            this.owner = owner;
            Abandon(); // Nobody waits: the owner is told.
        }

        public Chunk[] Chunks { get; } = new Chunk[MostBlocks + 1];

        public int Count { get; private set; }

        public bool IsLast { get; private set; }

        public bool IsFailed { get; private set; }

        public byte[] Head { get; set; } = [];

        public DiskFacts Facts { get; set; }

        public void Take(Queue<Chunk> waiting, bool isLast)
        {
            Count = 0;
            while (waiting.TryDequeue(out var chunk)) Chunks[Count++] = chunk;
            IsLast = isLast;
        }

        public void Clear()
        {
            Chunks.AsSpan(0, Count).Clear();
            Count = 0;
        }

        protected override void Work()
        {
            IsFailed = true;
            var store = owner.store;
            if (!store.TryEnter()) return;
            try
            {
                for (var i = 0; i < Count; i++) owner.writer.Add(Chunks[i].Filled);
                IsFailed = IsLast && !owner.writer.Commit(Head, Facts);
                if (IsFailed) store.Counts.Count(DiskRefusal.Removed);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                store.WriteFailed(e, owner.writer.Length);
            }
            finally
            {
                store.Leave();
            }
        }

        protected override void LetGo() => owner.BatchDone();
    }
}
