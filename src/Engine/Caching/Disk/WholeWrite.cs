// An entry whose body is there as a whole, written from where it lies: one piece of work, one write where it is small.

using Weir.Engine.Disk;
using Weir.Engine.Loops;

namespace Weir.Engine.Caching.Disk;

/// <summary>A body to be stored, which somebody keeps as it is until it is let go of.</summary>
public abstract class DiskContent
{
    public abstract long Length { get; }

    /// <summary>Bytes from an offset below <see cref="Length"/> on, at least one, in one piece. Called on a disk thread.</summary>
    public abstract ReadOnlySpan<byte> PieceAt(long offset);

    /// <summary>It is not needed any more, stored or not. Called once, on the loop that was named.</summary>
    public abstract void LetGo();
}

/// <summary>Writes an entry.</summary>
internal sealed class WholeWrite : DiskJob
{
    // Up to here it is gathered in memory.
    private const int MostGathered = 256 << 10;

    private readonly DiskStore store;
    private readonly Loop? loop;
    private readonly EntryWriter writer;
    private readonly byte[] head;
    private readonly DiskFacts facts;
    private readonly DiskContent content;

    public WholeWrite(DiskStore store, Loop? loop, Writing writing, byte[] head, in DiskFacts facts, DiskContent content)
        : base(loop)
    {
        (this.store, this.loop, this.head, this.facts, this.content) = (store, loop, head, facts, content);
        writer = new EntryWriter(store, writing);
        Abandon(); // Nobody waits; the content is let go of on the loop.
    }

    protected override void Work()
    {
        var length = content.Length;
        try
        {
            if (store.TryEnter())
            {
                Write();
                store.Leave();
            }
        }
        finally
        {
            store.GiveBackFlight(length);
            if (loop is null) content.LetGo();
        }
    }

    protected override void LetGo() => content.LetGo();

    private void Write()
    {
        try
        {
            if (!(content.Length <= MostGathered ? writer.CommitWhole(head, facts, content) : WritePieces())) store.Counts.Count(DiskRefusal.Removed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            store.WriteFailed(e, content.Length);
        }
        finally
        {
            writer.Drop();
        }
    }

    private bool WritePieces()
    {
        byte[]? room = null;
        while (writer.Length < content.Length)
        {
            var block = (int)Math.Min(EntryHeader.Block, content.Length - writer.Length);
            var piece = content.PieceAt(writer.Length);
            if (piece.Length < block)
            {
                // A block that lies in several pieces.
                room ??= new byte[EntryHeader.Block];
                for (var filled = 0; filled < block;)
                {
                    piece = content.PieceAt(writer.Length + filled);
                    piece = piece[..Math.Min(piece.Length, block - filled)];
                    piece.CopyTo(room.AsSpan(filled));
                    filled += piece.Length;
                }

                piece = room;
            }

            writer.Add(piece[..block]);
        }

        return writer.Commit(head, facts);
    }
}
