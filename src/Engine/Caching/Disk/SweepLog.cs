// What is to be swept, on record until it is through: a process that is killed before leaves it to the next one, which gives out none of
// it. Notes whose meaning is their writer's, each with a length and a sum, in a file that is there while something is under way, and is
// written anew where most of it speaks of what is done. What a kill tears off the end is nothing: nobody was told that it holds.
// Disk threads and Control's, one at a time.

using System.Buffers.Binary;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Caching.Disk;

/// <summary>The notes of a store.</summary>
internal sealed class SweepLog : IDisposable
{
    /// <summary>The longest note.</summary>
    public const int MostNote = 65536;

    // What is done may be said of so much of the file, beside as much as what is under way takes.
    internal const long SpareBytes = 1 << 16;

    private const int Head = 12;

    private readonly CacheFolder folder;
    private SafeFileHandle? file;
    private long length;

    private SweepLog(CacheFolder folder) => this.folder = folder;

    /// <summary>What an earlier process had not done.</summary>
    public List<byte[]> Inherited { get; } = [];

    private string FilePath => System.IO.Path.Combine(folder.Path, "sweeps");

    /// <summary>Opens it. Throws what files throw.</summary>
    public static SweepLog Open(CacheFolder folder)
    {
        var log = new SweepLog(folder);
        folder.Delete(log.FilePath + ".new");
        if (!File.Exists(log.FilePath)) return log;
        try
        {
            log.file = File.OpenHandle(log.FilePath, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            log.Load();
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Adds a note.</summary>
    public void Add(ReadOnlySpan<byte> note)
    {
        file ??= folder.Create(FilePath);
        folder.Write(file, Record(note), length); // Where that fails, the next one is written over what is there of it.
        length += Head + note.Length;
    }

    /// <summary>Leaves what is under way, where that is worth it.</summary>
    public void Tidy(List<byte[]> underWay)
    {
        var needed = underWay.Sum(static note => (long)Head + note.Length);
        if (file is null || (needed > 0 && length <= (needed * 2) + SpareBytes)) return;
        if (needed > 0)
        {
            WriteAnew(underWay);
            return;
        }

        folder.Delete(FilePath);
        file.Dispose();
        (file, length) = (null, 0);
    }

    public void Dispose() => file?.Dispose();

    private void WriteAnew(List<byte[]> underWay)
    {
        folder.Delete(FilePath + ".new");
        var next = folder.Create(FilePath + ".new");
        var written = 0L;
        try
        {
            foreach (var note in underWay)
            {
                folder.Write(next, Record(note), written);
                written += Head + note.Length;
            }

            folder.Rename(FilePath + ".new", FilePath);
        }
        catch
        {
            next.Dispose();
            throw;
        }

        file!.Dispose();
        (file, length) = (next, written);
    }

    private void Load()
    {
        var head = new byte[Head];
        while (folder.Read(file!, head, length) == Head)
        {
            var size = BinaryPrimitives.ReadInt32LittleEndian(head);
            if (size is < 0 or > MostNote) break;
            var note = new byte[size];
            if (folder.Read(file!, note, length + Head) < size || BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(4)) != SumOf(note)) break;
            Inherited.Add(note);
            length += Head + size;
        }
    }

    private static byte[] Record(ReadOnlySpan<byte> note)
    {
        var record = new byte[Head + note.Length];
        BinaryPrimitives.WriteInt32LittleEndian(record, note.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(4), SumOf(note));
        note.CopyTo(record.AsSpan(Head));
        return record;
    }

    // Not zero of nothing: what a disk left blank is no note.
    private static ulong SumOf(ReadOnlySpan<byte> note) => XxHash3.HashToUInt64(note, 1);
}
