// The proxies that the fault plays can be played against: Weir, and by hand (WEIR_FAULTS_PEER=haproxy) HAProxy, which shows
// what is a fault of the play.

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Weir.Control.Admin;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

/// <summary>A proxy before three origins whose weights are 1, 2 and 3.</summary>
internal abstract class ProxyUnderFaults : IDisposable
{
    /// <summary>How long one try may take: what is slower goes to another origin.</summary>
    public static readonly TimeSpan PerTry = TimeSpan.FromMilliseconds(400);

    public static bool IsPeer => Environment.GetEnvironmentVariable("WEIR_FAULTS_PEER") == "haproxy";

    public abstract IPEndPoint End { get; }

    /// <summary>
    /// The origins that the proxy says it sends nothing to but checks. With each a word that is another one after it has come
    /// back in between, where the proxy tells.
    /// </summary>
    public abstract IReadOnlyDictionary<IPEndPoint, string> Away();

    public abstract void Dispose();

    public static ProxyUnderFaults Start(IReadOnlyList<FaultyOrigin> origins, string balance) =>
        IsPeer ? new HaproxyUnderFaults(origins) : new WeirUnderFaults(origins, balance);
}

internal sealed class WeirUnderFaults(IReadOnlyList<FaultyOrigin> origins, string balance) : ProxyUnderFaults
{
    private readonly WeirProcess weir = WeirProcess.Start($$"""
        listen: "127.0.0.1:0"
        upstreams:
          three:
            endpoints: [{ url: "{{origins[0].Url}}", weight: 1 }, { url: "{{origins[1].Url}}", weight: 2 }, { url: "{{origins[2].Url}}", weight: 3 }]
            balance: {{balance}}
            connect_timeout: 300ms
            health:
              active: { path: /healthz, interval: 200ms, timeout: 300ms, rise: 2, fall: 2 }
              passive: { failures: 3, within: 5s, eject_for: 500ms, most_eject_for: 2s, most_ejected: 100% }
              panic: off
            retry: { attempts: 6, per_try: {{PerTry.TotalMilliseconds}}ms, on: [connect, reset, timeout, 502, 503, 504], budget: 100%, back_off: 5ms, most_back_off: 50ms }
        sites: [{ proxy: three }]
        """);

    public override IPEndPoint End => weir.End;

    public override IReadOnlyDictionary<IPEndPoint, string> Away()
    {
        var (_, body) = ControlClient.SendAsync(weir.ControlPath, HttpMethod.Get, "/status").GetAwaiter().GetResult();
        var away = new Dictionary<IPEndPoint, string>();
        foreach (var endpoint in JsonDocument.Parse(body).RootElement.GetProperty("upstreams").EnumerateArray().SelectMany(u => u.GetProperty("endpoints").EnumerateArray()))
        {
            var isAway = endpoint.TryGetProperty("away", out var why) && why.ValueKind switch { JsonValueKind.Array => why.GetArrayLength() > 0, JsonValueKind.String => why.GetString() != "", _ => false };
            if (isAway && Origin(endpoint.GetProperty("name").GetString()!) is { } origin) away[origin.End] = why.GetRawText();
        }

        return away;
    }

    public override void Dispose() => weir.Dispose();

    private FaultyOrigin? Origin(string name) => origins.FirstOrDefault(o => name.Contains(o.End.ToString(), StringComparison.Ordinal));
}

internal sealed class HaproxyUnderFaults : ProxyUnderFaults
{
    private readonly string folder = Directory.CreateTempSubdirectory("weir-haproxy-").FullName;
    private readonly IReadOnlyList<FaultyOrigin> origins;
    private readonly Process process;

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
    }

    public override IPEndPoint End { get; }

    private string Socket => Path.Combine(folder, "stats");

    public override IReadOnlyDictionary<IPEndPoint, string> Away()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Socket));
        socket.Send("show stat three 4 -1\n"u8);
        using var reader = new StreamReader(new NetworkStream(socket), Encoding.Latin1);
        string[][] lines = [.. reader.ReadToEnd().Split('\n').Select(l => l.Split(','))];
        var (name, status, down) = (Array.IndexOf(lines[0], "svname"), Array.IndexOf(lines[0], "status"), Array.IndexOf(lines[0], "chkdown"));
        return lines.Where(l => l.Length > down && l[name].StartsWith('s') && l[status].StartsWith("DOWN", StringComparison.Ordinal))
            .ToDictionary(l => origins[l[name][1] - '0'].End, l => l[down]);
    }

    public override void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
