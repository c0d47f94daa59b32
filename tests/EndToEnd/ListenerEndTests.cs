// Listeners that end under load, on the built program: whoever is connected is answered, whoever is not is refused.

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class ListenerEndTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Theory]
    [InlineData("TERM", false)]
    [InlineData("TERM", true)]
    [InlineData("HUP", false)]
    [InlineData("HUP", true)]
    public void Under_load_nobody_is_reset_or_half_answered(string signal, bool overUnix)
    {
        using var origin = new RawOrigin();
        var folder = Directory.CreateTempSubdirectory("weir-test-").FullName;
        var socket = Path.Combine(folder, "front.sock");
        using var weir = WeirProcess.Start($"listen: [\"127.0.0.1:0\", \"unix:{socket}\"]\nsites: [{{ proxy: \"{origin.Url}\" }}]\n", folder);
        EndPoint end = overUnix ? new UnixDomainSocketEndPoint(socket) : weir.End;
        weir.Configure($"listen: \"127.0.0.2:0\"\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        var broken = new ConcurrentQueue<string>();
        var answered = 0;
        var clients = Enumerable.Range(0, 16).Select(_ => new Thread(() =>
        {
            while (TryConnect(end) is { } stream)
            {
                using (stream)
                {
                    try
                    {
                        stream.Write(Encoding.ASCII.GetBytes(Get));
                        var buffer = new byte[4096];
                        var text = "";
                        for (int got; (got = stream.Read(buffer)) > 0;) text += Encoding.ASCII.GetString(buffer, 0, got);
                        if (!text.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) || !text.EndsWith("\r\n\r\nhello", StringComparison.Ordinal)) broken.Enqueue($"'{text}'");
                        Interlocked.Increment(ref answered);
                    }
                    catch (IOException e)
                    {
                        broken.Enqueue(e.Message);
                    }
                }
            }
        })).ToArray();
        foreach (var client in clients) client.Start();
        Eventually.Holds(() => Volatile.Read(ref answered) > 500, () => weir.Said);
        weir.Signal(signal);
        foreach (var client in clients) Assert.True(client.Join(TimeSpan.FromSeconds(30)), weir.Said);
        Assert.True(broken.IsEmpty, $"{answered} answered, {broken.Count} not: {string.Join('\n', broken.Take(5))}\n{weir.Said}");
        if (signal != "TERM") return;
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.Equal(0, weir.ExitCode);
        Assert.DoesNotContain("broken off", weir.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void Who_waits_to_be_taken_is_answered(string signal)
    {
        using var asked = new SemaphoreSlim(0);
        using var go = new ManualResetEventSlim();
        using var origin = new RawOrigin((stream, head) =>
        {
            asked.Release();
            go.Wait();
            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nlimits: {{ connections: 1 }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        using var busy = Ask(weir);
        asked.Wait();
        var waiting = Enumerable.Range(0, 8).Select(_ => Ask(weir)).ToArray();
        weir.Configure($"listen: \"127.0.0.2:0\"\nlimits: {{ connections: 1 }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        weir.Signal(signal);
        Eventually.Holds(() => weir.Said.Contains(signal == "TERM" ? "draining: 1 connections" : "the new configuration is in force", StringComparison.Ordinal), () => weir.Said);
        go.Set();
        foreach (var client in waiting.Prepend(busy))
        {
            var answer = WeirProcess.ReadToEnd(client);
            Assert.EndsWith("\r\n\r\nhello", answer, StringComparison.Ordinal);
            Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
            client.Dispose();
        }

        Assert.Null(TryConnect(weir.End));
    }

    [Fact]
    public void Who_has_connected_and_asked_nothing_yet_is_answered()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nsites: [{ respond: { body: hello } }]\n");
        using var fresh = weir.Connect();
        Eventually.Holds(() => weir.Ask("status", "--json").Output.Contains("\"connections\": 1,", StringComparison.Ordinal), () => weir.Ask("status", "--json").Output);
        weir.Signal("TERM");
        Eventually.Holds(() => weir.Said.Contains("draining: 1 connections", StringComparison.Ordinal), () => weir.Said);
        fresh.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        var answer = WeirProcess.ReadToEnd(fresh);
        Assert.EndsWith("\r\n\r\nhello", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public void An_address_that_was_given_up_can_be_had_again_at_once()
    {
        using var free = new TcpListenerAt();
        var port = free.Release();
        var (with, without) = ($"listen: [\"127.0.0.1:0\", \"127.0.0.1:{port}\"]\n", "listen: \"127.0.0.1:0\"\n");
        const string Sites = "sites: [{ respond: { body: hello } }]\n";
        using var weir = WeirProcess.Start(with + Sites);
        for (var i = 0; i < 3; i++)
        {
            weir.Configure(without + Sites);
            Assert.Equal(0, weir.Ask("reload").Code);
            weir.Configure(with + Sites);
            var (code, _, error) = weir.Ask("reload");
            Assert.True(code == 0, error);
            Assert.EndsWith("hello", WeirProcess.Exchange(new IPEndPoint(IPAddress.Loopback, port), Get), StringComparison.Ordinal);
        }
    }

    private static NetworkStream Ask(WeirProcess weir)
    {
        var stream = weir.Connect();
        stream.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        return stream;
    }

    // Null: refused.
    private static NetworkStream? TryConnect(EndPoint to)
    {
        try
        {
            return WeirProcess.Connect(to);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>A port that was free a moment ago.</summary>
    private sealed class TcpListenerAt : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);

        public TcpListenerAt() => listener.Start();

        public int Release()
        {
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            listener.Stop();
            return port;
        }

        public void Dispose() => listener.Dispose();
    }
}
