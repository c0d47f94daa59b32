// Pebble, a CA for tests from the distribution, with its DNS server, in which every name is this machine. It refuses nonces and
// checks what it is sent strictly. On ports that the system has chosen.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Weir.Tests.Support;

/// <summary>A running Pebble.</summary>
public sealed class Pebble : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<Process> processes = [];
    private readonly StringBuilder said = new();
    private readonly int port;
    private readonly int managed;

    /// <param name="folder">Where its files go.</param>
    /// <param name="noncesRefused">How many good nonces of a hundred are refused.</param>
    /// <param name="dns">Who is asked for names; null: a server of its own.</param>
    /// <param name="eab">Whether it wants an external account: kid-1, with the key of <see cref="EabKey"/>.</param>
    public Pebble(string folder, int noncesRefused = 15, bool eab = false, IPEndPoint? dns = null)
    {
        Folder = Directory.CreateDirectory(Path.Combine(folder, "pebble")).FullName;
        var ports = FreePorts(6);
        (port, HttpPort, TlsPort, var management, var ownDns, managed) = (ports[0], ports[1], ports[2], ports[3], ports[4], ports[5]);
        var pki = new Pki(Folder, "Pebble's own");
        CaFile = pki.Authority;
        var (certificate, key) = pki.Issue("localhost");
        var settings = new JsonObject
        {
            ["listenAddress"] = $"127.0.0.1:{port}",
            ["managementListenAddress"] = $"127.0.0.1:{management}",
            ["certificate"] = certificate,
            ["privateKey"] = key,
            ["httpPort"] = HttpPort,
            ["tlsPort"] = TlsPort,
            ["ocspResponderURL"] = "",
            ["externalAccountBindingRequired"] = eab,
        };
        if (eab) settings["externalAccountMACKeys"] = new JsonObject { ["kid-1"] = EabKey };
        var file = Path.Combine(Folder, "pebble.json");
        File.WriteAllText(file, new JsonObject { ["pebble"] = settings }.ToJsonString());
        Start("pebble-challtestsrv", "-dns01", $"127.0.0.1:{ownDns}", "-management", $"127.0.0.1:{managed}", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "");
        Dns = dns ?? new IPEndPoint(IPAddress.Loopback, ownDns);
        arguments = ["-config", file, "-dnsserver", Dns.ToString(), "-strict"];
        this.noncesRefused = noncesRefused;
        Restart();
    }

    private readonly string[] arguments;
    private readonly int noncesRefused;
    private Process? ca;

    public const string EabKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

    public string Folder { get; }

    public string CaFile { get; }

    public string Directories => $"https://localhost:{port}/dir";

    /// <summary>Where it looks by http-01, and by tls-alpn-01.</summary>
    public int HttpPort { get; }

    public int TlsPort { get; }

    /// <summary>Its DNS server.</summary>
    public IPEndPoint Dns { get; }

    /// <summary>Where records of its DNS server are set.</summary>
    public Uri DnsManagement => new($"http://127.0.0.1:{managed}/");

    public string Said
    {
        get
        {
            lock (said) return said.ToString();
        }
    }

    /// <summary>As its configuration names it.</summary>
    public string Issuer => $"{{ directory: \"{Directories}\", ca: {CaFile}, email: ops@example.com }}";

    /// <summary>Ends it.</summary>
    public void Stop()
    {
        if (ca is null) return;
        ca.Kill();
        ca.WaitForExit();
        processes.Remove(ca);
        ca.Dispose();
        ca = null;
    }

    /// <summary>Starts it anew: it knows nobody any more.</summary>
    public void Restart()
    {
        Stop();
        ca = Start("pebble", arguments);
        var since = Stopwatch.StartNew();
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (since.Elapsed < Patience && !ca.HasExited)
            {
                Thread.Sleep(20);
            }
        }
    }

    public void Dispose()
    {
        foreach (var process in processes)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        processes.Clear();
    }

    /// <summary>Ports that nobody listens on just now.</summary>
    public static int[] FreePorts(int count)
    {
        var sockets = Enumerable.Range(0, count).Select(static _ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)).ToArray();
        foreach (var socket in sockets) socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var ports = sockets.Select(static s => ((IPEndPoint)s.LocalEndPoint!).Port).ToArray();
        foreach (var socket in sockets) socket.Dispose();
        return ports;
    }

    private Process Start(string program, params string[] given)
    {
        var start = new ProcessStartInfo(program, given) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = Folder };
        start.Environment["PEBBLE_VA_NOSLEEP"] = "1";
        start.Environment["PEBBLE_AUTHZREUSE"] = "0";
        start.Environment["PEBBLE_WFE_NONCEREJECT"] = noncesRefused.ToString(CultureInfo.InvariantCulture);
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} cannot be started");
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        processes.Add(process);
        return process;
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (said) said.AppendLine(line);
    }
}
