// The result for programs.

using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Engine.Transports.Simulation.Links;

namespace Weir.Control.Laboratory;

/// <summary>Writes a result as JSON.</summary>
public static class LabDocument
{
    public static string Write(LabResult result)
    {
        var plan = result.Plan;
        var document = new JsonObject
        {
            ["size_bytes"] = plan.Size,
            ["seed"] = plan.Seed,
            ["repeat"] = plan.Repeat,
            ["links"] = new JsonObject { ["direct"] = Link(plan.Direct), ["haul"] = Link(plan.Haul), ["near"] = Link(plan.Near), ["beside"] = Link(plan.Beside) },
            ["measurements"] = new JsonArray([.. result.Measurements.Select(m => (JsonNode)Measured(result, m))]),
        };
        var into = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(into, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) document.WriteTo(writer);
        return Encoding.UTF8.GetString(into.WrittenSpan);
    }

    private static JsonObject Link(LinkSettings link) => new()
    {
        ["round_trip_ms"] = link.RoundTrip / 1000.0,
        ["loss"] = link.Loss,
        ["burst"] = link.Burst,
        ["connection_bytes_per_second"] = link.Rate,
        ["bytes_per_second"] = link.Bandwidth,
        ["reset_after_seconds"] = link.ResetAfter,
        ["congestion_control"] = link.Control == CongestionControl.Reno ? "reno" : "cubic",
    };

    private static JsonObject Measured(LabResult result, Measurement measurement)
    {
        var document = new JsonObject { ["name"] = measurement.Journey.Key };
        if (measurement.Trouble is { } trouble)
        {
            document["trouble"] = trouble;
            return document;
        }

        document["gain"] = Math.Round(result.Gain(measurement), 3);
        document["runs"] = new JsonArray([.. measurement.Runs.Select(run => (JsonNode)new JsonObject
        {
            ["seconds"] = run.Seconds,
            ["first_byte_seconds"] = run.FirstByte,
            ["bytes_per_second"] = Math.Round(result.Plan.Size / run.Seconds, 1),
            ["origin_connections"] = run.Connections,
            ["fetched_twice_bytes"] = run.Twice,
            ["resets"] = run.Resets,
            ["client_breaks"] = run.Breaks,
            ["packets_lost"] = Math.Round(run.LostShare, 6),
        })]);
        return document;
    }
}
