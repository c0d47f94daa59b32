// A request's body that can be sent again: what passes is recorded, so that another endpoint gets it from its first byte
// on when an attempt failed. Recorded is what a sink has taken, first in memory, then behind that on disk; what was only
// handed out is still the client's source's, and comes again from there. Where recording is not possible (too long, no
// buffer to spare, a disk that is full, slow or broken) it stops for good, and the request goes on as if nobody had asked for it.
// Memory: the limit, a chunk on its way to the disk, and while replaying one on its way from there.

using Weir.Engine.Disk;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Forwarding;

/// <summary>Records and replays one body at a time; leased from <see cref="ReplayBodies"/>. Read by one flow at a time; one loop.</summary>
public sealed class ReplayBody : ReplayableBody, IDisposable
{
    private const int SmallChunk = 4096;
    private const int MiddleChunk = 16384;
    private const int LargeChunk = 65536; // With room for a head, as every buffer of its size.

    // How long (ms) the request waits for one piece of disk work. Then it goes on without.
    private const int MostDiskWait = 2_000;

    private readonly Loop loop;
    private readonly BufferPool buffers;
    private readonly ReplayBodies home;
    private Patience? patience;

    private BodySource? source;
    private SpillFolder? folder;
    private long memory;
    private long limit;
    private bool isRecording;
    private FaultCause failure;

    // Where the reader is, and how far the recording reaches. The recording: inMemory bytes in the chunks from first to last,
    // then what the file has, then the tail (which is the file's while it is written).
    private long position;
    private long recorded;
    private long inMemory;
    private Chunk? first;
    private Chunk? last;
    private SpillFile? spill;
    private Chunk? tail;

    // Replaying: the chunk in memory and the offset in it; the part of the file that was read last.
    private Chunk? at;
    private int offset;
    private Chunk? window;
    private long windowStart;

    internal ReplayBody(Loop loop, BufferPool buffers, ReplayBodies home)
    {
        this.loop = loop;
        this.buffers = buffers;
        this.home = home;
    }

    internal ReplayBody? Next { get; set; }

    /// <summary>
    /// Whether <see cref="Rewind"/> is possible: all that was taken is recorded. It may end with any turn of the loop: ask and
    /// rewind without waiting in between.
    /// </summary>
    public override bool CanReplay => isRecording;

    /// <summary>Whether the last piece has been taken before: its bytes were counted and judged then.</summary>
    public bool IsRepeated { get; private set; }

    /// <summary>Whether <see cref="Ready"/> is a disk's to raise: the client owes nothing meanwhile.</summary>
    public bool AwaitsDisk { get; private set; }

    /// <summary>Raised by the client's bytes, or by a disk where that is what must be waited for now.</summary>
    public override Signal Ready => AwaitsDisk ? spill!.Done : source!.Ready;

    public override long Length => source!.Length;

    public override long AskAgainAt => AwaitsDisk ? long.MaxValue : source!.AskAgainAt;

    /// <summary>Exhausted where a recording could not be read again; else the client's source's.</summary>
    public override FaultCause Failure => failure == FaultCause.None ? source!.Failure : failure;

    public override FieldBlock? Trailers => position == recorded ? source!.Trailers : null;

    public override bool IsAtEnd => failure == FaultCause.None && position == recorded && source!.IsAtEnd;

    internal void Begin(BodySource live, long mostInMemory, long mostOnDisk, SpillFolder? spillTo)
    {
        source = live;
        folder = spillTo;
        memory = mostInMemory;
        limit = mostInMemory + (spillTo is null ? 0 : mostOnDisk);
        isRecording = true;
    }

    /// <summary>
    /// The next read gives the body's first byte again. Only where <see cref="CanReplay"/>, and while nobody waits for
    /// <see cref="Ready"/>; in any other state of the source, and as often as is wanted.
    /// </summary>
    public override void Rewind()
    {
        if (!isRecording) throw new InvalidOperationException("a body is replayed that was not recorded");
        EndDiskWait();
        position = 0;
        at = first;
        offset = 0;
    }

    /// <summary>It will not be sent again: nothing more is recorded, and the recording is given back as far as it has been read.</summary>
    public override void StopRecording()
    {
        isRecording = false;
        if (position == recorded)
        {
            var awaited = AwaitsDisk ? spill!.Done : null;
            ReturnAll();
            awaited?.RaiseLater(); // Whoever waits for a disk goes on without it.
            return;
        }

        while (first is not null && first != at) ReturnFirst();
    }

