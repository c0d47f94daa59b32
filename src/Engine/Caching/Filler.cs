// Fetches what a cache misses, in an exchange of its own: a client that is slow or leaves harms nobody who waits for the same.
// All clients, the first too, read from what is kept.
//
//   leased → a copy of the first client's request, with conditions where something is kept → fetched
//     → kept: told, then the body is written as it comes
//     → confirmed (304): what is kept, with its fields and times renewed, is told
//     → failed, and what is kept may stand in: told, the answer is dropped
//     → not to be kept: handed over to the first client, the others told
//
// Nobody's record: its first client's access record names who served it, and what it cost the upstream is counted as any exchange.

using Weir.Engine.Caching.Disk;
using Weir.Engine.Caching.Rules;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Loops;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;
using Weir.Wire.Http1;

namespace Weir.Engine.Caching;

/// <summary>Runs one fill. Leased; reused; one loop.</summary>
internal sealed class Filler
{
    // Bytes kept before the others on the loop have their turn.
    private const long BytesPerTurn = 1 << 18;

    // A fill whose clients have all left goes on for so long (ms), and so many on a loop do: for who asks next, not for who asks for
    // much and leaves.
    private const long MostAlone = 30_000;
    private const int MostAloneAtOnce = 64;

    // Readers wake the fill of a window; the look in between (ms) is for who leaves without having begun.
    private const long LooksEvery = 1_000;

    private static readonly ByteRange GetMethod = ByteRange.Of("GET"u8.ToArray());

    // What is fetched is for all: the whole, under no client's conditions.
    private static readonly KnownField[] OfOneClient = [KnownField.Range, KnownField.IfRange, KnownField.IfNoneMatch, KnownField.IfModifiedSince, KnownField.SurrogateCapability];

    // What an origin may leave to this surrogate; what a client says it could do instead would be everybody's answer.
    private static readonly ByteRange CapabilityName = ByteRange.Of("Surrogate-Capability"u8.ToArray());
    private static readonly ByteRange Capability = ByteRange.Of([.. ResponseDirectives.Surrogate, .. "=\"Surrogate/1.0\""u8]);

    private static readonly ByteRange IfNoneMatchName = ByteRange.Of("If-None-Match"u8.ToArray());
    private static readonly ByteRange IfModifiedSinceName = ByteRange.Of("If-Modified-Since"u8.ToArray());

    private readonly CacheStage stage;
    private readonly Exchange exchange;
    private readonly FieldIndex index = new();
    private readonly FieldIndex renewed = new();
    private readonly FillClient client = new();
    private readonly LoopWake passed;
    private Fill fill = null!;
    private CachePlan plan = null!;
    private FillWait? leader;
    private StoredResponse? candidate;
    private CacheControl asked;
    private SliceAsk slice;
    private DateTime requested;
    private bool isForNobody;
    private long aloneSince; // 0: it is not alone.

    public Filler(CacheStage stage)
    {
        this.stage = stage;
        exchange = new Exchange(stage.Loop, stage.Buffers);
        passed = new LoopWake(stage.Loop);
    }

    /// <summary>Fetches for a request. Begins at once; what it brings is told by the fill.</summary>
    /// <param name="begun">The fill.</param>
    /// <param name="by">The route's cache.</param>
    /// <param name="of">The request.</param>
    /// <param name="kept">What is kept, to be renewed; null: nothing is.</param>
    /// <param name="first">Its first client; null: nobody waits.</param>
    /// <param name="part">The slice it is for, where that is known.</param>
    public void Begin(Fill begun, CachePlan by, Exchange of, StoredResponse? kept, FillWait? first, SliceAsk part = default)
    {
        (fill, plan, leader, isForNobody, aloneSince) = (begun, by, first, first is null, 0);
        slice = part.IsSlice || by.SliceBytes == 0 ? part : Slices.For(of.Request, by.SliceBytes);
        slice.Head?.Hold();
        // What is not whole may never be, and what was invalidated since it was found is not asked about.
        if (kept is { Body.IsWhole: false } or { IsKept: false }) kept = null;
        kept?.Hold();
        candidate = kept;
        asked = first?.Asked ?? default;
        exchange.Begin(client, stage.Loop.Microseconds());
        begun.Runner = this;
        var hasRoom = exchange.Request.TryCopy(of.Request, index, exchange.Scratch);
        exchange.Moments.HeadRead = exchange.Moments.Begun;
        exchange.Timeouts = of.Timeouts;
        exchange.TotalDeadline = Timeouts.After(stage.Loop.Now, of.Timeouts.Total);
        exchange.Place = of.Place;
        (exchange.Place.Upstream, exchange.Place.UpstreamState) = (by.Forward.Upstream.Name, by.Forward.Upstream);
        (exchange.ClientAddress, exchange.Ends, exchange.IsFromTrustedProxy) = (of.ClientAddress, of.Ends, of.IsFromTrustedProxy);
        if (first is not null)
        {
            client.Of = of.Client;
            exchange.ResponsePolicies = of.ResponsePolicies; // For interim answers, which go to the first client.
            first.Leads = this;
        }

        (exchange.Request.KnownMethod, exchange.Request.Method) = (KnownMethod.Get, GetMethod);
        foreach (var field in OfOneClient) exchange.Request.Fields.Drop(field);
        hasRoom = hasRoom && FillRequest.TryMake(exchange, by.Key, ByteRange.Of(begun.Place.Url)) && (!slice.IsSlice || Slices.TryAsk(exchange, slice));
        exchange.Request.Fields.Add(KnownField.SurrogateCapability, CapabilityName, Capability);
        RunAsync(hasRoom).Detach();
    }

