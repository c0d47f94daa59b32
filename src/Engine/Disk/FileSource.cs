// A part of a file as a body.

using Microsoft.Win32.SafeHandles;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Disk;

/// <summary>A file's bytes. One exchange's own; let go of with <see cref="ReadSource.Dispose"/>, the file with it.</summary>
public sealed class FileSource(Loop loop, BufferPool buffers, SafeFileHandle file, long start, long count) : ReadSource(loop, buffers, start, count)
{
    private const int Piece = 73728;

    protected override int Room => (int)Math.Min(Left, Piece);

    protected override DiskThreads Threads => DiskThreads.Shared;

    protected override SafeFileHandle File => file;

    protected override Reading Next(Chunk into) => new ReadPiece(this, Loop, file, into, Offset, (int)Math.Min(Left, into.Capacity));

    protected override long ReadAhead(long from, long to)
    {
        var room = DiskThreads.Room;
        try
        {
            while (from < to && RandomAccess.Read(file, room.AsSpan(0, (int)Math.Min(room.Length, to - from)), from) is > 0 and var got) from += got;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // What was read up to there is good.
        }

        return from;
    }

    protected override void Close() => file.Dispose();

    private sealed class ReadPiece(FileSource owner, Loop loop, SafeFileHandle file, Chunk into, long offset, int count) : Reading(owner, loop, into)
    {
        protected override void Work()
        {
            try
            {
                End = RandomAccess.Read(file, Into.Bytes.AsSpan(0, count), offset);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                End = -1;
            }
        }
    }
}
