// One download, from what an earlier run left to a file that is whole and right:
//
//   ask (the rest, If-Range, where something is there) → another URL → ask there
//     → the rest comes: it is put behind what is there → all of it comes: it begins anew
//       → it breaks: ask for the rest, for as long as something comes → whole: compare → the file takes its name
//
// The engine has parts fetched at once, and goes on where it can; what reaches this is in order.

using System.Diagnostics;
using Weir.Control.Configuration;
using Weir.Engine.Acceleration;

namespace Weir.Control.Downloads;

/// <summary>A download under way. Run once.</summary>
/// <param name="plan">What is wanted.</param>
/// <param name="sink">Where it goes.</param>
/// <param name="say">Told what whoever waits should know.</param>
public sealed class Download(DownloadPlan plan, DownloadSink sink, Action<string> say) : IDisposable
{
    /// <summary>URLs that one leads to.</summary>
    public const int MostRedirects = 10;

    private const int MostPiece = 256 << 10;
    private const int LookEvery = 100;

    // Seconds: the longest wait before it is tried again, and the longest that a server may ask for.
    private const int LongestPause = 10, LongestRetryAfter = 60;

    // Said to one server, for no other.
    private static readonly string[] Secret = ["Authorization", "Cookie", "Proxy-Authorization"];

    private readonly Digests digests = new();
    private readonly List<TransferView> seen = [];
    private readonly List<string> verified = [];
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private DownloadOrigin origin = null!;
    private IReadOnlyList<(string Name, string Value)> fields = plan.Fields;
    private string? digest;
    private byte[] sha256 = [];
    private int redirects;
    private bool hasAnswered;
    private bool isAsking = true;
    private long came;
    private long lookAt;
    private int mostConnections = 1;

    /// <summary>Bytes that are there.</summary>
    public long Bytes => sink.Length;

    /// <summary>Bytes that have come and wait for what is before them.</summary>
    public long Ahead => origin is { } at ? at.Running.Sum(static v => Math.Max(0, v.Received - v.Sent)) : 0;

    /// <summary>Bytes of the whole; -1: not known.</summary>
    public long Length { get; private set; } = -1;

    /// <summary>Bytes that were there before.</summary>
    public long Had { get; private set; }

    public TimeSpan Time => clock.Elapsed;

    /// <summary>What runs; null: nothing that is accelerated.</summary>
    public TransferView? Transfer => seen.LastOrDefault();

    /// <summary>Runs it; null, with diagnostics, where the configuration that it makes is not good.</summary>
    public async Task<DownloadReport?> RunAsync(Diagnostics diagnostics, CancellationToken cancel)
    {
        if (DownloadOrigin.TryStart(plan, plan.Url, diagnostics) is not { } first) return null;
        origin = first;
        if (sink.Length > 0 && sink.State?.Url != plan.Url.AbsoluteUri) Say(sink.State is null ? "nothing tells what it is a part of: it begins anew" : $"it is a part of {sink.State.Url}: it begins anew");
        Step last;
        try
        {
            last = await FetchAsync(cancel).ConfigureAwait(false);
            if (last.Trouble is null && Compare(cancel) is { } wrong) last = Step.Failed(wrong);
        }
        catch (OperationCanceledException)
        {
            last = Step.Failed("interrupted") with { IsLater = true };
        }
        finally
        {
            origin.Dispose();
        }

        // What the engine says of a failure is told once it has ended.
        var trouble = last is { Kind: Kind.Broken } && origin.Trouble is { } why ? $"{(last.IsNoAnswer ? "there is no answer" : last.Trouble)}: {why}" : last.Trouble;
        if (trouble is not null && (last.IsLater || last.Kind == Kind.Broken) && sink.Stays) trouble += $"; what has come is in {sink.Name}, and the same command goes on with it";
        clock.Stop();
        return Report(trouble);
    }

    public void Dispose() => digests.Dispose();

    private async Task<Step> FetchAsync(CancellationToken cancel)
    {
        for (var fruitless = 0; ;)
        {
            var before = came;
            var step = await TryAsync(cancel).ConfigureAwait(false);
            if (step.Kind == Kind.Again) continue;
            if (step.Kind != Kind.Broken) return step;
            // What begins anew each time comes to nothing, however much comes.
            fruitless = came > before && sink.State is not null && isAsking ? 1 : fruitless + 1;
            // Who refuses from the start is believed; a bad link is another matter.
            if (fruitless > plan.Retries || !(hasAnswered || step.IsLate)) return step;
            say($"{step.Trouble} at byte {sink.Length}: it is tried again");
            var pause = Math.Max(Math.Min(LongestPause, 1 << (fruitless - 1)), step.RetryAfter);
            await Task.Delay(TimeSpan.FromSeconds(pause), cancel).ConfigureAwait(false);
        }
    }

