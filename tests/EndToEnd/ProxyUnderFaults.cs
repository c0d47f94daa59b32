// The proxies that the fault plays can be played against: Weir, and by hand (WEIR_FAULTS_PEER=haproxy) HAProxy, which shows
// what is a fault of the play.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

/// <summary>A time in which an origin was away, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
internal sealed record AwaySpan(IPEndPoint Origin, long From, long To);

/// <summary>A proxy before three origins whose weights are 1, 2 and 3.</summary>
internal abstract class ProxyUnderFaults : IDisposable
{
    /// <summary>How long one try may take: what is slower goes to another origin.</summary>
    public static readonly TimeSpan PerTry = TimeSpan.FromMilliseconds(400);

    public static bool IsPeer => Environment.GetEnvironmentVariable("WEIR_FAULTS_PEER") == "haproxy";

    public abstract IPEndPoint End { get; }

    /// <summary>When the proxy said of which origin that it sends it nothing but checks.</summary>
    public abstract IReadOnlyList<AwaySpan> AwaySpans();

    public abstract void Dispose();

    public static ProxyUnderFaults Start(IReadOnlyList<FaultyOrigin> origins, string balance) =>
        IsPeer ? new HaproxyUnderFaults(origins) : new WeirUnderFaults(origins, balance);
}

internal sealed partial class WeirUnderFaults(IReadOnlyList<FaultyOrigin> origins, string balance) : ProxyUnderFaults
{
    // A line of the log is written a moment after what it tells.
    private static readonly TimeSpan LogLag = TimeSpan.FromSeconds(1);

    private readonly (DateTime Utc, long Moment) clocks = (DateTime.UtcNow, Stopwatch.GetTimestamp());
    private readonly WeirProcess weir = WeirProcess.Start($$"""
        listen: "127.0.0.1:0"
        upstreams:
          three:
            endpoints: [{ url: "{{origins[0].Url}}", weight: 1 }, { url: "{{origins[1].Url}}", weight: 2 }, { url: "{{origins[2].Url}}", weight: 3 }]
            balance: {{balance}}
            timeouts: { connect: 300ms }
            reuse: safe
            health:
              active: { path: /healthz, interval: 200ms, timeout: 300ms, rise: 2, fall: 2 }
              passive: { failures: 3, within: 5s, eject_for: 500ms, most_eject_for: 2s, most_ejected: 100% }
              panic: off
            retry: { attempts: 2, per_try: {{PerTry.TotalMilliseconds}}ms, on: [connect, reset, timeout, 502, 503, 504], budget: 100%, back_off: 5ms, most_back_off: 50ms }
        sites: [{ proxy: three }]
        """);

    public override IPEndPoint End => weir.End;

    // By the log, whose lines bear the moment to the millisecond: a look at the status now and then would miss those who were back
    // between two looks.
    public override IReadOnlyList<AwaySpan> AwaySpans()
    {
        var spans = new List<AwaySpan>();
        var since = new Dictionary<IPEndPoint, long>();
        foreach (Match line in Verdicts().Matches(weir.Said))
        {
            var at = clocks.Moment + (long)((DateTime.Parse(line.Groups[1].Value, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal) - clocks.Utc).TotalSeconds * Stopwatch.Frequency);
            var origin = IPEndPoint.Parse(line.Groups[2].Value);
            if (line.Groups[3].Value == "away") since.TryAdd(origin, at + (Stopwatch.Frequency / 1000));
            else if (since.Remove(origin, out var from)) spans.Add(new AwaySpan(origin, from, at));
        }

        var until = Stopwatch.GetTimestamp() - (long)(LogLag.TotalSeconds * Stopwatch.Frequency);
        return [.. spans, .. since.Select(s => new AwaySpan(s.Key, s.Value, until))];
    }

    public override void Dispose() => weir.Dispose();

    [GeneratedRegex(@"^(\S+Z) \w+ upstream: three: (\S+) is (away|back)", RegexOptions.Multiline)]
    private static partial Regex Verdicts();
}

internal sealed class HaproxyUnderFaults : ProxyUnderFaults
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-haproxy-").FullName;
    private readonly IReadOnlyList<FaultyOrigin> origins;
    private readonly Process process;
    private readonly List<AwaySpan> spans = [];
    private readonly Thread watch;
    private volatile bool ended;

    public HaproxyUnderFaults(IReadOnlyList<FaultyOrigin> origins)
    {
        this.origins = origins;
        End = new IPEndPoint(IPAddress.Loopback, Lighttpd.FreePort());
        var file = Path.Combine(folder, "haproxy.cfg");
        File.WriteAllText(file, $"""
            global
                nbthread 2
                stats socket {Socket} mode 600
            defaults
                mode http
                timeout connect 300ms
                timeout client 20s
                timeout server {PerTry.TotalMilliseconds}ms
                timeout check 300ms
            frontend in
                bind {End}
                default_backend three
            backend three
                balance roundrobin
                retries 6
                option redispatch 1
                retry-on conn-failure empty-response response-timeout 502 503 504
                http-request disable-l7-retry if METH_POST
                option httpchk GET /healthz
                http-check expect status 200
                default-server check inter 200ms rise 2 fall 2 observe layer7 error-limit 3 on-error mark-down
            {string.Concat(origins.Select((o, i) => $"    server s{i} {o.End} weight {i + 1}\n"))}

            """);
        process = Process.Start(new ProcessStartInfo("haproxy", ["-db", "-q", "-f", file]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        Eventually.Holds(() => !process.HasExited && File.Exists(Socket), () => "haproxy did not start");
        watch = new Thread(Watch) { IsBackground = true };
        watch.Start();
    }

    public override IPEndPoint End { get; }

    private string Socket => Path.Combine(folder, "stats");

    public override IReadOnlyList<AwaySpan> AwaySpans()
    {
        ended = true;
        watch.Join();
        return spans;
    }

    public override void Dispose()
    {
        _ = AwaySpans();
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    // From the first look that finds a server down to the last; how often it went down begins a span anew.
    private void Watch()
    {
        var open = new Dictionary<IPEndPoint, (int Index, string Downs)>();
        while (!ended)
        {
            var asked = Stopwatch.GetTimestamp();
            var down = Down();
            foreach (var origin in origins.Select(o => o.End))
            {
                if (!down.TryGetValue(origin, out var downs))
                {
                    open.Remove(origin);
                }
                else if (open.TryGetValue(origin, out var span) && span.Downs == downs)
                {
                    spans[span.Index] = spans[span.Index] with { To = asked };
                }
                else
                {
                    open[origin] = (spans.Count, downs);
                    spans.Add(new AwaySpan(origin, Stopwatch.GetTimestamp(), 0));
                }
            }

            Thread.Sleep(20); // A pace of looking.
        }
    }

    private Dictionary<IPEndPoint, string> Down()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Socket));
        socket.Send("show stat three 4 -1\n"u8);
        using var reader = new StreamReader(new NetworkStream(socket), Encoding.Latin1);
        string[][] lines = [.. reader.ReadToEnd().Split('\n').Select(l => l.Split(','))];
        var (name, status, downs) = (Array.IndexOf(lines[0], "svname"), Array.IndexOf(lines[0], "status"), Array.IndexOf(lines[0], "chkdown"));
        return lines.Where(l => l.Length > downs && l[name].StartsWith('s') && l[status].StartsWith("DOWN", StringComparison.Ordinal))
            .ToDictionary(l => origins[l[name][1] - '0'].End, l => l[downs]);
    }
}
