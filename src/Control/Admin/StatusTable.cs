// The status for people: what the document says, as a table that fits a terminal. What an older or newer proxy does not
// say is left out.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Weir.Control.Admin;

/// <summary>Writes the status as a table.</summary>
public static class StatusTable
{
    private static readonly string[] Headings = ["", "state", "weight", "requests", "under way", "connections", "failures", "last check"];

    /// <param name="status">The status document.</param>
    /// <param name="now">The present, for ages.</param>
    public static string Write(JsonElement status, DateTimeOffset now)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"weir {Text(status, "version")}{(status.TryGetProperty("draining", out var draining) && draining.ValueKind == JsonValueKind.True ? ", draining" : "")}, for {Age(status, "started", now)}\n");
        text.Append(CultureInfo.InvariantCulture, $"{Number(status, "connections")} connections, {Number(status, "requests_under_way")} requests under way, {Number(status, "requests")} answered\n");
        text.Append(CultureInfo.InvariantCulture, $"{Number(status, "reloads")} reloads, {Number(status, "reloads_refused")} refused\n");
        if (List(status, "listeners") is { Length: > 0 } listeners) text.Append(CultureInfo.InvariantCulture, $"listening on {string.Join(", ", listeners.Select(l => l.GetString()))}\n");
        var rows = new List<(string[] Cells, string[] Below)> { (Headings, []) };
        foreach (var upstream in List(status, "upstreams"))
        {
            rows.Add(([Text(upstream, "name")], Below(upstream)));
            rows.AddRange(List(upstream, "endpoints").Select(endpoint => Row(endpoint, now)));
        }

        if (rows.Count > 1) Append(text.Append('\n'), rows);
        foreach (var cache in List(status, "caches")) text.Append('\n').Append(Cache(cache)).Append('\n');
        foreach (var certificate in List(status, "certificates"))
        {
            text.Append(CultureInfo.InvariantCulture, $"\nsite {Text(certificate, "site")}: {Text(certificate, "kind")} certificate for {string.Join(", ", List(certificate, "names").Select(static n => n.GetString()))} by {Text(certificate, "issuer")}, {Left(certificate, now)}\n");
            if (Has(certificate, "trouble")) text.Append(CultureInfo.InvariantCulture, $"  {Text(certificate, "trouble")}\n");
        }

        foreach (var name in List(status, "names").Where(static n => Has(n, "trouble"))) text.Append(CultureInfo.InvariantCulture, $"\nthe name {Text(name, "name")}: {Text(name, "trouble")}\n");
        if (status.TryGetProperty("buffer_disk", out var disk) && Has(disk, "last_failure")) text.Append(CultureInfo.InvariantCulture, $"\nrequests' bodies could not be kept on disk {Number(disk, "failures")} times, the last: {Text(disk, "last_failure")}\n");
        return text.ToString();
    }

    /// <summary>A cache in one line, and its disk in another.</summary>
    public static string Cache(JsonElement cache)
    {
        var requests = cache.TryGetProperty("requests", out var by) && by.ValueKind == JsonValueKind.Object ? by.EnumerateObject().Where(static o => o.Value.ValueKind == JsonValueKind.Number).ToDictionary(static o => o.Name, static o => o.Value.GetInt64()) : [];
        var (served, all) = (requests.Where(static r => r.Key is "hit" or "stale" or "collapsed" or "revalidated").Sum(static r => r.Value), requests.Sum(static r => r.Value));
        return string.Create(CultureInfo.InvariantCulture, $"cache {Text(cache, "name")}: {Number(cache, "entries")} answers, {MiB(cache, "bytes")} of {MiB(cache, "limit_bytes")} MiB, {served} of {all} requests served from it{(all > 0 ? $" ({served * 100 / all}%)" : "")}, {MiB(cache, "saved_bytes")} MiB saved, {Number(cache, "evictions")} evicted{(cache.TryGetProperty("disk", out var disk) && disk.ValueKind == JsonValueKind.Object ? Disk(disk) : "")}");
    }

    private static string Disk(JsonElement disk)
    {
        if (!Is(disk, "available")) return "\n  its disk cannot be used now: the log says why";
        var loaded = disk.TryGetProperty("loaded", out var part) && part.ValueKind == JsonValueKind.Number ? part.GetDouble() : 1;
        var text = new StringBuilder($"\n  on disk: {Number(disk, "entries")} answers, {MiB(disk, "bytes")} of {MiB(disk, "limit_bytes")} MiB, {Number(disk, "hits")} hits, {Number(disk, "misses")} misses, {Number(disk, "writes")} written, {Number(disk, "refused")} not, {Number(disk, "evictions")} evicted, {Number(disk, "failures")} failures");
        if (Number(disk, "broken") is not ("0" or "?" or "")) text.Append(CultureInfo.InvariantCulture, $", {Number(disk, "broken")} broken");
        if (loaded < 1) text.Append(CultureInfo.InvariantCulture, $", {loaded * 100:0}% of the index read");
        if (Is(disk, "paused")) text.Append(", writing pauses: it has failed");
        return text.ToString();
    }

    private static string MiB(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? (value.GetInt64() / 1048576.0).ToString("0.#", CultureInfo.InvariantCulture) : "?";

    // What concerns all of its endpoints.
    private static string[] Below(JsonElement upstream)
    {
        var lines = new List<string>();
        if (Is(upstream, "breaker_open")) lines.Add("the circuit breaker is open");
        if (Is(upstream, "panicking")) lines.Add(List(upstream, "endpoints").Length == 0 ? "there is nobody to ask" : "so few are available that health is ignored");
        if (upstream.TryGetProperty("queue_length", out var waiting) && waiting.ValueKind == JsonValueKind.Number && waiting.GetDouble() > 0) lines.Add($"{waiting.GetRawText()} requests wait");
        lines.AddRange(List(upstream, "sources").Where(static s => Has(s, "trouble")).Select(static s => $"{Text(s, "name")}: {Text(s, "trouble")}"));
        return [.. lines];
    }

    private static (string[] Cells, string[] Below) Row(JsonElement endpoint, DateTimeOffset now)
    {
        var away = endpoint.TryGetProperty("away", out var reasons) && reasons.ValueKind == JsonValueKind.Object ? reasons.EnumerateObject().ToArray() : [];
        var state = away.Length == 0 ? "available" : string.Join(", ", away.Select(a => a.Name));
        if (Has(endpoint, "backup")) state += $", backup {Number(endpoint, "backup")}";
        if (Is(endpoint, "full")) state += ", full";
        var check = endpoint.TryGetProperty("last_check", out var last) ? $"{Text(last, "outcome")}{(last.TryGetProperty("at", out _) ? $" {Age(last, "at", now)} ago" : "")}" : "";
        string[] cells = ["  " + Text(endpoint, "name"), state, Number(endpoint, "weight"), Number(endpoint, "requests"), Number(endpoint, "requests_under_way"), Number(endpoint, "connections"), Number(endpoint, "connect_failures"), check];
        var tls = endpoint.TryGetProperty("tls", out var spoken) && Has(spoken, "trouble") && !away.Any(a => a.Value.GetString() == Text(spoken, "trouble")) ? [$"tls: {Text(spoken, "trouble")}"] : (string[])[];
        return (cells, [.. away.Select(a => $"{a.Name}: {a.Value.GetString()}"), .. tls]);
    }

    // Names and words to the left, numbers to the right.
    private static void Append(StringBuilder text, List<(string[] Cells, string[] Below)> rows)
    {
        var widths = Enumerable.Range(0, Headings.Length).Select(column => rows.Max(r => r.Cells.ElementAtOrDefault(column)?.Length ?? 0)).ToArray();
        foreach (var (cells, below) in rows)
        {
            var line = string.Join("  ", cells.Select((cell, column) => column is >= 2 and <= 6 ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column])));
            text.Append(line.TrimEnd()).Append('\n');
            foreach (var more in below) text.Append(cells.Length == 1 ? "  " : "    ").Append(more).Append('\n');
        }
    }

    private static bool Is(JsonElement of, string name) => of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static bool Has(JsonElement of, string name) => of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out _);

    private static string Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "?";

    private static string Number(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetRawText() : "?";

    private static JsonElement[] List(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [];

    private static string Left(JsonElement certificate, DateTimeOffset now)
    {
        if (!certificate.TryGetProperty("until", out var value) || value.ValueKind != JsonValueKind.String || !value.TryGetDateTimeOffset(out var until)) return "until ?";
        var left = until - now;
        return left <= TimeSpan.Zero ? "expired" : string.Create(CultureInfo.InvariantCulture, $"for {(left.TotalDays >= 2 ? $"{(int)left.TotalDays}d" : $"{(int)left.TotalHours}h")} more");
    }

    private static string Age(JsonElement of, string name, DateTimeOffset now)
    {
        if (!of.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.String || !value.TryGetDateTimeOffset(out var then)) return "?";
        var age = now < then ? TimeSpan.Zero : now - then;
        return age switch
        {
            { TotalDays: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalDays}d"),
            { TotalHours: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalHours}h"),
            { TotalMinutes: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalMinutes}m"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{(int)age.TotalSeconds}s"),
        };
    }
}
