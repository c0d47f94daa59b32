// The way of a request, as one method of named steps. The order is the product's decision; an operator chooses what stands
// in a stage, never the order.
//
//   identify → route → (wait for the handshake) → rewrite → (recode the body) → answer, or take from the cache, or forward (and mirror)
//     → accelerate → verify its digest → rewrite the response → compress → tell its digest → deliver → record
//
// A fault at any step is a value: while no byte of a response has been sent it is answered, afterwards it breaks the
// stream, so that a short answer never looks whole.

using Weir.Engine.Acceleration;
using Weir.Engine.Answers;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Loops;
using Weir.Engine.Mirroring;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Policies.Integrity;
using Weir.Wire.Http1;
using Weir.Wire.Targets;

namespace Weir.Engine;

/// <summary>Handles the exchanges of one listener on one loop.</summary>
public sealed class Pipeline(Forwarder forwarder, Accelerator accelerator, CacheStage caching, Mirrors mirrors, BodyCoders coders, BodyDigests digests, LoopRecords records, ErrorLog errors) : IExchangeHandler
{
    /// <summary>The part of the plan that this listener executes; a new plan puts its own here, on the loop.</summary>
    public ListenerPlan Listener { get; set; } = null!;

    public Plan Plan { get; set; } = null!;

    public async LoopTask HandleAsync(Exchange exchange)
    {
        SitePlan? site = null;
        RoutePlan? route = null;
        records.Begin();

        var fault = exchange.Fault;
        if (fault.IsNone) (site, route, fault) = Find(exchange, Plan, Listener);
        else exchange.ClientAddress = exchange.Ends.ClientAddress;
        if (fault.IsNone && EarlyRequests.MustWait(exchange, route!.AllowsEarlyData)) fault = await EarlyRequests.ConfirmAsync(exchange);
        var verdict = fault.IsNone ? Apply(route!.Rewrite, exchange) : fault;
        fault = verdict.Fault;
        if (fault.IsNone && route!.ResponseCoding is not null && exchange.Request.HasBody) ResponseCoding.AskForWholeAtOnce(exchange);
        if (fault.IsNone && route!.RequestCoding is { } coding) fault = RequestCoding.Apply(exchange, coding, coders);
        if (fault.IsNone) fault = await AnswerAsync(exchange, route!, verdict);
        if (fault.IsNone && route!.ResponseCoding is { } recoding && ResponseCoding.AsksOtherwise(exchange, recoding)) fault = await AnswerAgainAsync(exchange, route, verdict);
        if (fault.IsNone) fault = await DeliverAsync(exchange, route!);
        await Forwarder.FinishAsync(exchange, fault);
        if (!fault.IsNone) await FailAsync(exchange, fault, site, route);
        Record(exchange, site);
    }

    /// <summary>
    /// Who asks, which site, which route: host → site, path and conditions → route. Only here is a path judged safe.
    /// </summary>
    public static (SitePlan? Site, RoutePlan? Route, Fault Fault) Find(Exchange exchange, Plan plan, ListenerPlan listener)
    {
        ClientIdentity.Find(exchange, plan.TrustedProxies);
        var request = exchange.Request;
        if (plan.Proofs is { HasHttp: true } proofs && proofs.Find(request) is { } proof) return Prove(exchange, proof);
        var site = listener.Hosts.Find(request.Host.Span);
        if (site is null || IsMisdirected(exchange, site)) return (null, null, new Fault(FaultCause.Misdirected, Side.Client, Stage.Policy));
        exchange.Place.Site = site.Name;
        exchange.Place.SiteState = site.Record;
        var path = request.Path.IsEmpty ? Fault.None : MatchPath(exchange);
        if (!path.IsNone) return (site, null, path);
        if (plan.Hops.HasBeenHere(request)) return (site, null, new Fault(FaultCause.Loop, Side.Client, Stage.Policy));
        var route = site.Routes.Find(exchange);
        if (route?.Split is { } split) route = split.Choose(exchange);
        if (request.KnownMethod == KnownMethod.Connect && route?.Forward is not { AllowsConnect: true }) return (site, null, new Fault(FaultCause.UnknownMethod, Side.Client, Stage.Policy));
        if (request.HasBody && request.KnownMethod is KnownMethod.Connect or KnownMethod.Trace) return (site, null, new Fault(FaultCause.Malformed, Side.Client, Stage.Policy)); // RFC 9110 §9.3.6, §9.3.8: it has no content.
        if (route is null) return (site, null, new Fault(FaultCause.NoRoute, Side.Client, Stage.Policy));
        Take(exchange, route);
        return (site, route, request.BodyLength > route.BodyLimit ? new Fault(FaultCause.BodyTooLarge, Side.Client, Stage.Policy) : Fault.None);
    }

