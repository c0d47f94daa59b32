// Mirroring on one loop: a copy of a request goes to another upstream, whose answer is thrown away. The request itself never
// waits for it: what it pays is a copy of its head and of a short body. Copies are counted and bounded; beyond the bounds there
// is no copy.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Observe;
using Weir.Wire.Fields;

namespace Weir.Engine.Mirroring;

/// <summary>The copies of one loop.</summary>
public sealed class Mirrors(Loop loop, BufferPool buffers, Forwarder forwarder, LoopRecords records, ErrorLog errors)
{
    private readonly List<Shadow> shadows = [];
    private readonly Stack<Shadow> free = [];
    private bool stopped;

    internal Loop Loop => loop;

    internal BufferPool Buffers => buffers;

    internal Forwarder Forwarder => forwarder;

    /// <summary>
    /// Watches a request where it is one of those that are mirrored: once it has been sent whole its copy is sent, never before.
    /// After what edits the request, before it is forwarded.
    /// </summary>
    public void Begin(Exchange exchange, MirrorPlan plan)
    {
        // What says so must not be a client's word.
        if (!exchange.IsFromTrustedProxy) exchange.Request.Fields.Drop(KnownField.Other, Shadow.MarkName.Span);
        if (!plan.Picks(exchange)) return;
        var counts = plan.Forward.Upstream.Mirrored.Of(loop.Index);
        if (exchange.Request.BodyLength > plan.MostBody) counts.Count(MirrorOutcome.TooLarge);
        else if (counts.Active >= plan.Most || stopped) counts.Count(MirrorOutcome.Dropped);
        else if (!buffers.HasPlenty) counts.Count(MirrorOutcome.Exhausted);
        else exchange.Tap = Lease(plan, counts);
    }

    /// <summary>Ends what is under way, and begins nothing more. On the loop.</summary>
    public void Stop()
    {
        stopped = true;
        foreach (var shadow in shadows.ToArray()) shadow.Stop();
    }

    /// <summary>One has ended: it is counted, and what its origin did is told.</summary>
    internal void Record(Exchange exchange)
    {
        records.EndMirrored(exchange);
        if (exchange.Fault.Side == Side.Origin) errors.Warn("mirror", $"{exchange.Place.Endpoint}: {exchange.Fault.Told}");
    }

    internal void Return(Shadow shadow) => free.Push(shadow);

    /// <summary>A bug ended one: it is not used again.</summary>
    internal void Abandon(Shadow shadow, Exception bug)
    {
        shadows.Remove(shadow);
        errors.Error("mirror", $"a mistake of ours ended a mirrored request: {bug}");
    }

    private Shadow Lease(MirrorPlan plan, MirrorBlock counts)
    {
        if (!free.TryPop(out var shadow)) shadows.Add(shadow = new Shadow(this));
        shadow.Begin(plan, counts);
        return shadow;
    }
}
