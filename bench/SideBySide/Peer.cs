// The proxies: how each is found, configured from its committed template, and started. A setup is what a row asks
// for: one route or ten thousand, access log or none.

using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Bench.SideBySide;

/// <summary>What three origins are served with, in the words of the proxy whose it is.</summary>
/// <param name="Origins">Their ports.</param>
/// <param name="Balance">How one of them is chosen.</param>
/// <param name="Retry">When another one is tried; empty: the proxy's own rule.</param>
/// <param name="Server">What else is said of each.</param>
internal sealed record Three(IReadOnlyList<int> Origins, string Balance, string Retry = "", string Server = "");

/// <summary>What a proxy is configured for.</summary>
internal sealed record Setup(string Name, bool HasLog = false, int Sites = 0, int RoutesPerSite = 0)
{
    public static Setup Plain { get; } = new("plain");

    public static Setup Logging { get; } = new("log", HasLog: true);

    /// <summary>The run's certificate; no proxy's defaults for TLS are changed but where its template says so.</summary>
    public static Setup Tls { get; } = new("tls") { IsTls = true };

    public static Setup ManyRoutes { get; } = new("routes", Sites: 1000, RoutesPerSite: 10);

    /// <summary>Everybody keeps answers in so much memory.</summary>
    public static Setup Cache { get; } = new("cache") { CacheMiB = 256 };

    /// <summary>Answers are compressed; hosts choose how.</summary>
    public static Setup Coding { get; } = new("coding") { IsCoding = true };

    /// <summary>The memory for answers that are kept; 0: none are.</summary>
    public int CacheMiB { get; init; }

    /// <summary>Whether that is another size than Weir's own.</summary>
    public bool IsCacheSized { get; init; }

    public bool IsCoding { get; init; }

    public bool IsTls { get; init; }

    /// <summary>What the generator is told for every load.</summary>
    public IEnumerable<string> LoadArguments => IsTls ? ["--tls"] : [];

    /// <summary>What the scenes with three origins ask for; null: one origin.</summary>
    public Three? Three { get; init; }

    /// <summary>The host and path that only the very last route is for.</summary>
    public string LastHost => IsCoding ? "gzip5.test" : Sites == 0 ? "bench.test" : $"s{Sites - 1}.test";

    public string LastPath => Sites == 0 ? "/" : $"/r{RoutesPerSite - 1}/x";

    public IEnumerable<(int Site, int Route)> Routes() =>
        from site in Enumerable.Range(0, Sites)
        from route in Enumerable.Range(0, RoutesPerSite)
        select (site, route);
}

internal abstract partial class Peer(string name, Settings settings)
{
    public string Name => name;

    /// <summary>Whether it is compiled while it runs, and again where it is hot.</summary>
    public virtual bool IsCompiledAsItRuns => false;

    protected Settings Settings => settings;

    /// <summary>Whether it takes part where it has to speak TLS.</summary>
    public virtual bool SpeaksTls => true;

    /// <summary>Whether it takes part in the rows that are about forwarding.</summary>
    public virtual bool Forwards => true;

    /// <summary>Whether it takes part in the rows about keeping answers, and in those about compressing them.</summary>
    public virtual bool Caches => false;

    public virtual bool Compresses => false;

    /// <summary>The folder in which it keeps answers, of its own one; null: in memory.</summary>
    public virtual string? CacheFolder(string folder) => null;

    /// <summary>Its version; null where it is not there.</summary>
    public abstract string? Version();

    /// <summary>Writes its configuration and says how it is started.</summary>
    public abstract IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin);

    public static IReadOnlyList<Peer> All(Settings settings) =>
        [new WeirPeer(settings), new NginxPeer(settings, "nginx", ""), new NginxPeer(settings, "nginx-large", "proxy_buffer_size 32k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"), new HaproxyPeer(settings), new YarpPeer(settings), new VarnishPeer(settings), new CaddyPeer(settings)];

    protected string Fill(string template, string folder, params ReadOnlySpan<(string Place, string Text)> places)
    {
        var text = File.ReadAllText(Path.Combine(settings.Templates, template));
        foreach (var (place, value) in places) text = text.Replace($"@{place}@", value, StringComparison.Ordinal);
        text = text.Replace("@folder@", folder, StringComparison.Ordinal);
        var target = Path.Combine(folder, template);
        File.WriteAllText(target, text);
        return target;
    }

    protected static string? VersionIn(string text) => VersionPattern().Match(text) is { Success: true } match ? match.Value : null;

    [GeneratedRegex(@"\d+\.\d+(\.\d+)?[\w.+-]*")]
    private static partial Regex VersionPattern();
}

