// What only shows after many repetitions or with many bad peers: short here, long with `./test --long`.

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class EnduranceTests(ITestOutputHelper told)
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("WEIR_LONG") is { Length: > 0 };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public void Reloads_under_load_drop_no_tunnel_no_download_and_no_request_and_memory_stays_flat()
    {
        var reloads = IsLong ? 1000 : 40;
        var file = RandomNumberGenerator.GetBytes(8 << 20);
        var digest = SHA256.HashData(file);
        using var origin = new RawOrigin((stream, head) => Serve(stream, head, file));
        string Configuration(int n) => $$"""
            listen: "127.0.0.1:0"
            upstreams: { u: "{{origin.Url}}"{{(n % 3 == 0 ? $", extra{n}: \"http://127.0.0.1:1\"" : "")}} }
            sites:
              - routes:
                  - { match: /n, respond: { body: "{{n}}" } }
                  - { match: /ws, proxy: u }
                  - { match: /file, response_headers: { set: { x-n: "{{n}}" } }, proxy: u }
                proxy: u
              {{(n % 2 == 0 ? "- { hosts: [other.example], respond: 204 }" : "")}}
            """;
        using var weir = WeirProcess.Start(Configuration(0));
        using var done = new CancellationTokenSource();
        var tunnels = Enumerable.Range(0, 10).Select(_ => OpenTunnel(weir)).ToArray();
        var (requests, downloads) = (0L, 0L);
        var wrong = new List<string>();
        void Guarded(Action work)
        {
            try
            {
                while (!done.IsCancellationRequested) work();
            }
            catch (Exception e) when (e is IOException or SocketException or InvalidOperationException)
            {
                lock (wrong) wrong.Add(e.Message);
            }
        }

        var threads = new List<Thread>();
        for (var i = 0; i < 4; i++)
        {
            var kept = weir.Connect();
            threads.Add(new Thread(() => Guarded(() =>
            {
                kept.Write("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"u8);
                var answer = ReadAnswer(kept);
                if (!answer.EndsWith("hello", StringComparison.Ordinal)) throw new InvalidOperationException(answer);
                Interlocked.Increment(ref requests);
            })));
        }

        for (var i = 0; i < 3; i++)
        {
            threads.Add(new Thread(() => Guarded(() =>
            {
                using var stream = weir.Connect();
                stream.Socket.ReceiveBufferSize = 65536;
                stream.Write("GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8);
                if (!SHA256.HashData(BodyOf(stream, slowly: true)).AsSpan().SequenceEqual(digest)) throw new InvalidOperationException("a download came changed or short");
                Interlocked.Increment(ref downloads);
            })));
        }

        foreach (var thread in threads) thread.Start();
        var early = 0L;
        for (var n = 1; n <= reloads; n++)
        {
            File.WriteAllText(weir.ConfigPath, $"control: {weir.ControlPath}\nloops: 2\n" + Configuration(n));
            var (code, _, error) = weir.Ask("reload");
            Assert.True(code == 0, error);
            Assert.EndsWith($"\r\n\r\n{n}", weir.Exchange("GET /n HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
            var tunnel = tunnels[n % tunnels.Length];
            tunnel.WriteByte((byte)n);
            Assert.Equal((byte)n, tunnel.ReadByte());
            if (n == reloads / 4) early = Resident(weir.Id);
        }

        done.Cancel();
        foreach (var thread in threads) Assert.True(thread.Join(Patience));
        Assert.Empty(wrong);
        foreach (var tunnel in tunnels) tunnel.Dispose();
        var late = Resident(weir.Id);
        told.WriteLine($"{reloads} reloads, {requests} requests, {downloads} downloads of 8 MiB; resident {early >> 20} MiB after a quarter, {late >> 20} MiB at the end");
        Assert.True(requests > 0 && downloads > 0);
        Assert.True(late < early + (16 << 20), $"resident memory grew from {early} to {late}");
    }

    [Fact]
    public void Slow_heads_bodies_and_readers_do_not_keep_others_from_being_served_and_end()
    {
        var each = IsLong ? 1000 : 200;
        using var origin = new RawOrigin((stream, head) => Serve(stream, head, new byte[4 << 20]));
        using var weir = WeirProcess.Start($$"""
            listen: "127.0.0.1:0"
            timeouts: { header: 6s, body: 6s, write: 6s }
            limits: { min_rate_grace: 3s }
            sites:
              - routes: [{ match: /own, respond: { body: "own" } }]
                proxy: "{{origin.Url}}"
            """);
        var attackers = new List<Socket>();
        for (var i = 0; i < each; i++)
        {
            attackers.Add(Attack(weir.Port, "GET / HTTP/1.1\r\nHost: a\r\nX-"));
            attackers.Add(Attack(weir.Port, "POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
            attackers.Add(Attack(weir.Port, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"));
        }

        // Each gives or takes a byte now and then, so that silence alone does not end it; meanwhile others are served.
        var times = new List<double>();
        var clock = Stopwatch.StartNew();
        var round = 0;
        using var kept = weir.Connect();
        var one = new byte[1];
        while (attackers.Count > 0)
        {
            Assert.True(clock.Elapsed < Patience, $"{attackers.Count} attackers are still there");
            for (var i = attackers.Count - 1; i >= 0; i--)
            {
                var attacker = attackers[i];
                if (round % 50 == 0 && !StillThere(attacker, one))
                {
                    attacker.Dispose();
                    attackers.RemoveAt(i);
                }
            }

            round++;
            var began = clock.Elapsed;
            kept.Write("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"u8);
            Assert.EndsWith("hello", ReadAnswer(kept), StringComparison.Ordinal);
            Assert.EndsWith("hello", weir.Exchange("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
            times.Add((clock.Elapsed - began).TotalMilliseconds);
        }

        times.Sort();
        told.WriteLine($"{3 * each} attackers gone after {clock.Elapsed.TotalSeconds:F1} s; two requests of others took {times[times.Count / 2]:F1} ms in the middle, {times[(int)(times.Count * 0.99)]:F1} ms at p99, {times[^1]:F1} ms at most, of {times.Count}; resident {Resident(weir.Id) >> 20} MiB");
    }

    private static bool Serve(NetworkStream stream, string head, byte[] file)
    {
        if (head.Contains("Upgrade: echo", StringComparison.OrdinalIgnoreCase))
        {
            RawOrigin.Send(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
            int b;
            while ((b = stream.ReadByte()) >= 0) stream.WriteByte((byte)b);
            return false;
        }

        if (!head.StartsWith("GET /file", StringComparison.Ordinal)) return RawOrigin.Hello(stream, head);
        RawOrigin.Send(stream, $"HTTP/1.1 200 OK\r\nContent-Length: {file.Length}\r\n\r\n");
        stream.Write(file);
        return true;
    }

    private static NetworkStream OpenTunnel(WeirProcess weir)
    {
        var tunnel = weir.Connect();
        tunnel.Write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"u8);
        ReadHead(tunnel);
        return tunnel;
    }

    private static string ReadHead(NetworkStream stream)
    {
        var text = new StringBuilder();
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            var b = stream.ReadByte();
            if (b < 0) throw new IOException("the connection ended within a head: " + text);
            text.Append((char)b);
        }

        return text.ToString();
    }

    private static int LengthIn(string head) =>
        int.Parse(System.Text.RegularExpressions.Regex.Match(head, "Content-Length: (\\d+)").Groups[1].Value, CultureInfo.InvariantCulture);

    private static string ReadAnswer(NetworkStream stream)
    {
        var head = ReadHead(stream);
        var body = new byte[LengthIn(head)];
        stream.ReadExactly(body);
        return head + Encoding.Latin1.GetString(body);
    }

    private static byte[] BodyOf(NetworkStream stream, bool slowly)
    {
        var body = new byte[LengthIn(ReadHead(stream))];
        for (var got = 0; got < body.Length;)
        {
            var count = stream.Read(body, got, Math.Min(65536, body.Length - got));
            if (count == 0) throw new IOException($"a download ended at {got}");
            got += count;
            if (slowly && got % (1 << 20) < 65536) Thread.Sleep(20); // A pace, not a wait for something: downloads shall span reloads.
        }

        return body;
    }

    private static Socket Attack(int port, string begin)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 4096 };
        socket.Connect(IPAddress.Loopback, port);
        socket.Send(Encoding.ASCII.GetBytes(begin));
        socket.Blocking = false;
        return socket;
    }

    // Sends a byte, and takes one where there is one.
    private static bool StillThere(Socket socket, byte[] one)
    {
        socket.Send("x"u8, SocketFlags.None, out var sending);
        if (sending is not (SocketError.Success or SocketError.WouldBlock)) return false;
        var got = socket.Receive(one, SocketFlags.None, out var receiving);
        return receiving == SocketError.WouldBlock || (receiving == SocketError.Success && got > 0);
    }

    private static long Resident(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(static l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
