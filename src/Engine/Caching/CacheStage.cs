// A route's cache on the way of a request, on one loop: what is kept answers; what is not is fetched once for all who ask for it
// at the same time; what may not be kept is passed on.
//
//   GET, HEAD → is something kept? → fresh, or stale and allowed (then it is renewed behind): it answers
//                                  → stale: renewed, all who ask wait; where the origin fails it may stand in
//             → nothing: fetched, all who ask wait
//   others, and what the cache may not look into → passed on; what they change is forgotten

using Weir.Engine.Acceleration;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Upstreams;
using Weir.Wire.Bytes;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Caching;

/// <summary>The caches of one loop's requests.</summary>
public sealed class CacheStage(Loop loop, BufferPool buffers, Forwarder forwarder, Accelerator accelerator, Mirrors mirrors, BodyDigests digests, LoopRecords records, ErrorLog errors)
{
    // Hits that are told together.
    private const int TouchesAtOnce = 64;

    // A waiter whose fill brought what is not for it asks again as often.
    private const int MostJoins = 2;

    // Once the origin has failed, how long what stands in, or is renewed behind, does so without its being asked again.
    internal static readonly TimeSpan StandsIn = TimeSpan.FromSeconds(2);

    // Conditions that a cache does not evaluate (RFC 9111 §4.3.2).
    private static readonly ulong OriginsAlone = FieldIndex.SetOf(KnownField.IfMatch, KnownField.IfUnmodifiedSince);

    // Those that a fetch for all goes without.
    private static readonly ulong OfOneClient = FieldIndex.SetOf(KnownField.Range, KnownField.IfNoneMatch, KnownField.IfModifiedSince);

    private static readonly ByteRange AgeName = ByteRange.Of("Age"u8.ToArray());
    private static readonly ByteRange StatusName = ByteRange.Of("Cache-Status"u8.ToArray());

    private readonly Stack<StoredReader> readers = [];
    private readonly Stack<SlicedReader> slicedReaders = [];
    private readonly Stack<FillWait> waits = [];
    private readonly Stack<Filler> free = [];
    private readonly List<Filler> fillers = [];
    private readonly Retained?[] touched = new Retained?[TouchesAtOnce];
    private int touches;
    private Cache? touchedIn;

    internal Loop Loop => loop;

    /// <summary>Fills under way that nobody reads.</summary>
    internal int Alone { get; set; }

    internal BufferPool Buffers => buffers;

    /// <summary>Answers a request of a route with a cache, or fetches the answer.</summary>
    public LoopTask<Fault> AnswerAsync(Exchange exchange, CachePlan plan) => plan.SliceBytes == 0 ? AnswerOnceAsync(exchange, plan) : AnswerSlicedAsync(exchange, plan);

    // Where what was kept of slices turns out to be of another whole before anything was sent, it is asked about, once.
    private async LoopTask<Fault> AnswerSlicedAsync(Exchange exchange, CachePlan plan)
    {
        for (var again = 0; ; again++)
        {
            var fault = await AnswerOnceAsync(exchange, plan);
            if (!fault.IsNone || exchange.Held is not SlicedReader sliced || exchange.ResponseSource == exchange.OwnBody) return fault;
            fault = await sliced.StartAsync();
            if (fault.IsNone || again > 0 || fault.Side != Side.Origin || fault.Cause != FaultCause.Closed) return fault;
            plan.Cache.Expire(sliced.Head);
            exchange.Held = null;
            exchange.ResponseSource = null;
            sliced.Dispose();
            exchange.Response.Clear();
            (exchange.Place.Upstream, exchange.Place.UpstreamState) = (plan.Forward.Upstream.Name, plan.Forward.Upstream); // It may be passed on now.
        }
    }