    // An issuer of certificates looks whether a name is ours.
    private static (SitePlan? Site, RoutePlan Route, Fault Fault) Prove(Exchange exchange, Answer proof)
    {
        var route = new RoutePlan { Name = "acme", Answer = proof };
        Take(exchange, route);
        return (null, route, Fault.None);
    }

    // RFC 9110 §7.4: https is not asked for in the clear, nor one site over a connection on which another has shown itself, unless
    // its certificate covers both.
    private static bool IsMisdirected(Exchange exchange, SitePlan site)
    {
        if (exchange.Ends.Tls is { } tls) return !tls.MayCarry(exchange.Request.Host.Span, site.Tls, site.Tls?.Clients, exchange.IsFromTrustedProxy);
        return exchange.Request.IsHttpsTarget && !exchange.Request.IsSecure && !exchange.IsFromTrustedProxy;
    }

    // From here on the exchange needs nothing of the plan but its route's part.
    private static void Take(Exchange exchange, RoutePlan route)
    {
        var request = exchange.Request;
        if (request.WantsUpgrade && (request.HasBody || route.Forward is not { AllowsUpgrade: true })) request.WantsUpgrade = false;
        exchange.Place.Route = route.Name;
        exchange.Place.Upstream = route.Forward?.Upstream.Name;
        exchange.Place.UpstreamState = route.Forward?.Upstream;
        exchange.Timeouts = route.Timeouts;
        exchange.TotalDeadline = Timeouts.After(exchange.Loop.Now, route.Timeouts.Total);
        exchange.BodyLimit = route.BodyLimit;
        exchange.MinRate = route.MinRate;
        exchange.MinRateGrace = route.MinRateGrace;
        exchange.AnswersHalfClosed = route.AnswersHalfClosed;
        exchange.ResponsePolicies = route.RewriteResponse;
    }

    private static Verdict Apply(IRequestPolicy[] stage, Exchange exchange)
    {
        if (!Hops.CountDown(exchange)) return LastHopAnswer.Instance;
        foreach (var policy in stage)
        {
            var verdict = policy.Apply(exchange);
            if (!verdict.IsContinue) return verdict;
        }

        return Verdict.Continue;
    }

    // An answer of our own, or an origin's, be it kept or fetched.
    private LoopTask<Fault> AnswerAsync(Exchange exchange, RoutePlan route, Verdict verdict)
    {
        if (route.Integrity is { Generates: true } integrity) exchange.DigestWish = BodyDigests.Wish(exchange.Request.Fields, integrity);
        if ((verdict.Answer ?? route.Answer) is { } answer) return answer.PrepareAsync(exchange);
        if (route.Cache is { } cache) return caching.AnswerAsync(exchange, cache);
        if (route.Mirror is { } mirror) mirrors.Begin(exchange, mirror);
        var answered = forwarder.FetchAsync(exchange, route.Forward!);
        return route.Kept is { } kept && SiteCaches.MayChange(exchange.Request) ? kept.ForgetAsync(answered, exchange) : answered;
    }

    // What came is not what this client can be given, and may not be made so: the request, changed, goes the same way once more.
    private async LoopTask<Fault> AnswerAgainAsync(Exchange exchange, RoutePlan route, Verdict verdict)
    {
        await Forwarder.FinishAsync(exchange, Fault.None);
        exchange.Held?.Dispose();
        exchange.Held = null;
        exchange.KeptFrom = null;
        exchange.Rewind();
        exchange.Tried.Clear();
        (exchange.Place.Upstream, exchange.Place.UpstreamState) = (route.Forward?.Upstream.Name, route.Forward?.Upstream);
        var fault = await AnswerAsync(exchange, route, verdict);
        if (fault.IsNone) CodingFields.Vary(exchange.Response.Fields);
        return fault;
    }

