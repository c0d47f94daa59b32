// What the middle of the engine computes from a request or a response, without connections.

using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Control.Configuration;
using Weir.Engine;
using Weir.Engine.Answers;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Http1;
using Weir.Engine.Listeners;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Rewrite;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;

namespace Weir.Tests.Fuzz;

internal static class ExchangeTargets
{
    public static Target[] All => [new RoutesTarget(), new TemplateTarget(), new RangeTarget(), new OriginTarget(), new IdentityTarget(), new RecordTarget()];
}

/// <summary>Routes, conditions and rewrites: whatever is asked, what would be sent on is a good target and good fields.</summary>
internal sealed class RoutesTarget : Target
{
    private static readonly Plan Plan = Trial.Compile("""
        listen: ":80"
        trusted_proxies: [10.0.0.0/8]
        sites:
          - hosts: [a.example, "*.b.example"]
            routes:
              - { match: { path: "/q/**", query: { k: { regex: "[a-z]+" }, flag: { present: true } } }, proxy: "http://10.0.0.1:1/q", rewrite: { query: "x={path}&{header:x-a}" } }
              - { match: { path: "/c/**", cookies: { s: { regex: "y(es)?" } }, headers: { x-a: "1" } }, proxy: "http://10.0.0.1:1" }
              - { match: { path: { regex: "/r/([^/]*)/(?<tail>.*)" } }, rewrite: { path: "/{group:tail}/{1}/{host}" }, proxy: "http://10.0.0.1:1/base" }
              - { match: "/s/*/t/**", rewrite: { strip_prefix: "/s/*/t", add_prefix: /new }, proxy: "http://10.0.0.1:1" }
              - { match: "/x/**", rewrite: { regex: { match: "([^/]+)/([^/]*)$", replace: "{2}/{1}{query}" } }, proxy: "http://10.0.0.1:1", request_headers: { set: { x-b: "{path} {query} {1}" }, remove: [x-a], add: { x-c: "{uri} {method} {authority}" } } }
              - { match: "/p", rewrite: { path: "{header:x-a}", query: "{query}&a=b" }, proxy: "http://10.0.0.1:1", forwarded: both }
          - { proxy: "http://10.0.0.1:1" }
        """);

    private readonly Trial trial = new();

    public override string Name => "routes";

    public override string[] Covers => ["Weir.Engine.Pipeline", "Weir.Engine.Routing.", "Weir.Engine.Policies.Rewrite.PathRewrite", "Weir.Engine.Policies.Rewrite.HeaderEdits", "Weir.Engine.Policies.Rewrite.ForwardedFields", "Weir.Engine.Http1.RequestFill", "Weir.Engine.Exchanges.Scratch"];

    public override IEnumerable<string> Examples => Heads.Requests.Concat(
    [
        "GET /q/a?k=abc&flag HTTP/1.1\r\nHost: a.example\r\nX-A: 1 2\r\n\r\n",
        "GET /c/a HTTP/1.1\r\nHost: x.b.example\r\nCookie: a=b; s=yes\r\nX-A: 1\r\n\r\n",
        "GET /r/%41/b/../c HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /s/%2F/t/u?v HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /x/y/z?w HTTP/1.1\r\nHost: a.example.\r\n\r\n",
        "GET /p?q HTTP/1.1\r\nHost: a.example\r\nX-A: /../a b\r\n\r\n",
    ]);

    public override string[] Words => [.. Heads.Words, "/q/", "/c/", "/r/", "/s/", "/t/", "/x/", "/p", "?k=a&flag", "%2e%2e", "..", "%2F", "%3F", "%23", "X-A: ", "Cookie: s=yes\r\n", "Host: a.example\r\n", ";", "%C3%A9", "Max-Forwards: 1\r\n"];

    public override void Check(byte[] input)
    {
        if (!trial.TryRequest(input)) return;
        try
        {
            if (trial.TryRoute(Plan) is null) return;
            var flaw = trial.Flaw();
            Must(flaw is null, flaw!);
        }
        finally
        {
            trial.End();
        }
    }
}

