// One entry's file while it is written: aside, block by block, header last. Disk threads, one at a time.

using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Caching.Disk;

/// <summary>Writes one file. All but <see cref="Drop"/> throw what files throw.</summary>
internal sealed class EntryWriter(DiskStore store, Writing writing)
{
    private readonly List<ulong> sums = [];
    private SafeFileHandle? file;
    private string path = "";
    private long length;

    public Writing Writing => writing;

    /// <summary>Bytes of the body that were written.</summary>
    public long Length => length;

    /// <summary>Appends a block of the body; all but the last are whole.</summary>
    public void Add(ReadOnlySpan<byte> block)
    {
        sums.Add(EntryHeader.SumOfBlock(block, writing.Serial, sums.Count));
        store.Folder.Write(Open(), block, EntryHeader.Bytes + writing.Key.Length + length);
        length += block.Length;
    }

    /// <summary>Writes the rest and makes it an entry; false: it was removed meanwhile.</summary>
    public bool Commit(ReadOnlySpan<byte> head, in DiskFacts facts)
    {
        var header = Header(head, facts, length);
        var room = ArrayPool<byte>.Shared.Rent(Math.Max(header.BodyAt, (int)(header.FileLength - header.HeadAt)));
        try
        {
            WriteEnd(room, head, out var end);
            if (end > 0) store.Folder.Write(Open(), room.AsSpan(0, end), header.HeadAt);
            WriteBegin(room, header);
            store.Folder.Write(Open(), room.AsSpan(0, header.BodyAt), 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(room);
        }

        return Reveal(header, head);
    }

    /// <summary>As <see cref="Add"/> and <see cref="Commit"/>, with one write.</summary>
    public bool CommitWhole(ReadOnlySpan<byte> head, in DiskFacts facts, DiskContent content)
    {
        var header = Header(head, facts, content.Length);
        var room = ArrayPool<byte>.Shared.Rent((int)header.FileLength);
        try
        {
            for (long at = 0; at < content.Length;)
            {
                var piece = content.PieceAt(at);
                piece = piece[..(int)Math.Min(piece.Length, content.Length - at)];
                piece.CopyTo(room.AsSpan(header.BodyAt + (int)at));
                at += piece.Length;
            }

            for (var at = 0; at < content.Length; at += EntryHeader.Block)
            {
                var block = room.AsSpan(header.BodyAt + at, (int)Math.Min(EntryHeader.Block, content.Length - at));
                sums.Add(EntryHeader.SumOfBlock(block, writing.Serial, sums.Count));
            }

            WriteEnd(room.AsSpan((int)header.HeadAt), head, out _);
            WriteBegin(room, header);
            store.Folder.Write(Open(), room.AsSpan(0, (int)header.FileLength), 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(room);
        }

        return Reveal(header, head);
    }

    /// <summary>Deletes what there is.</summary>
    public void Drop()
    {
        if (path.Length == 0) return;
        file?.Dispose();
        try
        {
            store.Folder.Delete(path);
        }
        catch (IOException e)
        {
            store.Failed("removing from the cache failed", e);
        }

        path = "";
    }

    private SafeFileHandle Open()
    {
        if (file is not null) return file;
        var next = store.Folder.NextAside();
        file = store.Folder.Create(next);
        path = next;
        return file;
    }

    private EntryHeader Header(ReadOnlySpan<byte> head, in DiskFacts facts, long bodyLength) =>
        new(writing.Hash, writing.Serial, facts, writing.Key.Length, head.Length, bodyLength, EntryHeader.SumOf(writing.Key, writing.Serial), EntryHeader.SumOf(head, writing.Serial));

    private void WriteBegin(Span<byte> room, in EntryHeader header)
    {
        header.Write(room);
        writing.Key.CopyTo(room[EntryHeader.Bytes..]);
    }

    private void WriteEnd(Span<byte> room, ReadOnlySpan<byte> head, out int end)
    {
        head.CopyTo(room);
        end = head.Length;
        foreach (var sum in sums)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(room[end..], sum);
            end += EntryHeader.SumBytes;
        }
    }

    private bool Reveal(in EntryHeader header, ReadOnlySpan<byte> head)
    {
        file!.Dispose();
        if (!store.Reveal(path, header, head, writing)) return false;
        path = "";
        return true;
    }
}
