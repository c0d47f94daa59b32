// Talking to one CA (RFC 8555 §6): signed requests, nonces, problems. A request has its time and an answer its most bytes; a
// nonce that is refused is replaced, so many times. Retry-After is handed on, bounded, and no redirect is followed.

using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Weir.Control.Certificates.Acme;

/// <summary>What a CA answered.</summary>
internal sealed record AcmeAnswer(int Status, byte[] Body, Uri? Location, TimeSpan? RetryAfter);

/// <summary>A client of one CA. Any thread; several requests at once.</summary>
/// <param name="issuer">The CA.</param>
/// <param name="time">The clock.</param>
/// <param name="handler">What sends; null: the system's network, used first when something is sent.</param>
internal sealed class AcmeClient(Issuer issuer, TimeProvider time, HttpMessageHandler? handler = null) : IDisposable
{
    /// <summary>How long a request may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The longest that a CA may make us wait by Retry-After.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(7);

    /// <summary>Bytes of an answer.</summary>
    public const int MostBytes = 256 << 10;

    /// <summary>Nonces refused for one request.</summary>
    public const int MostRefusals = 12;

    private const int MostNonces = 16;

    // The directory is asked for anew after this time: a CA may move.
    private static readonly TimeSpan DirectoryAge = TimeSpan.FromHours(1);

    private readonly ConcurrentQueue<string> nonces = new();
    private readonly Lazy<HttpClient> http = new(() => Make(issuer, handler));
    private (DirectoryDocument Document, long At)? directory;

    public Issuer Issuer { get; } = issuer;

    /// <summary>What is where.</summary>
    public async Task<DirectoryDocument> DirectoryAsync(CancellationToken stop)
    {
        if (directory is { } known && time.GetElapsedTime(known.At) < DirectoryAge) return known.Document;
        var answer = await SendAsync(HttpMethod.Get, Issuer.Directory, null, stop).ConfigureAwait(false);
        if (answer.Status != 200) throw Refusal(answer);
        var document = Read(answer, AcmeJson.Default.DirectoryDocument);
        if (document.NewNonce is null || document.NewAccount is null || document.NewOrder is null) throw new AcmeException(TroubleKind.Unreachable, $"what stands at {Issuer.Directory} is not the directory of an ACME server");
        directory = (document, time.GetTimestamp());
        return document;
    }

    /// <summary>Asks without a signature.</summary>
    public async Task<AcmeAnswer> GetAsync(Uri url, CancellationToken stop)
    {
        var answer = await SendAsync(HttpMethod.Get, url, null, stop).ConfigureAwait(false);
        return answer.Status is >= 200 and < 300 ? answer : throw Refusal(answer);
    }

    /// <summary>Asks, signed.</summary>
    /// <param name="url">Where.</param>
    /// <param name="key">The account's key.</param>
    /// <param name="account">The account's URL; null: there is none yet.</param>
    /// <param name="payload">What; empty: only to see what is there.</param>
    /// <param name="stop">Ends it.</param>
    public async Task<AcmeAnswer> PostAsync(Uri url, ECDsa key, string? account, byte[] payload, CancellationToken stop)
    {
        for (var refused = 0; ; refused++)
        {
            if (!nonces.TryDequeue(out var nonce)) nonce = await NonceAsync(stop).ConfigureAwait(false);
            var answer = await SendAsync(HttpMethod.Post, url, Jws.Sign(key, account, url, nonce, payload), stop).ConfigureAwait(false);
            if (answer.Status is >= 200 and < 300) return answer;
            var trouble = Refusal(answer);
            if (!trouble.Is("badNonce") || refused == MostRefusals) throw trouble;
        }
    }

    public Task<AcmeAnswer> PostAsync<T>(Uri url, ECDsa key, string? account, T payload, JsonTypeInfo<T> type, CancellationToken stop) =>
        PostAsync(url, key, account, JsonSerializer.SerializeToUtf8Bytes(payload, type), stop);

    /// <summary>Reads an answer; throws where it is not what it should be.</summary>
    public T Read<T>(AcmeAnswer answer, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            if (JsonSerializer.Deserialize(answer.Body, type) is { } value) return value;
        }
        catch (JsonException)
        {
            // Told below.
        }

