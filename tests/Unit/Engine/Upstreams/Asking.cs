// Exchanges that ask an upstream for slots, with a client of whom nothing is known but whether it is still there.

using Weir.Engine.Exchanges;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Upstreams;

namespace Weir.Tests.Unit.Engine.Upstreams;

internal sealed class Asking
{
    private readonly Upstream upstream;

    public Asking(Upstream upstream, Loop loop)
    {
        this.upstream = upstream;
        Exchange = new Exchange(loop, new BufferPool(new MemoryBudget(1 << 20)));
        Exchange.Begin(Client, loop.Now);
    }

    public Exchange Exchange { get; }

    public WaitingClient Client { get; } = new();

    /// <summary>What came of it; null: it waits.</summary>
    public Entry? Came { get; private set; }

    public Endpoint? Got => Came?.Endpoint;

    public FaultCause? Cause => Came?.Cause;

    public Asking Enter(Priority priority = Priority.Normal, Endpoint? chosen = null)
    {
        Came = null;
        EnterAsync(priority, chosen).Detach();
        return this;
    }

    /// <summary>The exchange is over; it may be used for another.</summary>
    public void End()
    {
        Exchange.End();
        Exchange.Begin(Client, Exchange.Loop.Now);
    }

    private async LoopTask EnterAsync(Priority priority, Endpoint? chosen) => Came = await upstream.Door.EnterAsync(Exchange, chosen, priority);
}

internal sealed class WaitingClient : ClientStream
{
    public override BodySource RequestBody => throw new NotSupportedException();

    public override BodySink ResponseBody => throw new NotSupportedException();

    public override Signal Gone { get; } = new();

    public override bool IsBroken => true;

    public override bool HasStarted => false;

    public override FaultCause SendInterim(Response response) => FaultCause.None;

    public override FaultCause StartResponse(Response response, Request request) => FaultCause.None;

    public override void BecomeTunnel()
    {
    }

    public override void EndAfterThis()
    {
    }

    public override void Abort()
    {
    }
}
