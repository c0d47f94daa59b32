// A peer that runs: started with a setup, waited for, and checked once to answer what the origin said.

using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Weir.Bench.SideBySide;

internal sealed class Proxy
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private Proxy(Peer peer, Setup setup, Process process, string folder, int port, int admin, TimeSpan startTime)
    {
        (Peer, Setup, Process, Folder, Port, Admin, StartTime) = (peer, setup, process, folder, port, admin, startTime);
    }

    public Peer Peer { get; }

    public Setup Setup { get; }

    public Process Process { get; }

    /// <summary>Where its configuration lies, and what it writes.</summary>
    public string Folder { get; }

    public int Port { get; }

    public int Admin { get; }

    /// <summary>From the start of the process to the first answer.</summary>
    public TimeSpan StartTime { get; }

    public Cpu Cpu => Processes.CpuOf(Process.Id);

    public Memory Memory => Processes.MemoryOf(Process.Id);

    public static Proxy Start(Stage stage, Peer peer, Setup setup, int origin)
    {
        var folder = stage.NewFolder($"{peer.Name}-{setup.Name}", inMemory: setup.CacheMiB > 0);
        var (port, admin) = (Stage.FreePort(), Stage.FreePort());
        var command = peer.Prepare(setup, folder, port, origin, admin);
        var output = Path.Combine(folder, "output");
        var started = Stopwatch.GetTimestamp();
        var process = stage.Start(stage.ProxyCpu, output, command);
        while (!Answers(port, setup))
        {
            if (!process.HasExited && Stopwatch.GetElapsedTime(started) < Patience) continue;
            var said = string.Join('\n', Directory.GetFiles(folder).Where(f => f == output || f.EndsWith("error.log", StringComparison.Ordinal)).Select(File.ReadAllText));
            stage.Stop(process);
            throw new InvalidOperationException($"{peer.Name} ({setup.Name}) does not answer: {said.Trim()}");
        }

        return new Proxy(peer, setup, process, folder, port, admin, Stopwatch.GetElapsedTime(started));
    }

    /// <summary>Fails where a body of 65,536 bytes does not arrive as the origin sent it, or an upload not at all.</summary>
    public void Check()
    {
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => Certificate.Is(shown) } };
        using var client = new HttpClient(handler) { BaseAddress = new Uri($"{(Setup.IsTls ? "https" : "http")}://127.0.0.1:{Port}") };
        using var get = new HttpRequestMessage(HttpMethod.Get, $"{(Setup.Sites == 0 ? "" : Setup.LastPath)}/bytes/65536") { Headers = { Host = Setup.LastHost } };
        using var answer = client.Send(get);
        using var stream = answer.Content.ReadAsStream();
        var body = new MemoryStream();
        stream.CopyTo(body);
        var bytes = body.ToArray();
        var isWhole = Setup.Sites > 0 ? bytes.AsSpan().SequenceEqual("hello, weir!\n"u8) : bytes.Length == 65536 && bytes.Select((b, i) => b == PatternAt(i)).All(same => same);
        if (!isWhole) throw new InvalidOperationException($"{Peer.Name} ({Setup.Name}) changes bodies: {(int)answer.StatusCode}, {bytes.Length} bytes");
        if (Setup.Sites > 0) return;
        using var post = new HttpRequestMessage(HttpMethod.Post, "/up") { Content = new ByteArrayContent(new byte[300_000]), Headers = { Host = Setup.LastHost } };
        using var taken = client.Send(post);
        if (taken.StatusCode != HttpStatusCode.OK) throw new InvalidOperationException($"{Peer.Name} ({Setup.Name}) answers an upload with {(int)taken.StatusCode}");
    }

    // The origin's pattern: see bench/Load/Pattern.cs.
    private static byte PatternAt(int i) => (byte)((i * 31) ^ (i >> 8));

    private static bool Answers(int port, Setup setup)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 5000 };
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            using Stream plain = new NetworkStream(socket);
            using var stream = setup.IsTls ? Secure(plain, setup) : plain;
            stream.Write(Encoding.ASCII.GetBytes($"GET {setup.LastPath} HTTP/1.1\r\nHost: {setup.LastHost}\r\nConnection: close\r\n\r\n"));
            Span<byte> answer = stackalloc byte[4096];
            return stream.Read(answer) > 12 && answer.StartsWith("HTTP/1.1 200"u8);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    private static SslStream Secure(Stream plain, Setup setup)
    {
        var stream = new SslStream(plain, leaveInnerStreamOpen: false, (_, shown, _, _) => Certificate.Is(shown));
        stream.AuthenticateAsClient(setup.LastHost);
        return stream;
    }
}