    /// <summary>Gives everything back, this object included. While nobody waits for <see cref="Ready"/>; disk work may be under way.</summary>
    public override void End() => Dispose();

    public void Dispose()
    {
        if (source is null) return;
        ReturnAll();
        source = null;
        folder = null;
        isRecording = IsRepeated = false;
        failure = FaultCause.None;
        home.TakeBack(this);
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        AwaitsDisk = false;
        piece = default;
        if (failure != FaultCause.None) return BodyStatus.Broken;
        IsRepeated = position < recorded;
        if (IsRepeated) return Repeat(out piece);
        var status = source!.TryRead(out piece);
        if (status != BodyStatus.Piece || !isRecording) return status;

        // Handed on is only what can be recorded once it is taken.
        if (piece.Length > limit - recorded)
        {
            StopRecording();
            return BodyStatus.Piece;
        }

        if (inMemory < memory)
        {
            piece = piece[..(int)Math.Min(piece.Length, memory - inMemory)];
            return BodyStatus.Piece;
        }

        return MakeRoom(ref piece);
    }

    public override void Advance(int count)
    {
        if (IsRepeated)
        {
            position += count;
            offset += count;
            while (at is not null && offset == at.End) LeaveChunk();
            if (window is not null && position - inMemory >= spill!.Length) Return(ref window);
            if (position == recorded && !isRecording) ReturnAll();
            return;
        }

        if (isRecording && count > 0) Record(count);
        source!.Advance(count);
    }

    // Asks the source again for what it gave last: it comes from the same place until it is said to be used.
    private void Record(int count)
    {
        if (source!.TryRead(out var taken) != BodyStatus.Piece || taken.Length < count)
        {
            StopRecording();
            return;
        }

        taken = taken[..count];
        if (inMemory == memory)
        {
            taken.CopyTo(tail!.Free);
            tail.End += count;
            position = recorded += count;
            return;
        }

        while (!taken.IsEmpty)
        {
            if ((last is null || last.Free.IsEmpty) && !AddChunk(taken.Length))
            {
                StopRecording();
                return;
            }

            var part = taken[..Math.Min(taken.Length, last!.Free.Length)];
            part.CopyTo(last.Free);
            last.End += part.Length;
            taken = taken[part.Length..];
            inMemory += part.Length;
            position = recorded += part.Length;
        }
    }

    // As large as what is at hand or was before it: a short body holds a small chunk, and a slow one no more than it has sent twice.
    private bool AddChunk(int atHand)
    {
        var wanted = Math.Min(Math.Max(atHand, inMemory), Left(memory - inMemory));
        var chunk = Lease(wanted >= LargeChunk ? LargeChunk : wanted > SmallChunk ? MiddleChunk : SmallChunk);
        if (chunk is null) return false;
        if (last is null) first = chunk;
        else last.Below = chunk;
        last = chunk;
        return true;
    }

    // A request can do without its recording: slow uploads must not use up what others need.
    private Chunk? Lease(int size) => buffers.HasPlenty ? buffers.TryLease(size) : null;

    private long Left(long room) => source!.Length < 0 ? room : Math.Min(room, source.Length - recorded);

    // Memory is full: what is handed on next must fit behind what waits to be written.
    private BodyStatus MakeRoom(ref ReadOnlySpan<byte> piece)
    {
        if (spill is { IsBusy: true })
        {
            if (!spill.Done.IsSet) return WaitForDisk(out piece);
            Collect();
        }

        if (isRecording && tail is { Free.IsEmpty: true })
        {
            spill ??= new SpillFile(loop, buffers, folder!);
            if (spill.TryWrite(tail))
            {
                tail = null;
                return WaitForDisk(out piece);
            }

            StopRecording();
        }

        if (isRecording) tail ??= Lease((int)Math.Min(LargeChunk, Left(limit - recorded)));
        if (tail is null) StopRecording();
        else piece = piece[..Math.Min(piece.Length, tail.Free.Length)];
        return BodyStatus.Piece;
    }

