// One request tried on one listener: parsed, routed and rewritten by the engine's own steps, and told step by step in the
// words of the configuration.

using System.Globalization;
using System.Net;
using System.Text;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Mirroring;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Policies.Cookies;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Tls;
using Weir.Engine.Transports;
using Weir.Wire.Http1;

namespace Weir.Control.Explaining;

internal sealed class Trial : IDisposable
{
    private readonly EpollPoller poller = new();
    private readonly Exchange exchange;
    private readonly Plan plan;
    private readonly ListenerPlan listener;
    private readonly Dictionary<object, IWritten> written;
    private readonly StringBuilder text;

    public Trial(Plan plan, ListenerPlan listener, Dictionary<object, IWritten> written, StringBuilder text)
    {
        (this.plan, this.listener, this.written, this.text) = (plan, listener, written, text);
        exchange = new Exchange(new Loop(poller), new BufferPool(new MemoryBudget(1 << 24)));
    }

    private Request Request => exchange.Request;

    /// <param name="bytes">The head.</param>
    /// <param name="client">Who sends it.</param>
    /// <param name="tls">What the handshake agreed on; null: there was none.</param>
    public void Explain(byte[] bytes, IPAddress client, TlsFacts? tls)
    {
        var head = new RequestHead();
        head.Clear();
        var status = RequestParser.Parse(bytes, listener.Settings.HeadLimits, head, out var fault);
        if (status != ParseStatus.Done)
        {
            Say($"refused while its head is read: {fault}");
            return;
        }

        RequestFill.From(exchange, head, bytes, 0);
        exchange.Ends = new ConnectionEnds(client, 0, 0, tls);
        Request.IsSecure = tls is not null;
        var (site, route, refused) = Pipeline.Find(exchange, plan, listener);
        if (site is not null) Say($"site {site.Name} ({Words.Place(written[site])})");
        if (site is not null && (refused.IsNone || refused.Cause == FaultCause.NoRoute)) TellUnmatched(site, route);
        if (!Passes(refused)) return;
        if (IsByChance(route!)) route = route!.Split!.Sides.First(static s => s.Weight > 0).Route; // So that one request is told one way.
        Say($"route {route!.Name}");
        Say($"client {exchange.ClientAddress}{(exchange.ClientAddress!.Equals(client) ? "" : " (told by a trusted proxy)")}");
        if (!Request.Path.Span.SequenceEqual(Request.ForwardedPath.Span)) Say($"path {Request.Path} is resolved to {Request.ForwardedPath}");
        if (!Hops.CountDown(exchange)) Say("answered by this hop: Max-Forwards is 0");
        else if (TryRewrite(route)) Answer(route, (RouteConfig)written[route]);
    }

    public void Dispose()
    {
        exchange.End();
        poller.Dispose();
    }

    private void Say(string line) => text.Append("  ").Append(line).Append('\n');

    private bool Passes(Fault fault)
    {
        if (!fault.IsNone) Say($"answered {fault.Status}: {Words.Cause(fault.Cause)}");
        return fault.IsNone;
    }

    // Asking the earlier routes one by one leaves their expressions' groups behind.
    private void TellUnmatched(SitePlan site, RoutePlan? route)
    {
        if (route is not null && written[route] is RouteConfig { ComesFirst: true }) return;
        Unmatched.Tell(exchange, (SiteConfig)written[site], route is null ? null : written[route], text);
        exchange.Captures.Clear();
        site.Routes.Find(exchange);
    }

    private bool TryRewrite(RoutePlan route)
    {
        TellEdits("weir", [], []); // What belongs to one hop.
        foreach (var policy in route.Rewrite)
        {
            if (policy is EarlyDataField)
            {
                TellEarly(); // What it does depends on the client's connection, and there is none.
                continue;
            }

            var before = Sent();
            var (dropped, added) = Edits();
            var verdict = policy.Apply(exchange);
            if (!Passes(verdict.Fault)) return false;
            if (policy is PathRewrite) Say(before == Sent() ? $"rewrite leaves {before}" : $"rewrite {before} to {Sent()}");
            else TellEdits(KeyOf(policy), dropped, added);
        }

        return true;
    }

    private void TellEarly()
    {
        if (listener.Tls is not OpenSslServer { Settings.Early: not EarlyDataUse.Off }) return;
        Say(EarlyRequests.IsSafe(Request) ? "early_data lets it go on before the client's handshake is done, with Early-Data: 1" : $"early_data: a {Request.Method} that comes before the client's handshake is done waits for it");
    }

    private static string KeyOf(IRequestPolicy policy) => policy switch
    {
        ForwardedFields => "forwarded",
        RequestIdField => "request_id",
        Sticky => "sticky",
        AskedCodings => "response_body",
        AskedPlain => "compress.dictionaries",
        RequestHeaders => "request_headers",
        PurgeMethod => "cache.purge",
        _ => policy.GetType().Name,
    };

