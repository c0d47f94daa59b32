// What is kept, in words.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Weir.Control.Admin;

/// <summary>Writes explanations of caches for people.</summary>
public static class CacheText
{
    public static string Explain(JsonElement answer)
    {
        if (answer.TryGetProperty("not_cached", out var trouble)) return $"not cached: {trouble.GetString()}";
        var text = new StringBuilder();
        foreach (var key in answer.GetProperty("keys").EnumerateArray())
        {
            text.Append(CultureInfo.InvariantCulture, $"cache {key.GetProperty("cache").GetString()}, route {key.GetProperty("route").GetString()}\n  key {key.GetProperty("url").GetString()}\n");
            if (key.TryGetProperty("passes_by", out var way)) text.Append(way.GetString() == "bypass" ? "  goes past the cache: bypass holds\n" : "  its answer is not kept: no_store holds\n");
            var stored = key.GetProperty("stored").EnumerateArray().ToArray();
            foreach (var one in stored) text.Append("  ").Append(one.GetProperty("answers_this").GetBoolean() ? "kept: " : "kept, for other requests: ").Append(Stored(one)).Append('\n');
            if (stored.Length == 0) text.Append("  nothing is kept\n");
            if (key.TryGetProperty("on_their_way", out var fills) && fills.GetInt32() > 0) text.Append(CultureInfo.InvariantCulture, $"  {fills.GetInt32()} being fetched\n");
            if (key.TryGetProperty("last_not_stored", out var refusal)) text.Append(CultureInfo.InvariantCulture, $"  an answer ({refusal.GetProperty("status").GetInt32()}) was not stored {refusal.GetProperty("seconds_ago").GetInt64()}s ago: {refusal.GetProperty("reason").GetString()}\n");
        }

        return text.ToString().TrimEnd();
    }

    /// <summary>One response in a line.</summary>
    public static string Stored(JsonElement one)
    {
        var fresh = one.GetProperty("fresh_for").GetInt64();
        var parts = new List<string>
        {
            $"{one.GetProperty("status").GetInt32()}",
            one.TryGetProperty("length", out var length) ? $"{length.GetInt64()} bytes" : "on its way",
            $"age {one.GetProperty("age").GetInt64()}s",
            one.TryGetProperty("purged_softly", out _) ? "purged softly: asked after at its next use" : fresh > 0 ? $"fresh for {fresh}s" : $"stale for {-fresh}s",
        };
        foreach (var (name, words) in new[] { ("stale_while_revalidate", "stale while renewed for {0}s"), ("stale_if_error", "stale if its servers fail for {0}s"), ("uses", "used {0} times") })
        {
            if (one.TryGetProperty(name, out var value) && value.GetInt64() > 0) parts.Add(string.Format(CultureInfo.InvariantCulture, words, value.GetInt64()));
        }

        foreach (var (name, words) in new[] { ("type", "{0}"), ("encoding", "{0}"), ("varies", "varies by {0}"), ("dictionary", "a dictionary for {0}"), ("surrogate_key", "tags {0}"), ("cache_tag", "tags {0}") })
        {
            if (one.TryGetProperty(name, out var value)) parts.Add(string.Format(CultureInfo.InvariantCulture, words, value.GetString()));
        }

        return string.Join(", ", parts);
    }
}
