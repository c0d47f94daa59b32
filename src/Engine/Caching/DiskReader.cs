// A stored response whose body stays on the disk, as one exchange reads it: what memory would not keep is not brought there. Every
// block is checked before it is given, or sent from the file.

using Weir.Engine.Caching.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Wire.Fields;

namespace Weir.Engine.Caching;

/// <summary>Reads a body on a disk, or a part of it. One exchange's own; the caller hands over its reference to the response.</summary>
internal sealed class DiskReader(Loop loop, BufferPool buffers, StoredResponse response) : FileBody, IPartReader, IDisposable
{
    private readonly Signal never = new();
    private PartsSource? parts;
    private DiskSource? source;
    private long first;
    private long count = response.Body.Length;
    private bool disposed;

    /// <summary>The fields of the response it reads.</summary>
    public FieldIndex Fields { get; } = new();

    PartsSource IPartReader.Parts => parts ??= new PartsSource(this, this);

    long IPartReader.Total => response.Body.Length;

    public override Signal Ready => source?.Ready ?? never;

    public override long Length => count;

    public override FaultCause Failure => source?.Failure ?? FaultCause.None;

    public override bool IsAtEnd => source?.IsAtEnd ?? count == 0;

    public override bool IsWorthSending => Source.IsWorthSending;

    private DiskSource Source => source ??= new DiskSource(loop, buffers, response.Body.File!, first, count);

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece) => Source.TryRead(out piece);

    public override BodyStatus TryReadRange(out FileRange range) => Source.TryReadRange(out range);

    public override void Advance(int used) => source!.Advance(used);

    /// <summary>Reads a part only.</summary>
    public void Take(long from, long bytes)
    {
        source?.Dispose();
        source = null;
        (first, count) = (from, bytes);
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        source?.Dispose();
        response.LetGo();
    }
}
