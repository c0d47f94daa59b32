// Values in the words an operator writes them with.

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Control.Configuration;
using Weir.Engine.Acceleration;
using Weir.Engine.Exchanges;
using Weir.Engine.Forwarding;
using Weir.Engine.Policies.Compression;
using Weir.Engine.Policies.Integrity;
using Weir.Engine.Upstreams;
using Weir.Wire.Fields;

namespace Weir.Control.Explaining;

internal static class Words
{
    /// <summary>File and line.</summary>
    public static string Place(IWritten written) => $"{Path.GetFileName(written.At.File)}:{written.At.Line}";

    /// <summary>Milliseconds.</summary>
    public static string Duration(long milliseconds) => milliseconds switch
    {
        Timeouts.None => "off",
        >= 3_600_000 when milliseconds % 3_600_000 == 0 => Number(milliseconds / 3_600_000, "h"),
        >= 120_000 when milliseconds % 60_000 == 0 => Number(milliseconds / 60_000, "m"),
        _ when milliseconds % 1_000 == 0 => Number(milliseconds / 1_000, "s"),
        _ => Number(milliseconds, "ms"),
    };

    /// <summary>Bytes.</summary>
    public static string Size(long bytes) => bytes switch
    {
        long.MaxValue => "off",
        >= 1 << 30 when bytes % (1 << 30) == 0 => Number(bytes >> 30, "GiB"),
        >= 1 << 20 when bytes % (1 << 20) == 0 => Number(bytes >> 20, "MiB"),
        >= 1 << 10 when bytes % (1 << 10) == 0 => Number(bytes >> 10, "KiB"),
        _ => Number(bytes, "B"),
    };

    /// <summary>A content coding.</summary>
    public static string Name(Coding coding) => Encoding.ASCII.GetString(Codings.Name(coding));

    /// <summary>What becomes of requests' bodies.</summary>
    public static string Coding(RequestCodingPlan plan) => plan.Decompress.Length > 0
        ? $"request_body decompresses {string.Join(", ", plan.Decompress.Select(Name))}, {Growth(plan.MostSize, plan.MostRatio)}"
        : $"request_body compresses with {Name(plan.Compress.Coding)} {plan.Compress.Level}, from {Size(plan.MinSize)}";

    /// <summary>How far a body may grow.</summary>
    public static string Growth(long size, int ratio) => (size, ratio) switch
    {
        (long.MaxValue, 0) => "to any size",
        (long.MaxValue, _) => Number(ratio, " times its size at most"),
        (_, 0) => $"to {Size(size)} at most",
        _ => $"to {Size(size)} and {Number(ratio, " times its size")} at most",
    };

    /// <summary>Why a response stays as it is.</summary>
    public static string Untouched(Untouched why) => why switch
    {
        Engine.Policies.Compression.Untouched.Status => "not this status",
        Engine.Policies.Compression.Untouched.Encoded => "it has a coding already",
        Engine.Policies.Compression.Untouched.NoTransform => "it says no-transform",
        Engine.Policies.Compression.Untouched.Type => "not this media type",
        Engine.Policies.Compression.Untouched.Size => "it is too short",
        Engine.Policies.Compression.Untouched.CrossSite => "another site brought it about",
        _ => "this client takes none, or would rather have none",
    };

    /// <summary>An expression as it was written: what makes it match a whole value is ours.</summary>
    public static string Expression(Regex expression) =>
        expression.ToString() is ['^', '(', '?', ':', .. var written, ')', '\\', 'z'] ? written : expression.ToString();

    /// <summary>When another endpoint is asked.</summary>
    public static string Retry(RetryPlan plan, RetryConfig written) =>
        plan.Attempts == 0 ? "no retries" : $"{plan.Attempts} retries on {string.Join(' ', written.On ?? ["connect", "reset", "timeout", "502", "503", "504"])}{(plan.PerTry == Timeouts.None ? "" : $", per_try {Duration(plan.PerTry)}")}, budget {plan.BudgetPercent}%";