/// <summary>A template, read from its text and rendered: what comes is what reading it by hand gives.</summary>
internal sealed class TemplateTarget : Target
{
    private readonly Trial trial = new();

    public override string Name => "template";

    public override string[] Covers => ["Weir.Engine.Exchanges.Template", "Weir.Control.Configuration.Placeholders", "Weir.Control.Configuration.Shapes"];

    public override IEnumerable<string> Examples =>
    [
        "https://{host}/new{path}?{query}\n\nGET /a?b HTTP/1.1\r\nHost: C:80\r\n\r\n",
        "{{x}} {method} {uri} {authority} {header:x-a} {1} {group:g} {client_ip} {client_port} {scheme} {status}\n\nGET /a HTTP/1.1\r\nHost: c\r\nX-A: d\r\n\r\n",
    ];

    public override string[] Words => [.. Placeholders.Names.Select(n => $"{{{n}}}"), "{{", "}", "{", "{header:host}", "{group:a}", "{31}", "\n\n", "GET /a?b HTTP/1.1\r\nHost: c\r\n\r\n", "X-A: b\r\n"];

    public override void Check(byte[] input)
    {
        var (template, head) = Trial.Halves(input);
        var diagnostics = new Diagnostics();
        var read = Shapes.Template.Read(new ScalarNode(Position.None, Trial.Text(template), false), diagnostics, out var text) == Reading.Good;
        Must(read != diagnostics.HasErrors, "neither good nor a mistake");
        if (!read || !trial.TryRequest(head)) return;
        try
        {
            // Names of groups become numbers when a route is compiled.
            var parts = text.Parts.Select(p => p.Kind == Placeholder.Capture ? p with { Group = Math.Max(0, p.Group) } : p).ToArray();
            var exchange = trial.Exchange;
            exchange.Captures.Set(0, exchange.Request.Path);
            exchange.Captures.Set(1, exchange.Request.Target);
            Must(new Template(parts).TryRender(exchange, out var rendered), "there is no room");
            var expected = string.Concat(parts.Select(p => Expected(p, exchange)));
            Must(rendered.ToString() == expected, $"rendered: '{rendered}', expected '{expected}'");
        }
        finally
        {
            trial.End();
        }
    }

    private static string Expected(Template.Part part, Exchange exchange)
    {
        var request = exchange.Request;
        return part.Kind switch
        {
            Placeholder.Literal => Trial.Text(part.Text),
            Placeholder.Host => request.Host.ToString(),
            Placeholder.Authority => request.Authority.ToString(),
            Placeholder.Path => request.Path.ToString(),
            Placeholder.Query => request.Query.ToString(),
            Placeholder.Uri => request.Path + (request.HasQuery ? "?" + request.Query : ""),
            Placeholder.Scheme => "http",
            Placeholder.Method => request.Method.ToString(),
            Placeholder.ClientIp => "",
            Placeholder.ClientPort => exchange.Ends.ClientPort.ToString(CultureInfo.InvariantCulture),
            Placeholder.RequestId => exchange.RequestId.ToString(),
            Placeholder.Status => exchange.Response.Status.ToString(CultureInfo.InvariantCulture),
            Placeholder.Capture => exchange.Captures[part.Group].ToString(),
            _ => Enumerable.Range(0, request.Fields.Index.Count).Where(i => Trial.Text(request.Fields.Name(i)).Equals(Trial.Text(part.Text), StringComparison.OrdinalIgnoreCase)).Select(i => Trial.Text(request.Fields.Value(i))).FirstOrDefault() ?? "",
        };
    }
}

/// <summary>Ranges and conditions on a file: what is chosen lies within it.</summary>
internal sealed class RangeTarget : Target
{
    private static readonly DateTime Modified = new(1994, 11, 6, 8, 49, 37, DateTimeKind.Utc);

