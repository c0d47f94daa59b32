// What is served, as JSON: for `weir status` and for programs.

using System.Text;
using System.Text.Json;
using Weir.Engine.Upstreams;

namespace Weir.Control.Admin;

/// <summary>The status document.</summary>
public static class StatusPage
{
    public static string Write(RunningProxy proxy)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
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
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    private static void WriteUpstreams(RunningProxy proxy, Utf8JsonWriter json)
    {
        json.WriteStartArray("upstreams");
        foreach (var upstream in proxy.Engine.Plan!.Upstreams)
        {
            json.WriteStartObject();
            json.WriteString("name", upstream.Name);
            json.WriteBoolean("breaker_open", upstream.Breaker.IsOpen);
            json.WriteBoolean("panicking", upstream.IsPanicking);
            json.WriteNumber("retries_refused", upstream.Retries.Refused);
            json.WriteNumber("connections", upstream.Connections.Count);
            WriteQueue(upstream, json);
            json.WriteStartArray("endpoints");
            foreach (var endpoint in upstream.Endpoints)
            {
                json.WriteStartObject();
                json.WriteString("name", endpoint.Name);
                json.WriteNumber("weight", endpoint.Weight);
                json.WriteNumber("backup", endpoint.Tier);
                json.WriteBoolean("available", endpoint.IsAvailable);
                json.WriteBoolean("full", !endpoint.HasRoom);
                WriteAbsence(endpoint, json);
                json.WriteNumber("requests_under_way", endpoint.Active);
                json.WriteNumber("connections", endpoint.Connections);
                json.WriteNumber("connect_failures", endpoint.ConnectFailures);
                json.WriteNumber("requests", endpoint.Traffic.Total().Requests);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteQueue(Upstream upstream, Utf8JsonWriter json)
    {
        if (upstream.Settings.Bounds is not { } bounds) return;
        json.WriteStartObject("limits");
        foreach (var (name, most) in new[] { ("connections", bounds.Connections), ("requests", bounds.Requests), ("endpoint_connections", bounds.EndpointConnections), ("endpoint_requests", bounds.EndpointRequests) })
        {
            if (most > 0) json.WriteNumber(name, most);
        }

        json.WriteNumber("queue", bounds.Queue);
        json.WriteNumber("queue_timeout_ms", bounds.QueueTimeout);
        json.WriteEndObject();
        json.WriteNumber("requests_under_way", upstream.Door.Taken);
        json.WriteNumber("queue_length", upstream.Door.QueueLength);
        json.WriteNumber("queued", upstream.Door.Queued);
        json.WriteNumber("queue_full", upstream.Door.Refused.Full);
        json.WriteNumber("queue_timeouts", upstream.Door.Refused.Late);
    }

    // In words: several reasons may hold at once.
    private static void WriteAbsence(Endpoint endpoint, Utf8JsonWriter json)
    {
        if (endpoint.IsAvailable) return;
        json.WriteStartObject("away");
        foreach (var why in Enum.GetValues<Away>())
        {
            if (why != Away.None && endpoint.Absence.ReasonOf(why) is { } reason) json.WriteString(why.ToString().ToLowerInvariant(), reason);
        }

        json.WriteEndObject();
    }
}
