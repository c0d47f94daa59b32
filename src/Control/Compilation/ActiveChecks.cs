// From a health.active section to what is asked.

using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Upstreams;

namespace Weir.Control.Compilation;

internal static class ActiveChecks
{
    /// <summary>How an upstream's endpoints are checked; null: they are not.</summary>
    public static ActiveCheck? Of(UpstreamConfig upstream)
    {
        if (upstream.Health.Active is not { } from) return null;
        var target = from.Path ?? "/";
        var query = target.IndexOf('?', StringComparison.Ordinal);
        return new ActiveCheck
        {
            IsTcp = from.Tcp,
            Method = from.Method ?? "GET",
            Path = query < 0 ? target : target[..query],
            Query = query < 0 ? null : target[(query + 1)..],
            Fields = [.. from.Headers.Select(h => (h.Name, h.Value))],
            Host = from.Host ?? (upstream.Host is null or "keep" or "endpoint" ? null : upstream.Host),
            Port = (int)from.Port,
            Interval = from.Interval,
            Jitter = from.Jitter / 100.0,
            Timeout = from.Timeout,
            Rise = (int)from.Rise,
            Fall = (int)from.Fall,
            Expect = from.Expect.Count == 0 ? [(200, 399)] : [.. from.Expect.Select(e => (e.First, e.Last))],
            Body = from.Body is { } text ? Encoding.UTF8.GetBytes(text) : null,
        };
    }

    /// <summary>All that is written, for telling one from another.</summary>
    public static string Identity(ActiveCheckConfig? from) => from is null
        ? "unchecked"
        : $"{from.Tcp} {from.Method} {from.Path} {string.Join(' ', from.Headers.Select(h => $"{h.Name}: {h.Value}"))} {from.Host} {from.Port} {from.Interval} {from.Jitter} {from.Timeout} {from.Rise} {from.Fall} {string.Join(' ', from.Expect)} {from.Body}";
}
