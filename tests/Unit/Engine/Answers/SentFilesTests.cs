// Long files leave as ranges that the kernel sends: nothing of them is changed, and one that is cut off meanwhile never looks whole.

using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Engine.Observe;
using Weir.Tests.Unit.Control;

namespace Weir.Tests.Unit.Engine.Answers;

public sealed class SentFilesTests : IDisposable
{
    private const int Length = 3_000_001;

    private readonly string folder = Directory.CreateTempSubdirectory("weir-unit-").FullName;
    private readonly byte[] bytes = new byte[Length];
    private readonly Running running;

    public SentFilesTests()
    {
        new Random(1).NextBytes(bytes);
        File.WriteAllBytes(Path.Combine(folder, "long"), bytes);
        running = new Running($$"""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            sites: [{ files: {{folder}} }]
            """);
    }

    public void Dispose()
    {
        running.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("", 0, Length)]
    [InlineData("Range: bytes=1-\r\n", 1, Length - 1)]
    [InlineData("Range: bytes=100000-231071\r\n", 100_000, 131_072)]
    [InlineData("Range: bytes=100000-231070\r\n", 100_000, 131_071)]
    [InlineData("Range: bytes=-1500000\r\n", Length - 1_500_000, 1_500_000)]
    public void All_of_it_comes_and_the_connection_goes_on(string range, int first, int count)
    {
        using var socket = Connect();
        for (var round = 0; round < 3; round++)
        {
            socket.Send(Encoding.ASCII.GetBytes($"HEAD /long HTTP/1.1\r\nHost: a\r\n\r\nGET /long HTTP/1.1\r\nHost: a\r\n{range}\r\n"));
            Assert.Contains($"Content-Length: {Length}\r\n", Head(socket), StringComparison.Ordinal);
            Assert.Contains($"Content-Length: {count}\r\n", Head(socket), StringComparison.Ordinal);
            Assert.True(bytes.AsSpan(first, count).SequenceEqual(Take(socket, count)));
        }

        socket.Send("GET /long HTTP/1.0\r\n\r\n"u8);
        Head(socket);
        Assert.True(bytes.AsSpan().SequenceEqual(Take(socket, Length + 1)));
        Support.Eventually.Holds(() => (3 * count) + Length == running.Proxy.Engine.Plan!.Sites.Sum(static s => ((SiteRecord)s.Record!).Traffic.Total().BytesOut), () => "bytes");
        socket.Dispose();
        Support.Eventually.Holds(() => running.Proxy.Engine.Workers.Sum(static w => w.Buffers.Leased) == 0, () => "leased");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40_000_000)]
    public void One_that_is_cut_off_while_it_is_sent_breaks(int left)
    {
        var path = Path.Combine(folder, "cut");
        using (var made = File.OpenHandle(path, FileMode.Create, FileAccess.Write)) RandomAccess.SetLength(made, 64_000_000);
        using var socket = Connect();
        socket.Send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        Assert.Contains("Content-Length: 64000000\r\n", Head(socket), StringComparison.Ordinal);
        var got = Take(socket, 1000).Length; // More than any kernel takes unread is still to come.
        using (var cut = File.OpenHandle(path, access: FileAccess.Write)) RandomAccess.SetLength(cut, left);
        got += Take(socket, 64_000_000).Length;
        Assert.InRange(got, Math.Max(1000, left), 63_999_999);
        using var next = Connect();
        next.Send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        Head(next);
        Assert.Equal(Length, Take(next, Length).Length);
    }

    [Fact]
    public void A_client_that_leaves_in_the_midst_gives_its_file_back()
    {
        var path = Path.Combine(folder, "left");
        using (var made = File.OpenHandle(path, FileMode.Create, FileAccess.Write)) RandomAccess.SetLength(made, 64_000_000);
        for (var round = 0; round < 5; round++)
        {
            using var socket = Connect();
            socket.Send("GET /left HTTP/1.1\r\nHost: a\r\n\r\n"u8);
            Head(socket);
        }

        Support.Eventually.Holds(() => !Directory.GetFiles("/proc/self/fd").Any(f => new FileInfo(f).LinkTarget == path), () => "open still");
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 20_000 };
        socket.Connect((IPEndPoint)IPEndPoint.Parse(running.Proxy.Engine.Addresses[0].Address.ToString()!));
        return socket;
    }

    private static string Head(Socket socket)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (socket.Receive(one) == 0) break;
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    // Up to so many bytes: fewer where the connection ends or breaks.
    private static byte[] Take(Socket socket, int most)
    {
        var got = new byte[most];
        var count = 0;
        try
        {
            while (count < most && socket.Receive(got.AsSpan(count)) is > 0 and var some) count += some;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
        }

        return got[..count];
    }
}