    private BodyStatus Repeat(out ReadOnlySpan<byte> piece)
    {
        if (position < inMemory)
        {
            piece = at!.Bytes.AsSpan(offset, at.End - offset);
            return BodyStatus.Piece;
        }

        if (spill is { IsBusy: true })
        {
            if (!spill.Done.IsSet) return WaitForDisk(out piece);
            Collect();
        }

        piece = default;
        var behind = position - inMemory;
        var onDisk = spill?.Length ?? 0;
        if (failure != FaultCause.None) return BodyStatus.Broken;
        if (behind >= onDisk)
        {
            piece = tail!.Filled[(int)(behind - onDisk)..];
            return BodyStatus.Piece;
        }

        if (window is not null && behind >= windowStart && behind < windowStart + window.End)
        {
            piece = window.Filled[(int)(behind - windowStart)..];
            return BodyStatus.Piece;
        }

        window ??= buffers.TryLease((int)Math.Min(LargeChunk, onDisk - behind));
        if (window is null || !spill!.TryRead(window, behind)) return Fail();
        window = null;
        windowStart = behind;
        return WaitForDisk(out piece);
    }

    private void LeaveChunk()
    {
        at = at!.Below;
        offset = 0;
        if (!isRecording) ReturnFirst();
    }

    private void Collect()
    {
        EndDiskWait();
        var isWrite = spill!.IsWriting;
        var isGood = spill.Collect(out var chunk);
        if (!isWrite)
        {
            window = chunk;
            if (!isGood) Fail();
            return;
        }

        // What could not be written is still here: nothing is lost, but no more can come.
        tail = chunk;
        if (isGood) chunk.End = 0;
        else StopRecording();
        if (isGood && !isRecording) Return(ref tail);
    }

    private BodyStatus WaitForDisk(out ReadOnlySpan<byte> piece)
    {
        piece = default;
        AwaitsDisk = true;
        patience ??= new Patience(this);
        if (patience.Due == long.MaxValue) loop.Arm(patience, loop.Now + MostDiskWait); // Asking again buys no time.
        return BodyStatus.Wait;
    }

    private void EndDiskWait()
    {
        AwaitsDisk = false;
        patience?.Disarm();
    }

    // The disk is stuck, or as good as that. A reader that has all that was recorded goes on without it; one that replays cannot.
    private void LosePatience()
    {
        var done = spill!.Done;
        if (done.IsSet) return;
        if (position == recorded) StopRecording();
        else Fail();
        done.Raise();
    }

    private BodyStatus Fail()
    {
        failure = FaultCause.Exhausted;
        isRecording = false;
        ReturnAll();
        return BodyStatus.Broken;
    }

    private void ReturnAll()
    {
        EndDiskWait();
        while (first is not null) ReturnFirst();
        Return(ref tail);
        Return(ref window);
        spill?.Dispose();
        spill = null;
        at = null;
        position = recorded = inMemory = 0;
    }

    private void ReturnFirst()
    {
        var chunk = first!;
        first = chunk.Below;
        if (first is null) last = null;
        chunk.Below = null;
        buffers.Return(chunk);
    }

    private void Return(ref Chunk? chunk)
    {
        if (chunk is not null) buffers.Return(chunk);
        chunk = null;
    }

    private sealed class Patience(ReplayBody body) : TimerEntry
    {
        protected internal override void OnDue() => body.LosePatience();
    }
}

/// <summary>The bodies of one loop that can be sent again: made once, used again and again.</summary>
public sealed class ReplayBodies(Loop loop, BufferPool buffers)
{
    private const int MostKept = 1024;

    private ReplayBody? free;
    private int kept;

    /// <summary>Begins to record a body; <see cref="ReplayBody.Dispose"/> gives it back.</summary>
    /// <param name="source">Where the body comes from.</param>
    /// <param name="memory">Bytes recorded in memory, at most.</param>
    /// <param name="disk">Bytes recorded behind those, at most; the last chunk of them stays in memory.</param>
    /// <param name="folder">Where those are written to; null: nowhere.</param>
    public ReplayBody Lease(BodySource source, long memory, long disk, SpillFolder? folder)
    {
        var body = free;
        if (body is null)
        {
            body = new ReplayBody(loop, buffers, this);
        }
        else
        {
            free = body.Next;
            body.Next = null;
            kept--;
        }

        body.Begin(source, memory, disk, folder);
        return body;
    }

    internal void TakeBack(ReplayBody body)
    {
        if (kept == MostKept) return;
        kept++;
        body.Next = free;
        free = body;
    }
}