    /// <summary>Its first client waits no longer.</summary>
    public void Forget(FillWait first)
    {
        if (leader != first) return;
        leader = null;
        client.Of = null;
    }

    /// <summary>Nobody waits for it any more. Any thread.</summary>
    public void Abandon(Fill abandoned) => stage.Loop.Post(() =>
    {
        if (fill != abandoned || isForNobody || fill.State != FillState.Pending || fill.IsWaitedFor) return;
        fill.IsAbandoned = true;
        exchange.InterruptAll(new Fault(FaultCause.Closed, Side.Client, Stage.Wait));
    });

    /// <summary>Ends it.</summary>
    public void Stop() => exchange.InterruptAll(new Fault(FaultCause.Stopping, Side.Proxy, Stage.Relay));

    private async LoopTask RunAsync(bool hasRoom)
    {
        StoredResponse? response = null;
        var isHanded = false;
        try
        {
            if (candidate is null && plan.Cache.Disk is { } disk && hasRoom && await FromDiskAsync(disk))
            {
                End();
                return;
            }

            if (asked.Has(CacheDirectives.OnlyIfCached))
            {
                fill.Tell(FillState.Failed, null, CacheStage.NotCached);
                End();
                return;
            }

            var fault = hasRoom && (candidate is null || AddConditions()) ? Fault.None : new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
            if (fault.IsNone) fault = await FetchAsync();
            if (fault.IsNone && exchange.Response.Status == 304 && candidate is not null && !Validation.Confirms(candidate.Lines, exchange.Response.Fields)) fault = await AskAgainAsync();
            if (fault.IsNone && slice is { IsSlice: true, Head: null }) fault = await AskOtherwiseAsync();
            if (fault.IsNone) (response, isHanded) = slice.Head is null ? Judge() : (KeepSlice(), false);
            if (!fault.IsNone || (response is null && !isHanded)) fill.Tell(FillState.Failed, candidate, fault.IsNone ? new Fault(FaultCause.Closed, Side.Origin, Stage.Wait) : fault);
            if (fault.IsNone && response is not null)
            {
                if (!response.Body.IsEnded)
                {
                    stage.Accelerate(exchange, plan);
                    fault = await FillBodyAsync(response.Body, exchange.ResponseSource!, response);
                }

                Finish(response, fault);
                if (response.Body.IsWhole && response.IsKept) plan.Cache.Disk?.Write(response, fill.Place.Url);
            }

            exchange.Fault = fault;
            if (!isHanded)
            {
                await Forwarder.FinishAsync(exchange, fault);
                exchange.Moments.Ended = stage.Loop.Microseconds();
                stage.Record(exchange);
            }
        }
#pragma warning disable CA1031 // A background task's root: a bug ends this fill, is told, and harms no other exchange.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            fill.Tell(FillState.Failed, null, new Fault(FaultCause.Internal, Side.Proxy, Stage.Relay));
            if (response is not null)
            {
                plan.Cache.Remove(response);
                response.Body.End(FaultCause.Internal);
            }

            exchange.Origin?.Abort();
            exchange.Origin = null;
            stage.Report(bug);
        }

