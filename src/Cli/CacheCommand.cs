// weir cache purge, list, explain, warm: what a running proxy keeps.

using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Control.Admin;

namespace Weir.Cli;

internal static class CacheCommand
{
    public static Command Make() => new("cache", "Shows, purges and warms what a running proxy keeps of answers.") { Show(), Purge(), List(), Explain(), WarmCommand.Make() };

    private static Command Show()
    {
        var json = Json();
        var command = ControlCommands.Make("show", "Shows the caches: how full they are, and what they did.", parsed =>
        {
            var isForPrograms = parsed.GetValue(json);
            return new ControlCall(HttpMethod.Get, "/caches", null, body => isForPrograms ? body.GetRawText()
                : body.GetProperty("caches").GetArrayLength() == 0 ? "no route has a cache" : string.Join('\n', body.GetProperty("caches").EnumerateArray().Select(StatusTable.Cache)));
        });
        command.Options.Add(json);
        return command;
    }

    private static Command Purge()
    {
        var url = new Argument<string?>("url") { Description = "A URL, all its variants; //HOST/PATH for http and https.", Arity = ArgumentArity.ZeroOrOne };
        var prefix = new Option<string?>("--prefix") { Description = "All URLs that begin so; //HOST/… for http and https, /… for all hosts." };
        var tag = new Option<string?>("--tag") { Description = "All answers with this tag in Surrogate-Key or Cache-Tag." };
        var expression = new Option<string?>("--expression") { Description = "All URLs in which this regular expression is found." };
        var all = new Option<bool>("--all") { Description = "Everything." };
        var soft = new Option<bool>("--soft") { Description = "Makes answers stale in place of taking them out: they are asked after at their next use." };
        var dry = new Option<bool>("--dry-run") { Description = "Only counts." };
        var cache = Cache();
        var command = ControlCommands.Make("purge", "Takes answers out of the cache; what is on its way is not kept either.", parsed =>
        {
            var body = new JsonObject();
            Put(body, "url", parsed.GetValue(url));
            Put(body, "prefix", parsed.GetValue(prefix));
            Put(body, "tag", parsed.GetValue(tag));
            Put(body, "expression", parsed.GetValue(expression));
            Put(body, "cache", parsed.GetValue(cache));
            if (parsed.GetValue(all)) body["all"] = true;
            if (parsed.GetValue(soft)) body["soft"] = true;
            if (parsed.GetValue(dry)) body["dry_run"] = true;
            return new ControlCall(HttpMethod.Post, "/caches/purge", body.ToJsonString(), Purged);
        });
        command.Arguments.Add(url);
        foreach (var option in new Option[] { prefix, tag, expression, all, soft, dry, cache }) command.Options.Add(option);
        return command;
    }

    private static Command List()
    {
        var (cache, json) = (Cache(), Json());
        var prefix = new Option<string?>("--prefix") { Description = "Only URLs that begin so." };
        var expression = new Option<string?>("--expression") { Description = "Only URLs in which this regular expression is found." };
        var limit = new Option<int>("--limit") { Description = "URLs at most.", DefaultValueFactory = static _ => 100 };
        var command = ControlCommands.Make("list", "Lists URLs of which something is kept.", parsed =>
        {
            var body = new JsonObject { ["limit"] = parsed.GetValue(limit) };
            Put(body, "prefix", parsed.GetValue(prefix));
            Put(body, "expression", parsed.GetValue(expression));
            Put(body, "cache", parsed.GetValue(cache));
            var isForPrograms = parsed.GetValue(json);
            return new ControlCall(HttpMethod.Post, "/caches/list", body.ToJsonString(), answer => isForPrograms ? answer.GetRawText() : Listed(answer));
        });
        foreach (var option in new Option[] { prefix, expression, limit, cache, json }) command.Options.Add(option);
        return command;
    }

    private static Command Explain()
    {
        var json = Json();
        var url = new Argument<string>("url") { Description = "The URL." };
        var headers = new Option<string[]>("--header", "-H") { Description = "A field of the request, \"Name: value\"." };
        var client = new Option<string?>("--client") { Description = "The client's address." };
        var command = ControlCommands.Make("explain", "Says by which key a URL is looked for, what is kept of it and until when, or why nothing is.", parsed =>
        {
            var body = new JsonObject { ["url"] = parsed.GetValue(url) };
            Put(body, "client", parsed.GetValue(client));
            if (parsed.GetValue(headers) is { Length: > 0 } given) body["headers"] = new JsonArray([.. given.Select(static h => (JsonNode)h)]);
            var isForPrograms = parsed.GetValue(json);
            return new ControlCall(HttpMethod.Post, "/caches/explain", body.ToJsonString(), answer => isForPrograms ? answer.GetRawText() : CacheText.Explain(answer));
        });
        command.Arguments.Add(url);
        foreach (var option in new Option[] { headers, client, json }) command.Options.Add(option);
        return command;
    }

    private static Option<string?> Cache() => new("--cache") { Description = "Only in this cache." };

    private static Option<bool> Json() => new("--json") { Description = "For programs: all there is to tell, as JSON." };

    private static void Put(JsonObject body, string name, string? value)
    {
        if (value is not null) body[name] = value;
    }

    private static string Purged(JsonElement answer)
    {
        var verb = answer.GetProperty("dry_run").GetBoolean() ? "would be purged" : answer.GetProperty("soft").GetBoolean() ? "made stale" : "purged";
        var fills = answer.GetProperty("fills").GetInt64();
        return string.Create(CultureInfo.InvariantCulture, $"{answer.GetProperty("purged").GetInt64()} answers {verb}, {answer.GetProperty("bytes").GetInt64()} bytes{(fills > 0 ? $"; {fills} on their way" : "")}");
    }

    private static string Listed(JsonElement answer)
    {
        var text = new StringBuilder();
        foreach (var one in answer.GetProperty("objects").EnumerateArray())
        {
            text.AppendLine(one.GetProperty("url").GetString());
            foreach (var stored in one.GetProperty("stored").EnumerateArray()) text.Append("  ").AppendLine(CacheText.Stored(stored));
        }

        return text.Length == 0 ? "nothing is kept" : text.ToString().TrimEnd();
    }
}
