// A store in a folder of its own, whose disk threads are stepped by hand and whose disk can be made to fail, or to stop in the
// middle of anything, as it does for a process that is killed.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Caching.Disk;
using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Tests.Unit.Loops;

namespace Weir.Tests.Unit.Engine.Caching.Disk;

internal sealed class DiskRig : IDisposable
{
    private DiskStore? store;

    public DiskRig(long mostBytes = 1 << 30, int mostEntries = 1 << 15)
    {
        (MostBytes, MostEntries) = (mostBytes, mostEntries);
        Folder = new FaultyFolder(Path);
        Loop = new Loop(Time);
    }

    // Where there is a file system in memory: a test makes many files.
    public string Path { get; } = Directory.CreateDirectory(System.IO.Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : System.IO.Path.GetTempPath(), $"weir-cache-{Guid.NewGuid():N}")).FullName;

    public long MostBytes { get; }

    public int MostEntries { get; }

    public ManualPoller Time { get; } = new();

    public Loop Loop { get; }

    public BufferPool Buffers { get; } = new(new MemoryBudget(1 << 26));

    public DiskThreads Threads { get; set; } = new(0, 64);

    public FaultyFolder Folder { get; private set; }

    public long Milliseconds { get; set; } = 1_000_000;

    public long Utc { get; set; } = 1_700_000_000;

    public Journal Journal => Store.Journal;

    public List<string> Told { get; } = [];

    public DiskStore Store => store ??= Open();

    public DiskStore Open() => TryOpen(out var trouble) ?? throw new InvalidOperationException(trouble);

    public DiskStore? TryOpen(out string trouble) =>
        DiskStore.Open(new DiskStoreSettings(Path, MostBytes, MostEntries, Told.Add), new DiskStore.Seams(Folder, Threads, () => Milliseconds, () => Utc), out trouble);

    /// <summary>Closes the store, or lets it die, and opens it again; nothing of its background work is done yet.</summary>
    public void Restart(bool killed = false)
    {
        var old = Store;
        if (killed) Folder.Freeze();
        old.Dispose();
        Work();
        Folder = new FaultyFolder(Path);
        Utc++;
        store = Open();
    }

    /// <summary>Does all the work that waits, and what comes of it.</summary>
    public void Work()
    {
        for (var i = 0; i < 3; i++)
        {
            while (Threads.TryWork())
            {
            }

            while (Loop.Turn(false))
            {
            }
        }
    }

    public bool Put(int hash, string key, string head, byte[] body, long expiry = long.MaxValue, long mark = 0)
    {
        if (Store.TryBegin(Loop, Buffers, (UInt128)hash, Bytes(key)) is not { } write) return false;
        if (!write.TryWrite(body) || !write.TryCommit(Bytes(head), new DiskFacts(expiry, Utc, mark))) return false;
        Work();
        Assert.True(write.IsEnded);
        return write.IsStored;
    }

    /// <summary>What is stored, as it would be served; null: nothing.</summary>
    public (string Head, byte[] Body)? Get(int hash, string key)
    {
        using var read = Store.TryRead(Loop, Buffers, (UInt128)hash, Bytes(key));
        if (read is null) return null;
        Work();
        Assert.True(read.Done.IsSet);
        if (!read.IsHit) return null;
        var head = System.Text.Encoding.UTF8.GetString(read.Head);
        if (read.IsWhole) return (head, read.Body.ToArray());
        using var source = read.Source(0, read.BodyLength);
        return Drain(source) is { } body ? (head, body) : null;
    }

    /// <summary>The whole of a source; null: it broke.</summary>
    public byte[]? Drain(DiskSource source)
    {
        var body = new List<byte>();
        while (true)
        {
            switch (source.TryRead(out var piece))
            {
                case BodyStatus.Piece:
                    var some = Math.Max(1, piece.Length / 2);
                    body.AddRange(piece[..some]);
                    source.Advance(some);
                    break;
                case BodyStatus.Wait:
                    Work();
                    break;
                case BodyStatus.End:
                    return [.. body];
                default:
                    return null;
            }
        }
    }

    /// <summary>What is in the ranges of a source, and whether they are all there.</summary>
    public byte[] DrainRanges(DiskSource source, out bool isWhole)
    {
        var body = new List<byte>();
        while (true)
        {
            switch (source.TryReadRange(out var range))
            {
                case BodyStatus.Piece:
                    var some = new byte[Math.Max(1, range.Count / 2)];
                    Assert.Equal(some.Length, RandomAccess.Read(range.File, some, range.Offset));
                    body.AddRange(some);
                    source.Advance(some.Length);
                    break;
                case BodyStatus.Wait:
                    Work();
                    break;
                case var ended:
                    isWhole = ended == BodyStatus.End;
                    return [.. body];
            }
        }
    }

    public bool Remove(int hash)
    {
        var removal = Store.Remove(Loop, (UInt128)hash);
        Work();
        return removal is { Trouble: null, Done.IsSet: true };
    }

    public string FileOf(int hash) => Folder.PathOf((UInt128)hash);

    public static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    public static byte[] Body(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public void Dispose()
    {
        store?.Dispose();
        Work();
        Assert.Equal(0, Buffers.Leased);
        if (store is not null) Assert.Equal(0, store.InFlight);
        Directory.Delete(Path, recursive: true);
    }
}

/// <summary>A folder whose disk fails where it is told to.</summary>
internal sealed class FaultyFolder(string path) : CacheFolder(path)
{
    public const int IoError = 5;
    public const int NoSpace = 28;

    private bool frozen;

    /// <summary>Errors of writing, reading and deleting; 0: none.</summary>
    public int WriteError { get; set; }

    public int ReadError { get; set; }

    public int DeleteError { get; set; }

    /// <summary>Changes that still reach the disk, the last write among them by half; then nothing does. Below 0: all.</summary>
    public int Left { get; set; } = -1;

    public int Changes { get; private set; }

    /// <summary>Called once, when a file has just got its name.</summary>
    public Action? OnRenamed { get; set; }

    public void Freeze() => frozen = true;

    public override SafeFileHandle Create(string file)
    {
        Change(WriteError);
        return base.Create(file);
    }

    public override void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long at)
    {
        if (Left == 1) base.Write(file, bytes[..(bytes.Length / 2)], at);
        if (Left == 1) Left = 0;
        Change(WriteError);
        base.Write(file, bytes, at);
    }

    public override int Read(SafeFileHandle file, Span<byte> into, long at)
    {
        if (ReadError != 0) throw new IOException("the disk fails", ReadError);
        return base.Read(file, into, at);
    }

    public override void Rename(string from, string to)
    {
        Change(WriteError);
        base.Rename(from, to);
        var then = OnRenamed;
        OnRenamed = null;
        then?.Invoke();
    }

    public override bool Delete(string file)
    {
        Change(DeleteError);
        return base.Delete(file);
    }

    private void Change(int error)
    {
        Changes++;
        if (frozen || Left == 0) throw new IOException("the process is dead", IoError);
        if (Left > 0) Left--;
        if (error != 0) throw new IOException("the disk fails", error);
    }
}
