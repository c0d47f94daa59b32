// Whether a name that a handshake asks for may be given a certificate: an ask URL of the operator's says so, and so many are given
// an hour. Whoever sends handshakes for names without number gets neither orders nor questions without number: a no is
// remembered, only so many questions are under way, and each has its time.

using System.Globalization;
using System.Net;
using Weir.Engine.Observe;

namespace Weir.Control.Certificates;

/// <summary>Decides. Any thread.</summary>
public sealed class OnDemand : IDisposable
{
    /// <summary>Questions at once.</summary>
    public const int MostQuestions = 16;

    /// <summary>How long the answer may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long a no is remembered.</summary>
    public static readonly TimeSpan NoFor = TimeSpan.FromMinutes(1);

    private const int MostRemembered = 10_000;

    private readonly OnDemandSettings settings;
    private readonly ErrorLog errors;
    private readonly TimeProvider time;
    private readonly Lazy<HttpClient> http;
    private readonly Lock turn = new();
    private readonly Dictionary<string, long> refused = new(StringComparer.OrdinalIgnoreCase);
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
        if (!IsName(name) || IsRefused(name) || !HasToken()) return false;
        if (!await Asked(name).ConfigureAwait(false)) return false;
        if (TryTake()) return true;
        errors.Warn(Issuance.Area, string.Create(CultureInfo.InvariantCulture, $"{name} is not ordered on demand: {settings.Rate} an hour are given ('acme.on_demand.rate')"));
        return false;
    }

    /// <summary>Whether the ask URL allows a name, whatever the rate.</summary>
    public async Task<bool> Asked(string name)
    {
        if (Interlocked.Increment(ref questions) > MostQuestions)
        {
            Interlocked.Decrement(ref questions);
            return false;
        }

        try
        {
            using var limit = new CancellationTokenSource(Patience, time);
            using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(settings.Ask) { Query = $"{settings.Ask.Query.TrimStart('?')}{(settings.Ask.Query.Length > 1 ? "&" : "")}domain={Uri.EscapeDataString(name)}" }.Uri);
            using var response = await http.Value.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.OK) return true;
            errors.Info(Issuance.Area, string.Create(CultureInfo.InvariantCulture, $"{name} is not ordered on demand: the ask URL answers {(int)response.StatusCode}"));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            errors.Error(Issuance.Area, $"{name} is not ordered on demand: the ask URL {settings.Ask.GetLeftPart(UriPartial.Path)} does not answer: {(e is OperationCanceledException ? $"not within {Patience.TotalSeconds} s" : e.Message)}");
        }
        finally
        {
            Interlocked.Decrement(ref questions);
        }

        Remember(name);
        return false;
    }

    /// <summary>What a handshake may ask for: a whole name of letters, digits and '-', with a dot.</summary>
    public static bool IsName(string name) =>
        name.Length <= 253 && name.Contains('.', StringComparison.Ordinal) && !IPAddress.TryParse(name, out _)
        && Array.TrueForAll(name.Split('.'), static label => label.Length is > 0 and <= 63 && label[0] != '-' && label[^1] != '-' && label.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-'));

    public void Dispose()
    {
        if (http.IsValueCreated) http.Value.Dispose();
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
}
