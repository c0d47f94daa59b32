// The peers that only take part where it is about caching or compressing.

using System.Text.RegularExpressions;

namespace Weir.Bench.SideBySide;

/// <summary>Varnish: a manager and a worker below it. One thread pool, because it has one processor.</summary>
internal sealed partial class VarnishPeer(Settings settings) : Peer("varnish", settings)
{
    public override bool Forwards => false;

    public override bool Caches => true;

    public override string? Version() => Named().Match(Stage.Ask("varnishd", "-V")) is { Success: true } match ? match.Groups[1].Value : null;

    public override IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin) =>
    [
        "varnishd", "-F", "-j", "none", "-n", $"{folder}/varnish", "-T", "none", "-a", $"127.0.0.1:{port}",
        "-f", Fill("cache-varnish.vcl", folder, ("origin", $"{origin}")),
        "-s", $"malloc,{setup.CacheMiB}m",
        "-p", "thread_pools=1", // One for each processor, at most.
        "-p", "timeout_idle=300", // As with everybody.
        "-p", "listen_depth=16384",
        "-p", "default_ttl=0", // What says nothing of keeping is not kept.
        "-p", "nuke_limit=100000", // A large answer that needs the room of more small ones than this is broken off.
    ];

    [GeneratedRegex(@"varnish-(\d[\w.]*)")]
    private static partial Regex Named();
}

internal sealed class CaddyPeer(Settings settings) : Peer("caddy", settings)
{
    public override bool Forwards => false;

    public override bool Compresses => true;

    public override string? Version() => VersionIn(Stage.Ask("caddy", "version"));

    public override IReadOnlyList<string> Prepare(Setup setup, string folder, int port, int origin, int admin) =>
    [
        "env", $"HOME={folder}", $"XDG_DATA_HOME={folder}", $"XDG_CONFIG_HOME={folder}",
        "caddy", "run", "--adapter", "caddyfile", "--config", Fill("coding-Caddyfile", folder, ("port", $"{port}"), ("origin", $"{origin}")),
    ];
}
