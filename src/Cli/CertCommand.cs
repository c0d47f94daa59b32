// weir cert list, show, renew: the certificates that a running proxy obtains by itself.

using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Weir.Cli;

internal static class CertCommand
{
    public static Command Make() => new("cert", "Shows the certificates that a running proxy obtains by itself, and renews them.") { List(), Show(), Renew() };

    private static Command List()
    {
        var json = Json();
        var command = ControlCommands.Make("list", "Lists them: until when each holds, and what goes wrong.", parsed =>
        {
            var isForPrograms = parsed.GetValue(json);
            return new ControlCall(HttpMethod.Get, "/certificates", null, body => isForPrograms ? body.GetRawText() : Table(body.GetProperty("certificates"), DateTimeOffset.UtcNow));
        });
        command.Options.Add(json);
        return command;
    }

    private static Command Show()
    {
        var (name, json) = (Name(), Json());
        var command = ControlCommands.Make("show", "Shows all there is to tell of one.", parsed =>
        {
            var isForPrograms = parsed.GetValue(json);
            return new ControlCall(HttpMethod.Get, PathOf(parsed.GetValue(name)!), null, body => isForPrograms ? body.GetRawText() : Lines(body));
        });
        command.Arguments.Add(name);
        command.Options.Add(json);
        return command;
    }

    private static Command Renew()
    {
        var name = Name();
        var command = ControlCommands.Make("renew", "Orders a new one now; what is there is shown until it has come.", parsed =>
            new ControlCall(HttpMethod.Post, PathOf(parsed.GetValue(name)!) + "/renew", null, _ => $"a new certificate for {parsed.GetValue(name)} is being ordered; the log tells each step, and weir cert show what comes of it"));
        command.Arguments.Add(name);
        return command;
    }

    private static Argument<string> Name() => new("name") { Description = "The name, such as example.com or \"*.example.com\"." };

    private static Option<bool> Json() => new("--json") { Description = "For programs: all there is to tell, as JSON." };

    private static string PathOf(string name) => $"/certificates/{Uri.EscapeDataString(name)}";

    private static string Table(JsonElement all, DateTimeOffset now)
    {
        if (all.GetArrayLength() == 0) return "no certificates are obtained: no site has tls: auto";
        string[][] rows = [["NAME", "STATE", "VALID FOR", "RENEWAL", "ISSUER"], .. all.EnumerateArray().Select(c => new[] { Text(c, "name"), Text(c, "state"), Left(c, now), Moment(c, "next_try") ?? Moment(c, "renewal") ?? "", Text(c, "issuer") })];
        var widths = Enumerable.Range(0, rows[0].Length).Select(i => rows.Max(r => r[i].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows) text.AppendLine(string.Join("  ", row.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
        foreach (var failing in all.EnumerateArray().Where(static c => c.TryGetProperty("trouble", out _))) text.AppendLine(CultureInfo.InvariantCulture, $"{Text(failing, "name")}: {Text(failing, "trouble")}");
        return text.ToString().TrimEnd();
    }

    private static string Lines(JsonElement one) => string.Join('\n', one.EnumerateObject().Select(static p => $"{p.Name.Replace('_', ' ') + ":",-12} {Words(p)}"));

    private static string Words(JsonProperty of) => of switch
    {
        { Value.ValueKind: JsonValueKind.Array } => string.Join(", ", of.Value.EnumerateArray()),
        { Value.ValueKind: JsonValueKind.True } => "yes",
        { Value.ValueKind: JsonValueKind.False } => "no",
        { Name: "not_before" or "not_after" or "renewal" or "next_try" } => of.Value.GetDateTimeOffset().ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture),
        _ => of.Value.ToString(),
    };

    private static string Text(JsonElement from, string name) => from.TryGetProperty(name, out var value) ? value.GetString()! : "";

    private static string? Moment(JsonElement from, string name) => from.TryGetProperty(name, out var value) ? value.GetDateTimeOffset().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) : null;

    private static string Left(JsonElement from, DateTimeOffset now)
    {
        if (!from.TryGetProperty("not_after", out var until)) return "none yet";
        var left = until.GetDateTimeOffset() - now;
        if (left <= TimeSpan.Zero) return "EXPIRED";
        return left.TotalDays >= 2 ? string.Create(CultureInfo.InvariantCulture, $"{left.TotalDays:F0} days") : string.Create(CultureInfo.InvariantCulture, $"{left.TotalHours:F0} hours");
    }
}