    private LoopTask<Fault> AnswerOnceAsync(Exchange exchange, CachePlan plan)
    {
        var request = exchange.Request;
        if (request.KnownMethod is not (KnownMethod.Get or KnownMethod.Head)) return PassUnsafeAsync(exchange, plan);
        // A body may mean something to the origin that no key tells.
        if (request.HasBody || request.WantsUpgrade || request.Fields.Index.HasAny(OriginsAlone)) return PassAsync(exchange, plan, CacheForward.Bypass);
        var way = plan.Passes?.Of(exchange);
        if (way == CachePasses.Way.Bypass || !plan.Key.TryMake(exchange, out var key)) return PassAsync(exchange, plan, CacheForward.Bypass);
        if (plan.SliceBytes > 0 && !Slices.TryKey(exchange, plan.SliceBytes, ref key)) return new LoopTask<Fault>(NoRoom);
        var asked = RequestDirectives.Read(request.Fields, plan.Rules);
        var kept = plan.Cache.Find(key, request.Fields);
        var reuse = kept is null ? Reuse.Validate : Judge(kept, asked);
        if (kept is not null && reuse is Reuse.Fresh or Reuse.Stale) return new LoopTask<Fault>(Serve(exchange, plan, key, kept, reuse == Reuse.Fresh ? CacheOutcome.Hit : CacheOutcome.Stale));
        if (kept is not null && reuse == Reuse.Behind)
        {
            if (way is null && loop.UtcNow.Ticks >= kept.StandsInUntil && plan.Cache.TryBegin(key, isJoinable: true, out var behind)) Lease().Begin(behind, plan, exchange, kept, first: null);
            return new LoopTask<Fault>(Serve(exchange, plan, key, kept, CacheOutcome.Stale));
        }

        if (kept is null) plan.Cache.Retention.Missed(key.Hash);
        var mayBeOnDisk = kept is null && plan.Cache.Disk?.MayHave(key.Url.Span, key.Extra.Span) == true;
        if (asked.Has(CacheDirectives.OnlyIfCached))
        {
            if (mayBeOnDisk && way is null && !asked.Has(CacheDirectives.NoStore)) return FetchAsync(exchange, plan, key, asked, null, CacheForward.UriMiss);
            kept?.LetGo();
            return new LoopTask<Fault>(NotCached);
        }

        if (way is not null || asked.Has(CacheDirectives.NoStore))
        {
            kept?.LetGo();
            return PassAsync(exchange, plan, CacheForward.Request);
        }

        if (request.KnownMethod == KnownMethod.Head && !mayBeOnDisk) return PassHeadAsync(exchange, plan, key, kept);

        // What was not to be kept a moment ago is its client's alone, and so are its conditions and ranges.
        if (kept is null && !mayBeOnDisk && request.Fields.Index.HasAny(OfOneClient) && plan.Cache.Passing.Has(PassMemory.KeyOf(key.Hash, request.Fields), loop.UtcNow)) return PassAsync(exchange, plan, CacheForward.UriMiss);
        return FetchAsync(exchange, plan, key, asked, kept, kept is null ? CacheForward.UriMiss : reuse == Reuse.Asked ? CacheForward.Request : CacheForward.Stale);
    }

    /// <summary>Ends all fills. On the loop.</summary>
    public void Stop()
    {
        foreach (var filler in fillers) filler.Stop();
    }

    /// <summary>Asks the origin.</summary>
    internal LoopTask<Fault> FetchAsync(Exchange exchange, CachePlan plan)
    {
        if (plan.Mirror is not null) mirrors.Begin(exchange, plan.Mirror);
        return forwarder.FetchAsync(exchange, plan.Forward);
    }

    /// <summary>What is fetched for all is fetched, and verified, as what is for one.</summary>
    internal void Accelerate(Exchange exchange, CachePlan plan)
    {
        accelerator.Begin(exchange, plan.Forward, plan.Accelerate, plan.Integrity);
        if (plan.Integrity is { Verifies: true } integrity) digests.Verify(exchange, integrity);
    }

    internal void Record(Exchange exchange) => records.EndMirrored(exchange);

    internal void Report(Exception bug) => errors.Error("cache", $"a mistake of ours ended a fill: {bug}");

    internal FillWait LeaseWait() => waits.TryPop(out var used) ? used : new FillWait(loop, waits);

    /// <summary>Begins to read a response. The caller hands over its reference.</summary>
    internal StoredReader LeaseReader(StoredResponse of, Cache from)
    {
        var reader = readers.TryPop(out var used) ? used : new StoredReader(loop, readers);
        reader.Begin(of, from);
        return reader;
    }

    /// <summary>Fetches a slice.</summary>
    internal void Fetch(Fill begun, CachePlan plan, Exchange of, FillWait? first, SliceAsk part) => Lease().Begin(begun, plan, of, null, first, part);

    internal void Return(SlicedReader reader) => slicedReaders.Push(reader);

    internal void Return(Filler filler) => free.Push(filler);

