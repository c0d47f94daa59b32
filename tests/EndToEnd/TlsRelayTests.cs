// The built program behind a wire that splits, stalls and breaks off: the answer is right each time, or none.

using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public sealed class TlsRelayTests : IDisposable
{
    // More than a client's first message, its second and a request.
    private const int Places = 700;

    private readonly string folder = Directory.CreateTempSubdirectory("weir-tls-relay-").FullName;
    private readonly RawOrigin origin = new(Echo);
    private readonly WeirProcess weir;

    public TlsRelayTests()
    {
        var pki = new Pki(folder);
        weir = WeirProcess.Start($"listen: [{{ address: \"127.0.0.1:0\", tls: true }}]\nsites:\n  - hosts: [one.example]\n    tls: {{ {Pki.Written(pki.Issue("one.example"))} }}\n    proxy: \"{origin.Url}\"\n");
    }

    public void Dispose()
    {
        weir.Dispose();
        origin.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public void Split_at_every_byte_of_a_handshake_and_a_request_the_answer_is_right(SslProtocols version)
    {
        var place = 0;
        using var relay = new SplittingRelay(weir.Port, () => new WireManners.SplitAt(Interlocked.Increment(ref place)));
        Parallel.For(0, Places, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ => AssertRight(TlsClientStream.Ask(relay.Port, "one.example", protocols: version)));
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public void Byte_by_byte_the_answer_is_right(SslProtocols version)
    {
        using var relay = new SplittingRelay(weir.Port, static () => new WireManners.Single(int.MaxValue), static () => new WireManners.Single(int.MaxValue));
        AssertRight(TlsClientStream.Ask(relay.Port, "one.example", protocols: version));
    }

    [Theory]
    [InlineData(SslProtocols.Tls12, 0)]
    [InlineData(SslProtocols.Tls13, 0)]
    [InlineData(SslProtocols.Tls12, 4096)]
    [InlineData(SslProtocols.Tls13, 4096)]
    public void In_pieces_and_with_pauses_bodies_arrive_whole_both_ways(SslProtocols version, int buffers)
    {
        var seed = 0;
        using var relay = new SplittingRelay(weir.Port, () => new WireManners.Any(Interlocked.Increment(ref seed), 9_000), () => new WireManners.Any(Interlocked.Increment(ref seed), 9_000), buffers);
        Parallel.For(0, 12, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            using var stream = TlsClientStream.Connect(relay.Port, "one.example", version);
            for (var again = 0; again < 3; again++) AssertEchoed(stream, RandomNumberGenerator.GetBytes(1 + (i * 31_337) + (again * 100)));
        });
    }

    [Theory]
    [InlineData("--tlsv1.3")]
    [InlineData("--tls-max", "1.2")]
    public void Curl_is_answered_too(params string[] version)
    {
        var seed = 100;
        using var relay = new SplittingRelay(weir.Port, () => new WireManners.Any(seed++, 200), () => new WireManners.Any(seed++, 200));
        for (var i = 0; i < 5; i++)
        {
            var (code, output, error) = Command.Run("curl", ["-sSk", "--http1.1", .. version, "--resolve", $"one.example:{relay.Port}:127.0.0.1", $"https://one.example:{relay.Port}/", $"https://one.example:{relay.Port}/"]);
            Assert.True(code == 0, error);
            Assert.Equal("hellohello", output);
        }
    }

    // A wire that breaks within the client's words, or within ours, costs that connection and nothing else.
    [Fact]
    public void Where_the_wire_breaks_nothing_looks_whole_and_others_are_served()
    {
        var place = 0;
        using var up = new SplittingRelay(weir.Port, () => new WireManners.CutAt(Interlocked.Add(ref place, 9)));
        using var down = new SplittingRelay(weir.Port, down: () => new WireManners.CutAt(Interlocked.Add(ref place, 9)));
        var right = TlsClientStream.Ask(weir.Port, "one.example");
        AssertRight(right);
        for (var i = 0; i < Places / 9; i++) AssertCut(up.Port, right);
        place = 0;
        for (var i = 0; i < 1_800 / 9; i++) AssertCut(down.Port, right);
        Assert.Equal(right, TlsClientStream.Ask(weir.Port, "one.example"));
        Assert.DoesNotContain("mistake of ours", weir.Said, StringComparison.Ordinal);
    }

    // The runtime's client takes a break for an end: what has come by then is so much of the answer.
    private static void AssertCut(int port, string right)
    {
        try
        {
            Assert.StartsWith(TlsClientStream.Ask(port, "one.example"), right, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or AuthenticationException or SocketException)
        {
            // Broken, and seen to be.
        }
    }

    private static void AssertRight(string answer)
    {
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nhello", answer, StringComparison.Ordinal);
    }

    private static void AssertEchoed(Stream stream, byte[] body)
    {
        // Sent beside the reading: the answer begins before the last byte has come.
        var sending = new Thread(() => stream.Write([.. Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: {body.Length}\r\n\r\n"), .. body]));
        sending.Start();
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) head.Append((char)stream.ReadByte());
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", head.ToString(), StringComparison.Ordinal);
        var back = new byte[body.Length];
        stream.ReadExactly(back);
        Assert.True(back.AsSpan().SequenceEqual(body));
        sending.Join();
    }

    // What it is sent; and hello, where that is nothing.
    private static bool Echo(NetworkStream stream, string head)
    {
        const string Name = "content-length: ";
        var at = head.IndexOf(Name, StringComparison.OrdinalIgnoreCase);
        if (at < 0)
        {
            RawOrigin.Send(stream, "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello");
            return true;
        }

        var body = new byte[int.Parse(head[(at + Name.Length)..head.IndexOf('\r', at)], System.Globalization.CultureInfo.InvariantCulture)];
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n");
        for (var got = 0; got < body.Length;)
        {
            var more = stream.Read(body, got, Math.Min(body.Length - got, 10_000));
            if (more == 0) return false;
            stream.Write(body, got, more);
            got += more;
        }

        return true;
    }
}
