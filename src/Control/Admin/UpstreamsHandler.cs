// Who belongs to an upstream, seen and changed while it runs:
//   GET    /upstreams/NAME                       as in the status
//   POST   /upstreams/NAME/endpoints             {"url": "http://10.0.0.7:8080", "weight": 1, "backup": false}: adds one
//   PATCH  /upstreams/NAME/endpoints/AUTHORITY   {"weight": 3}, {"weight": null} (as declared), {"drained": true}
//   DELETE /upstreams/NAME/endpoints/AUTHORITY   removes one that was added
// Names are percent-encoded. Each answers with the upstream as it is then. Bodies are JSON; its keys are those of the
// configuration. 400: not JSON; 404: no such upstream or endpoint; 409: it is there already, or not to be removed; 422: a wrong value.

using System.Text;
using System.Text.Json;
using Weir.Control.Configuration;
using Weir.Control.Discovery;
using Weir.Engine.Exchanges;
using Weir.Engine.Loops;

namespace Weir.Control.Admin;

/// <summary>Answers for upstreams. On the admin loop.</summary>
internal sealed class UpstreamsHandler(RunningProxy proxy)
{
    public const string Path = "/upstreams/";

    // Names resolved at once.
    private const int MostAdditions = 16;

    private int additions;

    public async LoopTask AnswerAsync(Exchange exchange, string method, string path)
    {
        var parts = path[Path.Length..].Split('/', 3);
        if (parts.Length > 1 && (parts[1] != "endpoints" || parts[^1].Length == 0))
        {
            AdminAnswer.Error(exchange, 404, "there is nothing here");
            return;
        }

        var name = Uri.UnescapeDataString(parts[0]);
        var membership = proxy.Engine.Plan!.Upstreams.Where(u => u.Name == name).Select(u => proxy.Memberships.GetValueOrDefault(u)).FirstOrDefault();
        if (membership is null)
        {
            AdminAnswer.Error(exchange, 404, $"no route forwards to an upstream '{name}'{NearestWord.Suggest(name, proxy.Engine.Plan!.Upstreams.Select(u => u.Name))}");
            return;
        }

        var authority = parts.Length > 2 ? NameOf(Uri.UnescapeDataString(parts[2])) : "";
        switch (method == "HEAD" ? "GET" : method, parts.Length)
        {
            case ("GET", 1):
                AdminAnswer.Json(exchange, 200, StatusPage.Write(membership));
                break;
            case ("POST", 2):
                if (await AdminBody.ReadAsync(exchange) is { } added) await AddAsync(exchange, membership, added);
                break;
            case ("PATCH", 3):
                if (await AdminBody.ReadAsync(exchange) is { } said) Change(exchange, membership, authority, said);
                break;
            case ("DELETE", 3):
                Remove(exchange, membership, authority);
                break;
            default:
                AdminAnswer.NotAllowed(exchange, method, parts.Length switch { 1 => "GET, HEAD", 2 => "POST", _ => "PATCH, DELETE" });
                break;
        }
    }

    // As endpoints are called: a default port is left out.
    private static string NameOf(string authority) =>
        !authority.StartsWith("unix:", StringComparison.Ordinal) && Uri.TryCreate($"http://{authority}", UriKind.Absolute, out var url) ? EndpointUrl.Name(url) : authority;

    private async LoopTask AddAsync(Exchange exchange, Membership membership, byte[] body)
    {
        if (Parse(exchange, body) is not { } json) return;
        json.Dispose();
        var diagnostics = new Diagnostics();
        ProxySchema.Endpoint.Read(YamlTree.Read("", Encoding.UTF8.GetString(body), diagnostics)!, diagnostics, out var written);
        ConfigChecks.CheckEndpoints([written], Position.None, diagnostics);
        if (diagnostics.HasErrors)
        {
            AdminAnswer.Error(exchange, 422, Words(diagnostics));
            return;
        }

        if (additions >= MostAdditions)
        {
            AdminAnswer.Error(exchange, 503, "too many endpoints are being added");
            return;
        }

        additions++;
        Member[] members = [];
        var outcome = MemberOutcome.Unknown;
        await SideJob.RunAsync(exchange, "weir-resolve", () =>
        {
            members = membership.Declared([written], diagnostics);
            if (!diagnostics.HasErrors) outcome = membership.Add(members[0]);
        });
        additions--;
        if (diagnostics.HasErrors) AdminAnswer.Error(exchange, 422, Words(diagnostics));
        else Conclude(exchange, membership, outcome, members.Length > 0 ? members[0].Name : "", 201);
    }

