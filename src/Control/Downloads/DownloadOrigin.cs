// The engine in front of what is downloaded: a proxy in this process, for one origin and its mirrors, made by the compiler that
// makes every other. Whoever downloads asks it over a Unix socket in a folder that only its user may enter.

using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Control.Configuration;
using Weir.Engine.Acceleration;
using Weir.Engine.Observe;

namespace Weir.Control.Downloads;

/// <summary>What fetches. Disposed once.</summary>
internal sealed class DownloadOrigin : IDisposable
{
    // A handful of connections of the proxy's own; parts have theirs.
    private const long Descriptors = 4096;

    private const string Upstream = "weir-get";

    private readonly string folder;
    private readonly RunningProxy proxy;
    private readonly HttpClient client;
    private readonly LastTrouble trouble;

    private DownloadOrigin(string folder, RunningProxy proxy, Uri url, string target, LastTrouble trouble)
    {
        (this.folder, this.proxy, Url, this.trouble) = (folder, proxy, url, trouble);
        var socket = new UnixDomainSocketEndPoint(SocketIn(folder));
        client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            MaxResponseHeadersLength = 128,
            ConnectCallback = async (_, cancel) =>
            {
                var made = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await made.ConnectAsync(socket, cancel).ConfigureAwait(false);
                    return new NetworkStream(made, ownsSocket: true);
                }
                catch
                {
                    made.Dispose();
                    throw;
                }
            },
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        Target = target;
    }

    /// <summary>What is downloaded.</summary>
    public Uri Url { get; }

    /// <summary>Path and query that all servers are asked with.</summary>
    public string Target { get; private set; }

    /// <summary>What runs.</summary>
    public IEnumerable<TransferView> Running => proxy.Engine.Transfers.Running;

    /// <summary>The last thing that went wrong with a server, in words; null: nothing did.</summary>
    public string? Trouble => trouble.Text ?? proxy.Names.All.Select(static n => n.Trouble is { } why ? $"the name {n.Name}: {why}" : null).FirstOrDefault(static t => t is not null);

    /// <summary>Starts; null, with diagnostics, where that cannot be.</summary>
    public static DownloadOrigin? TryStart(DownloadPlan plan, Uri url, Diagnostics diagnostics)
    {
        if (DownloadUrl.Shared([url, .. plan.Mirrors]) is not { } shared)
        {
            diagnostics.Error(Position.None, "the mirrors' URLs end otherwise");
            return null;
        }

        var folder = Directory.CreateTempSubdirectory("weir-get-").FullName; // For its owner only.
        var text = Configuration(plan, url, shared.Prefixes, SocketIn(folder));
        var proxy = RunningProxy.TryStart(into => ConfigLoader.Read("command line", text, into, static _ => null), diagnostics, Descriptors);
        if (proxy is null)
        {
            Directory.Delete(folder, recursive: true);
            return null;
        }

        var trouble = new LastTrouble();
        proxy.Errors.Target = trouble;
        return new DownloadOrigin(folder, proxy, url, shared.Target, trouble);
    }

    /// <summary>The same server is asked for another path.</summary>
    public bool TryFollow(Uri to, DownloadPlan plan)
    {
        if (plan.Mirrors.Count > 0 || DownloadUrl.Origin(to) != DownloadUrl.Origin(Url)) return false;
        Target = to.PathAndQuery;
        return true;
    }

    /// <summary>Asks; the answer's body is still to come.</summary>
    public async Task<HttpResponseMessage> AskAsync(IEnumerable<(string Name, string Value)> fields, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("http://localhost" + Target));
        foreach (var (name, value) in fields) request.Headers.TryAddWithoutValidation(name, value);
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
    }

    public void Dispose()
    {
        client.Dispose();
        proxy.Stop(new CancellationToken(canceled: true));
        proxy.Dispose();
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever empties folders for what is temporary was first.
        }
    }

    /// <summary>What the proxy is configured with.</summary>
    internal static string Configuration(DownloadPlan plan, Uri url, string[] prefixes, string socket)
    {
        var text = new StringBuilder();
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"""
            listen: {Quote("unix:" + socket)}
            loops: 1
            via: weir-get
            drain_timeout: 0s
            error_log: {"{ target: /dev/null, level: warn }"}
            limits: {"{ min_rate: off }"}
            timeouts: {"{ write: off, first_byte: 120s, connect: 10s }"}
            upstreams:
              {Upstream}:
                host: endpoint
                connection_age: off
                retry: {$"{{ resume: {plan.Retries} }}"}
                endpoints:

            """);
        // The first is the one that is asked for: the others bring parts, and stand in for it.
        foreach (var (place, from) in plan.Mirrors.Prepend(url).Index()) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"      - {{ url: {Quote(DownloadUrl.Origin(from) + prefixes[place])}, weight: {(place == 0 && plan.Mirrors.Count > 0 ? 1000 : 1)} }}\n");
        text.Append($"sites:\n  - routes:\n      - proxy: {Upstream}\n        forwarded: off\n        hide_origin: false\n        upgrade: false\n");
        if (plan.Segments < 2) return text.Append("        accelerate: false\n").ToString();
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"        accelerate:\n          segments: {plan.Segments}\n          min_size: 1MiB\n          disk: 0B\n");
        // What is limited is not fetched far ahead of it.
        if (plan.Rate > 0) text.Append("          memory: 1MiB\n");
        if (plan.SegmentSize is { } size) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"          segment_size: {Quote(size)}\n");
        if (plan.Mirrors.Count > 0) text.Append("          same_by: digest\n");
        return text.ToString();
    }

    private static string Quote(string value) => $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("${", "$${", StringComparison.Ordinal)}\"";

    private static string SocketIn(string folder) => Path.Combine(folder, "get.sock");

    // Keeps the last line of the proxy's log, for the words of a failure.
    private sealed class LastTrouble : LogTarget
    {
        private volatile string? text;

        public string? Text => text;

        public override void Reopen()
        {
        }

        // TIME LEVEL AREA: what
        protected override void Write(ReadOnlySpan<byte> lines)
        {
            foreach (var line in Encoding.UTF8.GetString(lines).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (line.Split(": ", 2) is not [var head, var what] || !head.EndsWith(" upstream", StringComparison.Ordinal)) continue;
                // Why a server cannot be connected to was said before it is said that it cannot be, and that nobody is left.
                if (text is null || !(what.EndsWith(", connecting", StringComparison.Ordinal) || what.StartsWith($"{Upstream}: ", StringComparison.Ordinal))) text = what;
            }
        }
    }
}
