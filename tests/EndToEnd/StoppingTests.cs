// How the program comes to its end: what is under way, how long it may take, and who is in a hurry.

using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class StoppingTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    [Fact]
    public void While_draining_the_readiness_path_answers_503_and_no_configuration_is_taken()
    {
        using var held = new HeldOrigin();
        using var weir = WeirProcess.Start(Configuration(held, ""));
        Assert.StartsWith("HTTP/1.1 200 ", Ready(weir), StringComparison.Ordinal);
        using var busy = held.Begin(weir);
        weir.Signal("TERM");
        Eventually.Holds(() => Ready(weir).StartsWith("HTTP/1.1 503 ", StringComparison.Ordinal), () => weir.Said);
        Assert.Contains("alive", Admin(weir, "/live"), StringComparison.Ordinal);
        Eventually.Holds(() => IsRefused(weir), () => "it still listens");

        // A reload now would listen again.
        weir.Configure(Configuration(held, "").Replace("127.0.0.1:0", "127.0.0.2:0", StringComparison.Ordinal));
        var (code, _, error) = weir.Ask("reload");
        Assert.Equal(1, code);
        Assert.Contains("the program is stopping", error, StringComparison.Ordinal);
        weir.Signal("HUP");
        Eventually.Holds(() => weir.Said.Contains("warn reload: refused: the program is stopping", StringComparison.Ordinal), () => weir.Said);
        Assert.True(IsRefused(weir));

        held.LetGo();
        Assert.EndsWith("hello", WeirProcess.ReadToEnd(busy), StringComparison.Ordinal);
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);
    }

    [Fact]
    public void Told_to_drain_it_is_not_ready_but_serves_on()
    {
        using var held = new HeldOrigin();
        using var weir = WeirProcess.Start(Configuration(held, ""));
        Assert.Equal(0, weir.Ask("drain").Code);
        Assert.StartsWith("HTTP/1.1 503 ", Ready(weir), StringComparison.Ordinal);
        var answer = weir.Exchange("GET /here HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.EndsWith("here", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Before_it_stops_accepting_it_says_for_a_while_that_it_is_not_ready()
    {
        using var held = new HeldOrigin();
        using var weir = WeirProcess.Start(Configuration(held, "drain_delay: 2s\n"));
        var since = Stopwatch.StartNew();
        weir.Signal("TERM");
        Eventually.Holds(() => Ready(weir).StartsWith("HTTP/1.1 503 ", StringComparison.Ordinal), () => weir.Said);
        Assert.Contains("Connection: close\r\n", weir.Exchange("GET /here HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(1, weir.Ask("reload").Code);
        Eventually.Holds(() => weir.WaitForExit(TimeSpan.Zero) || IsRefused(weir), () => "it still listens");
        Assert.True(since.Elapsed > TimeSpan.FromMilliseconds(1_900), $"after {since.Elapsed}");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.Equal(0, weir.ExitCode);
    }

    [Fact]
    public void A_second_signal_does_not_wait_for_load_balancers()
    {
        using var held = new HeldOrigin();
        using var weir = WeirProcess.Start(Configuration(held, "drain_delay: 10m\n"));
        weir.Signal("TERM");
        Eventually.Holds(() => weir.Said.Contains("draining: 0 connections", StringComparison.Ordinal), () => weir.Said);
        weir.Signal("TERM");
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.Equal(0, weir.ExitCode);
    }

    [Fact]
    public void When_the_time_for_draining_is_over_what_is_left_ends()
    {
        using var held = new HeldOrigin();
        using var weir = WeirProcess.Start(Configuration(held, "drain_timeout: 1s\n"));
        using var waiting = held.Begin(weir);
        using var tunnel = weir.Connect();
        tunnel.Write("GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"u8);
        var text = new StringBuilder();
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) text.Append((char)tunnel.ReadByte());
        Assert.StartsWith("HTTP/1.1 101 ", text.ToString(), StringComparison.Ordinal);
        using var half = weir.Connect();
        half.Write("GET /half HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        text.Clear();
        while (!text.ToString().EndsWith("half", StringComparison.Ordinal)) text.Append((char)half.ReadByte());

        var since = Stopwatch.StartNew();
        weir.Signal("TERM");
        Assert.StartsWith("HTTP/1.1 503 ", WeirProcess.ReadToEnd(waiting), StringComparison.Ordinal); // Nothing of an answer had come.
        Assert.True(since.Elapsed > TimeSpan.FromMilliseconds(900), $"after {since.Elapsed}");
        Assert.Equal("", WeirProcess.ReadToEnd(tunnel));
        Assert.Equal("", WeirProcess.ReadToEnd(half)); // Six bytes short of its length: not whole.
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);
        Assert.Contains("draining: 3 connections, 3 requests under way", weir.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TERM", "TERM")]
    [InlineData("TERM", "INT")]
    [InlineData("INT", "TERM")]
    public void A_second_signal_stops_at_once(string first, string second)
    {
        using var held = new HeldOrigin();
        using var weir = WeirProcess.Start(Configuration(held, "drain_timeout: 10m\n"));
        using var busy = held.Begin(weir);
        weir.Signal(first);
        Eventually.Holds(() => weir.Said.Contains("draining: 1 connections", StringComparison.Ordinal), () => weir.Said);
        Assert.False(weir.WaitForExit(TimeSpan.FromMilliseconds(300)));
        weir.Signal(second);
        Assert.True(weir.WaitForExit(TimeSpan.FromSeconds(20)));
        Assert.True(weir.ExitCode == 0, weir.Said);
        Assert.DoesNotContain("hello", WeirProcess.ReadToEnd(busy), StringComparison.Ordinal);
    }

    private static string Configuration(HeldOrigin held, string further) =>
        $"listen: \"127.0.0.1:0\"\nadmin: \"unix:{held.Folder}/admin.sock\"\n{further}sites: [{{ routes: [{{ match: /here, respond: {{ body: here }} }}], proxy: \"{held.Url}\" }}]\n";

    private static string Ready(WeirProcess weir) => Admin(weir, "/ready");

    private static string Admin(WeirProcess weir, string path)
    {
        var socket = System.Text.RegularExpressions.Regex.Match(weir.Said, "admin on unix:(\\S+)").Groups[1].Value;
        return WeirProcess.Exchange(new UnixDomainSocketEndPoint(socket), Get.Replace("GET /", $"GET {path}", StringComparison.Ordinal));
    }

    private static bool IsRefused(WeirProcess weir)
    {
        try
        {
            weir.Connect().Dispose();
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
    }

    /// <summary>An origin that answers when it is let, and a folder for the admin socket.</summary>
    private sealed class HeldOrigin : IDisposable
    {
        private readonly ManualResetEventSlim asked = new();
        private readonly ManualResetEventSlim go = new();
        private readonly RawOrigin origin;

        public HeldOrigin() => origin = new RawOrigin(Answer);

        public string Folder { get; } = Directory.CreateTempSubdirectory("weir-test-").FullName;

        public string Url => origin.Url;

        /// <summary>Sends a request, and returns when the origin has it.</summary>
        public NetworkStream Begin(WeirProcess weir)
        {
            var stream = weir.Connect();
            stream.Write(Encoding.ASCII.GetBytes(Get));
            asked.Wait();
            return stream;
        }

        public void LetGo() => go.Set();

        public void Dispose()
        {
            go.Set();
            origin.Dispose();
            Directory.Delete(Folder, recursive: true);
        }

        private bool Answer(NetworkStream stream, string head)
        {
            if (head.StartsWith("GET /tunnel ", StringComparison.Ordinal)) RawOrigin.Send(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            else if (head.StartsWith("GET /half ", StringComparison.Ordinal)) RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            else asked.Set();
            go.Wait();
            return RawOrigin.Hello(stream, head);
        }
    }
}
