// The client of a fill: nobody, but that interim answers go on to the client for which it was begun.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Caching;

/// <summary>Stands for all who wait for a fill. Reused; one loop.</summary>
internal sealed class FillClient : ClientStream
{
    private readonly BytesSource request = new();

    /// <summary>Who is told of interim answers; null: nobody.</summary>
    public ClientStream? Of { get; set; }

    public override BodySource RequestBody => request;

    public override BodySink ResponseBody { get; } = new Nowhere();

    public override Signal Gone { get; } = new();

    public override bool IsBroken => false;

    public override bool HasStarted => true;

    public override FaultCause SendInterim(Response response)
    {
        if (Of?.SendInterim(response) == FaultCause.None) Of.ResponseBody.TryFlush();
        return FaultCause.None;
    }

    public override FaultCause StartResponse(Response response, Request request) => FaultCause.None;

    public override void BecomeTunnel() => throw new InvalidOperationException("what may become a tunnel is not cached");

    public override void EndAfterThis()
    {
    }

    public override void Abort()
    {
    }

    private sealed class Nowhere : BodySink
    {
        public override Signal Ready { get; } = new();

        public override SinkStatus TryWrite(ReadOnlySpan<byte> piece, out int taken)
        {
            taken = piece.Length;
            return SinkStatus.Done;
        }

        public override SinkStatus TryFlush() => SinkStatus.Done;

        public override SinkStatus TryFinish(FieldBlock? trailers) => SinkStatus.Done;
    }
}