        throw new AcmeException(TroubleKind.Unreachable, $"{Issuer.Name} answers with what is not ACME");
    }

    public void Dispose()
    {
        if (http.IsValueCreated) http.Value.Dispose();
    }

    private async Task<string> NonceAsync(CancellationToken stop)
    {
        var found = await DirectoryAsync(stop).ConfigureAwait(false);
        var answer = await SendAsync(HttpMethod.Head, found.NewNonce!, null, stop).ConfigureAwait(false);
        if (answer.Status is < 200 or >= 300) throw Refusal(answer);
        return nonces.TryDequeue(out var nonce) ? nonce : throw new AcmeException(TroubleKind.Unreachable, $"{Issuer.Name} gives no nonce");
    }

    private async Task<AcmeAnswer> SendAsync(HttpMethod method, Uri url, byte[]? body, CancellationToken stop)
    {
        if (url.Scheme != Uri.UriSchemeHttps) throw new AcmeException(TroubleKind.Unreachable, $"{Issuer.Name} names '{url}', which is not https");
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, limit.Token);
        try
        {
            using var request = new HttpRequestMessage(method, url);
            if (body is not null)
            {
                request.Content = new ByteArrayContent(body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/jose+json");
            }

            using var response = await http.Value.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
            if (response.Headers.TryGetValues("Replay-Nonce", out var given) && given.FirstOrDefault() is { Length: > 0 and <= 1024 } nonce && nonces.Count < MostNonces) nonces.Enqueue(nonce);
            var bytes = await ReadAsync(response, either.Token).ConfigureAwait(false);
            return new AcmeAnswer((int)response.StatusCode, bytes, response.Headers.Location, RetryAfter(response));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            throw new AcmeException(TroubleKind.Unreachable, string.Create(CultureInfo.InvariantCulture, $"{Issuer.Name} ({url.Host}) does not answer within {Patience.TotalSeconds} s"));
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new AcmeException(TroubleKind.Unreachable, $"{Issuer.Name} ({url.Host}) cannot be reached: {Words(e)}");
        }
    }

    private async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken stop)
    {
        using var stream = await response.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        var bytes = new byte[4096];
        var count = 0;
        while (await stream.ReadAsync(bytes.AsMemory(count), stop).ConfigureAwait(false) is > 0 and var got)
        {
            count += got;
            if (count > MostBytes) throw new AcmeException(TroubleKind.Unreachable, $"{Issuer.Name} answers with more than {MostBytes >> 10} KiB");
            if (count == bytes.Length) Array.Resize(ref bytes, bytes.Length * 2);
        }

        return bytes[..count];
    }

    private TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        var told = response.Headers.RetryAfter;
        if ((told?.Delta ?? (told?.Date - time.GetUtcNow())) is not { } wait) return null;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestRetryAfter ? LongestRetryAfter : wait;
    }

    private AcmeException Refusal(AcmeAnswer answer)
    {
        Problem? problem = null;
        try
        {
            problem = JsonSerializer.Deserialize(answer.Body, AcmeJson.Default.Problem);
        }
        catch (JsonException)
        {
            // Whatever stands before the CA may answer in its stead.
        }

        var kind = answer.Status == 429 || problem?.Type == "urn:ietf:params:acme:error:rateLimited" ? TroubleKind.RateLimited : answer.Status >= 500 || problem?.Type is null ? TroubleKind.Unreachable : TroubleKind.Refused;
        return new AcmeException(kind, $"{Issuer.Name} refuses: {AcmeException.Words(problem, answer.Status)}", problem, answer.RetryAfter);
    }

    private static string Words(Exception e) => e.InnerException switch
    {
        AuthenticationException tls => $"its own certificate cannot be verified, or TLS fails ({tls.Message}); an issuer of your own needs ca: FILE",
        { } inner => inner.Message,
        null => e.Message,
    };

    private static HttpClient Make(Issuer issuer, HttpMessageHandler? handler)
    {
        var made = new HttpClient(handler ?? Sockets(issuer), disposeHandler: handler is null) { Timeout = Timeout.InfiniteTimeSpan };
        made.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", $"weir/{ProductVersion.Text}");
        return made;
    }

    private static SocketsHttpHandler Sockets(Issuer issuer)
    {
        var sockets = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = TimeSpan.FromSeconds(10), PooledConnectionLifetime = TimeSpan.FromMinutes(5), PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30), MaxConnectionsPerServer = 8 };
        if (issuer.CaFile is not { } file) return sockets;
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            policy.CustomTrustStore.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new AcmeException(TroubleKind.Own, $"the ca file '{file}' of {issuer.Name} cannot be read: {e.Message}");
        }

        sockets.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
        return sockets;
    }
}
