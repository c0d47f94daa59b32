// What would become of a request: the same parser, host table, routes and rewrites as at work, over a plan that listens
// nowhere. Nothing is sent.

using System.Net;
using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Engine;

namespace Weir.Control.Explaining;

/// <summary>Explains requests.</summary>
public static class Explanation
{
    /// <summary>The explanation as text; null, with diagnostics, where the request cannot be made.</summary>
    public static string? Of(ProxyConfig config, string method, string url, string[] fields, string client, Diagnostics diagnostics)
    {
        var written = new Dictionary<object, IWritten>(ReferenceEqualityComparer.Instance);
        var live = new LiveThings(1);
        var compiler = new PlanCompiler(live, "weir-explain", written.Add);
        var plan = compiler.Compile(config, diagnostics, 1024);
        if (plan is null) return null;
        compiler.Apply();
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            diagnostics.Error(new Position("url", 0, 0), $"expected a URL such as http://example.com/a, found '{url}'");
            return null;
        }

        if (!IPAddress.TryParse(client, out var address))
        {
            diagnostics.Error(new Position("client", 0, 0), $"expected an address, found '{client}'");
            return null;
        }

        var text = new StringBuilder();
        var head = Head(method, url, uri, fields);
        foreach (var listener in Listeners(plan, uri, text))
        {
            text.Append($"listener {listener.Name} ({Words.Place(written[listener])})\n");
            var facts = Handshakes.Tell(listener, uri, live.Certificates, text);
            if (listener.Tls is not null && facts is null) continue;
            using var trial = new Trial(plan, listener, written, text);
            trial.Explain(head, address, facts);
        }

        return text.ToString();
    }

    // Those with the URL's port. Where none has it (a port may be mapped on the way here), all.
    private static IEnumerable<ListenerPlan> Listeners(Plan plan, Uri uri, StringBuilder text)
    {
        var asked = plan.Listeners.Where(l => !l.Address.IsUnix && l.Address.Port == uri.Port).ToArray();
        if (asked.Length > 0) return asked;
        if (!uri.IsDefaultPort) text.Append($"no listener has port {uri.Port}: told for {(plan.Listeners.Length == 1 ? "the one there is" : "each")}\n");
        return plan.Listeners;
    }

    // The URL's own text, so that dots and escapes are judged as a client would send them.
    internal static byte[] Head(string method, string url, Uri uri, string[] fields)
    {
        var afterAuthority = url.IndexOf("://", StringComparison.Ordinal) + 3;
        var path = url.IndexOfAny(['/', '?'], afterAuthority);
        var target = path < 0 ? "/" : url[path] == '?' ? "/" + url[path..] : url[path..];
        if (target.IndexOf('#', StringComparison.Ordinal) is >= 0 and var hash) target = target[..hash];
        var head = new StringBuilder($"{method} {target} HTTP/1.1\r\n");
        if (!Array.Exists(fields, f => f.StartsWith("host:", StringComparison.OrdinalIgnoreCase))) head.Append($"Host: {uri.Authority}\r\n");
        foreach (var field in fields) head.Append(field).Append("\r\n");
        return Encoding.UTF8.GetBytes(head.Append("\r\n").ToString());
    }
}
