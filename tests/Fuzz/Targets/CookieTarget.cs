// Cookies of our own in requests: whatever a client sends, the others are sent on as they are, ours is not, and only a value
// that was written with the key names an endpoint.

using System.Text;
using Weir.Engine;
using Weir.Engine.Policies.Cookies;
using Weir.Wire.Fields;

namespace Weir.Tests.Fuzz;

internal sealed class CookieTarget : Target
{
    private const string Secret = "0123456789abcdef";

    private static readonly Plan Plan = Trial.Compile($$"""
        listen: ":80"
        upstreams:
          one: { endpoints: ["http://10.0.0.1:1", "http://10.0.0.2:1"], sticky: { cookie: id, secret: "{{Secret}}", previous_secret: "fedcba9876543210" } }
          two: { endpoints: "http://10.0.0.3:1", sticky: { cookie: id2, secret: "{{Secret}}" } }
        sites: [{ proxy: { split: [{ proxy: one, weight: 9 }, { proxy: two }], by: cookie side } }]
        """);

    private static readonly string Good = Value();

    private readonly Trial trial = new();

    public override string Name => "cookies";

    public override string[] Covers => ["Weir.Engine.Policies.Cookies.", "Weir.Engine.Split", "Weir.Engine.Balancing.HashKey"];

    public override IEnumerable<string> Examples =>
    [
        $"Cookie: id={Good}", $"Cookie: a=b; id={Good}; side=x; c=d", $"Cookie: id={Good}; id={Good}\nCookie: id2={Good}; b", $"Cookie: id={Good[..47]}; ;; id=;id", "X: y\nCookie: side=;=;a=",
    ];

    public override string[] Words => ["Cookie: ", "id=", "id2=", "side=", ";", "; ", "=", "\n", "\t", "\"", Good, Good[..24]];

    public override void Check(byte[] input)
    {
        var head = "GET / HTTP/1.1\r\nHost: a\r\n" + Trial.Text(input).Replace("\n", "\r\n", StringComparison.Ordinal) + "\r\n\r\n";
        if (!trial.TryRequest(Encoding.Latin1.GetBytes(head))) return;
        try
        {
            var route = trial.TryRoute(Plan);
            if (route is null) return;
            var (request, ours) = (trial.Exchange.Request, route.Forward!.Upstream.Name == "one" ? "id=" : "id2=");
            var fields = request.Fields;
            var came = Pairs(Enumerable.Range(0, fields.Index.Count).Where(i => fields.Index[i].Known == KnownField.Cookie).Select(i => Trial.Text(fields.Value(i))));
            var kept = Enumerable.Range(0, fields.Index.Count).Where(i => fields.Index[i].Known == KnownField.Cookie && !fields.IsDropped(i)).Select(i => Trial.Text(fields.Value(i)));
            var sent = Pairs(kept.Concat(fields.Added.ToArray().Where(a => a.Known == KnownField.Cookie).Select(a => a.Value.ToString())));
            var wanted = came.Where(p => !p.StartsWith(ours, StringComparison.Ordinal)).ToArray();
            Must(wanted.SequenceEqual(sent), $"came {string.Join('|', came)}, sent on {string.Join('|', sent)}");
            Must(trial.Exchange.Preferred is null || came.Contains(ours + Good), $"nobody wrote this: {string.Join('|', came)}");
            Must(route.Split!.IsFixed(trial.Exchange) == trial.Exchange.SplitValue.IsEmpty, "who has a side is given none, and who has none is given one");
        }
        finally
        {
            trial.End();
        }
    }

    private static string[] Pairs(IEnumerable<string> lines) => [.. lines.SelectMany(l => l.Split(';')).Select(p => p.Trim(' ', '\t')).Where(p => p.Length > 0).Order(StringComparer.Ordinal)];

    private static string Value()
    {
        var text = new byte[StickyKey.TextLength];
        new StickyKey(Encoding.UTF8.GetBytes(Secret)).Write(Plan.Upstreams[0].Endpoints[1].Tag, text);
        return Encoding.ASCII.GetString(text);
    }
}
