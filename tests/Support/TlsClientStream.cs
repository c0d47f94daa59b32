// A client over TLS on loopback, by the runtime's own TLS: what was agreed can be looked at.

using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>Clients over TLS.</summary>
public static class TlsClientStream
{
    /// <summary>Connects and shakes hands; the peer's certificate is believed unless <paramref name="check"/> says otherwise.</summary>
    public static SslStream Connect(int port, string name, SslProtocols protocols = SslProtocols.None, (string Certificate, string Key)? own = null, Action<X509Certificate2>? check = null, string[]? alpn = null)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000, SendTimeout = 10_000 };
        socket.Connect("127.0.0.1", port);
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            stream.AuthenticateAsClient(new SslClientAuthenticationOptions
            {
                TargetHost = name,
                EnabledSslProtocols = protocols,
                ClientCertificates = own is { } files ? [X509Certificate2.CreateFromPemFile(files.Certificate, files.Key)] : null,
                ApplicationProtocols = alpn?.Select(a => new SslApplicationProtocol(a)).ToList(),
#pragma warning disable CA5359 // What is shown is looked at by the test.
                RemoteCertificateValidationCallback = (_, shown, _, _) =>
                {
                    check?.Invoke((X509Certificate2)shown!);
                    return true;
                },
#pragma warning restore CA5359
            });
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request that ends its connection, and reads all that comes.</summary>
    public static string Ask(int port, string name, string path = "/", string? host = null, SslProtocols protocols = SslProtocols.None, (string Certificate, string Key)? own = null)
    {
        using var stream = Connect(port, name, protocols, own);
        return Ask(stream, $"GET {path} HTTP/1.1\r\nHost: {host ?? name}\r\nConnection: close\r\n\r\n");
    }

    /// <summary>Sends text and reads to the end.</summary>
    public static string Ask(SslStream stream, string text)
    {
        stream.Write(Encoding.ASCII.GetBytes(text));
        using var all = new MemoryStream();
        stream.CopyTo(all);
        return Encoding.Latin1.GetString(all.ToArray());
    }
}
