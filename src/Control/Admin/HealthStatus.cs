// How an endpoint is, in the status document: who is away and why, and what the last check brought.

using System.Text.Json;
using Weir.Control.Health;
using Weir.Engine.Upstreams;

namespace Weir.Control.Admin;

internal static class HealthStatus
{
    /// <summary>Writes properties into the endpoint's object.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="check">Its checks; null: it is not checked.</param>
    /// <param name="json">Where to.</param>
    public static void Write(Endpoint endpoint, EndpointCheck? check, Utf8JsonWriter json)
    {
        json.WriteBoolean("available", endpoint.IsAvailable);
        json.WriteStartObject("away");
        foreach (var why in Enum.GetValues<Away>())
        {
            if (why != Away.None && endpoint.Absence.ReasonOf(why) is { } reason) json.WriteString(why.ToString().ToLowerInvariant(), reason);
        }

        json.WriteEndObject();
        if (check is not null) WriteCheck(check.Last, json);
    }

    private static void WriteCheck(CheckReport? last, Utf8JsonWriter json)
    {
        json.WriteStartObject("last_check");
        json.WriteString("outcome", last?.Result.Name ?? "none");
        json.WriteString("reason", last?.Result.Reason ?? "not checked yet");
        if (last is not null)
        {
            json.WriteString("at", last.At);
            json.WriteNumber("milliseconds", last.Took / 1000.0);
            json.WriteNumber("in_a_row", last.InARow);
            json.WriteBoolean("healthy", last.IsHealthy);
        }

        json.WriteEndObject();
    }
}
