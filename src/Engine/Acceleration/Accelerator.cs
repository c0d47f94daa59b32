// Large answers on one loop: fetched over several connections at once, and gone on with where one breaks. What is small, or cannot
// be put together of parts, passes as if this room were not here.
//
//   answered → large, of known length, with a strong validator, from a server that gives parts? → a Transfer takes its body's place

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Integrity;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Acceleration;

/// <summary>Accelerates on one loop.</summary>
/// <param name="loop">The loop.</param>
/// <param name="buffers">Its buffers.</param>
/// <param name="forwarder">What fetches.</param>
/// <param name="digests">What verifies parts.</param>
/// <param name="records">Where what it costs the upstream is counted.</param>
/// <param name="transfers">Those of all loops.</param>
/// <param name="errors">Where it says what it did.</param>
public sealed class Accelerator(Loop loop, BufferPool buffers, Forwarder forwarder, BodyDigests digests, LoopRecords records, Transfers transfers, ErrorLog errors)
{
    /// <summary>An answer that is shorter is not gone on with where it breaks: it is asked for again sooner than that.</summary>
    public const long SmallestResumed = 64 << 10;

    private readonly Stack<Transfer> free = [];
    private readonly Stack<SegmentFetch> freeFetches = [];
    private readonly Stack<Segment> freeSegments = [];

    internal Loop Loop => loop;

    internal BufferPool Buffers => buffers;

    internal Forwarder Forwarder => forwarder;

    internal BodyDigests Digests => digests;

    internal Transfers Transfers => transfers;

    /// <summary>
    /// Takes the place of an answer's body where it can do better. After the answer has come, before anything of it is sent or kept.
    /// </summary>
    /// <param name="exchange">The exchange; its response has come.</param>
    /// <param name="forward">How it was forwarded.</param>
    /// <param name="plan">How it is accelerated; null: it is only gone on with.</param>
    /// <param name="integrity">Whether parts are verified; null: they are not.</param>
    public void Begin(Exchange exchange, ForwardPlan forward, AcceleratePlan? plan, IntegrityPlan? integrity)
    {
        var response = exchange.Response;
        if (response.BodyLength < SmallestResumed || exchange.Origin is not { } origin || exchange.ResponseSource != origin.ResponseBody) return;
        if (response.BodyLength < (plan?.Smallest ?? SmallestResumed)) plan = null;
        if (plan is not null && response.Status == 200 && !Ascii.EqualsIgnoreCase(response.Fields.First(KnownField.AcceptRanges), "bytes"u8)) plan = null;
        if (plan is null && forward.Retry.Resume == 0) return;
        if (!TryRead(exchange, plan, out var whole, out var first)) return;
        var transfer = free.TryPop(out var used) ? used : new Transfer(this);
        transfer.Begin(exchange, forward, plan, integrity is { Verifies: true } ? integrity : null, whole, first, first + response.BodyLength);
    }

    internal Segment LeaseSegment() => freeSegments.TryPop(out var used) ? used : new Segment(loop, buffers);

    internal SegmentFetch LeaseFetch() => freeFetches.TryPop(out var used) ? used : new SegmentFetch(this);

    internal void Return(Transfer transfer) => free.Push(transfer);

    internal void Return(Segment segment) => freeSegments.Push(segment);

    internal void Return(SegmentFetch fetch) => freeFetches.Push(fetch);

    internal void Record(Exchange exchange) => records.EndMirrored(exchange);

    internal void Report(Exception bug) => errors.Error("accelerate", $"a mistake of ours ended the fetch of a segment: {bug}");

    internal void Say(Exchange exchange, string what) => errors.Info("accelerate", $"{exchange.Place.Upstream}: {what}");

    // Whether what came may be put together of parts, and what those must have in common.
    private static bool TryRead(Exchange exchange, AcceleratePlan? plan, out Whole whole, out long first)
    {
        (whole, first) = (default, 0);
        var (request, response) = (exchange.Request, exchange.Response);
        if (request.KnownMethod != KnownMethod.Get || request.HasBody || !response.HasBody || response.Status is not (200 or 206)) return false;
        var fields = response.Fields;
        if (fields.Index.CountOf(KnownField.ETag) != 1 || fields.Index.CountOf(KnownField.ContentEncoding) > 1 || !SegmentCheck.IsStrong(fields.First(KnownField.ETag))) return false;
        if (response.Status == 200 && Ascii.EqualsIgnoreCase(fields.First(KnownField.AcceptRanges), "none"u8)) return false;
        var total = response.BodyLength;
        if (response.Status == 206)
        {
            if (fields.Index.CountOf(KnownField.ContentRange) != 1 || !ContentRange.TryRead(fields.First(KnownField.ContentRange), out var range) || range.Count != response.BodyLength) return false;
            (first, total) = (range.First, range.Total);
        }

        if (!exchange.Scratch.TryCopy(fields.First(KnownField.ETag), out var tag) || !exchange.Scratch.TryCopy(fields.First(KnownField.ContentEncoding), out var coding)) return false;
        ByteRange digest = default;
        if (plan is { MirrorsByDigest: true } && !exchange.Scratch.TryCopy(SegmentCheck.DigestOf(fields), out digest)) return false;
        whole = new Whole(tag, coding, digest, total, plan is { MirrorsByDigest: true } && !digest.IsEmpty);
        return true;
    }
}
