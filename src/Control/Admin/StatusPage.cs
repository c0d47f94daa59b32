// What is served, as JSON: for `weir status` and for programs.

using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Control.Certificates;
using Weir.Control.Discovery;
using Weir.Control.Health;
using Weir.Engine.Disk;
using Weir.Engine.Observe;
using Weir.Engine.Upstreams;

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
        json.WriteNumber("bytes_received", Traffics(proxy).Sum(static t => t.BytesIn));
        json.WriteNumber("bytes_sent", Traffics(proxy).Sum(static t => t.BytesOut));
        json.WriteNumber("reloads", proxy.Reloads.Done);
        json.WriteNumber("reloads_refused", proxy.Reloads.Refused);
        WriteMemory(proxy, json);
        if (proxy.BuffersOnDisk is { } disk) WriteDisk(disk, json);
        json.WriteStartObject("accelerate");
        json.WriteNumber("under_way", proxy.Engine.Transfers.Running.Count());
        TransferDocuments.Counts(proxy.Engine.Transfers, json);
        json.WriteEndObject();
        json.WriteStartArray("listeners");
        foreach (var (_, address) in proxy.Engine.Addresses) json.WriteStringValue(address.ToString());
        json.WriteEndArray();
        json.WriteStartArray("listeners_by_protocol");
        foreach (var (listener, address) in proxy.Engine.Addresses)
        {
            json.WriteStartObject();
            json.WriteString("address", address.ToString());
            json.WriteBoolean("tls", listener.Tls is not null);
            json.WriteEndObject();
        }

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
        if (proxy.Caches.Count > 0) CacheDocuments.Write(proxy.Caches, json);
        WriteCertificates(proxy.Certificates, json);
        WriteNames(proxy.Names, json);
        json.WriteEndObject();
    });

    /// <summary>One upstream of it.</summary>
    public static string Write(Membership membership, HealthChecks health) => Document(json => WriteUpstream(membership, health, json));

    private static string Document(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true })) write(json);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    private static void WriteCertificates(IReadOnlyList<SiteCertificates> sites, Utf8JsonWriter json)
    {
        json.WriteStartArray("certificates");
        foreach (var site in sites.OrderBy(static s => s.Name, StringComparer.Ordinal))
        {
            foreach (var certificate in site.Shown)
            {
                json.WriteStartObject();
                json.WriteString("site", site.Name);
                json.WriteString("kind", certificate.Kind);
                json.WriteString("subject", certificate.Subject);
                json.WriteStartArray("names");
                foreach (var name in certificate.Names) json.WriteStringValue(name);
                json.WriteEndArray();
                json.WriteString("issuer", certificate.Issuer);
                json.WriteString("serial", certificate.Serial);
                json.WriteString("from", certificate.From);
                json.WriteString("until", certificate.Until);
                json.WriteString("file", certificate.File);
                if (certificate.StapledUntil is { } stapled) json.WriteString("stapled_until", stapled);
                if (site.Trouble is { } trouble) json.WriteString("trouble", trouble);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
    }

    // Counted when an exchange has ended.
    private static IEnumerable<TrafficTotals> Traffics(RunningProxy proxy) =>
        proxy.Engine.Plan!.Sites.Select(static s => s.Record).OfType<SiteRecord>().Distinct().Select(static s => s.Traffic).Append(proxy.Engine.Unsited).Select(static t => t.Total());

    private static void WriteMemory(RunningProxy proxy, Utf8JsonWriter json)
    {
        json.WriteStartObject("memory");
        json.WriteNumber("resident", Environment.WorkingSet);
        json.WriteNumber("buffers", proxy.Engine.Memory.Used);
        json.WriteNumber("buffers_limit", proxy.Engine.Memory.Limit);
        json.WriteEndObject();
    }

    private static void WriteDisk(SpillFolder disk, Utf8JsonWriter json)
    {
        json.WriteStartObject("buffer_disk");
        json.WriteNumber("bytes", disk.Used);
        json.WriteNumber("written", disk.Written);
        json.WriteNumber("failures", disk.Failures);
        if (disk.LastFailure is { } trouble) json.WriteString("last_failure", trouble);
        json.WriteEndObject();
    }

    // Names that are followed: what they mean, since when, and what is wrong with them.
    private static void WriteNames(Names names, Utf8JsonWriter json)
    {
        json.WriteStartArray("names");
        foreach (var name in names.All.OrderBy(static n => n.Name, StringComparer.Ordinal))
        {
            json.WriteStartObject();
            json.WriteString("name", name.Name);
            json.WriteStartArray(name.Kind == NameKind.Services ? "servers" : "addresses");
            foreach (var address in name.Answer?.Addresses ?? []) json.WriteStringValue(address.ToString());
            foreach (var service in name.Answer?.Services ?? []) json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{service.Target}:{service.Port} priority {service.Priority} weight {service.Weight}"));
            json.WriteEndArray();
            if (name.AnsweredAt > 0) json.WriteString("answered", DateTimeOffset.FromUnixTimeMilliseconds(name.AnsweredAt));
            if (name.Trouble is { } trouble) json.WriteString("trouble", trouble);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteUpstreams(RunningProxy proxy, Utf8JsonWriter json)
    {
        json.WriteStartArray("upstreams");
        foreach (var upstream in proxy.Engine.Plan!.Upstreams)
        {
            if (proxy.Memberships.TryGetValue(upstream, out var membership)) WriteUpstream(membership, proxy.Health, json);
        }

        json.WriteEndArray();
    }

    private static void WriteUpstream(Membership membership, HealthChecks health, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        var upstream = membership.Upstream;
        json.WriteString("name", upstream.Name);
        json.WriteBoolean("breaker_open", upstream.Breaker.IsOpen);
        json.WriteBoolean("panicking", upstream.IsPanicking);
        json.WriteNumber("retries_refused", upstream.Retries.Refused);
        if (upstream.Settings.IsSticky) json.WriteNumber("sticky_moves", upstream.Moved);
        WriteQueue(upstream, json);
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
            if (!endpoint.HasRoom) json.WriteBoolean("full", true);
            json.WriteNumber("requests_under_way", endpoint.Active);
            json.WriteNumber("connections", endpoint.Connections);
            json.WriteNumber("connect_failures", endpoint.ConnectFailures);
            json.WriteNumber("requests", endpoint.Traffic.Total().Requests);
            if (endpoint.Tls is not null) WriteTls(endpoint, json);
            HealthStatus.Write(endpoint, health.Of(endpoint), json);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (membership.Sources.Count > 0) WriteSources(membership, json);
        json.WriteEndObject();
    }

    private static void WriteTls(Endpoint endpoint, Utf8JsonWriter json)
    {
        json.WriteStartObject("tls");
        json.WriteNumber("full", endpoint.Handshakes.Full);
        json.WriteNumber("resumed", endpoint.Handshakes.Resumed);
        json.WriteNumber("failed", endpoint.Handshakes.Failed);
        if (endpoint.TlsTrouble is { } trouble) json.WriteString("trouble", trouble);
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
        json.WriteNumber("connections", upstream.Connections.Count);
        json.WriteNumber("queue_length", upstream.Door.QueueLength);
        json.WriteNumber("queued", upstream.Door.Queued);
        json.WriteNumber("queue_full", upstream.Door.Refused.Full);
        json.WriteNumber("queue_timeouts", upstream.Door.Refused.Late);
    }
}
