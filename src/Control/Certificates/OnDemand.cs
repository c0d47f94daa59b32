// Whether a name that a handshake asks for may be given a certificate: an ask URL of the operator's says so, and so many are given
// an hour. Whoever sends handshakes for names without number gets neither orders nor questions nor lines in the log without
// number: a no is remembered, only so many questions are under way, and each has its time. Renewals have a way of their own past
// these: no handshake keeps a certificate that is there from being renewed.

using System.Globalization;
using System.Net;
using Weir.Engine.Observe;

namespace Weir.Control.Certificates;

/// <summary>What the ask URL says of a name.</summary>
public enum Asked
{
    Yes,
    No,

    /// <summary>Neither: it cannot be reached, takes too long, or has troubles of its own (429, 5xx).</summary>
    Nothing,
}

/// <summary>Decides. Any thread.</summary>
public sealed class OnDemand : IDisposable
{
    /// <summary>Questions at once, for handshakes.</summary>
    public const int MostQuestions = 16;

    /// <summary>How long the answer may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long a no is remembered.</summary>
    public static readonly TimeSpan NoFor = TimeSpan.FromMinutes(1);

    private const int MostRemembered = 10_000;

    // Lines of a kind in a minute.
    private const int MostTold = 10;

    private readonly OnDemandSettings settings;
    private readonly ErrorLog errors;
    private readonly TimeProvider time;
    private readonly Lazy<HttpClient> http;
    private readonly Lock turn = new();
    private readonly Dictionary<string, long> refused = new(StringComparer.OrdinalIgnoreCase);
    private readonly Told rates = new();
    private readonly Told refusals = new();
    private readonly Told silences = new();
    private double tokens;
    private long filledAt;
    private int questions;

    public OnDemand(OnDemandSettings settings, ErrorLog errors, TimeProvider? time = null, HttpMessageHandler? handler = null)
    {
        (this.settings, this.errors, this.time) = (settings, errors, time ?? TimeProvider.System);
        (tokens, filledAt) = (settings.Burst, this.time.GetTimestamp());
        http = new Lazy<HttpClient>(() => new HttpClient(handler ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectTimeout = Patience, PooledConnectionLifetime = TimeSpan.FromMinutes(1) }, disposeHandler: handler is null) { Timeout = Timeout.InfiniteTimeSpan });
    }

    /// <summary>Whether a certificate may be ordered for a name; one of the hour's is used up by a yes.</summary>
    public async Task<bool> Allowed(string name)
    {
        if (!IsName(name) || IsRefused(name)) return false;
        if (HasToken())
        {
            if (!await AskedFor(name).ConfigureAwait(false)) return false;
            if (TryTake()) return true;
        }

        Tell(rates, LogLevel.Warn, string.Create(CultureInfo.InvariantCulture, $"{name} is not ordered on demand: {settings.Rate} an hour are given ('acme.on_demand.rate')"));
        return false;
    }

    /// <summary>Whether the ask URL allows a name, whatever the rate and whoever asks beside.</summary>
    public async Task<Asked> AskAsync(string name)
    {
        try
        {
            using var limit = new CancellationTokenSource(Patience, time);
            using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(settings.Ask) { Query = $"{settings.Ask.Query.TrimStart('?')}{(settings.Ask.Query.Length > 1 ? "&" : "")}domain={Uri.EscapeDataString(name)}" }.Uri);
            using var response = await http.Value.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.OK) return Asked.Yes;
            Tell(refusals, LogLevel.Info, string.Create(CultureInfo.InvariantCulture, $"{name} is not ordered on demand: the ask URL answers {(int)response.StatusCode}"));
            return response.StatusCode is HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError ? Asked.Nothing : Asked.No;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            Tell(silences, LogLevel.Error, $"{name} is not ordered on demand: the ask URL {settings.Ask.GetLeftPart(UriPartial.Path)} does not answer: {(e is OperationCanceledException ? $"not within {Patience.TotalSeconds} s" : e.Message)}");
            return Asked.Nothing;
        }
    }

    /// <summary>What a handshake may ask for: a whole name of letters, digits and '-', with a dot, and no number behind the last.</summary>
    public static bool IsName(string name) =>
        name.Length <= 253 && name.LastIndexOf('.') is >= 0 and var dot && name.AsSpan(dot + 1).ContainsAnyExceptInRange('0', '9') && !IPAddress.TryParse(name, out _)
        && Array.TrueForAll(name.Split('.'), static label => label.Length is > 0 and <= 63 && label[0] != '-' && label[^1] != '-' && label.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-'));

    public void Dispose()
    {
        if (http.IsValueCreated) http.Value.Dispose();
    }

    private async Task<bool> AskedFor(string name)
    {
        try
        {
            if (Interlocked.Increment(ref questions) > MostQuestions) return false;
            if (await AskAsync(name).ConfigureAwait(false) == Asked.Yes) return true;
        }
        finally
        {
            Interlocked.Decrement(ref questions);
        }

        Remember(name);
        return false;
    }

    private void Tell(Told of, LogLevel level, string text)
    {
        lock (turn)
        {
            if (of.Count == 0 || time.GetElapsedTime(of.Since) >= NoFor) (of.Since, of.Count) = (time.GetTimestamp(), 0);
            if (++of.Count > MostTold) return;
            if (of.Count == MostTold) text += "; so are further names, of which nothing is told for a minute";
        }

        errors.Write(level, Issuance.Area, text);
    }

    private bool IsRefused(string name)
    {
        lock (turn) return refused.TryGetValue(name, out var at) && time.GetElapsedTime(at) < NoFor;
    }

    private void Remember(string name)
    {
        lock (turn)
        {
            if (refused.Count >= MostRemembered)
            {
                foreach (var old in refused.Where(r => time.GetElapsedTime(r.Value) >= NoFor).Select(static r => r.Key).ToArray()) refused.Remove(old);
                if (refused.Count >= MostRemembered) refused.Clear();
            }

            refused[name] = time.GetTimestamp();
        }
    }

    private bool HasToken()
    {
        lock (turn) return Fill() >= 1;
    }

    private bool TryTake()
    {
        lock (turn)
        {
            if (Fill() < 1) return false;
            tokens--;
            return true;
        }
    }

    private double Fill()
    {
        tokens = Math.Min(settings.Burst, tokens + (time.GetElapsedTime(filledAt).TotalHours * settings.Rate));
        filledAt = time.GetTimestamp();
        return tokens;
    }

    private sealed class Told
    {
        public long Since;
        public int Count;
    }
}
