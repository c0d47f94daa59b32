// What became of entries, record by record, so that a start need not look at the files: a header, then records of 64 bytes,
// each with a sum. An entry is recorded before its file gets its name: a file of which nothing is recorded is nobody's. A
// removal is recorded once its file is gone. A process that is killed leaves at most a torn record at the end, which the next
// start cuts off; one that is rotten in the middle is passed over. Where most of it speaks of what is gone, it is written anew
// aside, while records go to both. Disk threads.

using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Weir.Engine.Caching.Disk;

/// <summary>The journal of a store.</summary>
internal sealed class Journal : IDisposable
{
    public const int RecordBytes = 64;

    private const ulong Magic = 0x316c_6e4a_7269_6557; // "WeirJnl1"
    private const byte Put = 1;
    private const byte Gone = 2;
    private const int SumAt = RecordBytes - 8;

    private readonly Lock door = new();
    private readonly CacheFolder folder;
    private SafeFileHandle file;
    private SafeFileHandle? next;
    private ulong seed;
    private ulong nextSeed;
    private long length;
    private long nextLength;

    private Journal(CacheFolder folder, SafeFileHandle file, ulong seed, long length)
    {
        this.folder = folder;
        this.file = file;
        this.seed = seed;
        this.length = length;
        Inherited = (length / RecordBytes) - 1;
    }

    /// <summary>Records that were there at the start.</summary>
    public long Inherited { get; }

    /// <summary>Records that are there now.</summary>
    public long Records => (Volatile.Read(ref length) / RecordBytes) - 1;

    private string NextPath => folder.JournalPath + ".new";

