// Any text is a configuration or has mistakes that are told; it never throws. What is accepted compiles, and what it makes
// of some requests can be sent.

using System.Net;
using System.Text;
using Weir.Control.Compilation;
using Weir.Control.Configuration;
using Weir.Tests.Support;

namespace Weir.Tests.Fuzz;

internal sealed class ConfigurationTarget : Target
{
    private static readonly byte[][] Requests = [.. new[]
    {
        "GET /api/a?b HTTP/1.1\r\nHost: example.com\r\nX-A: c\r\n\r\n",
        "GET /r/abc/d HTTP/1.1\r\nHost: h\r\nCookie: beta=yes\r\n\r\n",
        "DELETE / HTTP/1.0\r\n\r\n",
    }.Select(Encoding.Latin1.GetBytes)];

    private readonly Trial trial = new();

    public override string Name => "config";

    public override string[] Covers => ["Weir.Control.Configuration.", "Weir.Control.Compilation.", "YamlDotNet.Core.Scanner", "YamlDotNet.Core.Parser"];

    public override IEnumerable<string> Examples => Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Golden", "cases"), "*.txt").Order(StringComparer.Ordinal)
        .Select(f => File.ReadAllText(f, Encoding.Latin1).Split("\n----------\n")[0])
        .Select(t => string.Join('\n', t.Split('\n').Where(l => !l.StartsWith("? ", StringComparison.Ordinal))));

    public override string[] Words =>
    [
        "listen: ", "sites:\n", "  - ", "routes:\n", "match: ", "proxy: ", "rewrite: ", "respond: ", "redirect: ", "upstreams:\n", "limits: ", "timeouts: ", "\": \"", "{ ", " }", "[", "]", "!!str ", "!a ", "&a ", "*a", "<<: ", "? ", ": ", "- ", "|\n  ", ">\n  ", "|+2\n",
        "---\n", "...\n", "%YAML 1.1\n", "%TAG ! !\n", "\t", "#", "\"\\x41\"", "\"\\u00e9\"", "''", "${NAME}", "$${", "{path}", "{{", "{1}", "{group:a}", "regex: ", "(?<a>.*)", "[a-z]{1,3}", "\\", "10MiB", "5s", "off", "null", "~", "true", "127.0.0.1:80", "[::1]:80", "unix:/a", "*.b.example", "response_headers: { set: { a: b } }", "host: ", "headers: ", "via: ", "\r\n", "\u0085",
    ];

    public override void Check(byte[] input)
    {
        var diagnostics = new Diagnostics();
        // Bytes that make UTF-8 are read as such, as a file's are.
        var config = ConfigLoader.Read("fuzz", Encoding.UTF8.GetString(input), diagnostics, static name => name == "NAME" ? "value" : null);
        var said = diagnostics.ToString();
        Must(config is null == diagnostics.HasErrors, "neither a configuration nor a mistake");
        Must(config is not null || said.Length > 0, "refused without a word");
        if (config is null || ReachesOut(config)) return;
        var compiler = new PlanCompiler(new LiveThings(1), "weir-fuzz");
        var plan = compiler.Compile(config, diagnostics, 1024);
        Must(plan is null == diagnostics.HasErrors, "neither a plan nor a mistake");
        if (plan is null) return;
        compiler.Apply();
        foreach (var request in Requests)
        {
            Must(trial.TryRequest(request), "the request is not accepted");
            try
            {
                if (trial.TryRoute(plan) is not { } route) continue;
                var flaw = trial.Flaw();
                Must(flaw is null, flaw!);
                if (route.Forward is { Host: Engine.Forwarding.HostMode.Fixed } forward) Must(forward.FixedHost.AsSpan().IndexOfAnyExceptInRange((byte)0x21, (byte)0x7E) < 0, $"host: '{Trial.Text(forward.FixedHost)}'");
            }
            finally
            {
                trial.End();
            }
        }
    }

    // What would look a name up or open a file for writing is not compiled here.
    private static bool ReachesOut(ProxyConfig config)
    {
        IEnumerable<IAction> actions = [.. config.Sites, .. config.Sites.SelectMany(s => s.Routes)];
        var upstreams = config.Upstreams.Select(u => u.Value).Concat(actions.Select(a => a.Proxy?.Inline).OfType<UpstreamConfig>());
        return config.AccessLog is not null || config.Sites.Exists(s => s.AccessLog is not null)
            || upstreams.SelectMany(u => u.Endpoints).Any(e => e.Url is not { } url || (url.Scheme != "unix" && !IPAddress.TryParse(url.Host.Trim('[', ']'), out _)));
    }
}
