// One request tried on one listener: parsed, routed and rewritten by the engine's own steps.

using System.Net;
using System.Text;
using Weir.Engine;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Loops;
using Weir.Engine.Memory;
using Weir.Wire.Http1;

namespace Weir.Control.Explaining;

internal sealed class Trial : IDisposable
{
    private readonly EpollPoller poller = new();
    private readonly Exchange exchange;
    private readonly Plan plan;
    private readonly ListenerPlan listener;

    public Trial(Plan plan, ListenerPlan listener)
    {
        this.plan = plan;
        this.listener = listener;
        exchange = new Exchange(new Loop(poller), new BufferPool(new MemoryBudget(1 << 24)));
    }

    public void Explain(byte[] bytes, IPAddress client, StringBuilder text)
    {
        var head = new RequestHead();
        head.Clear();
        var status = RequestParser.Parse(bytes, listener.Settings.HeadLimits, head, out var fault);
        if (status != ParseStatus.Done)
        {
            text.Append($"  refused while its head is read: {fault}\n");
            return;
        }

        RequestFill.From(exchange, head, bytes, 0);
        exchange.Ends = new ConnectionEnds(client, 0, 0);
        var (site, route, refused) = Pipeline.Find(exchange, plan, listener);
        if (site is not null) text.Append($"  site {site.Name}\n");
        if (!refused.IsNone)
        {
            text.Append($"  answered {refused.Status}: {refused.Cause}\n");
            return;
        }

        text.Append($"  route {route!.Name}\n");
        text.Append($"  client {exchange.ClientAddress}{(exchange.IsFromTrustedProxy ? " (told by a trusted proxy)" : "")}\n");
        foreach (var policy in route.Rewrite)
        {
            var verdict = policy.Apply(exchange);
            text.Append($"  request  {policy.GetType().Name}{(verdict.IsContinue ? "" : $": answered {verdict.Fault.Status} {verdict.Fault.Cause}")}\n");
            if (!verdict.IsContinue) return;
        }

        if (route.Forward is { } forward) Forward(forward, text);
        else text.Append($"  answers  {route.Answer!.GetType().Name}\n");
        foreach (var policy in route.RewriteResponse) text.Append($"  response {policy.GetType().Name}\n");
        text.Append($"  timeouts connect {Time(route.Timeouts.Connect)}, first_byte {Time(route.Timeouts.FirstByte)}, idle {Time(route.Timeouts.Idle)}, total {Time(route.Timeouts.Total)}\n");
    }

    public void Dispose()
    {
        exchange.End();
        poller.Dispose();
    }

    private void Forward(ForwardPlan forward, StringBuilder text)
    {
        var request = exchange.Request;
        text.Append($"  upstream {forward.Upstream.Name}\n");
        foreach (var endpoint in forward.Upstream.Endpoints)
        {
            var host = forward.Host switch { HostMode.Keep => request.Authority.ToString(), HostMode.Endpoint => Encoding.ASCII.GetString(endpoint.Authority), _ => Encoding.ASCII.GetString(forward.FixedHost) };
            text.Append($"    endpoint {endpoint.Identity} weight {endpoint.Weight}: {request.Method} {Encoding.ASCII.GetString(endpoint.PathPrefix)}{request.ForwardedPath}{(request.HasForwardedQuery ? "?" + request.ForwardedQuery : "")}, Host {host}\n");
        }

        foreach (ref readonly var added in request.Fields.Added) text.Append($"    field {added.Name}: {added.Value}\n");
        for (var i = 0; i < request.Fields.Index.Count; i++)
        {
            if (request.Fields.IsDropped(i)) text.Append($"    not passed on: {Encoding.Latin1.GetString(request.Fields.Name(i))}\n");
        }
    }

    private static string Time(long milliseconds) => milliseconds == Timeouts.None ? "off" : $"{milliseconds} ms";
}