internal sealed class WeirPeer(Settings settings) : Peer("weir", settings)
{
    public override bool Caches => true;

    public override bool Compresses => true;

    public override string? Version() => File.Exists(Settings.Weir) ? VersionIn(Stage.Ask(Settings.Weir, "version")) ?? "?" : null;

    public override IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin)
    {
        if (setup.Three is { } three)
        {
            return [Settings.Weir, "run", "--config", Fill("three-weir.yaml", folder, ("port", $"{port}"), ("admin", $"{admin}"), ("balance", three.Balance), ("retry", three.Retry),
                ("endpoints", string.Join(", ", three.Origins.Select(o => $"\"http://127.0.0.1:{o}\""))))];
        }

        if (setup.CacheMiB > 0)
        {
            return [Settings.Weir, "run", "--config", Fill("cache-weir.yaml", folder, ("port", $"{port}"), ("admin", $"{admin}"), ("origin", $"{origin}"),
                ("caches", setup.IsCacheSized ? $"caches: {{ default: {{ memory: {setup.CacheMiB}MiB }} }}" : ""))];
        }

        if (setup.IsCoding)
        {
            return [Settings.Weir, "run", "--config", Fill("coding-weir.yaml", folder, ("port", $"{port}"), ("admin", $"{admin}"), ("origin", $"{origin}"),
                ("sites", string.Join("\n  ", CompressionScene.Of("weir").Select(c => $"- {{ hosts: [{c.Host}], compress: {{ codings: [{c.Coding}], levels: {{ {c.Coding}: {c.Level} }} }}, proxy: origin }}"))))];
        }

        var sites = new StringBuilder();
        for (var s = 0; s < setup.Sites; s++)
        {
            sites.Append($"- hosts: [s{s}.test]\n    routes:\n");
            for (var r = 0; r < setup.RoutesPerSite; r++) sites.Append($"      - {{ match: /r{r}/**, proxy: origin }}\n");
            sites.Append("  ");
        }

        if (setup.IsTls) Certificate.WriteTo(folder);
        if (setup.Sites == 0) sites.Append(setup.IsTls ? $"- tls: {{ certificate: \"{folder}/certificate.pem\", key: \"{folder}/key.pem\" }}\n    proxy: origin" : "- proxy: origin");
        var listen = setup.IsTls ? $"{{ address: \"127.0.0.1:{port}\", tls: true }}" : $"\"127.0.0.1:{port}\"";
        var config = Fill("weir.yaml", folder, ("listen", listen), ("admin", $"{admin}"), ("origin", $"{origin}"),
            ("log", setup.HasLog ? $"{folder}/access.log" : "off"), ("sites", sites.ToString().TrimEnd()));
        return [Settings.Weir, "run", "--config", config];
    }
}

internal sealed class NginxPeer(Settings settings, string name, string buffers) : Peer(name, settings)
{
    private const string Format =
        """log_format records escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","host":"$host","uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,"time_total":$request_time,"upstream":"$upstream_addr","time_upstream":"$upstream_response_time"}'; access_log @folder@/access.log records buffer=64k flush=1s;""";

    private const string Secure = "ssl_certificate @folder@/certificate.pem; ssl_certificate_key @folder@/key.pem; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on;";

    public override bool Caches => buffers.Length == 0;

    public override bool Compresses => buffers.Length == 0;

    public override string? CacheFolder(string folder) => Path.Combine(folder, "answers");

    public override string? Version() => VersionIn(Stage.Ask("nginx", "-v"));

