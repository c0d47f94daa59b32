// What a hit costs: nothing on the managed heap, however many connections ask.

using System.Net;
using System.Net.Sockets;
using System.Text;
using Weir.Engine.Loops;
using Weir.Tests.Support;
using Weir.Tests.Unit.Control;

namespace Weir.Tests.Unit.Engine.Caching;

public sealed class HitTests
{
    private const int Hits = 2048;

    [Theory]
    [InlineData(1, 100)]
    [InlineData(64, 100)]
    [InlineData(1, 100_000)]
    [InlineData(64, 20_000)]
    public void A_hit_allocates_nothing(int connections, int length)
    {
        var body = new string('b', length) + "END";
        using var origin = new RawOrigin((stream, _) =>
        {
            RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\nETag: \"1\"\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            return true;
        });
        using var running = new Running($$"""
            listen: "127.0.0.1:0"
            loops: 1
            error_log: { target: /dev/null }
            access_log: off
            sites: [{ cache: true, proxy: "{{origin.Url}}" }]
            """);
        var sockets = Enumerable.Range(0, connections).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 20_000, NoDelay = true }).ToArray();
        foreach (var socket in sockets) socket.Connect((IPEndPoint)IPEndPoint.Parse(running.Proxy.Engine.Addresses[0].Address.ToString()!));
        var room = new byte[length + 4096];
        for (var i = 0; i < Hits; i += connections) Round();

        // Better code takes the place of what it began with, and costs something once; what each round costs is in all of them.
        var least = long.MaxValue;
        for (var stretch = 0; stretch < 8 && least > 0; stretch++)
        {
            var before = Allocated(running.Proxy.Engine.Workers[0].Loop);
            for (var i = 0; i < Hits; i += connections) Round();
            least = Math.Min(least, Allocated(running.Proxy.Engine.Workers[0].Loop) - before);
        }

        foreach (var socket in sockets) socket.Dispose();
        Assert.Single(origin.Received);
        Assert.Equal(0, least);

        void Round()
        {
            foreach (var socket in sockets) socket.Send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"u8);
            foreach (var socket in sockets)
            {
                var got = 0;
                while (got < 3 || !room.AsSpan(0, got).EndsWith("END"u8)) got += socket.Receive(room.AsSpan(got));
                Assert.True(room.AsSpan().StartsWith("HTTP/1.1 200"u8));
            }
        }
    }

    private static long Allocated(Loop loop)
    {
        var bytes = 0L;
        using var told = new ManualResetEventSlim();
        loop.Post(() =>
        {
            bytes = GC.GetAllocatedBytesForCurrentThread();
            told.Set();
        });
        Assert.True(told.Wait(TimeSpan.FromSeconds(20)));
        return bytes;
    }
}