    private readonly Trial trial = new();

    public override string Name => "range";

    public override string[] Covers => ["Weir.Engine.Answers.ByteRanges", "Weir.Engine.Answers.Preconditions"];

    public override IEnumerable<string> Examples => new[] { "Range: bytes=0-5", "Range: bytes=-5", "Range: bytes=5-", "Range: bytes=1-2\r\nIf-Range: \"t\"", "Range: bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT", "If-Match: \"a\", \"t\"", "If-None-Match: W/\"t\"", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", "If-None-Match: *" }.Select(f => $"GET /f HTTP/1.1\r\nHost: a\r\n{f}\r\n\r\n");

    public override string[] Words => ["Range: ", "bytes=", "-", "0-0", ",", "If-Range: ", "\"t\"", "W/", "\r\n"];

    public override void Check(byte[] input)
    {
        if (!trial.TryRequest(input)) return;
        try
        {
            foreach (var length in (long[])[0, 1, 6, 1_000_000, long.MaxValue])
            {
                var (first, count, status) = ByteRanges.Choose(trial.Exchange.Request, "\"t\""u8, Modified, length, Modified.AddHours(1));
                Must(status is 200 or 206 or 416, $"status: {status}");
                Must(first >= 0 && count >= 0 && count <= length - first, $"out of the file: {count} from {first} of {length}");
                Must(status != 200 || (first == 0 && count == length), "200: not the whole");
                Must(status != 206 || count > 0, "206: nothing");
            }

            var outcome = Preconditions.Evaluate(trial.Exchange.Request.Fields, "\"t\""u8, Modified);
            Must(outcome is 0 or 304 or 412, $"outcome: {outcome}");
        }
        finally
        {
            trial.End();
        }
    }
}

/// <summary>A response that is rewritten so that it does not tell of its origin.</summary>
internal sealed class OriginTarget : Target
{
    private const string Authority = "origin.internal:80";

    private static readonly byte[] Asked = Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: front.example\r\n\r\n");

    private readonly Trial trial = new();
    private static readonly byte[] Base = "/base"u8.ToArray();

    private readonly HideOrigin policy = new();
    private readonly Endpoint endpoint = new("http://" + Authority, Authority, 1) { PathPrefix = Base };

    public override string Name => "origin";

    public override string[] Covers => ["Weir.Engine.Policies.Rewrite.HideOrigin", "Weir.Engine.Exchanges.FieldBlock"];

    public override IEnumerable<string> Examples => new[]
    {
        "Location: http://origin.internal:80/base/x", "Content-Location: https://origin.internal/y?z", "Refresh: 5; url=http://origin.internal", "Set-Cookie: a=b; Domain=origin.internal; Path=/",
        "Set-Cookie: a=b; domain=.internal", "Server: x\r\nX-Powered-By: y\r\nVia: 1.1 z", "Set-Cookie: a=b;DOMAIN = origin.internal ;Secure\r\nSet-Cookie: c=d",
    }.Select(f => $"HTTP/1.1 200 OK\r\n{f}\r\n\r\n");

    public override string[] Words => ["Location: ", "Refresh: ", "Set-Cookie: ", "http://", "https://", "origin.internal", ":80", "/base", "; Domain=", "; ", "url=", "ORIGIN.INTERNAL", "\r\n", "=", "front.example"];

