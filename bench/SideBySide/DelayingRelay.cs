// A long line: what is sent through it arrives half a round trip later, each way, and a connection is there after a whole one. It
// holds nothing back and loses nothing; how much is on its way at once is bounded by what a line of that length would carry.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Weir.Bench.SideBySide;

internal sealed class DelayingRelay : IDisposable
{
    private const int MostOnItsWay = 64 << 20;

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly int far;
    private readonly TimeSpan half;

    public DelayingRelay(int far, int roundTrip)
    {
        (this.far, half) = (far, TimeSpan.FromMilliseconds(roundTrip / 2.0));
        listener.Start(512);
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public void Dispose() => listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptSocketAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    private async Task ServeAsync(Socket near)
    {
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var own = near;
        near.NoDelay = true;
        try
        {
            await Task.Delay(half * 2); // Its handshake.
            await other.ConnectAsync(IPAddress.Loopback, far);
            await Task.WhenAny(PassAsync(near, other), PassAsync(other, near));
        }
        catch (SocketException)
        {
            // One end has gone: so does the other.
        }
    }

    private async Task PassAsync(Socket from, Socket to)
    {
        var line = new BlockingCollection<(long Due, byte[] Bytes)>();
        using var room = new SemaphoreSlim(MostOnItsWay >> 16);
        using var some = new SemaphoreSlim(0);
        var sending = SendAsync();
        var buffer = new byte[1 << 16];
        while (true)
        {
            await room.WaitAsync();
            int got;
            try
            {
                got = await from.ReceiveAsync(buffer);
            }
            catch (SocketException)
            {
                got = 0;
            }

            line.Add((Stopwatch.GetTimestamp() + (long)(half.TotalSeconds * Stopwatch.Frequency), buffer[..got]));
            some.Release();
            if (got == 0) break;
        }

        await sending;

        async Task SendAsync()
        {
            while (true)
            {
                await some.WaitAsync();
                var (due, bytes) = line.Take();
                var left = (due - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency;
                if (left >= 1) await Task.Delay(TimeSpan.FromMilliseconds(left));
                if (bytes.Length == 0) return;
                for (var sent = 0; sent < bytes.Length;) sent += await to.SendAsync(bytes.AsMemory(sent));
                room.Release();
            }
        }
    }
}