    private async Task<Step> TryAsync(CancellationToken cancel)
    {
        var state = sink.State is { } kept && kept.Url == plan.Url.AbsoluteUri && isAsking ? kept : null;
        var from = state is null ? 0 : Math.Min(sink.Length, state.Length - 1); // Of what is whole one byte is asked for: whether it is still the same.
        HttpResponseMessage answer;
        try
        {
            answer = await origin.AskAsync(Fields(from, state), cancel).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            return Step.Broken(e.Message);
        }

        using (answer)
        {
            var status = (int)answer.StatusCode;
            if (status is 301 or 302 or 303 or 307 or 308 && One(answer, "Location") is { } location) return Follow(location);
            if (status == 206 && from > 0)
            {
                if (!IsTheRest(answer, state!, from)) return Anew("the server does not give the rest of it");
                if (Continue(answer, state!, from, cancel) is { } wrong) return Step.Failed(wrong);
            }
            else if (status == 200)
            {
                if (Begin(answer, state, from) is { } wrong) return Step.Failed(wrong);
            }
            else if (status == 416 && from > 0)
            {
                return Anew("the server has less of it now");
            }
            else
            {
                var told = $"{origin.Url.Host} answered {status} {answer.ReasonPhrase}".TrimEnd();
                return status is 408 or 429 or 502 or 503 or 504 ? Step.Broken(told, RetryAfter(answer)) with { IsNoAnswer = status >= 502, IsLate = status is 408 or 504 } : Step.Failed(told);
            }

            hasAnswered = true;
            return await ReadAsync(answer, cancel).ConfigureAwait(false);
        }
    }