    private static void Change(Exchange exchange, Membership membership, string authority, byte[] body)
    {
        using var json = Parse(exchange, body);
        if (json is null) return;
        Func<int?, int?> weight = static before => before;
        bool? drained = null;
        var trouble = json.RootElement.EnumerateObject().Any() ? null : "nothing is to be changed: weight or drained";
        foreach (var entry in json.RootElement.EnumerateObject())
        {
            if (entry.NameEquals("weight"))
            {
                if (entry.Value.ValueKind == JsonValueKind.Null) weight = static _ => null;
                else if (entry.Value.ValueKind == JsonValueKind.Number && entry.Value.TryGetInt32(out var number) && number is >= 0 and <= Member.MostWeight) weight = _ => number;
                else trouble ??= $"weight: expected a whole number from 0 to {Member.MostWeight}, or null for what is declared, found {entry.Value.GetRawText()}";
            }
            else if (entry.NameEquals("drained"))
            {
                if (entry.Value.ValueKind is JsonValueKind.True or JsonValueKind.False) drained = entry.Value.GetBoolean();
                else trouble ??= $"drained: expected true or false, found {entry.Value.GetRawText()}";
            }
            else
            {
                trouble ??= $"unknown key '{entry.Name}'{NearestWord.Suggest(entry.Name, ["weight", "drained"])}";
            }
        }

        if (trouble is not null) AdminAnswer.Error(exchange, 422, trouble);
        else Conclude(exchange, membership, membership.Say(authority, weight, drained), authority, 200);
    }

    private static void Remove(Exchange exchange, Membership membership, string authority) => Conclude(exchange, membership, membership.Remove(authority), authority, 200);

    private static void Conclude(Exchange exchange, Membership membership, MemberOutcome outcome, string name, int good)
    {
        var upstream = membership.Upstream.Name;
        switch (outcome)
        {
            case MemberOutcome.Done:
                AdminAnswer.Json(exchange, good, StatusPage.Write(membership));
                break;
            case MemberOutcome.Exists:
                AdminAnswer.Error(exchange, 409, $"'{upstream}' has the endpoint '{name}' already");
                break;
            case MemberOutcome.NotAdded:
                var from = membership.Seats.FirstOrDefault(s => s.Member.Name == name)?.From;
                AdminAnswer.Error(exchange, 409, $"'{name}' was not added here: it is {(from is Membership.Written or null ? "written in the configuration" : $"from {from}")}; drain it instead");
                break;
            case MemberOutcome.Full:
                AdminAnswer.Error(exchange, 409, $"'{upstream}' has {Membership.Most} endpoints already, and may have no more");
                break;
            default:
                AdminAnswer.Error(exchange, 404, $"'{upstream}' has no endpoint '{name}'{NearestWord.Suggest(name, membership.Seats.Take(1_000).Select(s => s.Member.Name))}");
                break;
        }
    }

    private static JsonDocument? Parse(Exchange exchange, byte[] body)
    {
        try
        {
            var json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 8 });
            if (json.RootElement.ValueKind == JsonValueKind.Object) return json;
            json.Dispose();
            AdminAnswer.Error(exchange, 422, "expected an object");
        }
        catch (JsonException e)
        {
            AdminAnswer.Error(exchange, 400, $"the body is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
        }

        return null;
    }

    private static string Words(Diagnostics diagnostics) => string.Join("; ", diagnostics.All.Where(d => d.IsError).Select(d => d.Text));
}
