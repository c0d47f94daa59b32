// Where a download goes: a file, by way of FILE.part and FILE.part.json; or standard output. What the disk refuses is told in words.

using System.Security.Cryptography;

namespace Weir.Control.Downloads;

/// <summary>Takes a download's bytes in order. One thread at a time.</summary>
public abstract class DownloadSink : IDisposable
{
    private const int NoSpace = 28, FileTooLarge = 27, OverQuota = 122, BrokenPipe = 32, DiskFull = unchecked((int)0x80070070);

    /// <summary>What is there belongs to this; null: it cannot be gone on with.</summary>
    public PartState? State { get; protected set; }

    /// <summary>Bytes that are there.</summary>
    public long Length { get; protected set; }

    /// <summary>Whether what is there can be gone on with by a later run.</summary>
    public virtual bool Stays => State is not null && Length > 0;

    /// <summary>How it is called, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>Begins anew; what is wrong, or null.</summary>
    /// <param name="state">What comes now; null: it cannot be gone on with.</param>
    /// <param name="expected">Bytes that will come; -1: not known.</param>
    public string? Begin(PartState? state, long expected) => Try(() =>
    {
        BeginAnew(state, expected);
        (State, Length) = (state, 0);
    });

    /// <summary>Goes on from a byte that is there; what is wrong, or null.</summary>
    public string? GoOn(long from) => Try(() =>
    {
        CutTo(from);
        Length = from;
    });

    /// <summary>Takes bytes; what is wrong, or null.</summary>
    public string? Append(ReadOnlyMemory<byte> bytes) => Try(() =>
    {
        Put(bytes.Span);
        Length += bytes.Length;
    });

    /// <summary>Hashes what is there; what is wrong, or null.</summary>
    public string? HashInto(IEnumerable<IncrementalHash> hashes, CancellationToken cancel) => Try(() => Hash([.. hashes], cancel));

    /// <summary>All has come and is right: gives it its name. What is wrong, or null.</summary>
    public string? Finish() => Try(Complete);

    /// <summary>What has come is wrong: nobody shall go on with it.</summary>
    public string? Discard() => Try(Forget);

    public virtual void Dispose() => GC.SuppressFinalize(this);

    protected abstract void BeginAnew(PartState? state, long expected);

    protected abstract void CutTo(long length);

    protected abstract void Put(ReadOnlySpan<byte> bytes);

    protected abstract void Hash(IncrementalHash[] hashes, CancellationToken cancel);

    protected abstract void Complete();

    protected abstract void Forget();

    private string? Try(Action deed)
    {
        try
        {
            deed();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.HResult switch
            {
                NoSpace or DiskFull => $"the disk is full: {Name} takes no further bytes",
                OverQuota => $"the disk quota is used up: {Name} takes no further bytes",
                FileTooLarge => $"{Name} may not grow further",
                BrokenPipe => "nobody reads the output any more",
                _ => $"cannot write {Name}: {e.Message}",
            };
        }
    }
}

/// <summary>A file that takes its name when all is there.</summary>
public sealed class PartFile : DownloadSink
{
    private readonly string path;
    private readonly bool mayReplace;
    private readonly FileStream part;

    private PartFile(string path, FileStream part, bool mayReplace) => (this.path, this.part, this.mayReplace) = (path, part, mayReplace);

    /// <summary>The partial file.</summary>
    public static string PartOf(string path) => path + ".part";

    /// <summary>What it is a part of.</summary>
    public static string StateOf(string path) => path + ".part.json";

    public override string Name => part.Name;

    /// <summary>Opens what an earlier run left, or makes it; null: told in trouble.</summary>
    /// <param name="path">The file that it is to become.</param>
    /// <param name="mayReplace">Whether that may be there.</param>
    /// <param name="goesOn">Whether what is there is gone on with.</param>
    /// <param name="trouble">What is wrong.</param>
    public static PartFile? TryOpen(string path, bool mayReplace, bool goesOn, out string trouble)
    {
        trouble = "";
        if (Directory.Exists(path)) trouble = $"{path} is a folder";
        else if (!mayReplace && File.Exists(path)) trouble = $"{path} is there already; --force replaces it, -o names another";
        if (trouble.Length > 0) return null;
        try
        {
            // Locked: two that write one part would make one that is neither's.
            var part = new FileStream(PartOf(path), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            var file = new PartFile(path, part, mayReplace) { Length = part.Length };
            if (goesOn) file.State = PartState.Read(StateOf(path));
            if (file.State?.Length < file.Length) file.State = null;
            part.Seek(0, SeekOrigin.End);
            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            trouble = $"cannot write {PartOf(path)}: {e.Message}";
            return null;
        }
    }

    public override void Dispose()
    {
        var isEmpty = part.CanWrite && part.Length == 0;
        part.Dispose();
        if (isEmpty) Remove();
        base.Dispose();
    }

    protected override void BeginAnew(PartState? state, long expected)
    {
        File.Delete(StateOf(path));
        part.SetLength(0);
        if (expected > 0 && new DriveInfo(Path.GetDirectoryName(Path.GetFullPath(path))!) is { TotalSize: > 0 } drive && drive.AvailableFreeSpace < expected)
            throw new IOException($"{expected} bytes are needed, and the disk has {drive.AvailableFreeSpace}");
        state?.Write(StateOf(path));
    }

    protected override void CutTo(long length)
    {
        part.SetLength(length);
        part.Seek(0, SeekOrigin.End);
    }

    protected override void Put(ReadOnlySpan<byte> bytes) => part.Write(bytes);

    protected override void Hash(IncrementalHash[] hashes, CancellationToken cancel)
    {
        var buffer = new byte[1 << 20];
        part.Seek(0, SeekOrigin.Begin);
        for (var left = Length; left > 0;)
        {
            cancel.ThrowIfCancellationRequested();
            var got = part.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (got == 0) throw new EndOfStreamException($"{Name} has become shorter");
            foreach (var hash in hashes) hash.AppendData(buffer, 0, got);
            left -= got;
        }
    }

    protected override void Complete()
    {
        part.Flush(flushToDisk: true);
        File.Move(part.Name, path, mayReplace);
        File.Delete(StateOf(path));
        part.Dispose();
    }

    protected override void Forget()
    {
        part.SetLength(0);
        File.Delete(StateOf(path));
    }

    private void Remove()
    {
        try
        {
            File.Delete(StateOf(path));
            File.Delete(PartOf(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An empty file stays: the next run takes it.
        }
    }
}

/// <summary>Standard output, or what else is written once: gone on with in one run only.</summary>
/// <param name="to">It.</param>
public sealed class StreamSink(Stream to) : DownloadSink
{
    public override string Name => "the output";

    public override bool Stays => false;

    protected override void BeginAnew(PartState? state, long expected)
    {
        if (Length > 0) throw new IOException("what comes now is something else than what was written");
    }

    protected override void CutTo(long length)
    {
        if (length != Length) throw new IOException("what was written cannot be taken back");
    }

    protected override void Put(ReadOnlySpan<byte> bytes) => to.Write(bytes);

    protected override void Hash(IncrementalHash[] hashes, CancellationToken cancel)
    {
    }

    protected override void Complete() => to.Flush();

    protected override void Forget()
    {
    }
}
