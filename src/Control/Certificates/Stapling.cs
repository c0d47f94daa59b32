// Has what issuers say of the certificates that are shown (OCSP) at hand, so that it is stapled to handshakes: asked in the
// background, anew at half its life, and kept until it expires where nobody answers, over restarts too. A certificate that
// names no responder has nothing stapled. On the pool's threads; no handshake waits.

using System.Globalization;
using System.Net.Http.Headers;
using Weir.Control.Compilation;
using Weir.Engine.Observe;
using Weir.Engine.Tls;

namespace Weir.Control.Certificates;

/// <summary>Staples. One for a running proxy.</summary>
internal sealed class Stapling : IDisposable
{
    private const int MostAtOnce = 8;

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MostBackOff = TimeSpan.FromHours(1);

    private readonly LiveThings live;
    private readonly ErrorLog errors;
    private readonly StapleFolder? folder;
    private readonly Dictionary<string, Stapled> known = []; // By fingerprint; the turn's alone.
    private readonly CancellationTokenSource stopping = new();
    private readonly Timer timer;
    private HttpClient? client;
    private int turning;

    /// <param name="live">Whose certificates.</param>
    /// <param name="errors">Where it says what is wrong.</param>
    /// <param name="folder">Where answers are kept over restarts; null: nowhere.</param>
    public Stapling(LiveThings live, ErrorLog errors, string? folder)
    {
        (this.live, this.errors) = (live, errors);
        this.folder = folder is null ? null : new StapleFolder(Path.Combine(folder, "ocsp"));
        timer = new Timer(_ => _ = TurnAsync(), null, TimeSpan.Zero, Every);
    }

    public void Dispose()
    {
        stopping.Cancel();
        timer.Dispose();
    }

    /// <summary>What is left of an answer where a later question failed: none once it is known to be wrong.</summary>
    internal static OcspAnswer? Left(OcspAnswer? before, string trouble) => trouble == Ocsp.RevokedText ? null : before;

    private async Task TurnAsync()
    {
        if (Interlocked.Exchange(ref turning, 1) != 0) return;
        try
        {
            var shown = live.Certificates.SelectMany(static site => site.Places).ToArray();
            foreach (var gone in known.Keys.Except(shown.Select(static p => p.Certificate.Fingerprint)).ToArray()) known.Remove(gone);
            foreach (var place in shown) Show(place);
            var due = shown.Select(p => known[p.Certificate.Fingerprint]).Distinct().Where(static s => s.AskAt <= DateTimeOffset.UtcNow).ToArray();
            if (due.Length == 0) return;
            await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = stopping.Token }, AskAsync).ConfigureAwait(false);
            foreach (var place in shown) Show(place);
        }
        catch (OperationCanceledException)
        {
            // It stops.
        }
