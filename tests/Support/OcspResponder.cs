// A responder over HTTP on loopback whose answers are `openssl ocsp`'s.

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>Answers about the certificates of a <see cref="TestCertificates"/>.</summary>
public sealed class OcspResponder : IDisposable
{
    private readonly TestCertificates of;
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Thread thread;
    private int asked;

    public OcspResponder(TestCertificates of)
    {
        this.of = of;
        listener.Start();
        Url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/ocsp");
        thread = new Thread(Serve) { IsBackground = true };
        thread.Start();
    }

    public string Url { get; }

    /// <summary>How often it was asked.</summary>
    public int Asked => Volatile.Read(ref asked);

    /// <summary>What openssl said last.</summary>
    public string Said { get; private set; } = "";

    /// <summary>Hangs up on whoever asks.</summary>
    public bool IsBroken { get; set; }

    /// <summary>The number of a certificate that was revoked, in hexadecimal.</summary>
    public string Revoked { get; set; } = "";

    public void Dispose() => listener.Dispose();

    private void Serve()
    {
        try
        {
            while (true)
            {
                using var client = listener.AcceptTcpClient();
                if (!IsBroken) Answer(client.GetStream());
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // Disposed of.
        }
    }

    private void Answer(NetworkStream stream)
    {
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal)) head.Append((char)stream.ReadByte());
        var length = head.ToString().Split("\r\n").First(static l => l.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase))["Content-Length: ".Length..];
        var question = new byte[int.Parse(length, CultureInfo.InvariantCulture)];
        stream.ReadExactly(question);
        Interlocked.Increment(ref asked);
        File.WriteAllBytes(of.At("question.der"), question);
        File.WriteAllText(of.At("index.txt"), string.Concat(Enumerable.Range(0x20, 0x20).Select(n => n.ToString("X2", CultureInfo.InvariantCulture) is var serial && serial == Revoked ? $"R\t991231235959Z\t220101000000Z\t{serial}\tunknown\t/CN={serial}\n" : $"V\t991231235959Z\t\t{serial}\tunknown\t/CN={serial}\n")));
        var said = Command.Run("openssl", ["ocsp", "-index", "index.txt", "-rsigner", "issuer.pem", "-rkey", "issuer.key", "-CA", "issuer.pem", "-reqin", "question.der", "-respout", "answer.der", "-ndays", "2"], of.Folder);
        Said = said.Output + said.Error;
        var answer = File.ReadAllBytes(of.At("answer.der"));
        stream.Write(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: {answer.Length}\r\nConnection: close\r\n\r\n"));
        stream.Write(answer);
    }
}
