// All metrics, in Prometheus' text format. One table names them; the reference is generated from it.

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weir.Control.Certificates;
using Weir.Control.Discovery;
using Weir.Control.Health;
using Weir.Engine.Acceleration;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Disk;
using Weir.Engine.Listeners;
using Weir.Engine.Observe;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Upstreams;

namespace Weir.Control.Metrics;

/// <summary>The metrics document.</summary>
public static class MetricsPage
{
    /// <summary>Name, type and meaning of every metric.</summary>
    public static readonly (string Name, string Type, string Help)[] All =
    [
        ("weir_info", "gauge", "Always 1; its labels tell the version."),
        ("weir_connections", "gauge", "Client connections open."),
        ("weir_connections_accepted_total", "counter", "Client connections taken."),
        ("weir_connections_refused_total", "counter", "Client connections closed at once because their client had too many."),
        ("weir_tls_handshakes_active", "gauge", "TLS handshakes with clients under way."),
        ("weir_tls_handshakes_total", "counter", "TLS handshakes with clients by outcome: full, resumed; left, timeout; displaced (made room for others at the limit), refused (its client had too many under way); plain_http, unknown_name, certificate (the client's), protocol."),
        ("weir_requests_active", "gauge", "Exchanges under way."),
        ("weir_site_requests_total", "counter", "Exchanges by site, status class and status; site \"\": refused before a site was found; 0: ended without a status; code \"other\": one that is not registered."),
        ("weir_site_received_bytes_total", "counter", "Bytes of request bodies passed on."),
        ("weir_site_sent_bytes_total", "counter", "Bytes of response bodies passed on."),
        ("weir_site_faults_total", "counter", "Exchanges that ended with a fault."),
        ("weir_site_duration_seconds", "histogram", "From a request's first byte to the end of its exchange."),
        ("weir_upstream_requests_total", "counter", "Exchanges by upstream, status class and status."),
        ("weir_upstream_received_bytes_total", "counter", "Bytes of request bodies passed on, by upstream."),
        ("weir_upstream_sent_bytes_total", "counter", "Bytes of response bodies passed on, by upstream."),
        ("weir_upstream_retries_total", "counter", "Further endpoints tried."),
        ("weir_upstream_duration_seconds", "histogram", "Durations of exchanges by upstream."),
        ("weir_mirror_requests_total", "counter", "Requests to be mirrored to an upstream, by what became of the copy: answered, failed; not sent: dropped (too many under way), too_large (its body), exhausted (memory is short), incomplete (nor was the request, or not all of it)."),
        ("weir_cache_requests_total", "counter", "Requests of routes with a cache, by what it did: hit, stale (used although), miss, collapsed (waited for another's fetch), revalidated, expired (fetched anew), pass (may not be kept), bypass (not looked for)."),
        ("weir_cache_saved_bytes_total", "counter", "Bytes of bodies that were answered without their origin."),
        ("weir_cache_fills_total", "counter", "Answers that were kept."),
        ("weir_cache_evictions_total", "counter", "Answers that had to make room."),
        ("weir_cache_purged_total", "counter", "Answers that purges took out or made stale."),
        ("weir_cache_entries", "gauge", "Answers that are kept."),
        ("weir_cache_bytes", "gauge", "Memory of a cache: what is kept, on its way or still read."),
        ("weir_cache_limit_bytes", "gauge", "The most that may be kept in memory."),
        ("weir_cache_dictionaries", "gauge", "Bodies kept beside the answers, for others to be compressed by (compress.dictionaries)."),
        ("weir_cache_dictionary_bytes", "gauge", "Bytes of these, beyond the limit."),
        ("weir_cache_disk_available", "gauge", "1 while a cache has its disk; 0 while it is to have one that cannot be used, as when another process has it. Of caches with a disk only, as all that follow; those are there while it is."),
        ("weir_cache_disk_paused", "gauge", "1 while nothing is written because the disk has failed a moment ago, or is full."),
        ("weir_cache_disk_loaded_ratio", "gauge", "How much of what an earlier process left is in the index again: 1, all. What is not yet is looked for by its name."),
        ("weir_cache_disk_entries", "gauge", "Answers on the disk."),
        ("weir_cache_disk_bytes", "gauge", "Bytes of the disk that they take."),
        ("weir_cache_disk_limit_bytes", "gauge", "The most that they may take."),
        ("weir_cache_disk_waiting_bytes", "gauge", "Bytes on their way to the disk."),
        ("weir_cache_disk_hits_total", "counter", "Answers that were found on the disk."),
        ("weir_cache_disk_misses_total", "counter", "Looks at the disk that brought nothing, by reason: absent, expired, removed (meanwhile), busy (too much waits for the disk, or memory is short), closed; broken: missing, torn, outdated, other_key, checksum, unreadable."),
        ("weir_cache_disk_read_bytes_total", "counter", "Bytes read from the disk, of heads and bodies."),
        ("weir_cache_disk_writes_total", "counter", "Answers written to the disk."),
        ("weir_cache_disk_written_bytes_total", "counter", "Bytes written to the disk."),
        ("weir_cache_disk_refusals_total", "counter", "Answers that were not written, by reason: paused, slow (too much waits for the disk), memory (is short), too_large, failed (the disk), removed (before it was written)."),
        ("weir_cache_disk_evictions_total", "counter", "Answers that had to make room on the disk."),
        ("weir_cache_disk_removals_total", "counter", "Answers that were purged or forgotten on the disk."),
        ("weir_cache_disk_orphans_total", "counter", "Files deleted that no answer belonged to: what a killed process left unfinished."),
        ("weir_cache_disk_failures_total", "counter", "Operations that the disk failed."),
        ("weir_accelerate_answers_total", "counter", "Answers that were fetched over several connections, and have ended."),
        ("weir_accelerate_resumes_total", "counter", "Breaks within an answer, accelerated or not, that were gone on with."),
        ("weir_accelerate_parts_total", "counter", "Parts of answers that were asked for."),
        ("weir_accelerate_parts_failed_total", "counter", "Parts, or the rests of some, that had to be asked for again."),
        ("weir_accelerate_part_bytes_total", "counter", "Bytes that came in parts, of answers that have ended."),
        ("weir_accelerate_throttled_total", "counter", "Times that a server said that it is asked too much, and was asked less."),
        ("weir_accelerate_sources_dropped_total", "counter", "Servers that were left out of an answer because they did not have the same, or gave no parts."),
        ("weir_accelerate_parts_active", "gauge", "Requests for parts under way."),
        ("weir_accelerate_transfers", "gauge", "Answers under way that may be fetched over several connections, by upstream."),
        ("weir_accelerate_connections", "gauge", "Connections at work for them."),
        ("weir_accelerate_rate_bytes", "gauge", "Bytes a second that they come with, together."),
        ("weir_accelerate_single_rate_bytes", "gauge", "Bytes a second that the best single connection of each brought, together: the rate divided by it is the gain. Of those whose rates are known."),
        ("weir_accelerate_held_bytes", "gauge", "Bytes of buffers that wait for their clients."),
        ("weir_upstream_queue_length", "gauge", "Requests that wait because the upstream is at one of its limits."),
        ("weir_upstream_queued_total", "counter", "Requests that have waited, or have begun to."),
        ("weir_upstream_queue_refusals_total", "counter", "Requests answered 503 because the queue was full, or because their time in it ran out."),
        ("weir_upstream_queue_seconds", "histogram", "How long requests have waited, whatever became of them."),
        ("weir_upstream_retry_budget_refusals_total", "counter", "Further endpoints not tried because the budget for it was used up."),
        ("weir_upstream_breaker_open", "gauge", "1 while the upstream's circuit breaker is open."),
        ("weir_upstream_hedges_total", "counter", "Requests sent to a second endpoint beside the first, by outcome: won (it answered first), lost."),
        ("weir_upstream_tls_handshakes_total", "counter", "TLS handshakes with an upstream's endpoints, by outcome: full, resumed (an earlier session was gone on with), failed. Those of health checks are not counted."),
        ("weir_upstream_sticky_moves_total", "counter", "Requests whose cookie named another endpoint than the one that answered, because that was away, gone, or did not answer: their clients stay with the new one. Of sticky upstreams only."),
        ("weir_upstream_panicking", "gauge", "1 while so few endpoints are available that health is ignored."),
        ("weir_endpoint_requests_total", "counter", "Exchanges by endpoint, status class and status."),
        ("weir_endpoint_received_bytes_total", "counter", "Bytes of request bodies passed on, by endpoint."),
        ("weir_endpoint_sent_bytes_total", "counter", "Bytes of response bodies passed on, by endpoint."),
        ("weir_endpoint_available", "gauge", "1 while requests may be sent to an endpoint."),
        ("weir_endpoint_away", "gauge", "1 for each reason for which an endpoint takes no requests."),
        ("weir_endpoint_requests_active", "gauge", "Exchanges under way by endpoint."),
        ("weir_endpoint_connections", "gauge", "Connections open to an endpoint, idle ones included."),
        ("weir_endpoint_connections_idle", "gauge", "Connections to an endpoint that wait for their next exchange."),
        ("weir_endpoint_connections_opened_total", "counter", "Connections made to an endpoint."),
        ("weir_endpoint_connections_reused_total", "counter", "Exchanges that began on a connection to an endpoint that was there already."),
        ("weir_endpoint_connect_failures_total", "counter", "Connections to an endpoint that could not be made."),
        ("weir_endpoint_weight", "gauge", "The weight in force of an endpoint, drained or not."),
        ("weir_endpoint_duration_seconds", "histogram", "Durations of exchanges by endpoint."),
        ("weir_discovery_failures_total", "counter", "Times that a source of endpoints could not be asked, or had something wrong; its last good list stays."),
        ("weir_discovery_last_success_time_seconds", "gauge", "When the list of a source of endpoints was known to be right last, in Unix time; 0: never."),
        ("weir_health_checks_total", "counter", "Active health checks by endpoint and outcome: passed; refused, timeout, broken, status, body; none: out of descriptors, ports or buffers, which says nothing about the endpoint."),
        ("weir_dns_lookups_total", "counter", "Lookups of the names of servers, by outcome: done, not_found, timeout, failed."),
        ("weir_dns_names", "gauge", "Names of servers that are followed, by state: good, failing. What is known of one that fails is kept."),
        ("weir_certificate_expiry_time_seconds", "gauge", "Until when an automatic certificate holds, in Unix time; 0: the name has none yet."),
        ("weir_certificate_renewal_time_seconds", "gauge", "When an automatic certificate is to be renewed, or its order tried again after a failure, in Unix time; 0: now."),
        ("weir_certificate_failing", "gauge", "1 while the last order for a name has come to nothing. What it has is kept."),
        ("weir_certificate_orders_total", "counter", "Orders of certificates by issuer and outcome: given; unreachable, rate_limited, refused, not_shown (the issuer did not find that the name is ours); own: the folder, a hook, another node."),
        ("weir_certificate_not_after_seconds", "gauge", "When a certificate that a site shows expires, in Unix time, by the kind of its key."),
        ("weir_certificate_stapled_until_seconds", "gauge", "When what is stapled to a certificate (OCSP) expires, in Unix time; 0: nothing is stapled. Of certificates that name a responder."),
        ("weir_compression_bodies_total", "counter", "Bodies whose content coding was changed, by body (response, request), way (compressed, decompressed) and coding."),
        ("weir_compression_in_bytes_total", "counter", "Bytes of such bodies as they came."),
        ("weir_compression_out_bytes_total", "counter", "Bytes of such bodies as they were passed on."),
        ("weir_compression_skipped_total", "counter", "Responses of routes with compress that stayed as they were, by reason: status, encoded, no_transform, type, size, cross_site, not_accepted, busy (too many at once, or memory is short)."),
        ("weir_compression_dictionary_answers_total", "counter", "Kept answers that went out compressed by a dictionary of their client's, by coding (dcz, dcb)."),
        ("weir_compression_coders", "gauge", "Compressors and decompressors at work."),
        ("weir_integrity_verified_total", "counter", "Bodies, and parts of them, that were what the digest says that came with them."),
        ("weir_integrity_mismatched_total", "counter", "Those that were not: they were broken off, or fetched again."),
        ("weir_integrity_generated_total", "counter", "Answers whose client asked for a digest and was told one made here, by where it stood: head, trailer."),
        ("weir_loop_lag_seconds", "histogram", "How late timers fire: what anything on a loop may have had to wait."),
        ("weir_buffer_bytes", "gauge", "Bytes held in buffers, those included that are kept for the next use."),
        ("weir_buffers_leased", "gauge", "Buffers in use at this moment."),
        ("weir_buffer_refusals_total", "counter", "Buffers refused because the memory limit was reached."),
        ("weir_buffer_disk_bytes", "gauge", "Bytes of requests' bodies that are kept on disk so that they can be sent again."),
        ("weir_buffer_disk_written_bytes_total", "counter", "Bytes of requests' bodies that were written to disk."),
        ("weir_buffer_disk_failures_total", "counter", "Times that the disk could not do that, or could not give them back."),
        ("weir_log_dropped_total", "counter", "Access records dropped because a ring was full or its target failed."),
        ("weir_error_log_dropped_total", "counter", "Lines of the error log dropped because too many waited or its target failed."),
        ("weir_reloads_total", "counter", "Reloads, by outcome."),
        ("weir_process_resident_bytes", "gauge", "Resident memory."),
        ("weir_process_cpu_seconds_total", "counter", "CPU time used."),
        ("weir_process_open_descriptors", "gauge", "Descriptors open."),
        ("weir_process_threads", "gauge", "Threads."),
        ("weir_process_start_time_seconds", "gauge", "When the program started, in Unix time."),
        ("weir_process_allocated_bytes_total", "counter", "Bytes allocated on the managed heap."),
        ("weir_process_collections_total", "counter", "Garbage collections."),
    ];

