// What the origin has sent so far of answers that may be kept.

using System.Text.Json;

namespace Weir.Bench.SideBySide;

/// <param name="Requests">How many.</param>
/// <param name="Bytes">Bytes of bodies.</param>
/// <param name="Confirmed">How many of the requests were answered with 304.</param>
internal readonly record struct OriginCounts(long Requests, long Bytes, long Confirmed)
{
    public static OriginCounts operator -(OriginCounts a, OriginCounts b) => new(a.Requests - b.Requests, a.Bytes - b.Bytes, a.Confirmed - b.Confirmed);

    /// <summary>Of one kind of paths (fresh, scan, slow, vary, stale, nostore); see bench/Load/Asked.cs.</summary>
    public static OriginCounts Of(Run run, string kind)
    {
        using var client = new HttpClient();
        using var answer = client.Send(new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{run.Origin}/counts"));
        using var json = JsonDocument.Parse(answer.Content.ReadAsStream());
        var counts = json.RootElement.GetProperty(kind);
        return new OriginCounts(counts.GetProperty("requests").GetInt64(), counts.GetProperty("bytes").GetInt64(), counts.GetProperty("confirmed").GetInt64());
    }
}
