// The client of a mirrored request: it has sent all it had to, never leaves, and takes every answer for nothing, up to a limit.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Engine.Mirroring;

/// <summary>A client that nobody is. Reused; one loop.</summary>
internal sealed class Nobody : AbsentClient
{
    /// <summary>Of an answer's body, in bytes; a longer one is not worth its connection.</summary>
    public const long MostRead = 1 << 20;

    private readonly BytesSource request = new();
    private readonly Nowhere answer = new();
    private bool started;

    public override BodySource RequestBody => request;

    public override BodySink ResponseBody => answer;

    public override bool HasStarted => started;

    /// <summary>Asks, with this body.</summary>
    public void Open(ReadOnlyMemory<byte> body)
    {
        request.Reset(body);
        answer.Left = MostRead;
        started = false;
    }

    public void Close() => request.Reset(default);

    public override FaultCause StartResponse(Response response, Request request)
    {
        started = true;
        return FaultCause.None;
    }

    private sealed class Nowhere : BodySink
    {
        public long Left { get; set; }

        public override Signal Ready { get; } = new();

        public override SinkStatus TryWrite(ReadOnlySpan<byte> piece, out int taken)
        {
            taken = piece.Length;
            Left -= taken;
            return Left < 0 ? SinkStatus.Broken : SinkStatus.Done;
        }

        public override SinkStatus TryFlush() => SinkStatus.Done;

        public override SinkStatus TryFinish(FieldBlock? trailers) => SinkStatus.Done;
    }
}
