// A client that nobody is: for exchanges that we begin ourselves, whose answers are taken from their source.

using Weir.Engine.Loops;

namespace Weir.Engine.Exchanges;

/// <summary>Has sent all it had to, never leaves, and takes nothing. Reused; one loop.</summary>
public class AbsentClient : ClientStream
{
    public override BodySource RequestBody { get; } = new BytesSource();

    public override BodySink ResponseBody { get; } = new Nowhere();

    public override Signal Gone { get; } = new();

    public override bool IsBroken => false;

    public override bool HasStarted => true;

    public override FaultCause SendInterim(Response response) => FaultCause.None;

    public override FaultCause StartResponse(Response response, Request request) => FaultCause.None;

    public override void BecomeTunnel() => throw new InvalidOperationException("nobody is there to speak");

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
