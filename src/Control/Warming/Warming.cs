// Asking for many URLs through a proxy's own listeners, at a bounded pace: what is asked is what clients would ask, by the same way.

using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Xml;

namespace Weir.Control.Warming;

/// <summary>How it is done.</summary>
public sealed record WarmPlan
{
    public int Concurrency { get; init; } = 4;

    /// <summary>Requests in a second at most; 0: no limit.</summary>
    public int Rate { get; init; }

    /// <summary>Fields of each request, as lines.</summary>
    public string[] Headers { get; init; } = [];
}

/// <summary>What became of it.</summary>
public sealed record WarmReport(int Asked, int Failed, long Bytes, TimeSpan Time, IReadOnlyDictionary<string, int> Outcomes, IReadOnlyList<string> Troubles)
{
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Asked} asked, {Failed} failed, {Bytes} bytes in {Time.TotalSeconds:F1}s{(Outcomes.Count == 0 ? "" : $": {string.Join(", ", Outcomes.OrderByDescending(static o => o.Value).Select(static o => $"{o.Value} {o.Key}"))}")}");
}

/// <summary>Warms a cache.</summary>
public sealed class Warming : IDisposable
{
    /// <summary>URLs at most.</summary>
    public const int MostUrls = 1_000_000;

    // Of sitemaps: how deep an index may lead, how many there are, and how large each is unpacked (as the protocol allows).
    private const int MostDepth = 3;
    private const int MostMaps = 1_000;
    private const long MostMapBytes = 50L << 20;

    private const int MostTroubles = 20;

    private readonly WarmPlan plan;
    private readonly string[] listeners;
    private readonly List<Uri> urls = [];
    private readonly HashSet<string> seen = [];
    private readonly HttpClient client;
    private int maps;

