// What of a segment has come and has not gone yet: first in memory; where there is no room for more, behind that on disk. One flow
// appends, another reads; neither waits here. Once on disk, what comes goes there until the reader has caught up with it.
//
//   chunks in memory → what the file has → the tail, on its way there
//
// Disk work is done by a flow of its own, one piece at a time.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Acceleration;

/// <summary>One segment's bytes. Leased with its segment; one loop.</summary>
/// <param name="loop">The loop.</param>
/// <param name="buffers">Its buffers.</param>
internal sealed class SegmentBuffer(Loop loop, BufferPool buffers)
{
    /// <summary>Bytes in one piece of memory or of disk work.</summary>
    public const int PieceBytes = 65536;

    private readonly Waiter flow = new(loop);
    private Transfer owner = null!;
    private Chunk? first;
    private Chunk? last;
    private SpillFile? file;
    private Chunk? tail; // Behind what the file has.
    private Chunk? window; // Read from the file.
    private long read; // Of the file.
    private bool isWriting; // The tail is the disk's.
    private bool isWorking;
    private bool isOver;
    private bool diskFailed;

    /// <summary>Raised when it may take more.</summary>
    public Signal Room { get; } = new();

    /// <summary>Bytes that have come and have not gone.</summary>
    public long Held { get; private set; }

    /// <summary>What was on disk could not be read again: the rest of the segment has to be fetched anew.</summary>
    public bool IsLost { get; private set; }

    public void Begin(Transfer of) => (owner, isOver, diskFailed, IsLost) = (of, false, false, false);

    /// <summary>Takes bytes.</summary>
    /// <param name="piece">The bytes.</param>
    /// <param name="isAwaited">Whether its client waits for this segment: then it may always have a little.</param>
    /// <returns>How many; 0: no room now, <see cref="Room"/> tells.</returns>
    public int Append(ReadOnlySpan<byte> piece, bool isAwaited)
    {
        var taken = file is null ? Keep(piece, isAwaited) : Spill(piece);
        Held += taken;
        if (taken == 0) Room.Clear();
        return taken;
    }

    /// <summary>Gives what comes next. Wait: nothing is here now; who is told is <see cref="Transfer.Came(SegmentBuffer)"/>.</summary>
    public BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (IsLost) return BodyStatus.Broken;
        if (first is not null)
        {
            piece = first.Filled;
            if (!piece.IsEmpty) return BodyStatus.Piece;
        }
        else if (window is { IsEmpty: false })
        {
            piece = window.Filled;
            return BodyStatus.Piece;
        }
        else if (file is not null && read < file.Length)
        {
            Work();
        }
        else if (tail is { IsEmpty: false } && !isWriting)
        {
            piece = tail.Filled;
            return BodyStatus.Piece;
        }

        return BodyStatus.Wait;
    }

    /// <summary>So much of the last piece was used.</summary>
    public void Advance(int count)
    {
        Held -= count;
        if (first is not null)
        {
            first.Start += count;
            if (first.IsEmpty && (first != last || first.Free.IsEmpty || file is not null)) ReturnFirst();
        }
        else if (window is not null)
        {
            window.Start += count;
            if (window.IsEmpty) Return(ref window);
        }
        else
        {
            tail!.Start += count;
            if (tail.IsEmpty) CloseFile(); // Caught up: memory again.
        }
    }

    /// <summary>Gives everything back. Disk work may be under way.</summary>
    public void End()
    {
        isOver = true;
        while (first is not null) ReturnFirst();
        Return(ref window);
        if (isWorking)
        {
            file!.Dispose(); // What is the disk's comes back from there.
            if (isWriting) (tail, isWriting) = (null, false);
            Uncount();
            file = null;
            flow.Cancel();
        }

        Return(ref tail);
        file?.Dispose();
        file = null;
        (Held, read) = (0, 0);
        Room.Clear();
    }

    private int Keep(ReadOnlySpan<byte> piece, bool isAwaited)
    {
        var taken = 0;
        while (taken < piece.Length)
        {
            if (last is null || last.Free.IsEmpty)
            {
                if (last is not null && last.IsEmpty) ReturnFirst(); // Only where it is the first.
                if (!owner.MayHold(PieceBytes, isAwaited && Held + taken < 2 * PieceBytes))
                {
                    if (taken > 0 || diskFailed || owner.Folder is null) return taken;
                    return Spill(piece);
                }

                if (buffers.TryLease(PieceBytes) is not { } chunk) return taken;
                owner.Hold(chunk.Capacity);
                if (last is null) first = chunk;
                else last.Below = chunk;
                last = chunk;
            }

            var part = piece[taken..Math.Min(piece.Length, taken + last.Free.Length)];
            part.CopyTo(last.Free);
            last.End += part.Length;
            taken += part.Length;
        }

        return taken;
    }

    private int Spill(ReadOnlySpan<byte> piece)
    {
        if (isWriting || diskFailed) return 0;
        if (tail is null)
        {
            if (buffers.TryLease(PieceBytes) is not { } chunk) return 0;
            tail = chunk;
            owner.Hold(chunk.Capacity);
        }

        file ??= new SpillFile(loop, buffers, owner.Folder!);
        var part = piece[..Math.Min(piece.Length, tail.Free.Length)];
        part.CopyTo(tail.Free);
        tail.End += part.Length;
        if (tail.Free.IsEmpty) Work();
        return part.Length;
    }

    private void Work()
    {
        if (!isWorking) WorkAsync().Detach();
    }

    private async LoopTask WorkAsync()
    {
        isWorking = true;
        while (!isOver && Begin())
        {
            var done = file!.Done;
            while (!done.IsSet && !isOver) await flow.FirstOf(done, long.MaxValue);
            if (isOver) break;
            var isGood = file.Collect(out var chunk);
            if (isWriting)
            {
                isWriting = false;
                if (isGood) (tail!.Start, tail.End) = (0, 0);
                else diskFailed = true; // What could not be written is still here: it is read from here, and then there is memory again.
                Room.RaiseLater();
            }
            else if (isGood)
            {
                read += chunk.Length;
                window = chunk;
            }
            else
            {
                Uncount();
                buffers.Return(chunk);
                IsLost = true;
            }

            owner.Came(this);
        }

        isWorking = false;
    }

    // What is read is waited for; what is written is not.
    private bool Begin()
    {
        if (file is null || IsLost) return false;
        if (first is null && window is null && read < file.Length)
        {
            if (buffers.TryLease(PieceBytes) is not { } chunk) return Fail();
            owner.Hold(chunk.Capacity);
            if (file.TryRead(chunk, read)) return true;
            Uncount();
            buffers.Return(chunk);
            return Fail();
        }

        if (diskFailed || tail is not { Free.IsEmpty: true, Start: 0 }) return false;
        isWriting = file.TryWrite(tail);
        diskFailed = !isWriting;
        return isWriting;
    }

    private bool Fail()
    {
        IsLost = true;
        owner.Came(this);
        return false;
    }

    private void CloseFile()
    {
        Return(ref tail);
        file?.Dispose();
        file = null;
        (read, diskFailed) = (0, false);
        Room.RaiseLater();
    }

    private void ReturnFirst()
    {
        var chunk = first;
        first = chunk!.Below;
        if (first is null) last = null;
        chunk.Below = null;
        Return(ref chunk);
        Room.RaiseLater();
    }

    private void Return(ref Chunk? chunk)
    {
        if (chunk is null) return;
        owner.LetGo(chunk.Capacity);
        buffers.Return(chunk);
        chunk = null;
    }

    private void Uncount() => owner.LetGo(BufferPool.Sizes[2]);
}