    /// <summary>Makes what is kept of an origin's response; null: there is no room for its key or its fields.</summary>
    internal StoredResponse? Make(Exchange exchange, CachePlan plan, Fill fill, StoredBody body, OriginName from)
    {
        var fields = exchange.Response.Fields;
        var vary = plan.Cache.VaryOf(fields, plan.Key.Parts.Cookies is not null, fields.First(KnownField.ContentEncoding));
        Span<byte> varyKey = stackalloc byte[VaryRule.MostKeyBytes];
        if (!vary.TryWriteKey(exchange.Request.Fields, varyKey, out var length)) return null;
        if (!exchange.Scratch.TryTake(StoredFields.Bound(fields), out var room, out _)) return null;
        var lines = StoredFields.Write(fields, room);
        return StoredResponse.Make(exchange.Response.Status, room[..lines], fill.Extra, vary, varyKey[..length], from, body, plan.Cache.Memory);
    }

    /// <summary>Makes what is kept anew, as a 304 changes it. Takes over a reference to the body.</summary>
    /// <param name="exchange">The request, and what came.</param>
    /// <param name="plan">Where it is kept.</param>
    /// <param name="kept">What was.</param>
    /// <param name="isKeyed">Whether there is a key for it: what it varies by now may be too long.</param>
    internal StoredResponse Merge(Exchange exchange, CachePlan plan, StoredResponse kept, out bool isKeyed)
    {
        var fields = exchange.Response.Fields;
        var size = kept.Lines.Length + StoredFields.Bound(fields);
        var room = exchange.Scratch.TryTake(size, out var taken, out _) ? taken : new byte[size];
        var lines = StoredFields.Merge(kept.Lines, fields, room);
        isKeyed = true;
        if (!fields.Index.Has(KnownField.Vary)) return StoredResponse.Make(kept.Status, room[..lines], kept.Extra, kept.Vary, kept.VaryKey, kept.From, kept.Body, plan.Cache.Memory);

        // It says anew by what it varies; this request's values are those it holds for.
        var vary = plan.Cache.VaryOf(fields, plan.Key.Parts.Cookies is not null, StoredFields.Find(kept.Lines, KnownField.ContentEncoding));
        Span<byte> varyKey = stackalloc byte[VaryRule.MostKeyBytes];
        isKeyed = vary.TryWriteKey(exchange.Request.Fields, varyKey, out var length);
        return StoredResponse.Make(kept.Status, room[..lines], kept.Extra, vary, varyKey[..length], kept.From, kept.Body, plan.Cache.Memory);
    }

    private Reuse Judge(StoredResponse kept, in CacheControl asked)
    {
        var now = loop.UtcNow;
        var times = kept.TimesAt(now);
        var reuse = ReuseDecision.Judge(times, asked, now);
        if (reuse == Reuse.Validate && now.Ticks < kept.StandsInUntil && ReuseDecision.MayStandIn(times, asked, now)) return Reuse.Stale;
        return reuse;
    }

    // Whether what another request's fill brought is for this one as well. What was on disk was looked at with the other's eyes.
    private bool MayShare(Fill fill, StoredResponse brought, Request request, in CacheControl asked) =>
        brought.Selects(request.Fields) && (!fill.WasOnDisk || Judge(brought, asked) is Reuse.Fresh or Reuse.Stale or Reuse.Behind);

    private LoopTask<Fault> PassAsync(Exchange exchange, CachePlan plan, CacheForward why)
    {
        Tell(exchange, plan, why == CacheForward.Bypass ? CacheOutcome.Bypass : CacheOutcome.Pass);
        return FetchAsync(exchange, plan);
    }

    // RFC 9111 §4.4
    private async LoopTask<Fault> PassUnsafeAsync(Exchange exchange, CachePlan plan)
    {
        Tell(exchange, plan, CacheOutcome.Bypass);
        var requested = loop.UtcNow;
        var fault = await FetchAsync(exchange, plan);
        var (request, response) = (exchange.Request, exchange.Response);
        if (!fault.IsNone || request.Path.IsEmpty || !Invalidation.Applies(request.KnownMethod, request.Method.Span, response.Status)) return fault;
        if (plan.Site is { } site) await site.ForgetAsync(exchange);
        else await SiteCaches.ForgetAsync(exchange, plan.Cache, plan.Key);
        if (request.KnownMethod == KnownMethod.Post) KeepPost(exchange, plan, requested);
        return fault;
    }