    private async Task<Step> ReadAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        var buffer = new byte[plan.Rate > 0 ? (int)Math.Clamp(plan.Rate / 10, 1024, MostPiece) : MostPiece];
        var (since, taken) = (Stopwatch.StartNew(), 0L);
        try
        {
            var body = await answer.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                int got;
                while ((got = await body.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0)
                {
                    if (sink.Append(buffer.AsMemory(0, got)) is { } full) return Step.Failed(full) with { IsLater = true };
                    digests.Append(buffer.AsSpan(0, got));
                    came += got;
                    Look();
                    if (plan.Rate > 0 && TimeSpan.FromSeconds((double)(taken += got) / plan.Rate) - since.Elapsed is { Ticks: > 0 } early) await Task.Delay(early, cancel).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            // What is all here is compared, however its connection ended.
            if (Length < 0 || sink.Length != Length) return Step.Broken("the answer broke off");
        }

        if (Length >= 0 && sink.Length != Length) return Step.Broken("the answer was too short");
        if (answer.TrailingHeaders.NonValidated.TryGetValues("Repr-Digest", out var late)) digest ??= string.Join(',', late);
        return Step.Whole;
    }

    private Step Follow(string location)
    {
        if (++redirects > MostRedirects) return Step.Failed($"more than {MostRedirects} redirects");
        var url = new Uri(DownloadUrl.Origin(origin.Url) + origin.Target);
        if (!Uri.TryCreate(url, location, out var to) || !DownloadUrl.TryRead(to.AbsoluteUri, out to, out _, out _)) return Step.Failed($"{origin.Url.Host} redirects to '{location}', which is no http URL");
        if (url.Scheme == "https" && to.Scheme != "https") return Step.Failed($"{origin.Url.Host} redirects from https to {DownloadUrl.Origin(to)}: nothing would protect it any more");
        if (origin.TryFollow(to, plan)) return Step.Again;
        if (DownloadUrl.Origin(to) != DownloadUrl.Origin(url)) fields = [.. fields.Where(static f => !Secret.Contains(f.Name, StringComparer.OrdinalIgnoreCase))];
        var next = plan;
        if (DownloadUrl.Shared([to, .. plan.Mirrors]) is null)
        {
            say($"{origin.Url.Host} redirects to a URL that ends otherwise: the mirrors are left out");
            next = plan with { Mirrors = [] };
        }

        var diagnostics = new Diagnostics();
        if (DownloadOrigin.TryStart(next, to, diagnostics) is not { } there) return Step.Failed(diagnostics.ToString());
        origin.Dispose();
        origin = there;
        return Step.Again;
    }

    // Asked for whole from now on.
    private Step Anew(string why)
    {
        Say($"{why}: it begins anew");
        isAsking = false;
        return sink.Begin(null, -1) is { } wrong ? Step.Failed(wrong) : Step.Again;
    }

    private string? Begin(HttpResponseMessage answer, PartState? state, long from)
    {
        var tag = One(answer, "ETag");
        if (from > 0) Say($"{(tag == state!.Tag ? "the server gives no parts of it" : "it has changed since")}: it begins anew");
        digest = Digest(answer);
        Length = answer.Content.Headers.ContentLength ?? -1;
        Had = 0;
        digests.Begin(digest);
        return sink.Begin(PartState.Of(plan.Url.AbsoluteUri, tag, Length, digest), Length);
    }

    private string? Continue(HttpResponseMessage answer, PartState state, long from, CancellationToken cancel)
    {
        (Length, digest) = (state.Length, Digest(answer) ?? state.Digest);
        if (sink.Length != from && sink.GoOn(from) is { } wrong) return wrong;
        if (!hasAnswered)
        {
            Had = from;
            Say($"it goes on at byte {from} of {Length}");
        }

        return digests.Count == from ? null : digests.Take(sink, digest, cancel);
    }

    // RFC 9110 §15.3.7: of the same whole, by its validator or by its digest.
    private static bool IsTheRest(HttpResponseMessage answer, PartState state, long from) =>
        answer.Content.Headers.ContentRange is { Unit: "bytes" } range && range.From == from && range.To == state.Length - 1 && range.Length == state.Length
        && (One(answer, "ETag") == state.Tag || (state.Digest is not null && Digest(answer) == state.Digest));

    private string? Compare(CancellationToken cancel)
    {
        if (Length < 0) Length = sink.Length;
        else verified.Add("length");
        if (digests.Fits(digest) is { } fits)
        {
            if (!fits) return $"what came does not have the digest that {origin.Url.Host} tells: {sink.Discard() ?? "it is thrown away"}";
            verified.Add("repr-digest");
        }

        cancel.ThrowIfCancellationRequested();
        sha256 = digests.Sha256();
        if (plan.Checksum is not null)
        {
            if (!plan.Checksum.AsSpan().SequenceEqual(sha256)) return $"it has the SHA-256 {Convert.ToHexStringLower(sha256)}, and not the one that was asked for; it stays as {sink.Name}";
            verified.Add("checksum");
        }

        return sink.Finish();
    }

    private DownloadReport Report(string? trouble)
    {
        var single = seen.Select(static v => v.Rates.Single).DefaultIfEmpty().Max();
        var report = new DownloadReport
        {
            Trouble = trouble,
            From = new Uri(DownloadUrl.Origin(origin.Url) + origin.Target),
            Bytes = sink.Length,
            Had = Had,
            Sha256 = sha256,
            Verified = verified,
            Time = clock.Elapsed,
            Connections = mostConnections,
            Sources = [.. seen.SelectMany(static v => v.Sources).GroupBy(static s => s.Endpoint.Name).Select(static s => (s.Key, s.Sum(static x => x.Bytes), s.Any(static x => x.IsDropped)))],
        };
        return mostConnections > 1 && single > 0 ? report with { Gain = report.Rate / single } : report;
    }

    private void Look()
    {
        if (clock.ElapsedMilliseconds < lookAt) return;
        lookAt = clock.ElapsedMilliseconds + LookEvery;
        foreach (var view in origin.Running)
        {
            if (!seen.Contains(view)) seen.Add(view);
            mostConnections = Math.Max(mostConnections, view.Connections.Active);
        }
    }

    private IEnumerable<(string Name, string Value)> Fields(long from, PartState? state)
    {
        yield return ("Accept", "*/*");
        yield return ("Accept-Encoding", "identity");
        yield return ("User-Agent", $"weir/{ProductVersion.Text}");
        if (plan.Mirrors.Count > 0) yield return ("Want-Repr-Digest", "sha-256=10");
        foreach (var field in fields) yield return field;
        if (from <= 0) yield break;
        yield return ("Range", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"bytes={from}-"));
        yield return ("If-Range", state!.Tag);
    }

    private void Say(string what) => say($"{sink.Name}: {what}");

    private static string? Digest(HttpResponseMessage answer) => answer.Headers.NonValidated.TryGetValues("Repr-Digest", out var all) ? string.Join(',', all) : null;

    private static string? One(HttpResponseMessage answer, string name) => answer.Headers.NonValidated.TryGetValues(name, out var all) && all.Count == 1 ? all.ToString() : null;

    private static int RetryAfter(HttpResponseMessage answer) => answer.Headers.RetryAfter?.Delta is { } wait ? (int)Math.Clamp(wait.TotalSeconds, 0, LongestRetryAfter) : 0;

    private enum Kind
    {
        Whole,
        Again,
        Broken,
        Failed,
    }

    private sealed record Step(Kind Kind, string? Trouble = null, int RetryAfter = 0)
    {
        /// <summary>Nothing is wrong with it: a later run may go on.</summary>
        public bool IsLater { get; init; }

        /// <summary>Perhaps nobody has answered but the proxy, which then says why.</summary>
        public bool IsNoAnswer { get; init; }

        /// <summary>Nothing came in time.</summary>
        public bool IsLate { get; init; }

        public static readonly Step Whole = new(Kind.Whole);
        public static readonly Step Again = new(Kind.Again);

        public static Step Broken(string why, int retryAfter = 0) => new(Kind.Broken, why, retryAfter);

        public static Step Failed(string why) => new(Kind.Failed, why);
    }
}
