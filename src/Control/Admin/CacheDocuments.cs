// What there is to tell of caches, as JSON.

using System.Text;
using System.Text.Json;
using Weir.Engine.Caching;
using Weir.Engine.Caching.Disk;

namespace Weir.Control.Admin;

internal static class CacheDocuments
{
    public static string Caches(IReadOnlyList<Cache> caches) => Document(json =>
    {
        json.WriteStartObject();
        Write(caches, json);
        json.WriteEndObject();
    });

    /// <summary>The member "caches" of a document.</summary>
    public static void Write(IReadOnlyList<Cache> caches, Utf8JsonWriter json)
    {
        json.WriteStartArray("caches");
        foreach (var cache in caches)
        {
            json.WriteStartObject();
            json.WriteString("name", cache.Name);
            json.WriteNumber("entries", cache.Count);
            json.WriteNumber("bytes", cache.Memory.Bytes);
            json.WriteNumber("limit_bytes", cache.MemoryLimit);
            json.WriteStartObject("requests");
            foreach (var (place, outcome) in CacheCounts.Outcomes.Index().Skip(1)) json.WriteNumber(outcome, cache.Counts.Total((CacheOutcome)place));
            json.WriteEndObject();
            json.WriteNumber("saved_bytes", cache.Counts.BytesSaved);
            json.WriteNumber("fills", cache.Counts.Fills);
            json.WriteNumber("evictions", cache.Counts.Evictions);
            json.WriteNumber("purged", cache.Counts.Purged);
            json.WriteNumber("dictionaries", cache.Dictionaries.Count);
            json.WriteNumber("dictionary_bytes", cache.Dictionaries.Bytes);
            if (cache.AwaitsDisk || cache.Disk is not null) Write(cache.Disk?.Store, json);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(DiskStore? disk, Utf8JsonWriter json)
    {
        json.WriteStartObject("disk");
        json.WriteBoolean("available", disk is not null);
        if (disk is not null)
        {
            var counts = disk.Counts;
            json.WriteBoolean("paused", disk.IsPaused);
            json.WriteNumber("loaded", Math.Round(disk.LoadedPart, 3));
            json.WriteNumber("entries", disk.Entries);
            json.WriteNumber("bytes", disk.Bytes);
            json.WriteNumber("limit_bytes", disk.MostBytes);
            json.WriteNumber("hits", counts.Hits);
            json.WriteNumber("misses", counts.Misses.Sum());
            json.WriteNumber("broken", counts.Broken);
            json.WriteNumber("writes", counts.Writes);
            json.WriteNumber("refused", counts.Refused);
            json.WriteNumber("evictions", counts.Evictions);
            json.WriteNumber("failures", counts.Errors);
        }

        json.WriteEndObject();
    }

    public static string List(IEnumerable<(string Cache, List<KeptObject> Objects)> lists) => Document(json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("objects");
        foreach (var (cache, objects) in lists)
        {
            foreach (var one in objects)
            {
                json.WriteStartObject();
                json.WriteString("cache", cache);
                Write(one, json);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    public static (int Status, string Text) Explain(List<CacheProbe.Found> found, string trouble, DateTime now)
    {
        if (found.Count == 0) return (200, Document(json =>
        {
            json.WriteStartObject();
            json.WriteString("not_cached", trouble);
            json.WriteStartArray("keys");
            json.WriteEndArray();
            json.WriteEndObject();
        }));
        return (200, Document(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("keys");
            foreach (var one in found)
            {
                json.WriteStartObject();
                json.WriteString("cache", one.Cache.Name);
                json.WriteString("route", one.Route);
                if (one.Way.Length > 0) json.WriteString("passes_by", one.Way);
                if (one.Kept is { } kept)
                {
                    Write(kept, json);
                }
                else
                {
                    json.WriteString("url", one.Url);
                    json.WriteStartArray("stored");
                    json.WriteEndArray();
                }

                if (one.Refusal is { } refusal)
                {
                    json.WriteStartObject("last_not_stored");
                    json.WriteString("reason", refusal.Reason);
                    json.WriteNumber("status", refusal.Status);
                    json.WriteString("at", refusal.At);
                    json.WriteNumber("seconds_ago", (long)(now - refusal.At).TotalSeconds);
                    json.WriteEndObject();
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }));
    }

    private static void Write(KeptObject one, Utf8JsonWriter json)
    {
        json.WriteString("url", one.Url);
        json.WriteNumber("on_their_way", one.Fills);
        json.WriteStartArray("stored");
        foreach (var response in one.Responses)
        {
            json.WriteStartObject();
            json.WriteNumber("status", response.Status);
            json.WriteBoolean("answers_this", response.Answers);
            json.WriteNumber("age", response.Age);
            json.WriteNumber("fresh_for", response.FreshFor);
            if (response.IsOutdated) json.WriteBoolean("purged_softly", true);
            if (response.StaleWhileRevalidate > 0) json.WriteNumber("stale_while_revalidate", response.StaleWhileRevalidate);
            if (response.StaleIfError > 0) json.WriteNumber("stale_if_error", response.StaleIfError);
            if (response.Length >= 0) json.WriteNumber("length", response.Length);
            json.WriteNumber("bytes", response.Weight);
            json.WriteNumber("uses", response.Uses);
            if (response.Varies.Length > 0) json.WriteString("varies", response.Varies);
            foreach (var (field, name) in new[] { ("Content-Type", "type"), ("Content-Encoding", "encoding"), ("ETag", "etag"), ("Last-Modified", "last_modified"), ("Cache-Control", "cache_control"), ("Use-As-Dictionary", "dictionary"), ("Surrogate-Key", "surrogate_key"), ("Cache-Tag", "cache_tag") })
            {
                if (Value(response.Fields, field) is { } value) json.WriteString(name, value);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string? Value(string lines, string field)
    {
        var values = lines.Split("\r\n").Where(l => l.StartsWith(field + ":", StringComparison.OrdinalIgnoreCase)).Select(l => l[(field.Length + 1)..].Trim()).ToArray();
        return values.Length == 0 ? null : string.Join(", ", values);
    }

    private static string Document(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true })) write(json);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }
}
