// A body that is another one's, compressed or decompressed as it passes. At most 32 KiB go in before the others on the loop
// have their turn. Where the inner source pauses, a compressor gives out what it holds, so that what is sent bit by bit stays
// live; but a source that goes on at once is not flushed at each read. No buffer is held while waiting.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;

namespace Weir.Engine.Policies.Compression;

/// <summary>How a body is changed.</summary>
/// <param name="MostOut">Bytes that may come out; beyond that the body is too large.</param>
/// <param name="MostRatio">So many times as many bytes as went in may come out; 0: any number.</param>
/// <param name="Pause">How long (ms) after the first pause of the inner source all is given out.</param>
internal readonly record struct CodedLimits(long MostOut, int MostRatio, int Pause);

/// <summary>One step of a body's way. Leased from <see cref="BodyCoders"/>; one exchange's own.</summary>
internal sealed class CodedSource : BodyFilter
{
    /// <summary>Bytes that go in before others have their turn.</summary>
    public const int MostInTurn = 32 << 10;

    /// <summary>Whatever the ratio, so many bytes may come out: short bodies may be all alike.</summary>
    public const int FreeOfRatio = 1 << 20;

    private const int Room = 16384;

    private readonly Loop loop;
    private readonly BufferPool buffers;
    private readonly BodyCoders home;
    private readonly Signal next = new();
    private readonly Action othersHadTheirs;

    private BodySource inner = null!;
    private CoderPool.Lent lent;
    private CodedLimits limits;
    private CodingCount counts = null!;
    private bool encodes;
    private Chunk? chunk;
    private CoderStep step;
    private bool isBusy; // The step that was asked for is not done.
    private bool holds; // The compressor has bytes that have not come out.
    private bool ended;
    private bool queued;
    private bool yields;
    private int turn;
    private long flushAt;
    private long bytesIn;
    private long bytesOut;
    private FaultCause failure;

    internal CodedSource(Loop loop, BufferPool buffers, BodyCoders home)
    {
        this.loop = loop;
        this.buffers = buffers;
        this.home = home;
        othersHadTheirs = () =>
        {
            queued = false;
            next.Raise();
        };
    }

    internal CodedSource? NextFree { get; set; }

    public override Signal Ready => yields ? next : inner.Ready;

    public override long AskAgainAt => Math.Min(flushAt, inner.AskAgainAt);

    public override long Length => -1;

    public override FaultCause Failure => failure == FaultCause.None ? inner.Failure : failure;

    public override FieldBlock? Trailers => inner.Trailers;

    public override bool IsAtEnd => ended && chunk is null;

    internal void Begin(BodySource of, CoderPool.Lent coder, bool isEncoder, CodedLimits by, CodingCount countedIn)
    {
        (inner, lent, encodes, limits, counts) = (of, coder, isEncoder, by, countedIn);
        (step, isBusy, holds, ended, yields, turn, bytesIn, bytesOut, failure) = (CoderStep.Go, false, false, false, false, 0, 0, 0, FaultCause.None);
        flushAt = long.MaxValue;
    }

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        yields = false;
        if (chunk is null)
        {
            var status = Fill();
            if (chunk is { IsEmpty: true }) ReturnChunk();
            if (chunk is null)
            {
                piece = default;
                return status;
            }
        }

        piece = chunk.Filled;
        return BodyStatus.Piece;
    }

    public override void Advance(int count)
    {
        chunk!.Start += count;
        if (chunk.IsEmpty) ReturnChunk();
    }

    public override void End()
    {
        if (chunk is not null) ReturnChunk();
        counts.Add(bytesIn, bytesOut);
        inner = null!;
        home.TakeBack(this, lent);
        lent = default;
    }

    // Makes as much as fits into one buffer, and says what there is to be said where that is nothing.
    private BodyStatus Fill()
    {
        while (true)
        {
            if (failure != FaultCause.None) return BodyStatus.Broken;
            if (ended) return BodyStatus.End;
            if (chunk is { Free.Length: < 64 }) return BodyStatus.Piece; // A flush needs room for its mark, else it makes another.
            if (isBusy)
            {
                Step(default, out _);
                continue;
            }

            if (turn >= MostInTurn) return chunk is { IsEmpty: false } ? BodyStatus.Piece : Yield();
            var status = inner.TryRead(out var input);
            if (status == BodyStatus.Piece)
            {
                step = CoderStep.Go;
                Step(input[..Math.Min(input.Length, MostInTurn - turn)], out var used);
                inner.Advance(used);
                turn += used;
            }
            else if (status == BodyStatus.End)
            {
                (step, isBusy) = (CoderStep.Finish, true);
            }
            else if (status == BodyStatus.Broken)
            {
                failure = inner.Failure;
            }
            else if (!encodes || !holds || chunk is { IsEmpty: false } || !IsDue())
            {
                turn = 0; // Others have theirs while this waits.
                return BodyStatus.Wait;
            }
            else
            {
                (step, isBusy) = (CoderStep.Flush, true);
            }
        }
    }

    private void Step(ReadOnlySpan<byte> input, out int used)
    {
        used = 0;
        chunk ??= buffers.TryLease(Room);
        if (chunk is null)
        {
            failure = FaultCause.Exhausted;
            return;
        }

        var status = lent.Coder.Step(input, chunk.Free, step, out used, out var written);
        chunk.End += written;
        bytesIn += used;
        bytesOut += written;
        holds |= used > 0;
        isBusy = status == CoderStatus.NeedsRoom && (step != CoderStep.Go || used == input.Length);
        if (status == CoderStatus.Broken) failure = encodes ? FaultCause.Internal : FaultCause.Malformed;
        else if (IsTooLarge()) failure = FaultCause.BodyTooLarge;
        if (failure != FaultCause.None) chunk.Start = chunk.End; // What is not whole is not begun.
        if (status != CoderStatus.Done) return;
        if (step != CoderStep.Go) (holds, flushAt) = (false, long.MaxValue);
        ended |= step == CoderStep.Finish;
    }

    private bool IsTooLarge() => bytesOut > limits.MostOut || (limits.MostRatio > 0 && bytesOut > FreeOfRatio && bytesOut / limits.MostRatio > bytesIn);

    // Whether it is time that what is held back goes out: counted from the first pause, so that what drips is not kept for ever.
    private bool IsDue()
    {
        if (flushAt == long.MaxValue) flushAt = loop.Now + limits.Pause;
        return loop.Now >= flushAt;
    }

    private BodyStatus Yield()
    {
        turn = 0;
        yields = true;
        next.Clear();
        if (!queued) loop.Ready(othersHadTheirs);
        queued = true;
        return BodyStatus.Wait;
    }

    private void ReturnChunk()
    {
        buffers.Return(chunk!);
        chunk = null;
    }
}
