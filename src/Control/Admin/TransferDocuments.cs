// The accelerated answers under way, as JSON: for `weir top`, `weir get` and for programs.

using System.Text;
using System.Text.Json;
using Weir.Engine.Acceleration;

namespace Weir.Control.Admin;

/// <summary>Writes what is under way. Any thread.</summary>
public static class TransferDocuments
{
    // What one document tells of: the largest are told first, and how many there are in any case.
    private const int MostTold = 1_000;

    public static string Write(Transfers transfers)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            Counts(transfers, json);
            var running = transfers.Running.OrderByDescending(static t => t.Length).ToArray();
            json.WriteNumber("under_way", running.Length);
            json.WriteStartArray("transfers");
            foreach (var transfer in running.Take(MostTold)) Write(transfer, json);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    /// <summary>The members that count, of a document.</summary>
    public static void Counts(Transfers transfers, Utf8JsonWriter json)
    {
        var counts = transfers.Counts;
        json.WriteNumber("accelerated", counts.Accelerated);
        json.WriteNumber("resumed", counts.Resumed);
        json.WriteNumber("parts", counts.Parts);
        json.WriteNumber("parts_failed", counts.PartsFailed);
        json.WriteNumber("parts_under_way", transfers.Parts);
        json.WriteNumber("part_bytes", counts.PartBytes);
        json.WriteNumber("throttled", counts.Throttled);
        json.WriteNumber("sources_dropped", counts.Dropped);
    }

    /// <summary>How many times as fast it is as one connection was; 0: not known.</summary>
    public static double Gain((double All, double Single) rates) => rates is { All: > 0, Single: > 0 } ? rates.All / rates.Single : 0;

    private static void Write(TransferView transfer, Utf8JsonWriter json)
    {
        var (connections, rates) = (transfer.Connections, transfer.Rates);
        json.WriteStartObject();
        json.WriteString("site", transfer.Site);
        json.WriteString("upstream", transfer.Upstream);
        json.WriteString("path", transfer.Path);
        json.WriteString("client", transfer.Client);
        json.WriteNumber("length", transfer.Length);
        json.WriteNumber("received", transfer.Received);
        json.WriteNumber("sent", transfer.Sent);
        json.WriteNumber("held", transfer.Held);
        json.WriteNumber("connections_wanted", connections.Target);
        json.WriteNumber("connections", connections.Active);
        json.WriteNumber("rate", (long)rates.All);
        json.WriteNumber("single_rate", (long)rates.Single);
        if (Gain(rates) is > 0 and var gain) json.WriteNumber("gain", Math.Round(gain, 2));
        json.WriteNumber("resumes", transfer.Resumes);
        json.WriteStartArray("sources");
        foreach (var source in transfer.Sources)
        {
            json.WriteStartObject();
            json.WriteString("endpoint", source.Endpoint.Name);
            json.WriteNumber("bytes", source.Bytes);
            json.WriteNumber("rate", (long)source.Rate);
            json.WriteBoolean("dropped", source.IsDropped);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
