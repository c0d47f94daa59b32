// A response's body on its way to its client, kept as it passes: where an answer is its client's alone until it is whole, such as one
// to POST that may answer GET as well (RFC 9110 §9.3.3). What its client does not take to the end is not kept.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Caching;

/// <summary>Copies what passes. One exchange's, which holds it; one loop's.</summary>
/// <param name="from">The body.</param>
/// <param name="response">What it is the body of, not kept yet. The caller hands over its reference.</param>
/// <param name="fill">What it fills.</param>
/// <param name="plan">The route's cache.</param>
internal sealed class KeepingSource(BodySource from, StoredResponse response, Fill fill, CachePlan plan) : BodySource, IDisposable
{
    private bool isOver;
    private bool isGone;

    public override Signal Ready => from.Ready;

    public override long Length => from.Length;

    public override FaultCause Failure => from.Failure;

    public override FieldBlock? Trailers => from.Trailers;

    public override bool IsAtEnd => from.IsAtEnd;

    public override BodyStatus TryRead(out ReadOnlySpan<byte> piece)
    {
        var status = from.TryRead(out piece);
        if (status == BodyStatus.End) End(FaultCause.None);
        else if (status == BodyStatus.Broken) End(from.Failure);
        return status;
    }

    public override void Advance(int count)
    {
        if (!isOver)
        {
            from.TryRead(out var piece); // The same bytes, as nothing of them was used.
            // Where there was no memory for a part of it, what comes behind that is of no use.
            if (response.Body.Append(piece[..count]) < count || response.Body.Written > plan.LargestBody) End(FaultCause.Exhausted);
        }

        from.Advance(count);
    }

    public void Dispose()
    {
        if (isGone) return;
        isGone = true;
        End(FaultCause.Closed);
        plan.Cache.End(fill);
        response.LetGo();
    }

    private void End(FaultCause why)
    {
        if (isOver) return;
        isOver = true;
        response.Body.End(why);
        if (response.Body.IsWhole && plan.Cache.TryPut(fill, response)) plan.Cache.Settle(response);
    }
}
