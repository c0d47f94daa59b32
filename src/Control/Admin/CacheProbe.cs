// The key that a running proxy would give a request, and the cache it would look in: by the engine's own steps, on the plan in
// force. Nothing is sent, and nothing is kept.

using System.Net;
using System.Text;
using Weir.Control.Explaining;
using Weir.Engine;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Engine.Policies.Rewrite;
using Weir.Wire.Http1;

namespace Weir.Control.Admin;

/// <summary>Finds keys. One thread's, for a moment.</summary>
internal sealed class CacheProbe : IDisposable
{
    private readonly EpollPoller poller = new();
    private readonly Exchange exchange;
    private readonly Plan plan;

    public CacheProbe(Plan plan)
    {
        this.plan = plan;
        exchange = new Exchange(new Loop(poller), new BufferPool(new MemoryBudget(1 << 24)));
    }

    /// <summary>A key, and what is kept by it.</summary>
    /// <param name="Cache">Where.</param>
    /// <param name="Route">The route.</param>
    /// <param name="Url">The key's URL.</param>
    /// <param name="Way">What keeps the request out of the cache; empty: nothing.</param>
    /// <param name="Kept">What there is; null: nothing.</param>
    /// <param name="Refusal">Why the last answer was not kept.</param>
    public sealed record Found(Cache Cache, string Route, string Url, string Way, KeptObject? Kept, LastRefusal? Refusal);

    /// <summary>Asks each listener's sites.</summary>
    /// <param name="url">What is asked for.</param>
    /// <param name="fields">Fields of the request, as lines.</param>
    /// <param name="client">Who asks.</param>
    /// <param name="trouble">Why there is nothing to be found.</param>
    public List<Found> Find(string url, string[] fields, IPAddress client, out string trouble)
    {
        var found = new List<Found>();
        trouble = "";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            trouble = $"expected a URL such as http://example.com/a, found '{url}'";
            return found;
        }

        var bytes = Explanation.Head("GET", url, uri, fields);
        foreach (var listener in plan.Listeners)
        {
            var before = found.Count;
            Try(listener, bytes, uri.Scheme == "https", client, found, ref trouble);
            exchange.End();
            if (found.Count > before && found.Take(before).Any(f => f.Cache == found[before].Cache && f.Url == found[before].Url && f.Route == found[before].Route)) found.RemoveAt(before);
        }

        if (found.Count > 0) trouble = "";
        return found;
    }

    public void Dispose() => poller.Dispose();

    private void Try(ListenerPlan listener, byte[] bytes, bool isSecure, IPAddress client, List<Found> found, ref string trouble)
    {
        var head = new RequestHead();
        head.Clear();
        if (RequestParser.Parse(bytes, listener.Settings.HeadLimits, head, out var fault) != ParseStatus.Done)
        {
            trouble = $"refused while its head is read: {fault}";
            return;
        }

        RequestFill.From(exchange, head, bytes, 0);
        exchange.Ends = new ConnectionEnds(client, 0, 0);
        exchange.Request.IsSecure = isSecure;
        var (_, route, refused) = Pipeline.Find(exchange, plan, listener);
        if (route is null || !refused.IsNone)
        {
            trouble = $"answered {refused.Status}: {Words.Cause(refused.Cause)}";
            return;
        }

        if (route.Cache is not { } cache)
        {
            trouble = $"the route {route.Name} has no cache";
            return;
        }

        foreach (var policy in route.Rewrite.Where(static p => p is not EarlyDataField))
        {
            if (!policy.Apply(exchange).IsContinue)
            {
                trouble = "the request is answered without its route's servers";
                return;
            }
        }

        if (!cache.Key.TryMake(exchange, out var key))
        {
            trouble = "the key would be too long: it goes past the cache";
            return;
        }

        var passes = cache.Passes?.Of(exchange);
        var way = passes == CachePasses.Way.Bypass ? "bypass" : passes == CachePasses.Way.NoStore ? "no_store" : "";
        var kept = CacheView.Find(cache.Cache, key.Url.Span, DateTime.UtcNow, key.Extra.Span.ToArray(), exchange.Request.Fields);
        found.Add(new Found(cache.Cache, route.Name, Encoding.Latin1.GetString(key.Url.Span), way, kept, CacheView.Refusal(cache.Cache, key.Url.Span)));
    }
}