    /// <summary>Opens the journal, or begins one where there is none that can be used. Throws what files throw.</summary>
    public static Journal Open(CacheFolder folder)
    {
        folder.Delete(folder.JournalPath + ".new");
        SafeFileHandle? file = null;
        try
        {
            Span<byte> header = stackalloc byte[RecordBytes];
            if (File.Exists(folder.JournalPath))
            {
                file = File.OpenHandle(folder.JournalPath, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
                if (folder.Read(file, header, 0) == RecordBytes && BinaryPrimitives.ReadUInt64LittleEndian(header) == Magic && IsWhole(header, 0))
                    return new Journal(folder, file, BinaryPrimitives.ReadUInt64LittleEndian(header[8..]), RandomAccess.GetLength(file) / RecordBytes * RecordBytes);
                file.Dispose();
                folder.Delete(folder.JournalPath);
            }

            file = folder.Create(folder.JournalPath);
            return new Journal(folder, file, Begin(folder, file), RecordBytes);
        }
        catch
        {
            file?.Dispose();
            throw;
        }
    }

    /// <summary>Records an entry.</summary>
    public void Add(in IndexEntry entry) => Append(entry, Put);

    /// <summary>Records that an entry's file is gone, and so those of all before it.</summary>
    public void AddGone(UInt128 hash, ulong serial) => Append(new IndexEntry { Hash = hash, Serial = serial }, Gone);

    /// <summary>Reads records from one of the inherited on into the index; how many.</summary>
    public int Load(long first, byte[] room, EntryIndex index)
    {
        var most = (int)Math.Min(room.Length / RecordBytes, Inherited - first);
        var got = folder.Read(file, room.AsSpan(0, most * RecordBytes), (first + 1) * RecordBytes) / RecordBytes;
        for (var i = 0; i < got; i++)
        {
            var record = room.AsSpan(i * RecordBytes, RecordBytes);
            if (!IsWhole(record, seed)) continue;
            if (record[0] == Put) index.TryLoad(Parse(record));
            else index.TryUnload(BinaryPrimitives.ReadUInt128LittleEndian(record[8..]), BinaryPrimitives.ReadUInt64LittleEndian(record[24..]));
        }

        return got;
    }

    /// <summary>Begins to write the journal anew: from now on records go to both.</summary>
    public void BeginAnew()
    {
        lock (door)
        {
            folder.Delete(NextPath);
            next = folder.Create(NextPath);
            nextSeed = Begin(folder, next);
            nextLength = RecordBytes;
        }
    }

    /// <summary>Writes what a shard has to the new one. What is removed meanwhile is recorded after that.</summary>
    public void AddAll(IndexShard shard)
    {
        lock (door)
        {
            if (next is null) return;
            var all = shard.All();
            var room = new byte[all.Length * RecordBytes];
            for (var i = 0; i < all.Length; i++) Format(room.AsSpan(i * RecordBytes), all[i], Put, nextSeed);
            folder.Write(next, room, nextLength);
            nextLength += room.Length;
        }
    }

    /// <summary>Puts the new one in the old one's place; false: it was given up meanwhile.</summary>
    public bool TryEndAnew()
    {
        lock (door)
        {
            if (next is null) return false;
            RandomAccess.FlushToDisk(next);
            folder.Rename(NextPath, folder.JournalPath);
            file.Dispose();
            (file, seed, length) = (next, nextSeed, nextLength);
            next = null;
            return true;
        }
    }

    /// <summary>Leaves the old one in its place: the new one could not be written.</summary>
    public void GiveUpAnew()
    {
        lock (door)
        {
            next?.Dispose();
            next = null;
        }
    }

    public void Dispose()
    {
        lock (door)
        {
            next?.Dispose();
            file.Dispose();
        }
    }

    private void Append(in IndexEntry entry, byte kind)
    {
        Span<byte> record = stackalloc byte[RecordBytes];
        lock (door)
        {
            Format(record, entry, kind, seed);
            folder.Write(file, record, length); // Where that fails, the next one is written over what is there of it.
            length += RecordBytes;
            if (next is null) return;
            Format(record, entry, kind, nextSeed);
            try
            {
                folder.Write(next, record, nextLength);
                nextLength += RecordBytes;
            }
            catch (IOException)
            {
                next.Dispose();
                next = null;
            }
        }
    }

    // The seed is random: what another journal left in a sector is never taken for a record of this one.
    private static ulong Begin(CacheFolder folder, SafeFileHandle file)
    {
        Span<byte> header = stackalloc byte[RecordBytes];
        header.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(header, Magic);
        RandomNumberGenerator.Fill(header[8..16]);
        BinaryPrimitives.WriteUInt64LittleEndian(header[SumAt..], XxHash3.HashToUInt64(header[..SumAt]));
        folder.Write(file, header, 0);
        return BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
    }

    private static bool IsWhole(ReadOnlySpan<byte> record, ulong seed) =>
        BinaryPrimitives.ReadUInt64LittleEndian(record[SumAt..]) == XxHash3.HashToUInt64(record[..SumAt], (long)seed);

    private static void Format(Span<byte> to, in IndexEntry entry, byte kind, ulong seed)
    {
        to = to[..RecordBytes];
        to.Clear();
        to[0] = kind;
        to[1] = (byte)(entry.Queue == IndexQueue.Small ? IndexQueue.Small : IndexQueue.Main);
        to[2] = entry.Uses;
        BinaryPrimitives.WriteUInt128LittleEndian(to[8..], entry.Hash);
        BinaryPrimitives.WriteUInt64LittleEndian(to[24..], entry.Serial);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], entry.Size);
        BinaryPrimitives.WriteInt64LittleEndian(to[40..], entry.Mark);
        BinaryPrimitives.WriteUInt32LittleEndian(to[48..], entry.Stored);
        BinaryPrimitives.WriteUInt32LittleEndian(to[52..], entry.Expiry);
        BinaryPrimitives.WriteUInt64LittleEndian(to[SumAt..], XxHash3.HashToUInt64(to[..SumAt], (long)seed));
    }

    private static IndexEntry Parse(ReadOnlySpan<byte> record) => new()
    {
        Queue = record[1] == (byte)IndexQueue.Small ? IndexQueue.Small : IndexQueue.Main,
        Uses = Math.Min(record[2], (byte)3),
        Hash = BinaryPrimitives.ReadUInt128LittleEndian(record[8..]),
        Serial = BinaryPrimitives.ReadUInt64LittleEndian(record[24..]),
        Size = BinaryPrimitives.ReadInt64LittleEndian(record[32..]),
        Mark = BinaryPrimitives.ReadInt64LittleEndian(record[40..]),
        Stored = BinaryPrimitives.ReadUInt32LittleEndian(record[48..]),
        Expiry = BinaryPrimitives.ReadUInt32LittleEndian(record[52..]),
    };
}
