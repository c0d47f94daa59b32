// Limits of connections and memory, at the limit and one past it, on the built program.

using System.Net.Sockets;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class LimitTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    [Fact]
    public void A_connection_carries_as_many_requests_as_it_may()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nlimits: { requests_per_connection: 3 }\nsites: [{ respond: { body: ok } }]\n");
        using var stream = weir.Connect();
        for (var i = 1; i <= 3; i++)
        {
            stream.Write(Encoding.ASCII.GetBytes(Get));
            var answer = ReadAnswer(stream, "ok");
            Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
            Assert.Equal(i == 3, answer.Contains("\r\nConnection: close\r\n", StringComparison.Ordinal));
        }

        Assert.Equal("", WeirProcess.ReadToEnd(stream));

        // Pipelined, the fourth is not answered.
        Assert.Equal(3, weir.Exchange(string.Concat(Enumerable.Repeat(Get, 4))).Split("HTTP/1.1 200 ").Length - 1);
    }

    [Fact]
    public void An_old_connection_ends_with_its_next_answer()
    {
        using var weir = WeirProcess.Start("listen: \"127.0.0.1:0\"\nlimits: { connection_age: 1s }\nsites: [{ respond: { body: ok } }]\n");
        using var stream = weir.Connect();
        var since = System.Diagnostics.Stopwatch.StartNew();
        var answer = "";
        while (!answer.Contains("\r\nConnection: close\r\n", StringComparison.Ordinal))
        {
            Assert.True(since.Elapsed < TimeSpan.FromSeconds(20), "the connection never grows old");
            stream.Write(Encoding.ASCII.GetBytes(Get));
            answer = ReadAnswer(stream, "ok");
            Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        }

        Assert.True(since.Elapsed > TimeSpan.FromMilliseconds(900), $"after {since.Elapsed}");
        Assert.Equal("", WeirProcess.ReadToEnd(stream));
    }

    [Fact]
    public void A_client_has_as_many_connections_as_it_may_and_one_that_goes_makes_room()
    {
        using var weir = WeirProcess.Start("listen: [\"127.0.0.1:0\", \"127.0.0.2:0\"]\nlimits: { connections_per_client: 3 }\nsites: [{ respond: { body: ok } }]\n");
        var held = new List<NetworkStream>();
        for (var i = 0; i < 3; i++)
        {
            held.Add(weir.Connect());
            Assert.True(IsServed(held[i]));
        }

        using (var further = weir.Connect()) Assert.False(IsServed(further));
        foreach (var stream in held) Assert.True(IsServed(stream));

        // Another client is not meant, and whoever comes by another address is one.
        using (var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 20_000 })
        {
            other.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Parse("127.0.0.3"), 0));
            other.Connect(weir.End);
            Assert.True(IsServed(new NetworkStream(other)));
        }

        held[0].Dispose();
        Eventually.Holds(
            () =>
            {
                using var next = weir.Connect();
                return IsServed(next);
            },
            () => "the connection that went makes no room");
        foreach (var stream in held) stream.Dispose();
    }

    [Fact]
    public void Out_of_memory_a_request_gets_503_and_those_under_way_and_those_after_are_served()
    {
        using var asked = new ManualResetEventSlim();
        using var go = new ManualResetEventSlim();
        using var origin = new RawOrigin((stream, head) =>
        {
            if (head.StartsWith("GET /held ", StringComparison.Ordinal))
            {
                asked.Set();
                go.Wait();
            }

            return RawOrigin.Hello(stream, head);
        });
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nlimits: {{ memory: 1MiB }}\nsites: [{{ proxy: \"{origin.Url}\" }}]\n");
        using var busy = weir.Connect();
        busy.Write("GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8);
        asked.Wait();

        // Each head that is begun holds a buffer, until there is none.
        var begun = new List<NetworkStream>();
        var refused = "";
        for (var i = 0; refused.Length == 0 && i < 1_000; i++)
        {
            begun.Add(weir.Connect());
            begun[^1].Write("GET / HTTP/1.1\r\nHost: a\r\nX: "u8);
            if (i % 10 == 9 && begun.Find(static s => s.DataAvailable) is { } first) refused = WeirProcess.ReadToEnd(first);
        }

        Assert.StartsWith("HTTP/1.1 503 ", refused, StringComparison.Ordinal);
        Assert.Contains("\r\nRetry-After: 1\r\n", refused, StringComparison.Ordinal);
        Eventually.Holds(() => weir.Said.Contains("warn memory: no buffer could be had: limits.memory allows 1 MiB", StringComparison.Ordinal), () => weir.Said);
        foreach (var stream in begun) stream.Dispose();
        Eventually.Holds(() => weir.Exchange(Get.Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal)).EndsWith("\r\n\r\nhello", StringComparison.Ordinal), () => weir.Said);
        go.Set();
        Assert.EndsWith("\r\n\r\nhello", WeirProcess.ReadToEnd(busy), StringComparison.Ordinal);
        Assert.DoesNotContain("mistake of ours", weir.Said, StringComparison.Ordinal);
    }

    private static bool IsServed(NetworkStream stream)
    {
        try
        {
            stream.Write(Encoding.ASCII.GetBytes(Get));
            return ReadAnswer(stream, "ok").StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string ReadAnswer(NetworkStream stream, string body)
    {
        var text = new StringBuilder();
        while (!text.ToString().EndsWith("\r\n\r\n" + body, StringComparison.Ordinal) && stream.ReadByte() is >= 0 and var b) text.Append((char)b);
        return text.ToString();
    }
}