    // An answer to POST that says that it is what GET would bring, and how long it is fresh. RFC 9110 §9.3.3.
    private void KeepPost(Exchange exchange, CachePlan plan, DateTime requested)
    {
        var (request, response) = (exchange.Request, exchange.Response);
        if (!plan.Key.TryMakeUrl(exchange, request.Path.Span, request.Query.Span, request.HasQuery, out var url)) return;
        if (!SiteCaches.TryResolve(exchange, plan.Key, KnownField.ContentLocation, out var located) || !located.Span.SequenceEqual(url.Span)) return;
        var verdict = StoreDecision.Judge(KnownMethod.Post, request.Fields, RequestDirectives.Read(request.Fields, plan.Rules), response.Status, response.Fields, plan.Rules, requested, loop.UtcNow, isLocatedAtTarget: true);
        if (!verdict.MayStore || response.Status == 206 || exchange.ResponseSource is not { } source || response.BodyLength > plan.LargestBody) return;
        var sent = request.ForwardedQuery;
        if (!plan.Key.TryMake(exchange, out var key)) return;
        if (!request.ForwardedQuery.Span.SequenceEqual(sent.Span) || !request.Authority.Span.SequenceEqual(KeyRecipe.AuthorityOf(key.Url).Span)) return; // It was sent on with more than the key tells.
        if (StoreLimits.Judge(exchange, plan, verdict.Source) != StoreReason.Stored || plan.Passes?.Of(exchange) is not null) return;
        if (UnkeyedFields.Of(exchange, plan.Key.Parts).Any()) return; // It was sent on with them: what came may be its client's alone.
        if (plan.SliceBytes > 0 && !Slices.TryKey(exchange, plan.SliceBytes, ref key)) return;
        if (StoredBody.TryMake(response.HasBody ? response.BodyLength : 0, plan.Cache.Memory) is not { } body) return;
        plan.Cache.TryBegin(key, isJoinable: false, out var fill);
        if (Make(exchange, plan, fill, body, ((Endpoint)exchange.Place.EndpointState!).Named) is not { } made)
        {
            body.LetGo();
            plan.Cache.End(fill);
            return;
        }

        made.Times = verdict.Times;
        if (plan.Integrity is { Verifies: true } integrity && digests.Verify(exchange, integrity)) source = exchange.ResponseSource!;
        var keeping = new KeepingSource(source, made, fill, plan);
        exchange.Held = keeping;
        exchange.ResponseSource = keeping;
    }

    // RFC 9111 §4.3.5. Takes over the reference to what is kept.
    private async LoopTask<Fault> PassHeadAsync(Exchange exchange, CachePlan plan, CacheKey key, StoredResponse? kept)
    {
        Tell(exchange, plan, CacheOutcome.Pass);
        var requested = loop.UtcNow;
        // Its answer may change what is kept for all.
        if (kept is not null && !FillRequest.TryMake(exchange, plan.Key, key.Url))
        {
            kept.LetGo();
            return NoRoom;
        }

        var fault = await FetchAsync(exchange, plan);
        if (kept is null) return fault;
        if (fault.IsNone)
        {
            var effect = Validation.OfHead(kept.Lines, kept.Body.IsEnded ? Slices.LengthOf(kept) : -1, exchange.Response.Status, exchange.Response.Fields);
            if (effect == HeadEffect.Stale || (effect == HeadEffect.Update && kept.Status is not (200 or 206))) plan.Cache.Expire(kept);
            else if (effect == HeadEffect.Update) Renew(exchange, plan, key, kept, requested);
        }

        kept.LetGo();
        return fault;
    }

    // What is answered is what is kept then: whoever asks next is told the same.
    private void Renew(Exchange exchange, CachePlan plan, CacheKey key, StoredResponse kept, DateTime requested)
    {
        if (!kept.Body.IsWhole) return;
        kept.Body.Hold();
        var renewed = Merge(exchange, plan, kept, out var isKeyed);
        var reader = LeaseReader(renewed, plan.Cache);
        exchange.Held = reader;
        var (response, now) = (exchange.Response, loop.UtcNow);
        var age = Lifetimes.InitialAge(response.Fields, requested, now);
        if (!renewed.TryFill(response, reader.Fields, exchange.Scratch)) return;
        var verdict = StoreDecision.Judge(KnownMethod.Get, exchange.Request.Fields, default, kept.Status, response.Fields, plan.Rules, requested, now);
        if (!verdict.MayStore || !isKeyed)
        {
            plan.Cache.Expire(kept);
        }
        else if (plan.Cache.TryBegin(key, isJoinable: false, out var fill))
        {
            renewed.Times = verdict.Times with { InitialAge = age };
            // Not where it was invalidated while the origin was asked.
            if (plan.Cache.TryPut(fill, renewed, kept) && !renewed.IsSameVariant(kept)) plan.Cache.Remove(kept);
            plan.Cache.End(fill);
        }

        response.Fields.Drop(KnownField.SurrogateControl);
        response.Status = 200;
        OwnResponse.SetLength(exchange, Slices.LengthOf(renewed));
        TryAddAge(exchange, age);
    }

