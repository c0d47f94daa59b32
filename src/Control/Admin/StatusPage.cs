// What is served, as JSON: for `weir status` and for programs.

using System.Text;
using System.Text.Json;
using Weir.Control.Discovery;

namespace Weir.Control.Admin;

/// <summary>The status document.</summary>
public static class StatusPage
{
    public static string Write(RunningProxy proxy) => Document(json =>
    {
        json.WriteStartObject();
        json.WriteString("version", ProductVersion.Text);
        json.WriteString("started", proxy.StartedAt);
        json.WriteBoolean("draining", proxy.IsDraining);
        json.WriteNumber("connections", proxy.Engine.Connections);
        json.WriteNumber("requests_under_way", proxy.Active);
        json.WriteNumber("requests", proxy.Engine.Workers.Sum(w => w.Records.Ended));
        json.WriteNumber("reloads", proxy.Reloads.Done);
        json.WriteNumber("reloads_refused", proxy.Reloads.Refused);
        json.WriteStartArray("listeners");
        foreach (var (_, address) in proxy.Engine.Addresses) json.WriteStringValue(address.ToString());
        json.WriteEndArray();
        json.WriteStartArray("loops");
        foreach (var worker in proxy.Engine.Workers)
        {
            json.WriteStartObject();
            json.WriteNumber("connections", worker.Connections);
            json.WriteNumber("requests", worker.Records.Ended);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteUpstreams(proxy, json);
        json.WriteEndObject();
    });

    /// <summary>One upstream of it.</summary>
    public static string Write(Membership membership) => Document(json => WriteUpstream(membership, json));

    private static string Document(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true })) write(json);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    private static void WriteUpstreams(RunningProxy proxy, Utf8JsonWriter json)
    {
        json.WriteStartArray("upstreams");
        foreach (var upstream in proxy.Engine.Plan!.Upstreams)
        {
            if (proxy.Memberships.TryGetValue(upstream, out var membership)) WriteUpstream(membership, json);
        }

        json.WriteEndArray();
    }

    private static void WriteUpstream(Membership membership, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name", membership.Upstream.Name);
        json.WriteStartArray("endpoints");
        foreach (var seat in membership.Seats)
        {
            var endpoint = seat.Endpoint;
            json.WriteStartObject();
            json.WriteString("name", endpoint.Name);
            json.WriteString("from", seat.From);
            json.WriteNumber("weight", seat.Weight);
            json.WriteNumber("weight_written", seat.Member.Weight);
            if (endpoint.Tier > 0) json.WriteNumber("backup", endpoint.Tier);
            json.WriteBoolean("drained", seat.IsDrained);
            json.WriteNumber("requests_under_way", endpoint.Active);
            json.WriteNumber("connections", endpoint.Connections);
            json.WriteNumber("connect_failures", endpoint.ConnectFailures);
            json.WriteNumber("requests", endpoint.Traffic.Total().Requests);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (membership.Sources.Count > 0) WriteSources(membership, json);
        json.WriteEndObject();
    }

    private static void WriteSources(Membership membership, Utf8JsonWriter json)
    {
        json.WriteStartArray("sources");
        foreach (var source in membership.Sources)
        {
            json.WriteStartObject();
            json.WriteString("name", source.Name);
            json.WriteNumber("failures", source.Failures);
            if (source.LastSuccess > 0) json.WriteString("last_success", DateTimeOffset.FromUnixTimeMilliseconds(source.LastSuccess));
            if (source.Trouble is { } trouble) json.WriteString("trouble", trouble);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