    private string Sent() => $"{Request.ForwardedPath}{(Request.HasForwardedQuery ? "?" + Request.ForwardedQuery : "")}";

    private (HashSet<int> Dropped, HashSet<string> Added) Edits() =>
        ([.. Enumerable.Range(0, Request.Fields.Index.Count).Where(Request.Fields.IsDropped)], [.. Added(Request.Fields)]);

    private static List<string> Added(FieldBlock fields)
    {
        var lines = new List<string>();
        foreach (ref readonly var field in fields.Added) lines.Add($"{field.Name}: {field.Value}");
        return lines;
    }

    // What a step has changed of the fields that are sent on.
    private void TellEdits(string key, HashSet<int> dropped, HashSet<string> added)
    {
        for (var i = 0; i < Request.Fields.Index.Count; i++)
        {
            if (Request.Fields.IsDropped(i) && !dropped.Contains(i)) Say($"{key} removes {Encoding.Latin1.GetString(Request.Fields.Name(i))}");
        }

        var now = Added(Request.Fields);
        foreach (var line in added.Except(now)) Say($"{key} removes {line}");
        foreach (var line in now.Where(line => !added.Contains(line))) Say($"{key} sends {line}");
    }

    private void Answer(RoutePlan route, RouteConfig from)
    {
        if (route.Cache is { } cache) CacheWords.Tell(cache, (CacheConfig)written[cache], exchange, Say);
        if (route.Split is { } split) Forward(split, from.Proxy!, IsByChance(route) ? null : route);
        else if (route.Forward is { } forward) Forward(forward);
        else if (from.Files is { } files) Say($"files {files.Root}{Request.ForwardedPath}, index {string.Join(", ", files.Index)}{(files.Precompressed ? ", precompressed" : "")}");
        else if (!Fixed(route, from)) return;
        if (route.Accelerate is { } accelerate) Say(Words.Acceleration(accelerate));
        if (route.Integrity is { } integrity) Say(Words.Integrity(integrity));
        if (route.RequestCoding is { } requests) Say(Words.Coding(requests));
        if (route.Mirror is { } mirror) Mirror(mirror, from.Mirror!);
        if (route.RewriteResponse.OfType<HideOrigin>().Any()) Say("hide_origin removes Server, Via, X-Powered-By and the like; makes Location, Refresh and cookies that name the endpoint point here");
        if (Request.IsSecure && route.RewriteResponse.OfType<StrictTransport>().FirstOrDefault() is { } strict) Say($"hsts sets Strict-Transport-Security: {strict}");
        if (from.ResponseHeaders is { } edits)
        {
            foreach (var name in edits.Remove) Say($"response_headers removes {name}");
            foreach (var set in edits.Set) Say($"response_headers sets {set.Name}: {set.Value.Text}");
            foreach (var add in edits.Add) Say($"response_headers adds {add.Name}: {add.Value.Text}");
        }

        if (route.ResponseCoding is { } responses) TellCoding(responses, route.Answer is null || from.Files is not null);
        if (!IsByChance(route)) TellTimes(route);
        TellLimits(route);
    }

    // What an answer is like that is not there yet nobody knows: then it is told what the client takes.
    private void TellCoding(ResponseCodingPlan plan, bool isToCome)
    {
        if (plan.Decompress is { } decompress) Say($"response_body decompresses what the client does not take, {Words.Growth(decompress.MostSize, decompress.MostRatio)}");
        if (plan.Compress is not { } compress) return;
        var offered = $"compress {string.Join(", ", compress.Codings.Select(static c => $"{Words.Name(c.Coding)} {c.Level}"))}, from {Words.Size(compress.MinSize)}{(compress.CrossSite ? "" : ", not for other sites")}{(compress.Dictionaries ? ", kept answers by dictionaries too" : "")}";
        var choice = isToCome ? new CodingChoice(ResponseCoding.Accepted(Request, compress, out _), Untouched.NotAccepted) : ResponseCoding.Choose(exchange, compress);
        Say($"{offered}: {(choice.Coding != Coding.Identity ? $"{Words.Name(choice.Coding)} for this client" : Words.Untouched(choice.Why))}");
    }

    // Whether it is one of several, and nothing of the request says which.
    private bool IsByChance(RoutePlan route) => route.Split is { } split && !split.IsFixed(exchange);

    // A redirect and a fixed answer are ready at once.
    private bool Fixed(RoutePlan route, RouteConfig from)
    {
        if (!Passes(route.Answer!.PrepareAsync(exchange).GetAwaiter().GetResult())) return false;
        var response = exchange.Response;
        if (from.Redirect is not null) Say($"redirect {response.Status}");
        else Say($"respond {response.Status}, {Math.Max(0, response.AnnouncedLength)} bytes");
        foreach (var line in Added(response.Fields).Where(static line => !line.StartsWith("Date: ", StringComparison.Ordinal))) Say($"  {line}");
        return true;
    }