#pragma warning disable CA1031 // The root of a background task: a bug leaves handshakes without a staple, and is told.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            errors.Error("tls", $"a mistake of ours while issuers were asked about certificates: {bug}");
        }
        finally
        {
            Volatile.Write(ref turning, 0);
        }
    }

    // What is known becomes what is stapled.
    private void Show(CertificatePlace place)
    {
        var certificate = place.Certificate;
        if (!known.TryGetValue(certificate.Fingerprint, out var stapled)) known[certificate.Fingerprint] = stapled = Begin(place);
        if (stapled.Answer?.Until <= DateTimeOffset.UtcNow) stapled.Answer = null;
        var answer = place.IsStapled ? stapled.Answer : null;
        place.Staple(answer);
        if (!certificate.MustStaple || answer is not null || stapled.IsLackTold || (place.IsStapled && stapled.Failures == 0 && stapled.AskAt != DateTimeOffset.MaxValue)) return;
        stapled.IsLackTold = true;
        errors.Error("tls", $"site {place.Site}: the certificate in '{certificate.File}' says that it must be stapled (RFC 7633), and there is nothing to staple: {(place.IsStapled ? stapled.Trouble : "ocsp is off")}; clients refuse it");
    }

    private Stapled Begin(CertificatePlace place)
    {
        var certificate = place.Certificate;
        var begun = new Stapled(place);
        if (certificate.Responder is null || certificate.Chain.Length < 2)
        {
            begun.AskAt = DateTimeOffset.MaxValue;
            begun.Trouble = certificate.Responder is null ? "it names no responder" : "the certificate of its issuer is not in the file";
            return begun;
        }

        if (!place.IsStapled || folder?.Read(certificate.Fingerprint) is not { } kept || Ocsp.Judge(kept, certificate.Chain[0], certificate.Chain[1], out _) is not { } answer) return begun;
        begun.Answer = answer;
        begun.AskAt = HalfLife(answer);
        return begun;
    }

    private async ValueTask AskAsync(Stapled stapled, CancellationToken stop)
    {
        var (place, certificate) = (stapled.Place, stapled.Place.Certificate);
        if (!place.IsStapled)
        {
            stapled.AskAt = DateTimeOffset.UtcNow + FirstBackOff;
            return;
        }

        var (answer, trouble) = await FetchAsync(certificate, stop).ConfigureAwait(false);
        if (answer is not null)
        {
            if (stapled.Failures > 0) errors.Info("tls", $"site {place.Site}: {certificate.Responder} answers again about the certificate in '{certificate.File}'");
            (stapled.Answer, stapled.Failures, stapled.Trouble, stapled.IsLackTold, stapled.AskAt) = (answer, 0, "", false, HalfLife(answer));
            folder?.Write(certificate.Fingerprint, answer.Bytes);
            return;
        }

        var wait = TimeSpan.FromTicks(Math.Min(MostBackOff.Ticks, FirstBackOff.Ticks << Math.Min(stapled.Failures, 6)));
        stapled.AskAt = DateTimeOffset.UtcNow + (wait * (0.75 + (Random.Shared.NextDouble() / 2)));
        stapled.Failures++;
        stapled.Answer = Left(stapled.Answer, trouble);
        if (stapled.Answer is null) folder?.Forget(certificate.Fingerprint);
        if (trouble == stapled.Trouble) return;
        stapled.Trouble = trouble;
        errors.Warn("tls", $"site {place.Site}: nothing new to staple to the certificate in '{certificate.File}': {certificate.Responder}: {trouble}{(stapled.Answer is { } old ? string.Create(CultureInfo.InvariantCulture, $"; what was said before holds until {old.Until:yyyy-MM-dd HH:mm} UTC") : "")}");
    }

    private async Task<(OcspAnswer? Answer, string Trouble)> FetchAsync(CertificateDetails certificate, CancellationToken stop)
    {
        try
        {
            client ??= new HttpClient(new SocketsHttpHandler { UseProxy = false, UseCookies = false, MaxAutomaticRedirections = 3, ConnectTimeout = Patience / 2, PooledConnectionIdleTimeout = Patience }) { Timeout = Patience, MaxResponseContentBufferSize = Ocsp.MostBytes };
            using var question = new ByteArrayContent(Ocsp.Question(certificate.Chain[0], certificate.Chain[1]));
            question.Headers.ContentType = new MediaTypeHeaderValue("application/ocsp-request");
            using var response = await client.PostAsync(certificate.Responder, question, stop).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode) return (null, string.Create(CultureInfo.InvariantCulture, $"it answered {(int)response.StatusCode}"));
            var bytes = await response.Content.ReadAsByteArrayAsync(stop).ConfigureAwait(false);
            return (Ocsp.Judge(bytes, certificate.Chain[0], certificate.Chain[1], out var trouble), trouble);
        }
        catch (HttpRequestException e)
        {
            return (null, e.Message);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return (null, "no answer in time");
        }
    }

    // Not everybody at once.
    private static DateTimeOffset HalfLife(OcspAnswer answer) => answer.From + ((answer.Until - answer.From) * (0.45 + (Random.Shared.NextDouble() / 10)));

    private sealed class Stapled(CertificatePlace place)
    {
        public CertificatePlace Place { get; } = place;

        public OcspAnswer? Answer { get; set; }

        public DateTimeOffset AskAt { get; set; } = DateTimeOffset.MinValue;

        public int Failures { get; set; }

        public string Trouble { get; set; } = "";

        public bool IsLackTold { get; set; }
    }
}
