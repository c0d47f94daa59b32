// Bytes that are not to stay in memory go to a file without a name: nobody else can open it, and it is gone with whoever
// held it, however that one ended. One piece of work at a time; the chunk it works on is the disk thread's meanwhile.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Disk;

/// <summary>Where bytes are spilled to, and how many in all. Any thread.</summary>
public sealed class SpillFolder
{
    private readonly Func<string, SafeFileHandle?> create;
    private long used;
    private long written;
    private long failures;

    /// <param name="path">The folder; it is looked at when something is spilled, not before.</param>
    /// <param name="most">The most bytes that all files together may have.</param>
    public SpillFolder(string path, long most)
        : this(path, most, DiskThreads.Shared, Descriptor.CreateNameless)
    {
    }

    internal SpillFolder(string path, long most, DiskThreads threads, Func<string, SafeFileHandle?> create)
    {
        Path = path;
        Most = most;
        Threads = threads;
        this.create = create;
    }

    public string Path { get; }

    public long Most { get; }

    /// <summary>Bytes in its files, and on their way there.</summary>
    public long Used => Volatile.Read(ref used);

    /// <summary>Bytes written since the start.</summary>
    public long Written => Volatile.Read(ref written);

    /// <summary>Pieces of work that failed: a disk that is full, broken or not writable.</summary>
    public long Failures => Volatile.Read(ref failures);

    /// <summary>What the last failure was; null: there was none.</summary>
    public string? LastFailure { get; private set; }

    internal DiskThreads Threads { get; }

    internal SafeFileHandle? Create() => create(Path);

    internal bool TryTake(int bytes)
    {
        if (Interlocked.Add(ref used, bytes) <= Most) return true;
        Interlocked.Add(ref used, -bytes);
        return false;
    }

    internal void GiveBack(long bytes) => Interlocked.Add(ref used, -bytes);

    internal void Wrote(int bytes) => Interlocked.Add(ref written, bytes);

    internal void Failed(string why)
    {
        LastFailure = why;
        Interlocked.Increment(ref failures);
    }
}

/// <summary>One body's bytes on disk, appended and read piece by piece. One loop; let go of with <see cref="Dispose"/>.</summary>
public sealed class SpillFile(Loop loop, BufferPool buffers, SpillFolder folder) : IDisposable
{
    private readonly SpillFolder folder = folder;
    private SafeFileHandle? file; // Opened by the first write, on the disk's thread; never touched by two at once.
    private Piece? job;
    private long taken;

    /// <summary>Bytes that are there.</summary>
    public long Length { get; private set; }

    /// <summary>Whether work was begun whose outcome was not collected: nothing else may be begun.</summary>
    public bool IsBusy => job is not null;

    /// <summary>Whether that work is a write.</summary>
    public bool IsWriting => job is { IsWrite: true };

    /// <summary>Set when the work is through.</summary>
    public Signal Done => job!.Done;

    /// <summary>Begins to append what a chunk holds; the chunk is lent until it is collected. False: too much is there or waits already.</summary>
    public bool TryWrite(Chunk chunk)
    {
        if (!folder.TryTake(chunk.Length)) return false;
        if (Begin(new Piece(loop, this, chunk, Length, chunk.Length, isWrite: true)))
        {
            taken += chunk.Length;
            return true;
        }

        folder.GiveBack(chunk.Length);
        return false;
    }

    /// <summary>Begins to fill a chunk from an offset on; the chunk is lent until it is collected. False: too much waits already.</summary>
    public bool TryRead(Chunk into, long offset) =>
        Begin(new Piece(loop, this, into, offset, (int)Math.Min(into.Capacity, Length - offset), isWrite: false));

    /// <summary>
    /// Collects what is <see cref="Done"/>: the chunk, as it was where it was written, filled where it was read. False: the disk
    /// failed; what was to be written is still in the chunk.
    /// </summary>
    public bool Collect(out Chunk chunk)
    {
        var through = job!;
        job = null;
        chunk = through.Chunk;
        if (through.Trouble is { } why)
        {
            folder.Failed(why);
            return false;
        }

        if (through.IsWrite)
        {
            Length += through.Count;
            folder.Wrote(through.Count);
        }
        else
        {
            chunk.Start = 0;
            chunk.End = through.Count;
        }

        return true;
    }

    public void Dispose()
    {
        if (job is { Done.IsSet: true })
        {
            Collect(out var chunk);
            buffers.Return(chunk);
        }

        // A disk thread still uses the chunk and the file: both are given back when it is through.
        if (job is not null) job.Abandon();
        else Close();
        job = null;
    }

    private bool Begin(Piece work)
    {
        if (!folder.Threads.TryRun(work)) return false;
        job = work;
        return true;
    }

    // Closing a file without a name frees what it had on the disk, which may wait for that.
    private void Close()
    {
        folder.GiveBack(taken);
        taken = 0;
        if (file is not { } open) return;
        file = null;
        if (!folder.Threads.TryRun(new Closing(loop, open))) open.Dispose();
    }

    private sealed class Piece(Loop loop, SpillFile owner, Chunk chunk, long offset, int count, bool isWrite) : DiskJob(loop)
    {
        public Chunk Chunk => chunk;

        public int Count => count;

        public bool IsWrite => isWrite;

        protected override void Work()
        {
            try
            {
                if ((owner.file ??= owner.folder.Create()) is not { } file) Trouble = $"no file can be made in {owner.folder.Path}: {Errno.Describe(Errno.Last)}";
                else if (isWrite) RandomAccess.Write(file, chunk.Filled, offset);
                else Fill(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ObjectDisposedException)
            {
                Trouble = e.Message;
            }
        }

        protected override void LetGo() => owner.GiveBack(chunk);

        private void Fill(SafeFileHandle from)
        {
            for (var got = 0; got < count;)
            {
                var more = RandomAccess.Read(from, chunk.Bytes.AsSpan(got, count - got), offset + got);
                if (more <= 0)
                {
                    Trouble = "shorter than what was written";
                    return;
                }

                got += more;
            }
        }
    }

    private sealed class Closing(Loop loop, SafeFileHandle file) : DiskJob(loop)
    {
        protected override void Work() => file.Dispose();

        protected override void LetGo()
        {
        }
    }

    private void GiveBack(Chunk chunk)
    {
        buffers.Return(chunk);
        Close();
    }
}