    public override void Check(byte[] input)
    {
        Must(trial.TryRequest(Asked), "the request is not accepted");
        try
        {
            if (!trial.TryResponse(input)) return;
            var exchange = trial.Exchange;
            exchange.Place.EndpointState = endpoint;
            exchange.Request.PathPrefix = endpoint.PathPrefix;
            exchange.Origin = SilentOrigin.Instance;
            policy.Apply(exchange);
            var fields = exchange.Response.Fields;
            var flaw = Trial.Flaw(fields);
            Must(flaw is null, flaw!);
            var kept = new List<(string Name, string Value)>();
            for (var i = 0; i < fields.Index.Count; i++)
            {
                if (!fields.IsDropped(i)) kept.Add((Trial.Text(fields.Name(i)).ToLowerInvariant(), Trial.Text(fields.Value(i))));
            }

            foreach (ref readonly var added in fields.Added) kept.Add((added.Name.ToString().ToLowerInvariant(), added.Value.ToString()));
            foreach (var (name, value) in kept)
            {
                Must(name is not ("server" or "via" or "x-powered-by"), $"passed on: {name}");
                if (name == "location") Must(!value.StartsWith("http://origin.internal/", StringComparison.Ordinal) && !value.StartsWith("https://origin.internal:80/", StringComparison.Ordinal), $"points at the origin: {value}");
                if (name == "set-cookie") Must(!value.Split(';').Skip(1).Any(IsOwnDomain), $"cookie of the origin: {value}");
            }
        }
        finally
        {
            trial.End();
        }
    }

    private static bool IsOwnDomain(string attribute)
    {
        var halves = attribute.Split('=', 2);
        return halves.Length == 2 && halves[0].Trim(' ', '\t').Equals("domain", StringComparison.OrdinalIgnoreCase) && halves[1].Trim(' ', '\t').TrimStart('.').Equals("origin.internal", StringComparison.OrdinalIgnoreCase);
    }

    private sealed class SilentOrigin : OriginStream
    {
        public static readonly SilentOrigin Instance = new();

        public override bool IsReused => false;

        public override bool IsDead => false;

        public override bool EndsAfterThis => false;

        public override BodySink RequestBody => throw new NotSupportedException();

        public override BodySource ResponseBody => throw new NotSupportedException();

        public override Engine.Loops.Signal Readable { get; } = new();

        public override FaultCause StartRequest(Request request) => throw new NotSupportedException();

        public override HeadStatus TryReceiveHead(Request request, Response into) => throw new NotSupportedException();

        public override void BecomeTunnel()
        {
        }

        public override void Release()
        {
        }

        public override void Abort()
        {
        }
    }
}

/// <summary>Whose request it is, and what the origin is told of that.</summary>
internal sealed class IdentityTarget : Target
{
    private static readonly TrustedProxies Trusted = new([System.Net.IPNetwork.Parse("192.0.2.0/24"), System.Net.IPNetwork.Parse("10.0.0.0/8"), System.Net.IPNetwork.Parse("fd00::/8")]);

    private readonly Trial trial = new();
    private readonly Hops hops = new("weir-fuzz");

    public override string Name => "identity";

    public override string[] Covers => ["Weir.Engine.Listeners.ClientIdentity", "Weir.Engine.Policies.Rewrite.ForwardedFields", "Weir.Engine.Forwarding.Hops"];

    public override IEnumerable<string> Examples => new[] { "X-Forwarded-For: 1.2.3.4, 10.0.0.1", "X-Forwarded-For: [fd00::1]:80\r\nX-Forwarded-For: 10.1.1.1:5", "Forwarded: for=1.2.3.4;host=\"a\"\r\nX-Forwarded-Proto: https", "Via: 1.1 weir-fuzz", "Via: 1.0 a (b), 1.1 c" }.Select(f => $"GET / HTTP/1.1\r\nHost: a\r\n{f}\r\n\r\n");

    public override string[] Words => ["X-Forwarded-For: ", "10.0.0.1", "[fd00::1]", "::ffff:10.0.0.1", ", ", ":80", "fe80::1%eth0", "\r\n", "Via: 1.1 weir-fuzz", "Forwarded: ", "[", "]"];

