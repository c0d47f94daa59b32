// A route's cache on the way of a request, on one loop: what is kept answers; what is not is fetched once for all who ask for it
// at the same time; what may not be kept is passed on.

using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Caching;

/// <summary>The caches of one loop's requests.</summary>
public sealed class CacheStage(Loop loop, BufferPool buffers, Forwarder forwarder, Mirrors mirrors, LoopRecords records, ErrorLog errors)
{
    // Hits that are told together.
    private const int TouchesAtOnce = 64;

    // A waiter whose fill brought what is not for it asks again as often.
    private const int MostJoins = 2;

    // Conditions that a cache does not evaluate (RFC 9111 §4.3.2).
    private static readonly ulong OriginsAlone = FieldIndex.SetOf(KnownField.IfMatch, KnownField.IfUnmodifiedSince);

    private static readonly ByteRange AgeName = ByteRange.Of("Age"u8.ToArray());

    private readonly Stack<StoredReader> readers = [];
    private readonly Stack<FillWait> waits = [];
    private readonly Stack<Filler> free = [];
    private readonly List<Filler> fillers = [];
    private readonly Retained?[] touched = new Retained?[TouchesAtOnce];
    private int touches;
    private Cache? touchedIn;

    internal Loop Loop => loop;

    internal BufferPool Buffers => buffers;

    /// <summary>Answers a request of a route with a cache, or fetches the answer.</summary>
    public LoopTask<Fault> AnswerAsync(Exchange exchange, CachePlan plan, ForwardPlan forward, MirrorPlan? mirror)
    {
        if (!MayServe(exchange.Request)) return PassAsync(exchange, plan, forward, mirror, CacheOutcome.Bypass);
        if (!plan.Key.TryMake(exchange, out var key) || (plan.Passes is { } passes && passes.Bypasses(exchange))) return PassAsync(exchange, plan, forward, mirror, CacheOutcome.Bypass);
        var isGet = exchange.Request.KnownMethod == KnownMethod.Get;
        var response = plan.Cache.Find(key, exchange.Request.Fields, mayFill: isGet, out var fill, out var begun);
        if (response is not null)
        {
            if (IsFresh(response)) return new LoopTask<Fault>(Serve(exchange, plan, response, CacheOutcome.Hit));
            response.LetGo();
            if (isGet) begun = plan.Cache.TryBegin(key, out fill);
        }

        plan.Cache.Retention.Missed(key.Hash);
        if (!isGet) return PassAsync(exchange, plan, forward, mirror, CacheOutcome.Pass);
        return FetchAsync(exchange, plan, forward, mirror, key, fill!, begun);
    }

    /// <summary>Ends all fills. On the loop.</summary>
    public void Stop()
    {
        foreach (var filler in fillers) filler.Stop();
    }

    internal LoopTask<Fault> FetchAsync(Exchange exchange, ForwardPlan forward) => forwarder.FetchAsync(exchange, forward);

    internal void Record(Exchange exchange) => records.EndMirrored(exchange);

    internal void Report(Exception bug) => errors.Error("cache", $"a mistake of ours ended a fill: {bug}");

    internal void Return(Filler filler) => free.Push(filler);

    /// <summary>Keeps what came where that is allowed; null: it is not.</summary>
    internal StoredResponse? TryKeep(Exchange exchange, Fill fill, CachePlan plan)
    {
        var response = exchange.Response;
        if (response.Status != 200 || response.BodyLength > plan.LargestBody) return null;
        var cc = response.Fields.First(KnownField.CacheControl);
        var at = cc.IndexOf("max-age="u8);
        if (at < 0 || !Ascii.TryDecimal(cc[(at + 8)..], out var lifetime)) return null;
        Span<byte> variant = stackalloc byte[8192];
        if (!VariantKey.TryWrite(fill.Extra, response.Fields, exchange.Request.Fields, variant, out var length)) return null;
        var body = new StoredBody(response.HasBody ? response.BodyLength : 0, plan.Cache.Memory);
        response.Fields.Drop(KnownField.ContentLength);
        var stored = StoredResponse.Make(response, variant[..length], body, plan.Cache.Memory, ((Endpoint)exchange.Place.EndpointState!).Named, UtcMs(), 0, lifetime);
        plan.Cache.TryPut(fill, stored);
        plan.Cache.Counts.Of(loop.Index).CountFill();
        return stored;
    }

    // A body may mean something to the origin that no key tells.
    private static bool MayServe(Request request) =>
        request.KnownMethod is KnownMethod.Get or KnownMethod.Head && !request.HasBody && !request.WantsUpgrade && !request.Fields.Index.HasAny(OriginsAlone);

