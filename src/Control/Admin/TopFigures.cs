// What a proxy does at this moment: what changed between two looks at its status and its transfers. For `weir top`. What an older
// or newer proxy does not say counts as nothing.

using System.Text;
using System.Text.Json;

namespace Weir.Control.Admin;

/// <summary>One look: both documents, and when.</summary>
public sealed record TopSample(JsonElement Status, JsonElement Transfers, TimeSpan At);

/// <summary>A server, or where its state is empty an upstream.</summary>
public sealed record TopServer(string Name, string State, double Requests, long UnderWay, long Connections, long Failures);

/// <summary>An answer that is accelerated.</summary>
/// <param name="Path">What is fetched.</param>
/// <param name="Upstream">From where.</param>
/// <param name="Client">For whom.</param>
/// <param name="Length">Bytes of it.</param>
/// <param name="Sent">Bytes that its client has.</param>
/// <param name="Held">Bytes that wait for it.</param>
/// <param name="Rate">Bytes a second that come.</param>
/// <param name="Gain">How many times as many as one connection brought; 0: not known.</param>
/// <param name="Connections">At work.</param>
/// <param name="Wanted">Connections that there should be.</param>
/// <param name="Resumes">Breaks that were gone on with.</param>
/// <param name="Sources">Each server with its share of what has come.</param>
public sealed record TopTransfer(string Path, string Upstream, string Client, long Length, long Sent, long Held, double Rate, double Gain, long Connections, long Wanted, long Resumes, string Sources);

/// <summary>The figures.</summary>
public sealed record TopFigures
{
    public required TopSample Now { get; init; }

    /// <summary>Between the two looks.</summary>
    public double Seconds { get; init; }

    /// <summary>Requests answered in a second.</summary>
    public double Requests { get; init; }

    /// <summary>Bytes of bodies sent in a second: of exchanges that ended, and of accelerated ones while they run.</summary>
    public double Sent { get; init; }

    /// <summary>Bytes of bodies received in a second.</summary>
    public double Received { get; init; }

    /// <summary>Of what was asked of caches meanwhile, what they answered, in percent; -1: nothing was.</summary>
    public double Hits { get; init; } = -1;

    public long Connections => Number(Now.Status, "connections");

    public long UnderWay => Number(Now.Status, "requests_under_way");

    public long Resident => Number(Member(Now.Status, "memory"), "resident");

    public long Buffers => Number(Member(Now.Status, "memory"), "buffers");

    public IReadOnlyList<TopServer> Servers { get; init; } = [];

    public IReadOnlyList<TopTransfer> Transfers { get; init; } = [];

    /// <summary>Of two looks, the later one last.</summary>
    public static TopFigures Of(TopSample before, TopSample now)
    {
        var seconds = Math.Max(0.001, (now.At - before.At).TotalSeconds);
        var (asked, served) = (Cached(now.Status).Asked - Cached(before.Status).Asked, Cached(now.Status).Served - Cached(before.Status).Served);
        return new TopFigures
        {
            Now = now,
            Seconds = seconds,
            Requests = Math.Max(0, Number(now.Status, "requests") - Number(before.Status, "requests")) / seconds,
            Sent = Math.Max(0, SentBy(now) - SentBy(before)) / seconds,
            Received = Math.Max(0, Number(now.Status, "bytes_received") - Number(before.Status, "bytes_received")) / seconds,
            Hits = asked > 0 ? Math.Clamp(served * 100.0 / asked, 0, 100) : -1,
            Servers = [.. ServersOf(before, now, seconds)],
            Transfers = [.. List(now.Transfers, "transfers").Select(TransferOf)],
        };
    }

    /// <summary>For programs: the figures, and both documents as they came.</summary>
    public string Json()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("seconds", Math.Round(Seconds, 3));
            json.WriteNumber("requests_per_second", Math.Round(Requests, 2));
            json.WriteNumber("sent_bytes_per_second", (long)Sent);
            json.WriteNumber("received_bytes_per_second", (long)Received);
            if (Hits >= 0) json.WriteNumber("cache_hits_percent", Math.Round(Hits, 2));
            json.WritePropertyName("status");
            Now.Status.WriteTo(json);
            json.WritePropertyName("accelerate");
            Now.Transfers.WriteTo(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static IEnumerable<TopServer> ServersOf(TopSample before, TopSample now, double seconds)
    {
        var known = List(before.Status, "upstreams").SelectMany(static u => List(u, "endpoints").Select(e => ((Text(u, "name"), Text(e, "name")), Number(e, "requests")))).ToLookup(static e => e.Item1, static e => e.Item2);
        foreach (var upstream in List(now.Status, "upstreams"))
        {
            yield return new TopServer(Text(upstream, "name"), "", 0, 0, 0, 0);
            foreach (var endpoint in List(upstream, "endpoints"))
            {
                var requests = known[(Text(upstream, "name"), Text(endpoint, "name"))].Select(then => Math.Max(0, Number(endpoint, "requests") - then) / seconds).FirstOrDefault();
                var away = Member(endpoint, "away") is { ValueKind: JsonValueKind.Object } reasons ? string.Join(", ", reasons.EnumerateObject().Select(static a => a.Name)) : "";
                yield return new TopServer(Text(endpoint, "name"), away.Length == 0 ? "available" : away, requests, Number(endpoint, "requests_under_way"), Number(endpoint, "connections"), Number(endpoint, "connect_failures"));
            }
        }
    }

    private static TopTransfer TransferOf(JsonElement one)
    {
        var sources = List(one, "sources");
        var all = Math.Max(1, sources.Sum(static s => Number(s, "bytes")));
        var gain = Member(one, "gain") is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : 0;
        return new TopTransfer(Text(one, "path"), Text(one, "upstream"), Text(one, "client"), Number(one, "length"), Number(one, "sent"), Number(one, "held"), Number(one, "rate"), gain, Number(one, "connections"), Number(one, "connections_wanted"), Number(one, "resumes"),
            string.Join(", ", sources.Select(s => $"{Text(s, "endpoint")} {(Member(s, "dropped").ValueKind == JsonValueKind.True ? "left out" : $"{Number(s, "bytes") * 100 / all}%")}")));
    }

    // What runs is counted by the traffic when it has ended.
    private static long SentBy(TopSample of) => Number(of.Status, "bytes_sent") + List(of.Transfers, "transfers").Sum(static t => Number(t, "sent"));

    private static (long Asked, long Served) Cached(JsonElement status)
    {
        var (asked, served) = (0L, 0L);
        foreach (var outcome in List(status, "caches").Select(static c => Member(c, "requests")).Where(static r => r.ValueKind == JsonValueKind.Object).SelectMany(static r => r.EnumerateObject()))
        {
            if (outcome.Value.ValueKind != JsonValueKind.Number) continue;
            asked += outcome.Value.GetInt64();
            if (outcome.Name is "hit" or "stale" or "collapsed" or "revalidated") served += outcome.Value.GetInt64();
        }

        return (asked, served);
    }

    private static JsonElement Member(JsonElement of, string name) => of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) ? value : default;

    private static long Number(JsonElement of, string name) => Member(of, name) is { ValueKind: JsonValueKind.Number } value ? (long)value.GetDouble() : 0;

    private static string Text(JsonElement of, string name) => Member(of, name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

    private static JsonElement[] List(JsonElement of, string name) => Member(of, name) is { ValueKind: JsonValueKind.Array } value ? [.. value.EnumerateArray()] : [];
}