        response?.LetGo();
        End();
    }

    private void End()
    {
        if (aloneSince != 0) stage.Alone--;
        plan.Cache.End(fill);
        candidate?.LetGo();
        candidate = null;
        slice.Head?.LetGo();
        slice = default;
        leader = null;
        client.Of = null;
        exchange.End();
        stage.Return(this);
    }

    // What is on disk answers, or is to be renewed like what is in memory. A disk's trouble is nobody's: then there is nothing.
    private async LoopTask<bool> FromDiskAsync(DiskTier disk)
    {
        var url = fill.Place.Url;
        if (!disk.Counts(url)) return false;
        var key = DiskTier.KeyOf(url, fill.Extra);
        for (var isVariant = false; ; isVariant = true)
        {
            if (disk.Store.TryRead(stage.Loop, stage.Buffers, DiskTier.HashOf(key), key) is not { } read) return false;
            var wake = await exchange.Flow.FirstOf(read.Done, exchange.Deadline(exchange.Timeouts.Idle));
            if (wake != Wake.First || !read.IsHit || !disk.Counts(url))
            {
                read.Dispose();
                return false;
            }

            if (!isVariant && DiskTier.VariantsOf(read.Head) is { } vary)
            {
                read.Dispose();
                var varyKey = new byte[VaryRule.MostKeyBytes];
                if (!vary.TryWriteKey(exchange.Request.Fields, varyKey, out var length)) return false;
                key = DiskTier.KeyOf(url, fill.Extra, System.Text.Encoding.ASCII.GetBytes(vary.Names), varyKey.AsSpan(0, length));
                continue;
            }

            return await TakeAsync(read);
        }
    }

    private async LoopTask<bool> TakeAsync(DiskRead read)
    {
        if (StoredBody.TryMake(read.BodyLength, plan.Cache.Memory) is not { } body)
        {
            read.Dispose();
            return false;
        }

        var response = DiskTier.Read(read.Head, fill.Extra, body, plan.Cache.Memory);
        if (response is null) body.LetGo();
        var source = response is null || read.IsWhole ? null : read.Source(0, read.BodyLength);
        if (response is not null && source is null) body.Append(read.Body.Span);
        read.Dispose();
        if (response is null) return false;
        var reuse = ReuseDecision.Judge(response.Times, asked, stage.Loop.UtcNow);
        var answers = slice.Head is not null || reuse is Reuse.Fresh or Reuse.Stale or Reuse.Behind;
        if (answers)
        {
            fill.WasOnDisk = true;
            plan.Cache.TryPut(fill, response);
            fill.Tell(FillState.Kept, response, default);
        }

        var fault = source is null ? Fault.None : await FillBodyAsync(body, source, answers ? response : null);
        source?.Dispose();
        Finish(response, fault);
        if (!answers && body.IsWhole)
        {
            plan.Cache.TryPut(fill, response);
            candidate = response; // With our reference.
            return false;
        }

        response.LetGo();
        return answers;
    }

    // What broke leaves the index before it is broken: nobody finds it so.
    private void Finish(StoredResponse response, Fault fault)
    {
        if (!fault.IsNone) plan.Cache.Remove(response);
        response.Body.End(fault.Cause);
        if (response.Body.IsWhole) plan.Cache.Settle(response);
        else plan.Cache.Remove(response); // Shorter than it said.
    }

    private LoopTask<Fault> FetchAsync()
    {
        requested = stage.Loop.UtcNow;
        return stage.FetchAsync(exchange, plan);
    }

    // The 304 is of another response than the one that was asked about: without conditions there is no such answer.
    private async LoopTask<Fault> AskAgainAsync()
    {
        await Forwarder.FinishAsync(exchange, Fault.None);
        exchange.Rewind();
        exchange.Tried.Clear(); // Whoever answered is to be asked again.
        exchange.Request.Fields.Drop(KnownField.IfNoneMatch);
        exchange.Request.Fields.Drop(KnownField.IfModifiedSince);
        candidate!.LetGo();
        candidate = null;
        return await FetchAsync();
    }

    // What begins behind the end, or cannot be kept in slices: the first slice is asked for, and then the whole.
    private async LoopTask<Fault> AskOtherwiseAsync()
    {
        while (exchange.Response.Status == 416 || (exchange.Response.Status == 206 && !MayBeSliced()))
        {
            slice = exchange.Response.Status == 416 && slice.Index > 0 ? slice with { Index = 0 } : default;
            await Forwarder.FinishAsync(exchange, Fault.None);
            exchange.Rewind();
            exchange.Tried.Clear();
            exchange.Request.Fields.Drop(KnownField.Range);
            if (slice.IsSlice && !Slices.TryAsk(exchange, slice)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
            var fault = await FetchAsync();
            if (!fault.IsNone || !slice.IsSlice) return fault;
        }

        return default;
    }

    private bool MayBeSliced() => Slices.IsSlice(exchange.Response, slice, out _) && JudgeStoring(stage.Loop.UtcNow).MayStore;

    private StoreVerdict JudgeStoring(DateTime now) =>
        StoreDecision.Judge(KnownMethod.Get, exchange.Request.Fields, asked, exchange.Response.Status, exchange.Response.Fields, plan.Rules, requested, now);

    // A further slice: of the same whole, or there is none, and the whole has to be asked about.
    private StoredResponse? KeepSlice()
    {
        if (!Slices.IsSlice(exchange.Response, slice, out var range))
        {
            if (exchange.Response.Status is 200 or 206 or 412 or 416 or 404 or 410) plan.Cache.Expire(slice.Head!);
            fill.Tell(FillState.Failed, null, new Fault(FaultCause.Closed, Side.Origin, Stage.Wait));
            return null;
        }

        var now = stage.Loop.UtcNow;
        var verdict = JudgeStoring(now);
        if (MakeSlice(fill, range) is not { } made)
        {
            fill.Tell(FillState.Failed, null, new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy));
            return null;
        }

        made.Times = verdict.Times;
        if (verdict.MayStore) plan.Cache.TryPut(fill, made);
        plan.Cache.Counts.Of(stage.Loop.Index).CountFill();
        TellLeader();
        fill.Tell(FillState.Kept, made, default);
        return made;
    }

    private StoredResponse? MakeSlice(Fill of, ContentRange range)
    {
        if (StoredBody.TryMake(range.Count, plan.Cache.Memory) is not { } body) return null;
        var made = stage.Make(exchange, plan, of, body, ((Endpoint)exchange.Place.EndpointState!).Named);
        if (made is null) body.LetGo();
        return made;
    }

    // The first slice of a whole: its head is what is kept and told, and the slice is kept beside it.
    private StoredResponse? KeepFirst(ContentRange range, StoreVerdict verdict)
    {
        exchange.Response.Fields.Drop(KnownField.ContentRange);
        Selection.DropDigests(exchange.Response.Fields); // Of the slice.
        var body = Slices.MakeHead(range.Total, plan.Cache.Memory);
        var head = stage.Make(exchange, plan, fill, body, ((Endpoint)exchange.Place.EndpointState!).Named);
        if (head is null) body.LetGo();
        if (head is null) return null;
        var key = Slices.WriteKey(fill.Place.Url, ByteRange.Of(fill.Extra), head, slice.Index, ByteRange.Of(new byte[Slices.KeyBytes(fill.Place.Url.Length)]));
        head.Times = verdict.Times;
        plan.Cache.TryBegin(key, isJoinable: false, out var place);
        var made = MakeSlice(place, range);
        if (made is not null)
        {
            made.Times = verdict.Times;
            plan.Cache.TryPut(place, made);
            plan.Cache.TryPut(fill, head);
            plan.Cache.Counts.Of(stage.Loop.Index).CountFill();
            TellLeader();
            fill.Tell(FillState.Kept, head, default);
        }

        plan.Cache.End(place);
        head.LetGo();
        return made;
    }

    // The head has come: what becomes of it is told to all who wait.
    private (StoredResponse? Kept, bool IsHanded) Judge()
    {
        var status = exchange.Response.Status;
        var now = stage.Loop.UtcNow;
        if (candidate is not null && ReuseDecision.IsFailure(status) && ReuseDecision.MayStandIn(candidate.TimesAt(now), asked, now)) return default;
        if (slice.IsSlice && Slices.IsSlice(exchange.Response, slice, out var range))
        {
            if (range.Count < range.Total) return (KeepFirst(range, JudgeStoring(now)), false);
            exchange.Response.Status = 200; // All of it.
            exchange.Response.Fields.Drop(KnownField.ContentRange);
        }

        var isConfirmed = status == 304 && candidate is not null;
        if (isConfirmed) fill.WasConfirmed = true;
        var (response, mayKeep) = isConfirmed ? Renew(now) : Keep(now);
        if (response is not null)
        {
            var isForAll = mayKeep;
            if (mayKeep && !plan.Cache.TryPut(fill, response)) mayKeep = false; // It answers those who wait, and nobody else.
            if (!mayKeep && isConfirmed) plan.Cache.Forget(candidate!, fill.Place.Url);
            else if (mayKeep && candidate is not null && !response.IsSameVariant(candidate)) plan.Cache.Remove(candidate); // It varies by something else now.
            TellLeader();
            if (isForAll) fill.Tell(FillState.Kept, response, default);
            else fill.TellOne(leader, response); // A 304 that sets a cookie, or says private.
            return (response, false);
        }

        var fields = exchange.Request.Fields;
        if (candidate is not null && status < 500 && !fields.Index.Has(KnownField.Authorization)) plan.Cache.Forget(candidate, fill.Place.Url);
        plan.Cache.Passing.Add(PassMemory.KeyOf(fill.Place.Hash, fields), now);
        var isHanded = HandOver();
        fill.Tell(FillState.Passed, null, default);
        return (null, isHanded);
    }

    private (StoredResponse? Response, bool MayKeep) Keep(DateTime now)
    {
        var from = exchange.Response;
        var verdict = StoreDecision.Judge(KnownMethod.Get, exchange.Request.Fields, asked, from.Status, from.Fields, plan.Rules, requested, now);
        var reason = !verdict.MayStore ? verdict.Reason : from.Status == 206 ? StoreReason.Partial : StoreLimits.Judge(exchange, plan, verdict.Source);
        if (reason != StoreReason.Stored)
        {
            plan.Cache.Refusals.Note(fill.Place.Hash, reason, from.Status, now.Ticks / TimeSpan.TicksPerSecond);
            return default;
        }

        if (StoredBody.TryMake(from.HasBody ? from.BodyLength : 0, plan.Cache.Memory) is not { } body) return default;
        var made = stage.Make(exchange, plan, fill, body, ((Endpoint)exchange.Place.EndpointState!).Named);
        if (made is null)
        {
            body.LetGo();
            return default;
        }

        made.Times = verdict.Times;
        if (leader is not null) KeepOwnFields();
        plan.Cache.Counts.Of(stage.Loop.Index).CountFill();
        return (made, true);
    }

    private (StoredResponse? Response, bool MayKeep) Renew(DateTime now)
    {
        var kept = candidate!;
        if (leader is not null) KeepOwnFields();
        kept.Body.Hold();
        var made = stage.Merge(exchange, plan, kept, out var isKeyed);
        var age = Lifetimes.InitialAge(exchange.Response.Fields, requested, now); // Age is of what came: it is no part of what is kept.
        if (!made.TryFill(exchange.Response, renewed, exchange.Scratch)) return (made, false);
        var verdict = StoreDecision.Judge(KnownMethod.Get, exchange.Request.Fields, asked, kept.Status, exchange.Response.Fields, plan.Rules, requested, now);
        made.Times = verdict.MayStore ? verdict.Times with { InitialAge = age } : kept.Times with { Received = now, InitialAge = age, Lifetime = 0 };
        return (made, verdict.MayStore && isKeyed);
    }

    private async LoopTask<Fault> FillBodyAsync(StoredBody body, BodySource source, StoredResponse? response)
    {
        var turn = 0L;
        while (true)
        {
            if (!exchange.Interruption.IsNone) return exchange.Interruption;
            if (response is null)
            {
                // Nobody knows of it before it is whole.
            }
            else if (!response.IsKept)
            {
                if (!body.IsWindow) body.BecomeWindow(passed);
                if (await WaitForReadersAsync(response) is { IsNone: false } left) return left;
            }
            else if (IsAloneTooLong(response))
            {
                return NobodyReads;
            }

            switch (source.TryRead(out var piece))
            {
                case BodyStatus.Piece:
                    var taken = body.Append(piece);
                    source.Advance(taken);
                    exchange.BytesOut += taken;
                    turn += taken;
                    if (taken < piece.Length && (response is null || body.IsWindow)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Relay);
                    if (response is not null && (taken < piece.Length || body.Written > plan.LargestBody)) plan.Cache.Remove(response);
                    if (turn < BytesPerTurn) continue;
                    turn = 0;
                    if (body.Length < 0 && response is { IsKept: true }) plan.Cache.Settle(response);
                    await exchange.Flow.Yield();
                    continue;
                case BodyStatus.End:
                    return default;
                case BodyStatus.Broken:
                    return Fault.Of(source.Failure, Side.Origin, Stage.Relay);
            }

            var wake = await exchange.Flow.FirstOf(source.Ready, Math.Min(exchange.Deadline(exchange.Timeouts.Idle), source.AskAgainAt));
            if (wake == Wake.Deadline && stage.Loop.Now < source.AskAgainAt) return new Fault(FaultCause.Timeout, Side.Origin, Stage.Relay);
        }
    }

    private static Fault NobodyReads => new(FaultCause.Closed, Side.Client, Stage.Relay);

    // What is not kept goes no further than its readers let it. Each has its own time to take what it is sent.
    private async LoopTask<Fault> WaitForReadersAsync(StoredResponse response)
    {
        while (exchange.Interruption.IsNone)
        {
            passed.Ready.Clear();
            var others = response.References - 1; // Those who were told and have not begun are none of the body's readers yet.
            if (others == 0) return NobodyReads;
            if (!response.Body.IsFull || response.Body.TryGoOn(others)) return Fault.None;
            await exchange.Flow.FirstOf(passed.Ready, exchange.Deadline(LooksEvery));
            if (stage.Loop.Now >= exchange.TotalDeadline) return new Fault(FaultCause.Timeout, Side.Client, Stage.Relay);
        }

        return exchange.Interruption;
    }

    // Beside this fill and the index nobody holds it.
    private bool IsAloneTooLong(StoredResponse response)
    {
        if (isForNobody) return false;
        if (response.References > 2)
        {
            if (aloneSince != 0) stage.Alone--;
            aloneSince = 0;
            return false;
        }

        if (aloneSince == 0)
        {
            aloneSince = Math.Max(1, stage.Loop.Now);
            stage.Alone++;
        }

        return stage.Alone > MostAloneAtOnce || stage.Loop.Now - aloneSince > MostAlone;
    }

    private bool AddConditions()
    {
        var lines = candidate!.Lines;
        return TryAdd(KnownField.IfNoneMatch, IfNoneMatchName, StoredFields.Find(lines, KnownField.ETag))
            && TryAdd(KnownField.IfModifiedSince, IfModifiedSinceName, StoredFields.Find(lines, KnownField.LastModified));
    }

    private bool TryAdd(KnownField field, ByteRange name, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty) return true;
        if (!exchange.Scratch.TryCopy(value, out var copy)) return false;
        exchange.Request.Fields.Add(field, name, copy);
        return true;
    }

    // The origin's side becomes the first client's, with all that it was asked for.
    private bool HandOver()
    {
        if (leader is not { Exchange: { } to }) return false;
        if (!to.Response.TryCopy(exchange.Response, leader.Index, to.Scratch)) return false;
        (to.Origin, exchange.Origin) = (exchange.Origin, null);
        to.ResponseSource = exchange.ResponseSource;
        to.Request.PathPrefix = exchange.Request.PathPrefix;
        (to.Ticket, exchange.Ticket) = (exchange.Ticket, to.Ticket);
        TellLeader();
        return true;
    }

    // Its record tells who served it.
    private void TellLeader()
    {
        if (leader is not { Exchange: { } to }) return;
        to.Place = exchange.Place;
        to.Retries = exchange.Retries;
        (to.Moments.Queued, to.Moments.Connected, to.Moments.Answered) = (exchange.Moments.Queued, exchange.Moments.Connected, exchange.Moments.Answered);
    }

    // What private="…" or no-cache="…" names is not stored, and the first client's all the same.
    private void KeepOwnFields()
    {
        var fields = exchange.Response.Fields;
        var directives = ResponseDirectives.Of(fields);
        if (!directives.Control.Has(CacheDirectives.NoCacheFields | CacheDirectives.PrivateFields)) return;
        for (var i = 0; i < fields.Index.Count; i++)
        {
            // What frames the answer, and its age, are said anew; what is stored all the same is there already.
            if (fields.IsDropped(i) || fields.Index[i].Known is KnownField.Age or KnownField.Trailer || StoredFields.IsStored(fields, directives, i) || !directives.Nominates(fields, fields.Name(i))) continue;
            var scratch = leader!.Exchange!.Scratch;
            if (scratch.TryCopy(fields.Name(i), out var name) && scratch.TryCopy(fields.Value(i), out var value)) leader.OwnFields.Add(new AddedField(fields.Index[i].Known, name, value));
        }
    }
}