    public override void Check(byte[] input)
    {
        foreach (var form in (ForwardedForm[])[ForwardedForm.XForwarded, ForwardedForm.XForwarded | ForwardedForm.Rfc7239])
        {
            foreach (var trusted in (TrustedProxies[])[TrustedProxies.None, Trusted])
            {
                if (!trial.TryRequest(input)) return;
                try
                {
                    var exchange = trial.Exchange;
                    ClientIdentity.Find(exchange, trusted);
                    Must(exchange.ClientAddress is not null, "nobody asked");
                    _ = hops.HasBeenHere(exchange.Request);
                    Must(new ForwardedFields(form, hops).Apply(exchange).IsContinue, "there is no room");
                    var flaw = Trial.Flaw(exchange.Request.Fields);
                    Must(flaw is null, flaw!);
                    if (trusted == Trusted) continue;
                    Must(!exchange.Request.IsSecure, "an untrusted peer's scheme was believed");
                    Must(exchange.ClientAddress!.Equals(exchange.Ends.ClientAddress), "an untrusted peer was believed");
                    var fields = exchange.Request.Fields;
                    for (var i = 0; i < fields.Index.Count; i++) Must(fields.Index[i].Known is not (KnownField.XForwardedFor or KnownField.Forwarded or KnownField.XForwardedProto) || fields.IsDropped(i), "an untrusted field is passed on");
                }
                finally
                {
                    trial.End();
                }
            }
        }
    }
}

/// <summary>Access records: one line, JSON that parses and says what came.</summary>
internal sealed class RecordTarget : Target
{
    private readonly Trial trial = new();
    private readonly LogFormat combined = LogFormat.TryCompile(LogFormat.Combined, out _)!;
    private readonly LogRing ring = new(1 << 16);

    public override string Name => "record";

    public override string[] Covers => ["Weir.Engine.Observe.LogFormat", "Weir.Engine.Observe.LogRing", "Weir.Engine.Observe.LogTime"];

    public override IEnumerable<string> Examples => Heads.Requests.Concat(["GET /\"\\ HTTP/1.1\r\nHost: a\r\nReferer: \"\\\xe9\r\nUser-Agent: \t x\r\nTraceparent: 00-1-2-01\r\n\r\n", "site\"\\\x01\xe9\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"]);

    public override string[] Words => ["Referer: ", "User-Agent: ", "Traceparent: ", "\"", "\\", "\r\n", "\xe9\xff", "\\u0000", "\n\n", "{", "}"];

    public override void Check(byte[] input)
    {
        var (name, head) = Trial.Halves(input);
        if (!trial.TryRequest(head.Length == 0 ? name : head)) return;
        try
        {
            var exchange = trial.Exchange;
            // Names come from the operator: any text.
            if (head.Length > 0) exchange.Place.Site = exchange.Place.Upstream = Trial.Text(name);
            exchange.ClientAddress = exchange.Ends.ClientAddress;
            exchange.Moments.Ended = exchange.Moments.Begun + 5;
            var record = Written(LogFormat.Json, exchange);
            using var json = JsonDocument.Parse(record);
            var root = json.RootElement;
            var target = exchange.Request.Target.ToString();
            Must(root.GetProperty("uri").GetString() == target[..Math.Min(target.Length, 2048)], "uri: another");
            Must(root.GetProperty("method").GetString() == exchange.Request.Method.ToString() || exchange.Request.Method.Length > 2048, "method: another");
            if (head.Length > 0)
            {
                Must(root.TryGetProperty("ending", out _), "cut: no ending");
                var said = root.GetProperty("site").GetString()!;
                var site = Trial.Text(name);
                Must(said == site[..Math.Min(site.Length, 128)], $"site: '{said}'");
            }

            Written(combined, exchange);
        }
        finally
        {
            trial.End();
        }
    }

    private byte[] Written(LogFormat format, Exchange exchange)
    {
        format.Write(exchange, ring);
        byte[] record = [];
        Must(ring.Drain(bytes => record = bytes.ToArray()) == 1 && ring.Dropped == 0, "not one record");
        Must(record.AsSpan().IndexOfAnyExceptInRange((byte)0x20, (byte)0x7E) == record.Length - 1 && record[^1] == '\n', "not one line");
        return record;
    }
}
