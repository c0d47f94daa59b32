// What is served, as JSON: for `weir status` and for programs.

using System.Text;
using System.Text.Json;

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
            json.WriteStartArray("endpoints");
            foreach (var endpoint in upstream.Endpoints)
            {
                json.WriteStartObject();
                json.WriteString("name", endpoint.Name);
                json.WriteNumber("weight", endpoint.Weight);
                json.WriteNumber("requests_under_way", endpoint.Active);
                json.WriteNumber("connections", endpoint.Connections);
                json.WriteNumber("connect_failures", endpoint.ConnectFailures);
                json.WriteNumber("requests", endpoint.Traffic.Total().Requests);
                HealthStatus.Write(endpoint, proxy.Health.Of(endpoint), json);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