    /// <param name="plan">How it is done.</param>
    /// <param name="listeners">Where the proxy listens, as HOST:PORT; those that speak TLS begin with "https ".</param>
    public Warming(WarmPlan plan, string[] listeners)
    {
        (this.plan, this.listeners) = (plan, listeners);
        client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            MaxConnectionsPerServer = plan.Concurrency,
            ConnectCallback = ConnectAsync,
#pragma warning disable CA5359 // The connection goes to a listener of our own, by its address: whom its certificate is for tells nothing.
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        })
        { Timeout = TimeSpan.FromSeconds(120) };
    }

    public int Count => urls.Count;

    /// <summary>Adds one; what is no http URL is left out.</summary>
    public void Add(string url)
    {
        if (urls.Count < MostUrls && Uri.TryCreate(url.Trim(), UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && seen.Add(url.Trim())) urls.Add(new Uri(url.Trim()));
    }

    /// <summary>Adds the lines of a file; "-": of the input.</summary>
    public async Task AddFileAsync(string path, CancellationToken cancel)
    {
        using var reader = path == "-" ? Console.In : new StreamReader(path);
        while (await reader.ReadLineAsync(cancel).ConfigureAwait(false) is { } line) Add(line);
    }

    /// <summary>Adds what a sitemap names: a file, or a URL that is asked for through the proxy.</summary>
    public Task AddSitemapAsync(string map, CancellationToken cancel) => AddMapAsync(map, 0, cancel);

    public async Task<WarmReport> RunAsync(CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var (next, failed, bytes, asked) = (-1, 0, 0L, 0);
        var outcomes = new Dictionary<string, int>();
        var troubles = new List<string>();
        await Task.WhenAll(Enumerable.Range(0, Math.Min(plan.Concurrency, urls.Count)).Select(_ => WorkAsync())).ConfigureAwait(false);
        return new WarmReport(asked, failed, bytes, clock.Elapsed, outcomes, troubles);

        async Task WorkAsync()
        {
            while (!cancel.IsCancellationRequested && Interlocked.Increment(ref next) is var at && at < urls.Count)
            {
                if (plan.Rate > 0 && TimeSpan.FromSeconds((double)at / plan.Rate) - clock.Elapsed is { Ticks: > 0 } early) await Task.Delay(early, cancel).ConfigureAwait(false);
                var (length, outcome, trouble) = await AskAsync(urls[at], cancel).ConfigureAwait(false);
                lock (outcomes)
                {
                    asked++;
                    bytes += length;
                    outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
                    if (trouble is null) continue;
                    failed++;
                    if (troubles.Count < MostTroubles) troubles.Add($"{urls[at]}: {trouble}");
                }
            }
        }
    }

    public void Dispose() => client.Dispose();

    private async Task<(long Bytes, string Outcome, string? Trouble)> AskAsync(Uri url, CancellationToken cancel)
    {
        try
        {
            using var response = await SendAsync(url, cancel).ConfigureAwait(false);
            var length = 0L;
            using var body = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            var buffer = new byte[1 << 16];
            while (await body.ReadAsync(buffer, cancel).ConfigureAwait(false) is > 0 and var count) length += count;
            var status = (int)response.StatusCode;
            return (length, Outcome(response), status >= 500 ? $"answered {status}" : null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return (0, "failed", e.InnerException?.Message ?? e.Message);
        }
    }

    // What the last cache on the way says: ours.
    private static string Outcome(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Cache-Status", out var told) || told.LastOrDefault() is not { } own) return $"{(int)response.StatusCode}";
        return own.Contains("; hit", StringComparison.Ordinal) ? "there already" : own.Contains("; stored", StringComparison.Ordinal) ? "stored" : own.Contains("; fwd-status=304", StringComparison.Ordinal) ? "renewed" : "not stored";
    }

    private Task<HttpResponseMessage> SendAsync(Uri url, CancellationToken cancel)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        foreach (var line in plan.Headers)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0) request.Headers.TryAddWithoutValidation(line[..colon].Trim(), line[(colon + 1)..].Trim());
        }

        return client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
    }

    private async Task AddMapAsync(string map, int depth, CancellationToken cancel)
    {
        if (++maps > MostMaps) return;
        using var raw = await OpenAsync(map, cancel).ConfigureAwait(false);
        using var stream = new MemoryStream();
        await CopyAsync(raw, stream, cancel).ConfigureAwait(false);
        var isPacked = stream.Length > 2 && stream.GetBuffer()[0] == 0x1f && stream.GetBuffer()[1] == 0x8b;
        stream.Position = 0;
        using var plain = new MemoryStream();
        if (isPacked)
        {
            using var unpacked = new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true);
            await CopyAsync(unpacked, plain, cancel).ConfigureAwait(false);
            plain.Position = 0;
        }

        foreach (var (location, isMap) in Read(isPacked ? plain : stream))
        {
            if (!isMap) Add(location);
            else if (depth < MostDepth) await AddMapAsync(location, depth + 1, cancel).ConfigureAwait(false);
        }
    }

    private static List<(string Location, bool IsMap)> Read(Stream from)
    {
        var found = new List<(string, bool)>();
        using var xml = XmlReader.Create(from, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreWhitespace = true });
        var isMap = false;
        while (xml.Read())
        {
            if (xml.NodeType != XmlNodeType.Element) continue;
            if (xml.LocalName is "url" or "sitemap") isMap = xml.LocalName == "sitemap";
            else if (xml.LocalName == "loc" && !xml.IsEmptyElement && xml.Read() && xml.NodeType is XmlNodeType.Text or XmlNodeType.CDATA) found.Add((xml.Value.Trim(), isMap));
        }

        return found;
    }

    private async Task<Stream> OpenAsync(string map, CancellationToken cancel)
    {
        if (!Uri.TryCreate(map, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")) return File.OpenRead(map);
        var response = await SendAsync(url, cancel).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode) throw new HttpRequestException($"{map}: answered {(int)response.StatusCode}");
        return await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
    }

    private static async Task CopyAsync(Stream from, MemoryStream to, CancellationToken cancel)
    {
        var buffer = new byte[1 << 16];
        while (await from.ReadAsync(buffer, cancel).ConfigureAwait(false) is > 0 and var count)
        {
            if (to.Length + count > MostMapBytes) throw new InvalidDataException("a sitemap is larger than 50 MiB");
            to.Write(buffer, 0, count);
        }
    }

    // Whatever the URL's host is: the proxy is asked.
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var isSecure = context.InitialRequestMessage.RequestUri!.Scheme == "https";
        var own = Array.Find(listeners, l => l.StartsWith("https ", StringComparison.Ordinal) == isSecure) ?? (listeners.Length == 1 ? listeners[0] : null) ?? throw new HttpRequestException($"no listener speaks {context.InitialRequestMessage.RequestUri.Scheme}: --to names one");
        var at = IPEndPoint.TryParse(own.Replace("https ", "", StringComparison.Ordinal), out var end) ? end : null;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (at is not null)
            {
                var address = at.Address.Equals(IPAddress.IPv6Any) ? IPAddress.Loopback : at.Address.Equals(IPAddress.Any) ? IPAddress.Loopback : at.Address;
                await socket.ConnectAsync(new IPEndPoint(address, at.Port), cancel).ConfigureAwait(false);
            }
            else
            {
                var name = own.Replace("https ", "", StringComparison.Ordinal);
                var colon = name.LastIndexOf(':');
                await socket.ConnectAsync(name[..colon], int.Parse(name[(colon + 1)..], CultureInfo.InvariantCulture), cancel).ConfigureAwait(false);
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