    public override IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin)
    {
        if (setup.Three is { } three)
        {
            return ["nginx", "-e", $"{folder}/error.log", "-c", Fill("three-nginx.conf", folder, ("port", $"{port}"), ("balance", three.Balance), ("retry", three.Retry),
                ("servers", string.Join(' ', three.Origins.Select(o => $"server 127.0.0.1:{o}{three.Server};"))))];
        }

        if (setup.CacheMiB > 0)
        {
            return ["nginx", "-e", $"{folder}/error.log", "-c", Fill("cache-nginx.conf", folder, ("port", $"{port}"), ("origin", $"{origin}"), ("store", CacheFolder(folder)!), ("size", $"{setup.CacheMiB}"))];
        }

        if (setup.IsCoding)
        {
            return ["nginx", "-e", $"{folder}/error.log", "-c", Fill("coding-nginx.conf", folder, ("origin", $"{origin}"),
                ("sites", string.Join("\n    ", CompressionScene.Of("nginx").Select((c, i) => $"server {{ listen 127.0.0.1:{port}{(i == 0 ? " backlog=4096" : "")}; server_name {c.Host}; gzip_comp_level {c.Level}; location / {{ proxy_pass http://origin; }} }}"))))];
        }

        var sites = new StringBuilder();
        var listen = $"listen 127.0.0.1:{port}{(setup.IsTls ? " ssl" : "")} backlog=4096;";
        if (setup.IsTls) Certificate.WriteTo(folder);
        if (setup.Sites == 0) sites.Append($"server {{ {listen} location / {{ proxy_pass http://origin; }} }}");
        for (var s = 0; s < setup.Sites; s++)
        {
            sites.Append($"server {{ {(s == 0 ? listen : $"listen 127.0.0.1:{port};")} server_name s{s}.test;");
            for (var r = 0; r < setup.RoutesPerSite; r++) sites.Append($" location /r{r}/ {{ proxy_pass http://origin; }}");
            sites.Append(" }\n    ");
        }

        var config = Fill("nginx.conf", folder, ("origin", $"{origin}"), ("buffers", buffers), ("log", setup.HasLog ? Format : "access_log off;"), ("tls", setup.IsTls ? Secure : ""), ("sites", sites.ToString()));
        return ["nginx", "-e", $"{folder}/error.log", "-c", config];
    }
}

internal sealed class HaproxyPeer(Settings settings) : Peer("haproxy", settings)
{
    private const string Format =
        """log-format "{\"time\":\"%tr\",\"client\":\"%ci\",\"method\":\"%HM\",\"uri\":\"%HU\",\"status\":%ST,\"bytes\":%B,\"time_total\":%Ta,\"time_upstream\":%Tr,\"endpoint\":\"%s\",\"ending\":\"%tsc\"}" """;

    public override string? Version() => VersionIn(Stage.Ask("haproxy", "-v"));

    public override IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin)
    {
        if (setup.Three is { } three)
        {
            return ["haproxy", "-db", "-q", "-f", Fill("three-haproxy.cfg", folder, ("port", $"{port}"), ("balance", three.Balance), ("retry", three.Retry),
                ("servers", string.Concat(three.Origins.Select((o, i) => $"\n    server s{i} 127.0.0.1:{o} pool-max-conn 1024{three.Server}"))))];
        }

        var map = Path.Combine(folder, "routes.map");
        if (setup.Sites > 0) File.WriteAllLines(map, setup.Routes().Select(r => $"s{r.Site}.test/r{r.Route}/ origin"));
        if (setup.IsTls) Certificate.WriteTo(folder);
        var config = Fill("haproxy.cfg", folder, ("port", $"{port}"), ("origin", $"{origin}"), ("tls", setup.IsTls ? $"ssl crt {folder}/both.pem" : ""),
            ("log", setup.HasLog ? "log stdout format raw local0" : ""), ("frontlog", setup.HasLog ? $"log global\n    {Format}" : ""),
            ("routes", setup.Sites > 0 ? $"use_backend %[base,map_beg({map})]" : ""));
        return ["haproxy", "-db", "-q", "-f", config];
    }
}

internal sealed class YarpPeer(Settings settings) : Peer("yarp", settings)
{
    public override bool IsCompiledAsItRuns => true;

    public override bool SpeaksTls => false;

    private string Program => Path.Combine(Settings.Tools, "yarp", "yarp");

    public override string? Version() => File.Exists(Program)
        ? FileVersionInfo.GetVersionInfo(Path.Combine(Path.GetDirectoryName(Program)!, "Yarp.ReverseProxy.dll")).ProductVersion?.Split('+')[0] ?? "?"
        : null;

    public override IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin) =>
    [
        "env", "DOTNET_gcServer=0", Program, $"{port}", $"{origin}",
        .. setup.Sites > 0 ? ["--sites", $"{setup.Sites}", "--routes", $"{setup.RoutesPerSite}"] : Array.Empty<string>(),
    ];
}
