// Caches, seen and purged while the proxy runs:
//   GET  /caches           all of them: sizes and counts
//   POST /caches/purge     {"url": …} or "prefix", "expression", "tag", "all": true; "cache": NAME, "soft": true, "dry_run": true
//   POST /caches/list      {"prefix": …} or "expression"; "cache": NAME, "limit": 100
//   POST /caches/explain   {"url": …, "headers": ["Name: value"], "client": ADDRESS}
// Bodies are JSON. 400: not JSON; 404: no such cache; 422: a wrong value. What takes long runs on a thread of its own.

using System.Net;
using System.Text.Json;
using Weir.Control.Configuration;
using Weir.Engine.Caching;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Control.Admin;

/// <summary>Answers for caches. On the admin loop.</summary>
internal sealed class CachesHandler(RunningProxy proxy)
{
    public const string Path = "/caches";

    // URLs that a list tells of.
    private const int MostListed = 10_000;

    // Purges, lists and explanations at once.
    private const int MostJobs = 4;

    // How long (ms) a purge waits for its files to be gone, and how often it looks.
    private const int MostDiskWait = 10_000;
    private const int DiskLook = 5;

    private static readonly string[] Keys = ["url", "prefix", "expression", "tag", "all", "cache", "soft", "dry_run", "limit", "headers", "client"];

    private int jobs;

    public async LoopTask AnswerAsync(Exchange exchange, string method, string path)
    {
        if (path == Path)
        {
            if (method is "GET" or "HEAD") AdminAnswer.Json(exchange, 200, CacheDocuments.Caches(proxy.Caches));
            else AdminAnswer.NotAllowed(exchange, method, "GET, HEAD");
            return;
        }

        var deed = path[(Path.Length + 1)..];
        if (deed is not ("purge" or "list" or "explain"))
        {
            AdminAnswer.Error(exchange, 404, "there is nothing here");
            return;
        }

        if (method != "POST")
        {
            AdminAnswer.NotAllowed(exchange, method, "POST");
            return;
        }

        if (await AdminBody.ReadAsync(exchange) is not { } body || Ask.Parse(exchange, body) is not { } ask) return;
        var caches = ask.Cache is { } name ? [.. proxy.Caches.Where(c => c.Name == name)] : proxy.Caches;
        if (ask.Cache is not null && caches.Count == 0)
        {
            AdminAnswer.Error(exchange, 404, $"no route keeps answers in a cache '{ask.Cache}'{NearestWord.Suggest(ask.Cache, proxy.Caches.Select(static c => c.Name))}");
            return;
        }

        if (jobs >= MostJobs)
        {
            AdminAnswer.Error(exchange, 503, "too many purges and lists are under way");
            return;
        }

        jobs++;
        var (status, text) = (0, "");
        await SideJob.RunAsync(exchange, "weir-cache", () => (status, text) = Guarded(deed, ask, caches));
        jobs--;
        AdminAnswer.Json(exchange, status, text);
    }