    private LoopTask<Fault> DeliverAsync(Exchange exchange, RoutePlan route)
    {
        if (route.Forward is { } forward)
        {
            // What a cache keeps of it on its way it has verified itself.
            var isDirect = route.Integrity is { Verifies: true } && exchange.Origin is { } origin && exchange.ResponseSource == origin.ResponseBody;
            accelerator.Begin(exchange, forward, route.Accelerate, route.Integrity);
            if (isDirect) digests.Verify(exchange, route.Integrity!);
        }

        foreach (var policy in exchange.ResponsePolicies)
        {
            if (!policy.Apply(exchange)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Relay));
        }

        if (route.ResponseCoding is { } coding && !ResponseCoding.Apply(exchange, coding, coders)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Relay));
        if (!exchange.DigestWish.IsNone && !digests.Tell(exchange)) return new LoopTask<Fault>(new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Relay));
        var client = exchange.Client;
        var refused = client.StartResponse(exchange.Response, exchange.Request);
        if (refused != FaultCause.None) return new LoopTask<Fault>(Fault.Of(refused, Side.Origin, Stage.Relay));
        if (!exchange.Response.IsTunnel) return Relay.SendResponseAsync(exchange, exchange.ResponseSource!, client.ResponseBody);
        client.BecomeTunnel();
        exchange.Origin!.BecomeTunnel();
        return Tunnel.RunAsync(exchange);
    }

    private async LoopTask FailAsync(Exchange exchange, Fault fault, SitePlan? site, RoutePlan? route)
    {
        exchange.Fault = fault;
        if (fault.Side == Side.Origin && fault.Cause != FaultCause.WrongDigest) errors.Warn("upstream", $"{exchange.Place.Endpoint}: {fault.Told}");
        var client = exchange.Client;
        if (client.HasStarted || fault.Status == 0)
        {
            client.Abort();
            return;
        }

        if (fault.ClosesClient) client.EndAfterThis();
        (route?.ErrorPages ?? site?.ErrorPages ?? Listener.ErrorPages).Answer(exchange, fault.Status);
        site?.StrictTransport?.Apply(exchange);
        if (fault.Cause == FaultCause.UnknownContentCoding) RequestCoding.TellAccepted(exchange, route!.RequestCoding!);
        if ((route?.ResponseCoding ?? site?.ResponseCoding) is { } coding) ResponseCoding.Apply(exchange, coding, coders);
        var refused = client.StartResponse(exchange.Response, exchange.Request);
        if (refused == FaultCause.Exhausted)
        {
            exchange.Response.Status = 503;
            client.AnswerBare();
        }
        else if (refused != FaultCause.None || !(await Relay.SendAnswerAsync(exchange, exchange.ResponseSource!, client.ResponseBody)).IsNone)
        {
            client.Abort();
        }
    }

    private void Record(Exchange exchange, SitePlan? site)
    {
        exchange.Moments.Ended = exchange.Loop.Microseconds();
        records.End(exchange, site is null ? Listener.AccessLog : site.AccessLog);
    }

    private static Fault MatchPath(Exchange exchange)
    {
        var request = exchange.Request;
        var raw = request.Path.Span;
        if (!exchange.Scratch.TryTake(raw.Length + 1, out var room, out var range)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        var verdict = TargetPath.Normalize(raw, room, out var length);
        if (verdict == PathVerdict.Unsafe) return new Fault(FaultCause.UnsafePath, Side.Client, Stage.Policy);
        request.MatchedPath = exchange.Scratch.Trim(range, length);
        if (verdict == PathVerdict.Plain) return Fault.None;
        if (!exchange.Scratch.TryTake(raw.Length + 1, out room, out range)) return new Fault(FaultCause.Exhausted, Side.Proxy, Stage.Policy);
        request.ForwardedPath = exchange.Scratch.Trim(range, TargetPath.Resolve(raw, room));
        return Fault.None;
    }
}