    private static readonly (Untouched Why, string Word)[] Skips =
    [
        (Untouched.Status, "status"), (Untouched.Encoded, "encoded"), (Untouched.NoTransform, "no_transform"), (Untouched.Type, "type"), (Untouched.Size, "size"),
        (Untouched.CrossSite, "cross_site"), (Untouched.NotAccepted, "not_accepted"), (Untouched.Busy, "busy"),
    ];

    private static readonly Away[] Reasons = [Away.Unreachable, Away.Unhealthy, Away.Ejected, Away.Broken, Away.Drained];

    public static string Write(RunningProxy proxy)
    {
        var page = new Page();
        var engine = proxy.Engine;
        page.Sample("weir_info", 1, ("version", ProductVersion.Text));
        page.Sample("weir_connections", engine.Connections);
        page.Sample("weir_connections_accepted_total", engine.Occupancy.Accepted);
        page.Sample("weir_connections_refused_total", engine.Occupancy.Refused);
        page.Sample("weir_tls_handshakes_active", engine.Handshakes.Active);
        foreach (var (place, outcome) in HandshakeCounts.Words.Index()) page.Sample("weir_tls_handshakes_total", engine.Handshakes.Total((HandshakeOutcome)place), ("outcome", outcome));
        page.Sample("weir_requests_active", proxy.Active);
        var plan = engine.Plan!;
        var sites = plan.Sites.Select(s => s.Record).OfType<SiteRecord>().Distinct().Select(s => s.Traffic).Append(engine.Unsited).Select(t => (t.Name, Total: t.Total())).ToArray();
        foreach (var (name, total) in sites) page.Statuses("weir_site_requests_total", total, ("site", name));
        foreach (var (name, total) in sites) page.Sample("weir_site_received_bytes_total", total.BytesIn, ("site", name));
        foreach (var (name, total) in sites) page.Sample("weir_site_sent_bytes_total", total.BytesOut, ("site", name));
        foreach (var (name, total) in sites) page.Sample("weir_site_faults_total", total.Faults, ("site", name));
        foreach (var (name, total) in sites) page.Durations("weir_site_duration_seconds", total.Buckets, total.DurationSum, ("site", name));
        // Inline upstreams with different settings may have one label: told together, because a series stands once.
        var upstreams = plan.Upstreams;
        var byUpstream = upstreams.GroupBy(u => u.Name).Select(g => (Name: g.Key, Total: Traffic.Total(g.Select(u => u.Traffic)))).ToArray();
        foreach (var (name, total) in byUpstream) page.Statuses("weir_upstream_requests_total", total, ("upstream", name));
        foreach (var (name, total) in byUpstream) page.Sample("weir_upstream_received_bytes_total", total.BytesIn, ("upstream", name));
        foreach (var (name, total) in byUpstream) page.Sample("weir_upstream_sent_bytes_total", total.BytesOut, ("upstream", name));
        foreach (var (name, total) in byUpstream) page.Sample("weir_upstream_retries_total", total.Retries, ("upstream", name));
        foreach (var (name, total) in byUpstream) page.Durations("weir_upstream_duration_seconds", total.Buckets, total.DurationSum, ("upstream", name));
        foreach (var same in upstreams.Where(u => u.Mirrored.IsUsed).GroupBy(u => u.Name))
        {
            foreach (var (place, outcome) in MirrorCounts.Outcomes.Index()) page.Sample("weir_mirror_requests_total", same.Sum(u => u.Mirrored.Total((MirrorOutcome)place)), ("upstream", same.Key), ("outcome", outcome));
        }

        WriteCaches(page, proxy.Caches);
        WriteCacheDisks(page, [.. proxy.Caches.Where(static c => c.AwaitsDisk || c.Disk is not null)]);
        WriteTransfers(page, engine.Transfers, [.. byUpstream.Select(static u => u.Name)]);
        WriteStates(page, upstreams.GroupBy(u => u.Name).Select(g => (g.Key, g.ToArray())).ToArray());
        WriteEndpoints(page, upstreams);
        WriteSources(page, proxy, upstreams);
        WriteChecks(page, upstreams, proxy.Health);
        WriteNames(page, proxy.Names);
        if (proxy.Automatic.Issuance is { } issuance) WriteIssuance(page, issuance);
        WriteCertificates(page, proxy);
        WriteCompression(page, [.. engine.Workers.Select(static w => w.Coders)]);
        page.Sample("weir_integrity_verified_total", engine.Workers.Sum(static w => w.Digests.Verified));
        page.Sample("weir_integrity_mismatched_total", engine.Workers.Sum(static w => w.Digests.Mismatched));
        page.Sample("weir_integrity_generated_total", engine.Workers.Sum(static w => w.Digests.ToldInHead), ("where", "head"));
        page.Sample("weir_integrity_generated_total", engine.Workers.Sum(static w => w.Digests.ToldBehind), ("where", "trailer"));
        foreach (var worker in engine.Workers)
        {
            var buckets = new long[Histogram.Bounds.Length + 1];
            var sum = worker.Records.Turns.AddTo(buckets);
            page.Durations("weir_loop_lag_seconds", buckets, sum, ("loop", worker.Loop.Index.ToString(CultureInfo.InvariantCulture)));
        }

        page.Sample("weir_buffer_bytes", engine.Memory.Used);
        page.Sample("weir_buffers_leased", engine.Workers.Sum(w => w.Buffers.Leased));
        page.Sample("weir_buffer_refusals_total", engine.Memory.Refusals);
        page.Sample("weir_buffer_disk_bytes", proxy.BuffersOnDisk?.Used ?? 0);
        page.Sample("weir_buffer_disk_written_bytes_total", proxy.BuffersOnDisk?.Written ?? 0);
        page.Sample("weir_buffer_disk_failures_total", proxy.BuffersOnDisk?.Failures ?? 0);
        foreach (var same in proxy.Logs.Logs.GroupBy(l => l.Name)) page.Sample("weir_log_dropped_total", same.Sum(l => l.Dropped + l.Target.Lost), ("log", same.Key));
        page.Sample("weir_error_log_dropped_total", proxy.Errors.Dropped + proxy.Errors.Target.Lost + (proxy.Errors.Target.Instead?.Lost ?? 0));
        page.Sample("weir_reloads_total", proxy.Reloads.Done, ("outcome", "done"));
        page.Sample("weir_reloads_total", proxy.Reloads.Refused, ("outcome", "refused"));
        WriteProcess(page, proxy);
        return page.ToString();
    }

