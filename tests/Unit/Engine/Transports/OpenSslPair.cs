// OpenSSL on both sides of a simulated connection.

using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Weir.Engine.Tls;
using Weir.Engine.Transports;

namespace Weir.Tests.Unit.Engine.Transports;

internal static partial class OpenSslPair
{
    [LibraryImport("libssl.so.3")]
    private static partial int SSL_CTX_set_tlsext_max_fragment_length(nint context, byte mode);

    private static readonly Lazy<OpenSslServer> Shared = new(static () => Serve(new TlsSettings()));
    private static readonly SslContext[] Clients = [MakeClient(0), MakeClient(512), MakeClient(4096)];

    public static void Agree(TlsWorld world, int seed)
    {
        var (client, server) = Begin(world, seed);
        world.Agree(client, server);
    }

    public static (TlsEngine Client, TlsEngine Server) Begin(TlsWorld world, int seed = 0, Func<Transport, Transport>? accepted = null) =>
        (new OpenSslEngine(Clients[seed / 7 % Clients.Length], world.Beneath(0), default(OpenSslClient)!), Shared.Value.Accept(accepted?.Invoke(world.Beneath(1)) ?? world.Beneath(1)));

    public static unsafe void AskFor(OpenSslEngine engine, string name)
    {
        fixed (byte* at = System.Text.Encoding.Latin1.GetBytes(name + '\0')) Assert.Equal(1, OpenSsl.SSL_ctrl(engine.Ssl, OpenSsl.CtrlServerName, 0, at));
    }

    public static void RenewKeys(OpenSslEngine engine)
    {
        const int Requested = 1;
        if (SSL_key_update(engine.Ssl, Requested) == 0) OpenSsl.ERR_clear_error(); // Not within a record.
    }

    /// <summary>Takes new keys and says so at once, without asking the peer to do the same.</summary>
    public static void TakeNewKeys(OpenSslEngine engine)
    {
        Assert.Equal(1, SSL_key_update(engine.Ssl, 0));
        Assert.Equal(1, OpenSsl.SSL_do_handshake(engine.Ssl));
    }

    [LibraryImport("libssl.so.3")]
    private static partial int SSL_key_update(nint ssl, int type);

    private static unsafe SslContext MakeClient(int mostPiece)
    {
        var context = new SslContext(server: false);
        _ = OpenSsl.SSL_CTX_ctrl(context.Pointer, OpenSsl.CtrlMode, OpenSsl.Mode, null);
        _ = OpenSsl.SSL_CTX_ctrl(context.Pointer, OpenSsl.CtrlReadAhead, 1, null);
        if (mostPiece > 0) Assert.Equal(1, SSL_CTX_set_tlsext_max_fragment_length(context.Pointer, (byte)(int.Log2(mostPiece) - 8)));
        return context;
    }

    public static OpenSslServer Serve(TlsSettings settings)
    {
        var folder = Directory.CreateTempSubdirectory("weir-tls-");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=h", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        var (chain, secret) = (Path.Combine(folder.FullName, "c.pem"), Path.Combine(folder.FullName, "k.pem"));
        File.WriteAllText(chain, certificate.ExportCertificatePem());
        File.WriteAllText(secret, key.ExportPkcs8PrivateKeyPem());
        var site = ShownSite.Of(chain, secret);
        folder.Delete(recursive: true);
        var server = new OpenSslServer(settings);
        server.Sites.Default = site;
        return server;
    }
}
