// A WebSocket echo suite: the same conversation directly and through the proxy, word for word.

using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Weir.Tests.Support;

namespace Weir.Tests.EndToEnd;

public class WebSocketTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task An_echo_suite_hears_the_same_with_and_without()
    {
        using var origin = new EchoOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"http://127.0.0.1:{origin.Port}\" }}]\n");
        var direct = await SuiteAsync(origin.Port);
        var through = await SuiteAsync(weir.Port);
        Assert.Equal(direct, through);
        Assert.Contains("size 1048576 whole", through);
    }

    [Fact]
    public async Task Many_sockets_talk_at_once()
    {
        using var origin = new EchoOrigin();
        using var weir = WeirProcess.Start($"listen: \"127.0.0.1:0\"\nsites: [{{ proxy: \"http://127.0.0.1:{origin.Port}\" }}]\n");
        using var stop = new CancellationTokenSource(Patience);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            using var socket = await OpenAsync(weir.Port, stop.Token);
            for (var round = 0; round < 20; round++)
            {
                var message = Encoding.UTF8.GetBytes($"{i}/{round}");
                await socket.SendAsync(message, WebSocketMessageType.Text, true, stop.Token);
                Assert.Equal(message, (await ReceiveAsync(socket, stop.Token)).Bytes);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", stop.Token);
        }));
    }

    private static async Task<List<string>> SuiteAsync(int port)
    {
        var heard = new List<string>();
        using var stop = new CancellationTokenSource(Patience);

        using (var socket = await OpenAsync(port, stop.Token, "chat.v2", "chat"))
        {
            heard.Add($"protocol {socket.SubProtocol}");
            foreach (var size in (int[])[0, 1, 125, 126, 127, 4095, 4096, 65535, 65536, 1 << 20])
            {
                var sent = new byte[size];
                new Random(size).NextBytes(sent);
                await socket.SendAsync(sent, WebSocketMessageType.Binary, true, stop.Token);
                var (type, bytes) = await ReceiveAsync(socket, stop.Token);
                heard.Add($"size {size} {(type == WebSocketMessageType.Binary && bytes.AsSpan().SequenceEqual(sent) ? "whole" : "changed")}");
            }

            // One message in many pieces, large and small, text.
            for (var i = 0; i < 50; i++) await socket.SendAsync(Encoding.UTF8.GetBytes(new string('ä', i * 37)), WebSocketMessageType.Text, i == 49, stop.Token);
            var (kind, text) = await ReceiveAsync(socket, stop.Token);
            heard.Add($"pieces {kind} {text.Length} {Convert.ToHexString(SHA256.HashData(text))}");

            // Many messages under way at once.
            for (var i = 0; i < 500; i++) await socket.SendAsync(BitConverter.GetBytes(i), WebSocketMessageType.Binary, true, stop.Token);
            for (var i = 0; i < 500; i++) Assert.Equal(i, BitConverter.ToInt32((await ReceiveAsync(socket, stop.Token)).Bytes));
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", stop.Token);
            heard.Add($"closed {socket.CloseStatus} {socket.CloseStatusDescription} {socket.State}");
        }

        // The origin closes first, with a code of its own.
        using (var socket = await OpenAsync(port, stop.Token))
        {
            await socket.SendAsync("close 4321 because"u8.ToArray(), WebSocketMessageType.Text, true, stop.Token);
            var (type, _) = await ReceiveAsync(socket, stop.Token);
            heard.Add($"closed by origin {type} {(int)socket.CloseStatus!} {socket.CloseStatusDescription}");
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", stop.Token);
        }

        // The origin breaks the connection.
        using (var socket = await OpenAsync(port, stop.Token))
        {
            await socket.SendAsync("break"u8.ToArray(), WebSocketMessageType.Text, true, stop.Token);
            try
            {
                await ReceiveAsync(socket, stop.Token);
                heard.Add("went on");
            }
            catch (WebSocketException)
            {
                heard.Add("broken");
            }
        }

        // The origin wants no WebSocket.
        using (var socket = new ClientWebSocket())
        {
            socket.Options.CollectHttpResponseDetails = true;
            await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/refuse"), stop.Token));
            heard.Add($"refused {(int)socket.HttpStatusCode}");
        }

        return heard;
    }

    private static async Task<ClientWebSocket> OpenAsync(int port, CancellationToken stop, params string[] protocols)
    {
        var socket = new ClientWebSocket();
        foreach (var protocol in protocols) socket.Options.AddSubProtocol(protocol);
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/echo"), stop);
        return socket;
    }

    private static async Task<(WebSocketMessageType Type, byte[] Bytes)> ReceiveAsync(WebSocket socket, CancellationToken stop)
    {
        var whole = new MemoryStream();
        var buffer = new byte[16384];
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer, stop);
            whole.Write(buffer, 0, got.Count);
            if (got.EndOfMessage) return (got.MessageType, whole.ToArray());
        }
    }

    /// <summary>Echoes messages, closes and breaks on demand.</summary>
    private sealed class EchoOrigin : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);

        public EchoOrigin()
        {
            listener.Start(512);
            _ = AcceptAsync();
        }

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        public void Dispose() => listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var client = await listener.AcceptTcpClientAsync();
                    _ = ServeAsync(client);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private static async Task ServeAsync(TcpClient client)
        {
            using var owned = client;
            client.NoDelay = true;
            var stream = client.GetStream();
            try
            {
                var head = "";
                while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal))
                {
                    var one = new byte[1];
                    if (await stream.ReadAsync(one) == 0) return;
                    head += (char)one[0];
                }

                var key = Field(head, "Sec-WebSocket-Key");
                if (head.StartsWith("GET /refuse ", StringComparison.Ordinal) || key is null)
                {
                    await stream.WriteAsync("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                    return;
                }

#pragma warning disable CA5350 // RFC 6455 §4.2.2 asks for SHA-1.
                var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
                var protocol = Field(head, "Sec-WebSocket-Protocol")?.Split(',')[0];
                var chosen = protocol is null ? "" : $"Sec-WebSocket-Protocol: {protocol}\r\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{chosen}\r\n"));
                using var socket = WebSocket.CreateFromStream(stream, isServer: true, null, TimeSpan.FromMilliseconds(50));
                while (true)
                {
                    var (type, bytes) = await ReceiveAsync(socket, default);
                    var words = type == WebSocketMessageType.Text && bytes.Length < 100 ? Encoding.UTF8.GetString(bytes).Split(' ') : [""];
                    if (words[0] == "break")
                    {
                        client.Client.Close(0);
                        return;
                    }

                    if (words[0] == "close") await socket.CloseOutputAsync((WebSocketCloseStatus)int.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture), words[2], default);
                    else if (type == WebSocketMessageType.Close)
                    {
                        if (socket.State == WebSocketState.CloseReceived) await socket.CloseOutputAsync(socket.CloseStatus!.Value, socket.CloseStatusDescription, default);
                        return;
                    }
                    else await socket.SendAsync(bytes, type, true, default);
                }
            }
            catch (Exception e) when (e is IOException or WebSocketException or ObjectDisposedException)
            {
                // The other side has gone.
            }
        }

        private static string? Field(string head, string name) =>
            head.Split("\r\n").Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(line => line[(name.Length + 1)..].Trim()).FirstOrDefault();
    }
}