    private static void WriteCaches(Page page, IReadOnlyList<Cache> caches)
    {
        foreach (var cache in caches)
        {
            foreach (var (place, outcome) in CacheCounts.Outcomes.Index().Skip(1)) page.Sample("weir_cache_requests_total", cache.Counts.Total((CacheOutcome)place), ("cache", cache.Name), ("outcome", outcome));
        }

        foreach (var cache in caches) page.Sample("weir_cache_saved_bytes_total", cache.Counts.BytesSaved, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_fills_total", cache.Counts.Fills, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_evictions_total", cache.Counts.Evictions, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_purged_total", cache.Counts.Purged, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_entries", cache.Count, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_bytes", cache.Memory.Bytes, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_limit_bytes", cache.MemoryLimit, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_dictionaries", cache.Dictionaries.Count, ("cache", cache.Name));
        foreach (var cache in caches) page.Sample("weir_cache_dictionary_bytes", cache.Dictionaries.Bytes, ("cache", cache.Name));
    }

    private static void WriteCacheDisks(Page page, Cache[] caches)
    {
        foreach (var cache in caches) page.Sample("weir_cache_disk_available", cache.Disk is null ? 0 : 1, ("cache", cache.Name));
        var disks = caches.Select(static c => (c.Name, c.Disk?.Store)).Where(static d => d.Store is not null).Select(static d => (d.Name, Store: d.Store!, d.Store!.Counts)).ToArray();
        foreach (var (name, store, _) in disks) page.Sample("weir_cache_disk_paused", store.IsPaused ? 1 : 0, ("cache", name));
        foreach (var (name, store, _) in disks) page.Sample("weir_cache_disk_loaded_ratio", store.LoadedPart, ("cache", name));
        foreach (var (name, store, _) in disks) page.Sample("weir_cache_disk_entries", store.Entries, ("cache", name));
        foreach (var (name, store, _) in disks) page.Sample("weir_cache_disk_bytes", store.Bytes, ("cache", name));
        foreach (var (name, store, _) in disks) page.Sample("weir_cache_disk_limit_bytes", store.MostBytes, ("cache", name));
        foreach (var (name, store, _) in disks) page.Sample("weir_cache_disk_waiting_bytes", store.InFlight, ("cache", name));
        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_hits_total", Volatile.Read(ref counts.Hits), ("cache", name));
        foreach (var (name, _, counts) in disks)
        {
            foreach (var (place, reason) in DiskCounts.MissWords.Index().Skip(1)) page.Sample("weir_cache_disk_misses_total", Volatile.Read(ref counts.Misses[place]), ("cache", name), ("reason", reason));
        }

        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_read_bytes_total", Volatile.Read(ref counts.BytesRead), ("cache", name));
        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_writes_total", Volatile.Read(ref counts.Writes), ("cache", name));
        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_written_bytes_total", Volatile.Read(ref counts.BytesWritten), ("cache", name));
        foreach (var (name, _, counts) in disks)
        {
            foreach (var (place, reason) in DiskCounts.RefusalWords.Index()) page.Sample("weir_cache_disk_refusals_total", Volatile.Read(ref counts.Refusals[place]), ("cache", name), ("reason", reason));
        }

        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_evictions_total", Volatile.Read(ref counts.Evictions), ("cache", name));
        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_removals_total", Volatile.Read(ref counts.Removals), ("cache", name));
        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_orphans_total", Volatile.Read(ref counts.Orphans), ("cache", name));
        foreach (var (name, _, counts) in disks) page.Sample("weir_cache_disk_failures_total", Volatile.Read(ref counts.Errors), ("cache", name));
    }

    // By upstream and no further: what runs is as many as clients want.
    private static void WriteTransfers(Page page, Transfers transfers, string[] upstreams)
    {
        var counts = transfers.Counts;
        page.Sample("weir_accelerate_answers_total", counts.Accelerated);
        page.Sample("weir_accelerate_resumes_total", counts.Resumed);
        page.Sample("weir_accelerate_parts_total", counts.Parts);
        page.Sample("weir_accelerate_parts_failed_total", counts.PartsFailed);
        page.Sample("weir_accelerate_part_bytes_total", counts.PartBytes);
        page.Sample("weir_accelerate_throttled_total", counts.Throttled);
        page.Sample("weir_accelerate_sources_dropped_total", counts.Dropped);
        page.Sample("weir_accelerate_parts_active", transfers.Parts);
        var running = transfers.Running.ToLookup(static t => t.Upstream);
        foreach (var name in upstreams) page.Sample("weir_accelerate_transfers", running[name].Count(), ("upstream", name));
        foreach (var name in upstreams) page.Sample("weir_accelerate_connections", running[name].Sum(static t => t.Connections.Active), ("upstream", name));
        var measured = transfers.Running.Where(static t => t.Rates is { All: > 0, Single: > 0 }).ToLookup(static t => t.Upstream, static t => t.Rates);
        foreach (var name in upstreams) page.Sample("weir_accelerate_rate_bytes", measured[name].Sum(static r => (long)r.All), ("upstream", name));
        foreach (var name in upstreams) page.Sample("weir_accelerate_single_rate_bytes", measured[name].Sum(static r => (long)r.Single), ("upstream", name));
        foreach (var name in upstreams) page.Sample("weir_accelerate_held_bytes", running[name].Sum(static t => t.Held), ("upstream", name));
    }

    private static void WriteStates(Page page, (string Name, Upstream[] Same)[] upstreams)
    {
        foreach (var (name, same) in upstreams) page.Sample("weir_upstream_queue_length", same.Sum(u => u.Door.QueueLength), ("upstream", name));
        foreach (var (name, same) in upstreams) page.Sample("weir_upstream_queued_total", same.Sum(u => u.Door.Queued), ("upstream", name));
        foreach (var (name, same) in upstreams)
        {
            page.Sample("weir_upstream_queue_refusals_total", same.Sum(u => u.Door.Refused.Full), ("upstream", name), ("reason", "full"));
            page.Sample("weir_upstream_queue_refusals_total", same.Sum(u => u.Door.Refused.Late), ("upstream", name), ("reason", "timeout"));
        }

        foreach (var (name, same) in upstreams)
        {
            var buckets = new long[Histogram.Bounds.Length + 1];
            page.Durations("weir_upstream_queue_seconds", buckets, same.Sum(u => u.Door.AddWaitsTo(buckets)), ("upstream", name));
        }

        foreach (var (name, same) in upstreams) page.Sample("weir_upstream_retry_budget_refusals_total", same.Sum(u => u.Retries.Refused), ("upstream", name));
        foreach (var (name, same) in upstreams) page.Sample("weir_upstream_breaker_open", same.Any(u => u.Breaker.IsOpen) ? 1 : 0, ("upstream", name));
        foreach (var (name, same) in upstreams)
        {
            var (sent, won) = (same.Sum(u => u.HedgeCounts.Sent), same.Sum(u => u.HedgeCounts.Won));
            page.Sample("weir_upstream_hedges_total", won, ("upstream", name), ("outcome", "won"));
            page.Sample("weir_upstream_hedges_total", sent - won, ("upstream", name), ("outcome", "lost"));
        }

        foreach (var (name, same) in upstreams.Where(static u => Array.Exists(u.Same, SpeaksTls)))
        {
            page.Sample("weir_upstream_tls_handshakes_total", same.Sum(u => u.Connections.Handshakes.Full), ("upstream", name), ("outcome", "full"));
            page.Sample("weir_upstream_tls_handshakes_total", same.Sum(u => u.Connections.Handshakes.Resumed), ("upstream", name), ("outcome", "resumed"));
            page.Sample("weir_upstream_tls_handshakes_total", same.Sum(u => u.Connections.Handshakes.Failed), ("upstream", name), ("outcome", "failed"));
        }

        foreach (var (name, same) in upstreams.Where(static u => u.Same.Any(static s => s.Settings.IsSticky))) page.Sample("weir_upstream_sticky_moves_total", same.Sum(u => u.Moved), ("upstream", name));
        foreach (var (name, same) in upstreams) page.Sample("weir_upstream_panicking", same.Any(u => u.IsPanicking) ? 1 : 0, ("upstream", name));
    }

    private static bool SpeaksTls(Upstream upstream)
    {
        foreach (var endpoint in upstream.Endpoints)
        {
            if (endpoint.Tls is not null) return true;
        }

        return upstream.Connections.Handshakes is not { Full: 0, Resumed: 0, Failed: 0 };
    }

    private static void WriteEndpoints(Page page, Upstream[] upstreams)
    {
        var endpoints = upstreams.SelectMany(u => u.Endpoints.ToArray().Select(e => (Upstream: u.Name, Endpoint: e))).GroupBy(e => (e.Upstream, e.Endpoint.Name), e => e.Endpoint)
            .Select(same => (Labels: ((string, string)[])[("upstream", same.Key.Upstream), ("endpoint", same.Key.Name)], Same: same.ToArray(), Total: Traffic.Total(same.Select(e => e.Traffic)))).ToArray();
        foreach (var (labels, _, total) in endpoints) page.Statuses("weir_endpoint_requests_total", total, labels);
        foreach (var (labels, _, total) in endpoints) page.Sample("weir_endpoint_received_bytes_total", total.BytesIn, labels);
        foreach (var (labels, _, total) in endpoints) page.Sample("weir_endpoint_sent_bytes_total", total.BytesOut, labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_available", same.Any(e => e.IsAvailable) ? 1 : 0, labels);
        foreach (var (labels, same, _) in endpoints)
        {
            foreach (var why in Reasons) page.Sample("weir_endpoint_away", same.Any(e => (e.Absence.Now & why) != 0) ? 1 : 0, [.. labels, ("reason", why.ToString().ToLowerInvariant())]);
        }

        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_requests_active", same.Sum(e => e.Active), labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_connections", same.Sum(e => e.Connections), labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_connections_idle", same.Sum(e => e.IdleConnections), labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_connections_opened_total", same.Sum(e => e.Uses.Opened), labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_connections_reused_total", same.Sum(e => e.Uses.Reused), labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_connect_failures_total", same.Sum(e => e.ConnectFailures), labels);
        foreach (var (labels, same, _) in endpoints) page.Sample("weir_endpoint_weight", same.Sum(e => e.Weight), labels);
        foreach (var (labels, _, total) in endpoints) page.Durations("weir_endpoint_duration_seconds", total.Buckets, total.DurationSum, labels);
    }

    private static void WriteSources(Page page, RunningProxy proxy, Upstream[] upstreams)
    {
        var sources = upstreams.Select(u => proxy.Memberships.GetValueOrDefault(u)).OfType<Membership>()
            .SelectMany(m => m.Sources.Select(s => (Labels: ((string, string)[])[("upstream", m.Upstream.Name), ("source", s.Name)], Source: s))).ToArray();
        foreach (var (labels, source) in sources) page.Sample("weir_discovery_failures_total", source.Failures, labels);
        foreach (var (labels, source) in sources) page.Sample("weir_discovery_last_success_time_seconds", source.LastSuccess / 1000.0, labels);
    }

    private static void WriteChecks(Page page, Upstream[] upstreams, HealthChecks health)
    {
        var checks = upstreams.SelectMany(u => u.Endpoints.ToArray().Where(static e => e.Settings.Active is not null).Select(e => (Upstream: u.Name, Endpoint: e.Name, Check: health.Of(e)))).GroupBy(c => (c.Upstream, c.Endpoint), c => c.Check);
        foreach (var same in checks)
        {
            foreach (var outcome in Enum.GetValues<CheckOutcome>()) page.Sample("weir_health_checks_total", same.Sum(c => c?.Count(outcome) ?? 0), ("upstream", same.Key.Upstream), ("endpoint", same.Key.Endpoint), ("outcome", CheckResult.Names[(int)outcome]));
        }
    }

    private static void WriteIssuance(Page page, Issuance issuance)
    {
        var all = issuance.All;
        foreach (var one in all) page.Sample("weir_certificate_expiry_time_seconds", one.Given?.NotAfter.ToUnixTimeSeconds() ?? 0, ("name", one.Name));
        foreach (var one in all) page.Sample("weir_certificate_renewal_time_seconds", (one.TryAt ?? one.RenewAt)?.ToUnixTimeSeconds() ?? 0, ("name", one.Name));
        foreach (var one in all) page.Sample("weir_certificate_failing", one.Trouble is null ? 0 : 1, ("name", one.Name));
        foreach (var (issuer, outcome, count) in issuance.Outcomes) page.Sample("weir_certificate_orders_total", count, ("issuer", issuer), ("outcome", outcome));
    }

    private static void WriteNames(Page page, Names names)
    {
        foreach (var outcome in Enum.GetValues<LookupOutcome>()) page.Sample("weir_dns_lookups_total", names.Count(outcome), ("outcome", outcome switch { LookupOutcome.Done => "done", LookupOutcome.NotFound => "not_found", LookupOutcome.Timeout => "timeout", _ => "failed" }));
        var all = names.All;
        var failing = all.Count(static n => n.Trouble is not null);
        page.Sample("weir_dns_names", all.Length - failing, ("state", "good"));
        page.Sample("weir_dns_names", failing, ("state", "failing"));
    }

    private static void WriteCertificates(Page page, RunningProxy proxy)
    {
        var shown = proxy.Certificates.SelectMany(static s => s.Shown.Select(c => (s.Name, Certificate: c))).GroupBy(static c => (c.Name, c.Certificate.Kind), static c => c.Certificate).ToArray();
        foreach (var same in shown) page.Sample("weir_certificate_not_after_seconds", same.Min(static c => c.Until).ToUnixTimeSeconds(), ("site", same.Key.Name), ("kind", same.Key.Kind));
        foreach (var same in shown.Where(static s => s.Any(static c => c.Responder is not null))) page.Sample("weir_certificate_stapled_until_seconds", same.Min(static c => c.StapledUntil?.ToUnixTimeSeconds() ?? 0), ("site", same.Key.Name), ("kind", same.Key.Kind));
    }

    // What nobody has used is left out, but for what most will look for.
    private static void WriteCompression(Page page, BodyCoders[] loops)
    {
        (string Body, string Way)[] words = [("response", "compressed"), ("response", "decompressed"), ("request", "decompressed"), ("request", "compressed")];
        var counts = (from body in Enum.GetValues<CodedBody>()
                      from coding in Codings.All
                      let same = loops.Select(l => l.Of(body, coding)).ToArray()
                      where body == CodedBody.ResponseCompressed || same.Any(static c => c.Bodies > 0)
                      select (Labels: ((string, string)[])[("body", words[(int)body].Body), ("way", words[(int)body].Way), ("coding", Encoding.ASCII.GetString(Codings.Name(coding)))], Same: same)).ToArray();
        foreach (var (labels, same) in counts) page.Sample("weir_compression_bodies_total", same.Sum(static c => c.Bodies), labels);
        foreach (var (labels, same) in counts) page.Sample("weir_compression_in_bytes_total", same.Sum(static c => c.BytesIn), labels);
        foreach (var (labels, same) in counts) page.Sample("weir_compression_out_bytes_total", same.Sum(static c => c.BytesOut), labels);
        foreach (var (why, word) in Skips) page.Sample("weir_compression_skipped_total", loops.Sum(l => l.Skipped(why)), ("reason", word));
        foreach (var coding in Codings.All.Where(DictionaryEncoder.Has)) page.Sample("weir_compression_dictionary_answers_total", loops.Sum(l => l.ByDictionary(coding)), ("coding", Encoding.ASCII.GetString(DictionaryEncoder.NameOf(coding))));
        page.Sample("weir_compression_coders", loops.Sum(static l => l.Coders.AtWork));
    }

    private static void WriteProcess(Page page, RunningProxy proxy)
    {
        using var process = Process.GetCurrentProcess();
        page.Sample("weir_process_resident_bytes", process.WorkingSet64);
        page.Sample("weir_process_cpu_seconds_total", process.TotalProcessorTime.TotalSeconds);
        page.Sample("weir_process_open_descriptors", Directory.GetFileSystemEntries("/proc/self/fd").Length);
        page.Sample("weir_process_threads", process.Threads.Count);
        page.Sample("weir_process_start_time_seconds", proxy.StartedAt.ToUnixTimeMilliseconds() / 1000.0);
        page.Sample("weir_process_allocated_bytes_total", GC.GetTotalAllocatedBytes());
        page.Sample("weir_process_collections_total", GC.CollectionCount(0));
    }

    private sealed class Page
    {
        private readonly StringBuilder text = new();
        private readonly HashSet<string> headed = [];

        public void Sample(string name, double value, params (string Name, string Value)[] labels)
        {
            Head(name);
            Line(name, value, labels);
        }

        public void Statuses(string name, TrafficTotals total, params (string Name, string Value)[] labels)
        {
            for (var place = 0; place < StatusCodes.Count; place++)
            {
                // What has not been seen is left out, but for one, so that there is a series to ask for.
                var (kind, status) = (StatusCodes.ClassOf(place), StatusCodes.StatusOf(place));
                if (total.Codes[place] == 0 && status != 200) continue;
                var code = status > 0 ? status.ToString(CultureInfo.InvariantCulture) : kind == 0 ? "0" : "other";
                Sample(name, total.Codes[place], [.. labels, ("class", kind == 0 ? "0" : $"{kind}xx"), ("code", code)]);
            }
        }

        public void Durations(string name, long[] buckets, long sum, params (string Name, string Value)[] labels)
        {
            Head(name);
            var cumulative = 0L;
            for (var i = 0; i < buckets.Length; i++)
            {
                cumulative += buckets[i];
                var bound = i < Histogram.Bounds.Length ? (Histogram.Bounds[i] / 1e6).ToString(CultureInfo.InvariantCulture) : "+Inf";
                Line(name + "_bucket", cumulative, [.. labels, ("le", bound)]);
            }

            Line(name + "_sum", sum / 1e6, labels);
            Line(name + "_count", cumulative, labels);
        }

        public override string ToString() => text.ToString();

        private void Head(string name)
        {
            if (!headed.Add(name)) return;
            var (_, type, help) = Array.Find(All, m => m.Name == name);
            text.Append("# HELP ").Append(name).Append(' ').Append(help).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        }

        private void Line(string name, double value, (string Name, string Value)[] labels)
        {
            text.Append(name);
            for (var i = 0; i < labels.Length; i++)
            {
                text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"").Append(Escape(labels[i].Value)).Append('"');
            }

            if (labels.Length > 0) text.Append('}');
            text.Append(' ').Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }

        private static string Escape(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
    }
}
