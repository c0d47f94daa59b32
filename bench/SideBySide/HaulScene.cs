// One large file from an origin that gives each connection so much and no more, behind a line with a round trip: fetched directly,
// through hops that fetch it as it is asked for, by a program that opens several connections itself, and through Weir.

using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Weir.Bench.SideBySide;

internal sealed record HaulScene() : Scene("haul", "one file from an origin that gives each connection 2 MiB/s, behind a round trip of 100 ms")
{
    private const int Connections = 8;
    private const double PerConnection = 2 << 20;
    private const int RoundTrip = 100;

    public override void Measure(Run run)
    {
        var length = (run.Settings.Quick ? 48 : 128) << 20;
        var folder = run.Stage.NewFolder("haul", inMemory: true);
        var content = RandomNumberGenerator.GetBytes(length);
        File.WriteAllBytes(Path.Combine(folder, "file"), content);
        var expected = Convert.ToHexStringLower(SHA256.HashData(content));
        var origin = StartOrigin(run, folder);
        using var relay = new DelayingRelay(origin, RoundTrip);
        var ways = new List<(string Title, Func<string, Process> Fetch)>
        {
            ("direct, curl", into => Curl(run, relay.Port, into)),
        };
        foreach (var (name, setup) in (ReadOnlySpan<(string, string)>)[("nginx", Nginx(run, relay.Port)), ("haproxy", HaProxy(run, relay.Port)), ("weir", WeirPlain(run, relay.Port)), ("weir, accelerate", WeirFast(run, relay.Port))])
        {
            if (setup.Length == 0) continue;
            var port = int.Parse(setup, CultureInfo.InvariantCulture);
            ways.Add(($"{name}{(name.Contains("accelerate", StringComparison.Ordinal) ? "" : " hop")}", into => Curl(run, port, into)));
        }

        if (Stage.Ask("aria2c", "--version").Length > 0) ways.Add(($"direct, aria2c -x{Connections}", into => run.Stage.Start(run.Stage.LoadCpu, $"{into}.log", "aria2c", "-q", $"-x{Connections}", $"-s{Connections}", "-k1M", "--file-allocation=none", "-d", Path.GetDirectoryName(into)!, "-o", Path.GetFileName(into), $"http://127.0.0.1:{relay.Port}/file")));
        else Run.Say("aria2c is left out: it is not installed");

        var samples = new List<(string Title, double Seconds, double First)>();
        var rounds = Math.Min(run.Settings.Rounds, run.Settings.Quick ? 1 : 3);
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var (title, fetch) in ways)
            {
                var into = Path.Combine(folder, $"got-{samples.Count}");
                var since = Stopwatch.StartNew();
                var process = fetch(into);
                var first = -1.0;
                while (!process.HasExited)
                {
                    if (first < 0 && File.Exists(into) && new FileInfo(into).Length > 0) first = since.Elapsed.TotalMilliseconds;
                    if (since.Elapsed > TimeSpan.FromMinutes(5)) throw new InvalidOperationException($"{title} took too long");
                    Thread.Sleep(2);
                }

                var took = since.Elapsed.TotalSeconds;
                run.Stage.Stop(process);
                var got = File.Exists(into) ? Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(into))) : "nothing";
                if (got != expected) throw new InvalidOperationException($"{title} brought something else");
                File.Delete(into);
                samples.Add((title, took, first));
                Run.Say(FormattableString.Invariant($"{Name} {title} round {round}: {took:F2} s, the first byte after {first:F0} ms"));
            }
        }

        run.Scenes.Add(Table($"{length >> 20} MiB: {Title}", ["seconds", "MiB/s", $"of {Connections} connections' worth", "first byte on disk, ms"], ways.Select(w =>
        {
            var own = samples.Where(s => s.Title == w.Title).ToArray();
            var seconds = Median.Of(own.Select(s => s.Seconds));
            return (w.Title, (IEnumerable<string>)[Number(seconds), Number(length / seconds / (1 << 20)), Number(length / seconds / (Connections * PerConnection)), Number(Median.Of(own.Select(s => s.First)))]);
        })));
    }

    private static Process Curl(Run run, int port, string into) => run.Stage.Start(run.Stage.LoadCpu, $"{into}.log", "curl", "-sN", "-o", into, $"http://127.0.0.1:{port}/file");

    private static int StartOrigin(Run run, string folder)
    {
        var port = Stage.FreePort();
        var file = Write(folder, "origin.conf", $$"""
            worker_processes 1; daemon off; master_process off; pid {{folder}}/origin.pid; error_log stderr crit;
            events { worker_connections 1024; }
            http { access_log off; server { listen 127.0.0.1:{{port}}; root {{folder}}; location / { limit_rate {{(long)PerConnection}}; } } }
            """);
        run.Stage.Start(run.Stage.OriginCpu, Path.Combine(folder, "origin.log"), "nginx", "-c", file, "-p", folder);
        return Await(port);
    }

    private static string Nginx(Run run, int origin)
    {
        var folder = run.Stage.NewFolder("haul-nginx");
        var port = Stage.FreePort();
        var file = Write(folder, "hop.conf", $$"""
            worker_processes 1; daemon off; master_process off; pid {{folder}}/pid; error_log stderr crit;
            events { worker_connections 1024; }
            http { access_log off; proxy_temp_path {{folder}}/p; server { listen 127.0.0.1:{{port}}; location / { proxy_pass http://127.0.0.1:{{origin}}; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
            """);
        run.Stage.Start(run.Stage.ProxyCpu, Path.Combine(folder, "log"), "nginx", "-c", file, "-p", folder);
        return $"{Await(port)}";
    }

    private static string HaProxy(Run run, int origin)
    {
        if (Stage.Ask("haproxy", "-v").Length == 0) return "";
        var folder = run.Stage.NewFolder("haul-haproxy");
        var port = Stage.FreePort();
        var file = Write(folder, "hop.cfg", $"defaults\n  mode http\n  timeout connect 10s\n  timeout client 300s\n  timeout server 300s\nlisten hop\n  bind 127.0.0.1:{port}\n  server far 127.0.0.1:{origin}\n");
        run.Stage.Start(run.Stage.ProxyCpu, Path.Combine(folder, "log"), "haproxy", "-db", "-f", file);
        return $"{Await(port)}";
    }

    private static string WeirPlain(Run run, int origin) => Weir(run, origin, "false");

    private static string WeirFast(Run run, int origin) => Weir(run, origin, $"{{ segments: {Connections} }}");

    private static string Weir(Run run, int origin, string accelerate)
    {
        if (!run.Peers.Any(static p => p.Name == "weir")) return "";
        var folder = run.Stage.NewFolder("haul-weir");
        var port = Stage.FreePort();
        var file = Write(folder, "weir.yaml", $"listen: 127.0.0.1:{port}\nloops: 1\nstate: {folder}/state\ncontrol: {folder}/control\naccess_log: off\nsites: [{{ routes: [{{ accelerate: {accelerate}, proxy: \"http://127.0.0.1:{origin}\" }}] }}]\n");
        run.Stage.Start(run.Stage.ProxyCpu, Path.Combine(folder, "log"), Path.Combine(run.Settings.Home, "artifacts", "weir"), "run", "-c", file);
        return $"{Await(port)}";
    }

    private static string Write(string folder, string name, string text)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static int Await(int port)
    {
        for (var tries = 0; tries < 500; tries++)
        {
            try
            {
                using var probe = new System.Net.Sockets.TcpClient("127.0.0.1", port);
                return port;
            }
            catch (System.Net.Sockets.SocketException)
            {
                Thread.Sleep(20);
            }
        }

        throw new InvalidOperationException($"nobody listens on {port}");
    }
}