    /// <summary>How large answers are fetched.</summary>
    public static string Acceleration(AcceleratePlan plan) =>
        $"accelerate answers from {Size(plan.Smallest)} over up to {plan.Segments} connections, parts up to {Size(plan.SegmentSize)}, {Size(plan.Memory)} ahead in memory{(plan.Folder is null ? "" : $", {Size(plan.Disk)} on disk")}, servers are the same by {(plan.MirrorsByDigest ? "Repr-Digest" : "ETag")}";

    /// <summary>What becomes of digests.</summary>
    public static string Integrity(IntegrityPlan plan)
    {
        var what = plan switch
        {
            { Verifies: true, Generates: true } => "verifies Repr-Digest and Content-Digest of the server, and tells them where the client asks for them",
            { Verifies: true } => "verifies Repr-Digest and Content-Digest of the server",
            _ => "tells Repr-Digest and Content-Digest where the client asks for them",
        };
        return $"integrity {what}: {string.Join(", ", plan.Algorithms.Select(static a => Encoding.ASCII.GetString(DigestField.Name(a))))}";
    }

    /// <summary>What an upstream may carry at once.</summary>
    public static string Limits(Bounds bounds)
    {
        var words = new List<string>();
        foreach (var (name, most) in new[] { ("connections", bounds.Connections), ("requests", bounds.Requests), ("endpoint_connections", bounds.EndpointConnections), ("endpoint_requests", bounds.EndpointRequests) })
        {
            if (most > 0) words.Add(Number(most, $" {name}"));
        }

        return $"at most {string.Join(", ", words)}; {(bounds.Queue == 0 ? "nobody waits" : $"{Number(bounds.Queue, "")} wait for {Duration(bounds.QueueTimeout)}")}";
    }

    /// <summary>What becomes of endpoints that fail or are slow, where it is not as everywhere.</summary>
    public static IEnumerable<string> Failure(ForwardPlan plan)
    {
        var settings = plan.Upstream.Settings;
        if (settings.Passive is null) yield return "nobody is ejected";
        else if (settings.Passive != new PassiveHealth()) yield return Passive(settings.Passive);
        if (settings.Panic != 0) yield return settings.Panic == UpstreamSettings.NoPanic ? "panic off" : $"panic below {settings.Panic}%";
        if (settings.Breaker is { } breaker) yield return $"circuit_breaker of {(breaker.OfUpstream && breaker.OfEndpoints ? "both" : breaker.OfUpstream ? "upstream" : "endpoint")} opens for {Duration(breaker.OpenFor)} at {breaker.ErrorPercent}% of at least {breaker.AtLeast} within {Duration(breaker.Within)}";
        if (plan.Hedge is { } hedge) yield return $"hedge after {(hedge.Percentile > 0 ? $"p{hedge.Percentile}" : Duration(hedge.After))}, most {hedge.MostPercent}%";
        if (settings.SlowStart > 0) yield return $"slow_start {Duration(settings.SlowStart)}";
    }

    /// <summary>Why a fault was answered.</summary>
    public static string Cause(FaultCause cause)
    {
        var words = new StringBuilder();
        foreach (var c in cause.ToString()) words.Append(char.IsUpper(c) && words.Length > 0 ? $" {char.ToLowerInvariant(c)}" : char.ToLowerInvariant(c).ToString());
        return words.ToString();
    }

    /// <summary>One, or several and the last.</summary>
    public static string Or(IReadOnlyList<string> several) =>
        several.Count == 1 ? several[0] : $"{string.Join(", ", several.Take(several.Count - 1))} or {several[^1]}";

    private static string Passive(PassiveHealth health)
    {
        var words = new List<string>();
        if (health.Failures > 0) words.Add($"{health.Failures} failures in a row");
        if (health.ErrorPercent > 0) words.Add($"{health.ErrorPercent}% of at least {health.AtLeast} failed");
        if (health.LatencyFactor > 0) words.Add($"{health.LatencyFactor} times the median latency");
        return words.Count == 0 ? "nobody is ejected" : $"ejects for {Duration(health.EjectFor)} at {Or(words)}, within {Duration(health.Within)}";
    }

    private static string Number(long value, string unit) => value.ToString(CultureInfo.InvariantCulture) + unit;
}
