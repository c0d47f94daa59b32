// BIND's name server for one zone that takes signed updates, on a port that the system has chosen.

using System.Diagnostics;
using System.Net;

namespace Weir.Tests.Support;

/// <summary>A running name server.</summary>
public sealed class NamedServer : IDisposable
{
    public const string KeyName = "weir-key";

    public const string Secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0ZXMgbG8=";

    private readonly Process process;

    public NamedServer(string folder, string zone)
    {
        var home = Directory.CreateDirectory(Path.Combine(folder, "named")).FullName;
        var ports = Pebble.FreePorts(1);
        End = new IPEndPoint(IPAddress.Loopback, ports[0]);
        File.WriteAllText(Path.Combine(home, "zone"), $"$TTL 60\n@ IN SOA ns.{zone}. ops.{zone}. 1 60 60 60 60\n@ IN NS ns.{zone}.\nns IN A 127.0.0.1\n* IN A 127.0.0.1\n");
        var settings = Path.Combine(home, "named.conf");
        File.WriteAllText(settings, $$"""
            key "{{KeyName}}" { algorithm hmac-sha256; secret "{{Secret}}"; };
            options { directory "{{home}}"; listen-on port {{ports[0]}} { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; recursion no; dnssec-validation no; session-keyfile "{{home}}/session.key"; };
            controls { };
            zone "{{zone}}" { type primary; file "{{home}}/zone"; allow-update { key "{{KeyName}}"; }; };
            """);
        process = Process.Start(new ProcessStartInfo("/usr/sbin/named", ["-c", settings, "-f"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        Eventually.Holds(() => Command.Run("dig", ["@127.0.0.1", "-p", $"{ports[0]}", "+short", "+time=1", "+tries=1", "SOA", zone]).Output.Contains(zone, StringComparison.Ordinal), () => "named does not answer");
    }

    public IPEndPoint End { get; }

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
    }
}