    // Where chance decides (there is none chosen), every side is told.
    private void Forward(Split split, ProxyTargetConfig from, RoutePlan? chosen)
    {
        Say($"split by {from.By}: {string.Join(", ", split.Sides.Select(s => $"{s.Route.Forward!.Upstream.Name} {s.Weight}"))}{(from.Fallback ? ", with fallback" : "")}");
        if (chosen is not null) Forward(chosen.Forward!);
        foreach (var side in split.Sides.Where(s => chosen is null && s.Weight > 0))
        {
            Forward(side.Route.Forward!);
            TellTimes(side.Route);
        }
    }

    private void Forward(ForwardPlan forward)
    {
        var upstream = (UpstreamConfig)written[forward];
        Say($"upstream {forward.Upstream.Name} ({Words.Place(upstream)}), {upstream.Balance}, {(upstream.Sticky is { } sticky ? $"sticky by the cookie {sticky.Cookie}, " : "")}{Words.Retry(forward.Retry, upstream.Retry)}{(forward.SafeReuse ? ", reuse safe" : "")}");
        if (forward.Upstream.Endpoints is [{ Settings.Active: { } check }, ..]) Say($"  health asks for {check.Question} every {Words.Duration(check.Interval)}, timeout {Words.Duration(check.Timeout)}, rise {check.Rise}, fall {check.Fall}");
        foreach (var line in Words.Failure(forward)) Say($"  {line}");
        if (forward.Upstream.Settings.Bounds is { } bounds) Say($"  {Words.Limits(bounds)}, priority {forward.Priority.ToString().ToLowerInvariant()}");
        foreach (var source in upstream.Discover?.Names ?? []) Say($"  discover {source}");
        foreach (var endpoint in forward.Upstream.Endpoints)
        {
            var host = forward.Host switch { HostMode.Endpoint => Encoding.ASCII.GetString(endpoint.Authority), HostMode.Fixed => Encoding.ASCII.GetString(forward.FixedHost), HostMode.Usual when endpoint.WantsOwnHost => Encoding.ASCII.GetString(endpoint.Authority), _ => Request.Authority.ToString() };
            Say($"  endpoint {endpoint.Identity}, weight {endpoint.Weight}{(endpoint.Tier > 0 ? $", backup {endpoint.Tier}" : "")}");
            if (endpoint.Tls is { } tls) Say($"    over TLS, {tls.Words}");
            Say($"    {Request.Method} {(Request.Form == TargetForm.Authority ? Request.Target.ToString() : Encoding.ASCII.GetString(endpoint.PathPrefix) + Sent())} HTTP/1.1");
            Say($"    Host: {host}");
        }
    }

    private void Mirror(MirrorPlan mirror, MirrorConfig from)
    {
        var where = $"mirror {mirror.Forward.Upstream.Name} ({Words.Place(written[mirror.Forward])})";
        var share = (mirror.Share * 100m / MirrorPlan.Whole).ToString(CultureInfo.InvariantCulture);
        if (mirror.Methods is { } methods && !methods.Holds(exchange)) Say($"{where} not: the method is not {Words.Or(from.Methods)}");
        else if (!MirrorPlan.CanPick(Request)) Say($"{where} not: it may become a tunnel");
        else Say($"{where}, {share}%, body {Words.Size(mirror.MostBody)}, most {mirror.Most} per loop, X-Mirrored: 1");
    }

    private void TellTimes(RoutePlan route)
    {
        var times = route.Timeouts;
        var (connect, tunnel) = route.Forward is null ? ("", "") : ($"connect {Words.Duration(times.Connect)}, first_byte {Words.Duration(times.FirstByte)}, ", $", tunnel {Words.Duration(times.Tunnel)}");
        Say($"timeouts header {Words.Duration(listener.Settings.Timeouts.Header)}, body {Words.Duration(times.Body)}, {connect}idle {Words.Duration(times.Idle)}, write {Words.Duration(times.Write)}, total {Words.Duration(times.Total)}{tunnel}");
    }

    private void TellLimits(RoutePlan route)
    {
        var heads = listener.Settings.HeadLimits;
        Say($"limits head {Words.Size(heads.HeadBytes)}, target {Words.Size(heads.TargetBytes)}, fields {heads.Fields}, body {Words.Size(route.BodyLimit)}, min_rate {(route.MinRate == 0 ? "off" : $"{Words.Size(route.MinRate)}/s after {Words.Duration(route.MinRateGrace)}")}");
    }
}