    private LoopTask<Fault> PassAsync(Exchange exchange, CachePlan plan, ForwardPlan forward, MirrorPlan? mirror, CacheOutcome outcome)
    {
        Tell(exchange, plan, outcome);
        if (mirror is not null) mirrors.Begin(exchange, mirror);
        return forwarder.FetchAsync(exchange, forward);
    }

    private async LoopTask<Fault> FetchAsync(Exchange exchange, CachePlan plan, ForwardPlan forward, MirrorPlan? mirror, CacheKey key, Fill fill, bool begun)
    {
        for (var joins = 0; ; joins++)
        {
            var wait = waits.TryPop(out var used) ? used : new FillWait(loop, waits);
            wait.Begin(exchange);
            exchange.Held = wait;
            if (fill.TryWait(wait))
            {
                if (begun && !Lease().TryBegin(fill, plan, forward, wait))
                {
                    fill.Tell(FillState.Failed, null, new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
                    plan.Cache.End(fill);
                }

                var wake = exchange.AnswersHalfClosed
                    ? await exchange.Flow.FirstOf(wait.Told.Ready, exchange.TotalDeadline)
                    : await exchange.Flow.FirstOf(wait.Told.Ready, exchange.Client.Gone, exchange.TotalDeadline);
                if (wait.State == FillState.Pending)
                {
                    wait.Stop();
                    if (wake == Wake.First) continue;
                    if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait);
                    return wake == Wake.Cancelled && !exchange.Interruption.IsNone ? exchange.Interruption : new Fault(FaultCause.Closed, Side.Client, Stage.Wait);
                }

                if (wait.State == FillState.Failed) return fill.Fault;
                if (wait.State == FillState.Kept)
                {
                    var response = wait.Take();
                    if (begun || response.Selects(exchange.Request.Fields))
                    {
                        wait.Dispose();
                        exchange.Held = null;
                        return Serve(exchange, plan, response, begun ? CacheOutcome.Miss : CacheOutcome.Collapsed);
                    }

                    response.LetGo();
                }
                else if (exchange.Origin is not null)
                {
                    Tell(exchange, plan, CacheOutcome.Pass);
                    return default;
                }
            }

            wait.Dispose();
            exchange.Held = null;
            if (joins == MostJoins) return await PassAsync(exchange, plan, forward, mirror, CacheOutcome.Pass);
            begun = plan.Cache.TryBegin(key, out fill);
        }
    }

    // Takes over the reference.
    private Fault Serve(Exchange exchange, CachePlan plan, StoredResponse stored, CacheOutcome outcome)
    {
        var reader = readers.TryPop(out var used) ? used : new StoredReader(loop, readers);
        reader.Begin(stored);
        exchange.Held = reader;
        var response = exchange.Response;
        response.Clear();
        if (!stored.TryFill(response, reader.Fields, exchange.Scratch)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        exchange.KeptFrom = stored.From;
        if (outcome is CacheOutcome.Hit or CacheOutcome.Stale)
        {
            (exchange.Place.Upstream, exchange.Place.UpstreamState) = (null, null);
            Touch(plan.Cache, stored);
        }

        if (outcome != CacheOutcome.Miss && !TryAddAge(exchange, stored)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        if (!Selection.TryApply(exchange, stored, reader)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        Tell(exchange, plan, outcome);
        return Fault.None;
    }

    private bool TryAddAge(Exchange exchange, StoredResponse stored)
    {
        exchange.Response.Fields.Drop(KnownField.Age);
        if (!exchange.Scratch.TryTake(20, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        to.WriteDecimal(Age(stored));
        exchange.Response.Fields.Add(KnownField.Age, AgeName, exchange.Scratch.Trim(range, to.Length));
        return true;
    }

    private long Age(StoredResponse stored) => stored.InitialAge + (Math.Max(0, UtcMs() - stored.StoredAt) / 1000);

    private bool IsFresh(StoredResponse stored) => !stored.IsOutdated && Age(stored) < stored.Lifetime;

    private long UtcMs() => loop.UtcNow.Ticks / TimeSpan.TicksPerMillisecond;

    private void Tell(Exchange exchange, CachePlan plan, CacheOutcome outcome)
    {
        exchange.Cached = CacheCounts.Outcomes[(int)outcome];
        plan.Cache.Counts.Of(loop.Index).Count(outcome);
    }

    private void Touch(Cache cache, StoredResponse used)
    {
        if (touchedIn != cache || touches == TouchesAtOnce)
        {
            touchedIn?.Retention.Touch(touched.AsSpan(0, touches));
            (touchedIn, touches) = (cache, 0);
        }

        touched[touches++] = used;
    }

    private Filler Lease()
    {
        if (free.TryPop(out var filler)) return filler;
        fillers.Add(filler = new Filler(this));
        return filler;
    }
}