    // Takes over the reference to what is kept.
    private async LoopTask<Fault> FetchAsync(Exchange exchange, CachePlan plan, CacheKey key, CacheControl asked, StoredResponse? kept, CacheForward why)
    {
        if (kept is { Body.IsWhole: false })
        {
            kept.LetGo(); // Neither to be validated nor to stand in: it may never be whole.
            kept = null;
        }

        for (var joins = 0; ; joins++)
        {
            var isJoinable = !asked.Has(CacheDirectives.OnlyIfCached) && !plan.Cache.Passing.Has(PassMemory.KeyOf(key.Hash, exchange.Request.Fields), loop.UtcNow);
            var begun = plan.Cache.TryBegin(key, isJoinable, exchange.Request.Fields, kept, out var shared, out var newer);
            if (shared is not { } fill)
            {
                // Somebody's fill ended between the look and this.
                kept?.LetGo();
                kept = newer!;
                if (Judge(kept, asked) == Reuse.Fresh) return Serve(exchange, plan, key, kept, CacheOutcome.Collapsed, why);
                if (joins < MostJoins) continue;
                kept.LetGo();
                return await PassAsync(exchange, plan, why);
            }

            var wait = LeaseWait();
            wait.Begin(exchange);
            wait.Asked = asked;
            wait.Candidate = kept;
            kept?.Hold();
            exchange.Held = wait;
            if (fill.TryWait(wait))
            {
                if (begun) Lease().Begin(fill, plan, exchange, kept, wait);
                while (wait.State == FillState.Pending)
                {
                    var wake = exchange.AnswersHalfClosed
                        ? await exchange.Flow.FirstOf(wait.Told.Ready, exchange.TotalDeadline)
                        : await exchange.Flow.FirstOf(wait.Told.Ready, exchange.Client.Gone, exchange.TotalDeadline);
                    wait.Told.Ready.Clear();
                    if (wake == Wake.First) continue; // It may have been for who waited here before.
                    wait.Stop();
                    kept?.LetGo();
                    if (wake == Wake.Deadline) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Wait);
                    return wake == Wake.Cancelled && !exchange.Interruption.IsNone ? exchange.Interruption : new Fault(FaultCause.Closed, Side.Client, Stage.Wait);
                }
            }
            else
            {
                wait.State = FillState.Passed; // It has just ended: once more.
            }

            // What was on disk may stand in as what was in memory may.
            if (wait.State == FillState.Failed && kept is null && wait.Response?.Selects(exchange.Request.Fields) == true) kept = wait.Take();
            switch (wait.State)
            {
                case FillState.Failed when kept is not null && ReuseDecision.MayStandIn(kept.TimesAt(loop.UtcNow), asked, loop.UtcNow):
                    kept.StandsInUntil = (loop.UtcNow + StandsIn).Ticks;
                    Release(exchange, wait);
                    return Serve(exchange, plan, key, kept, CacheOutcome.Stale);
                case FillState.Failed when begun || !(fill.IsAbandoned || fill.WasRefused):
                    kept?.LetGo();
                    return fill.Fault;
                case FillState.Kept when wait.Response!.Body is { IsEnded: true, IsWhole: false } body:
                    kept?.LetGo();
                    return new Fault(body.Failure, Side.Origin, Stage.Relay); // It broke before a byte of it was sent: that can still be said.
                case FillState.Kept when begun || MayShare(fill, wait.Response!, exchange.Request, asked):
                    var response = wait.Take();
                    kept?.LetGo();
                    var outcome = fill.WasOnDisk ? CacheOutcome.Hit : !begun ? CacheOutcome.Collapsed : fill.WasConfirmed ? CacheOutcome.Revalidated : why == CacheForward.UriMiss ? CacheOutcome.Miss : CacheOutcome.Expired;
                    return Serve(exchange, plan, key, response, outcome, outcome == CacheOutcome.Hit ? CacheForward.None : why, wait);
                case FillState.Passed when exchange.Origin is not null:
                    kept?.LetGo();
                    Tell(exchange, plan, CacheOutcome.Pass);
                    exchange.Response.Fields.Drop(KnownField.SurrogateControl);
                    return AddStatus(exchange, plan, new CacheReport { Forward = why, IsCollapsed = false }) ? Fault.None : NoRoom;
            }

            Release(exchange, wait);
            if (joins < MostJoins) continue;
            kept?.LetGo();
            return await PassAsync(exchange, plan, why);
        }
    }

    internal static Fault NotCached => new(FaultCause.NotCached, Side.Proxy, Stage.Policy);

    private static Fault NoRoom => new(FaultCause.Exhausted, Side.Proxy, Stage.Policy);

    private static void Release(Exchange exchange, FillWait wait)
    {
        exchange.Held = null;
        wait.Dispose();
    }

    // Takes over the reference, and ends the wait, if there was one.
    private Fault Serve(Exchange exchange, CachePlan plan, CacheKey key, StoredResponse kept, CacheOutcome outcome, CacheForward why = CacheForward.None, FillWait? wait = null)
    {
        var onDisk = kept.Body.File is null ? null : new DiskReader(loop, buffers, kept);
        var reader = onDisk is null ? LeaseReader(kept, plan.Cache) : null;
        var response = exchange.Response;
        response.Clear();
        var hasRoom = kept.TryFill(response, onDisk?.Fields ?? reader!.Fields, exchange.Scratch);
        if (wait is not null)
        {
            foreach (var own in wait.OwnFields) response.Fields.Add(own.Known, own.Name, own.Value);
            Release(exchange, wait);
        }

        exchange.Held = (IDisposable?)onDisk ?? reader;
        exchange.KeptFrom = kept.From;
        response.Fields.Drop(KnownField.SurrogateControl); // For this cache, which is the last that could have asked for it.
        if (outcome is CacheOutcome.Hit or CacheOutcome.Stale or CacheOutcome.Collapsed)
        {
            (exchange.Place.Upstream, exchange.Place.UpstreamState) = (null, null);
            if (onDisk is null) Touch(plan.Cache, kept); // That it was missed in memory counts already.
        }

        // What was fetched for this request is not from the cache: it has an age only where it came with one.
        var age = kept.Times.Age(loop.UtcNow);
        var isNew = outcome is CacheOutcome.Miss or CacheOutcome.Expired;
        if (!hasRoom || (!(isNew && age == 0) && !TryAddAge(exchange, age))) return NoRoom;
        var report = new CacheReport { Forward = why, IsStored = isNew, IsCollapsed = outcome == CacheOutcome.Collapsed, TimeToLive = kept.Times.Lifetime - age, ForwardStatus = outcome == CacheOutcome.Revalidated ? 304 : 0 };
        if (!AddStatus(exchange, plan, report)) return NoRoom;
        if (!(onDisk is not null ? Selection.TryApply(exchange, kept, onDisk) : Slices.IsHead(kept) ? TrySlices(exchange, plan, key, kept, reader!) : Selection.TryApply(exchange, kept, reader!))) return NoRoom;
        if (!isNew && exchange.Response.HasBody) plan.Cache.Counts.Of(loop.Index).Saved(Math.Max(0, exchange.Response.BodyLength));
        Tell(exchange, plan, outcome);
        return Fault.None;
    }

    private bool TrySlices(Exchange exchange, CachePlan plan, CacheKey key, StoredResponse head, StoredReader reader)
    {
        if (Slices.LengthOf(head) < 0) return false;
        var sliced = slicedReaders.TryPop(out var used) ? used : new SlicedReader(this);
        if (!sliced.TryBegin(exchange, plan, key, reader, head))
        {
            Return(sliced);
            return false;
        }

        exchange.Held = sliced;
        exchange.Response.Status = 200;
        return Selection.TryApply(exchange, head, sliced);
    }

    private static bool TryAddAge(Exchange exchange, long age)
    {
        if (!exchange.Scratch.TryTake(20, out var room, out var range)) return false;
        var to = new SpanWriter(room);
        to.WriteDecimal(age);
        exchange.Response.Fields.Add(KnownField.Age, AgeName, exchange.Scratch.Trim(range, to.Length));
        return true;
    }

    // RFC 9211: a line of its own, behind those of caches nearer to the origin.
    private static bool AddStatus(Exchange exchange, CachePlan plan, in CacheReport report)
    {
        if (plan.StatusName is not { } name) return true;
        if (!exchange.Scratch.TryTake(CacheStatusField.Bound + name.Length, out var room, out var range)) return false;
        exchange.Response.Fields.Add(KnownField.Other, StatusName, exchange.Scratch.Trim(range, CacheStatusField.Write(name, report, room)));
        return true;
    }

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