    private (int Status, string Text) Guarded(string deed, Ask ask, IReadOnlyList<Cache> caches)
    {
        try
        {
            return Do(deed, ask, caches);
        }
#pragma warning disable CA1031 // A thread's root: out of descriptors or memory, a bug; it is told, and harms no request.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            proxy.Errors.Error("cache", $"{deed} failed: {bug}");
            return (500, $"{{\"error\":{JsonText.Quote(bug.Message)}}}\n");
        }
    }

    private (int Status, string Text) Do(string deed, Ask ask, IReadOnlyList<Cache> caches)
    {
        var now = DateTime.UtcNow;
        switch (deed)
        {
            case "explain":
                if (ask.Url is null) return Wrong("explain needs a url");
                if (!IPAddress.TryParse(ask.Client ?? "127.0.0.1", out var client)) return Wrong($"'{ask.Client}' is no address");
                using (var probe = new CacheProbe(proxy.Engine.Plan!))
                {
                    return CacheDocuments.Explain(probe.Find(ask.Url, ask.Headers, client, out var trouble), trouble, now);
                }

            case "list":
                if (ask.Target is { Url: not null } or { Tag: not null }) return Wrong("a list is by prefix or expression; weir cache explain tells of one url");
                var target = ask.Target ?? new PurgeTarget { All = true };
                return (200, CacheDocuments.List(caches.Select(c => (c.Name, CacheView.List(c, target, Math.Min(ask.Limit ?? 100, MostListed), now)))));
            default:
                if (ask.Target is not { } what) return Wrong("what is purged: exactly one of url, prefix, expression, tag and all");
                return (200, Purge(ask, what, caches));
        }
    }

    private string Purge(Ask ask, PurgeTarget what, IReadOnlyList<Cache> caches)
    {
        var manner = ask.IsDry ? PurgeManner.Dry : ask.IsSoft ? PurgeManner.Soft : PurgeManner.Hard;
        var targets = new List<PurgeTarget> { what };
        if (what.Url is { } url && !url.StartsWith("//", StringComparison.Ordinal))
        {
            // As a route's key has it: sorted, without what does not count.
            using var probe = new CacheProbe(proxy.Engine.Plan!);
            targets.AddRange(probe.Find(url, ask.Headers, IPAddress.Loopback, out _).Select(static f => f.Url).Where(u => u != url).Distinct().Select(static u => new PurgeTarget { Url = u }));
        }

        var count = default(PurgeCount);
        foreach (var cache in caches)
        {
            foreach (var target in targets) count += Engine.Caching.Purge.Run(cache, target, manner);
        }

        if (!ask.IsDry) WaitForDisks(caches);
        if (!ask.IsDry) proxy.Errors.Deed(Engine.Observe.LogLevel.Info, "cache", $"{(ask.IsSoft ? "made stale" : "purged")} by {ask.Words}: {count.Responses} answers, {count.Fills} on their way");
        return $"{{\"purged\":{count.Responses},\"bytes\":{count.Bytes},\"fills\":{count.Fills},\"soft\":{(ask.IsSoft ? "true" : "false")},\"dry_run\":{(ask.IsDry ? "true" : "false")}}}\n";
    }

    // Who purged because something must not be shown any more is told once no kill brings it back, where that does not take long.
    private static void WaitForDisks(IReadOnlyList<Cache> caches)
    {
        for (var waited = 0; waited < MostDiskWait && caches.Any(static c => c.Disk is { IsPurging: true }); waited += DiskLook) Thread.Sleep(DiskLook);
    }

    private static (int Status, string Text) Wrong(string text) => (422, $"{{\"error\":{JsonText.Quote(text)}}}\n");

    // What a body asks for.
    private sealed record Ask(PurgeTarget? Target, string? Url, string? Cache, bool IsSoft, bool IsDry, int? Limit, string[] Headers, string? Client, string Words)
    {
        public static Ask? Parse(Exchange exchange, byte[] body)
        {
            try
            {
                using var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 8 });
                var root = json.RootElement;
                if (root.ValueKind != JsonValueKind.Object) return Refuse(exchange, "expected an object");
                if (root.EnumerateObject().FirstOrDefault(static p => !Keys.Contains(p.Name)).Value.ValueKind != JsonValueKind.Undefined) return Refuse(exchange, $"unknown key; there are {string.Join(", ", Keys)}");
                if (Text(root, "expression") is { } expression && Trouble(expression) is { } trouble) return Refuse(exchange, trouble);
                var (url, prefix, tag, pattern, all) = (Text(root, "url"), Text(root, "prefix"), Text(root, "tag"), Text(root, "expression"), Is(root, "all"));
                var named = new[] { url, prefix, tag, pattern, all ? "all" : null }.Count(static n => n is not null);
                if (named > 1) return Refuse(exchange, "exactly one of url, prefix, expression, tag and all");
                if (prefix is not null && !(prefix.StartsWith('/') || prefix.StartsWith("http://", StringComparison.Ordinal) || prefix.StartsWith("https://", StringComparison.Ordinal))) return Refuse(exchange, "a prefix begins with http://, https://, //host, or / for all hosts");
                var target = named == 0 ? null : new PurgeTarget { Url = url, Prefix = prefix, Tag = tag, All = all, Expression = pattern is null ? null : PurgeTarget.ExpressionOf(pattern) };
                string[] headers = root.TryGetProperty("headers", out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Where(static h => h.ValueKind == JsonValueKind.String).Select(static h => h.GetString()!)] : [];
                int? limit = root.TryGetProperty("limit", out var most) && most.ValueKind == JsonValueKind.Number && most.TryGetInt32(out var number) && number > 0 ? number : null;
                var words = url is not null ? $"url {url}" : prefix is not null ? $"prefix {prefix}" : tag is not null ? $"tag {tag}" : pattern is not null ? $"expression {pattern}" : "all";
                return new Ask(target, url, Text(root, "cache"), Is(root, "soft"), Is(root, "dry_run"), limit, headers, Text(root, "client"), words);
            }
            catch (JsonException e)
            {
                AdminAnswer.Error(exchange, 400, $"the body is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
                return null;
            }
        }

        private static string? Trouble(string expression)
        {
            var diagnostics = new Diagnostics();
            Shapes.LoosePattern.Read(new ScalarNode(Position.None, expression, isPlain: false), diagnostics, out _);
            return diagnostics.HasErrors ? diagnostics.All.First().Text : null;
        }

        private static Ask? Refuse(Exchange exchange, string text)
        {
            AdminAnswer.Error(exchange, 422, text);
            return null;
        }

        private static string? Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

        private static bool Is(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;
    }
}
